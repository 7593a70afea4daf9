package rag

import (
	"context"
	"time"
)

// Caller is who makes a call, as a door has found out.
type Caller struct {
	User   User   // for whom; "" only where the call is of no user's documents
	Kind   string // one of those below; "" where nobody asked
	KeyID  string // of an API key, which is no secret
	Issuer string // of a token, as it says itself
	Rights Rights
	// Expires is when the token is no longer taken; zero: nothing says. (A key's end
	// may be moved while a call lasts, so it is not here.)
	Expires time.Time
}

// The kinds of callers.
const (
	CallerLocal = "local" // of a server without authentication
	CallerOwner = "owner" // a program that may read the server's data folder
	CallerKey   = "key"   // with an API key
	CallerToken = "token" // with a token of another's making (JWT)
)

// Rights is a set of what a caller may do.
type Rights uint8

// The rights.
const (
	MayRead    Rights = 1 << iota // ask, and see the user's documents
	MayWrite                      // add, cancel and delete them
	MayObserve                    // see what the server does, for all users, without their content
	MayOperate                    // change what concerns all users, such as the embedding model
)

// AllRights are those of whoever owns the server.
const AllRights = MayRead | MayWrite | MayObserve | MayOperate

// Any reports whether r has at least one of the wanted.
func (r Rights) Any(wanted Rights) bool { return r&wanted != 0 }

type callerKey struct{}

// WithCaller gives the calls made with ctx their caller. It can only take
// rights away: Service refuses what c may not do, by whatever door it comes. A
// ctx without a caller is the program's own and may do all.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerOf is the caller that WithCaller gave ctx.
func CallerOf(ctx context.Context) (c Caller, ok bool) {
	c, ok = ctx.Value(callerKey{}).(Caller)
	return c, ok
}

// permit refuses a ctx whose caller has none of the wanted rights.
func permit(ctx context.Context, wanted Rights) error {
	if c, ok := CallerOf(ctx); ok && !c.Rights.Any(wanted) {
		return &Error{Code: Forbidden, Msg: "this caller may ask and read, but not change documents"}
	}
	return nil
}

// Quota is how much a user may still ask.
type Quota struct {
	PerMinute int           // calls, in the long run
	Left      int           // calls that may be made at once
	Full      time.Duration // until Left is as large as it gets
}
