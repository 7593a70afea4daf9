package rag

import (
	"context"
	"sync"
	"time"
)

// Deed is one call for the audit log: who did what, without content.
type Deed struct {
	Time      time.Time
	Operation string // the call's id
	Caller    Caller
	Remote    string // the address that the connection came from
	What      string // method and pattern of the route, and for agents the tool
	Document  string // id, where the call was about one document
	Status    int    // of the answer
	Code      Code   // "" when it went well
}

// Account is what a room behind a door tells it of a call for its Deed: which document it
// was about, and how it went where the door's own status says nothing of that. It is
// safe for concurrent use, and all of it can be called on nil.
type Account struct {
	mu       sync.Mutex
	document string
	code     Code
}

type accountKey struct{}

// WithAccount has the calls made with ctx tell what they did.
func WithAccount(ctx context.Context) (context.Context, *Account) {
	a := &Account{}
	return context.WithValue(ctx, accountKey{}, a), a
}

// AccountOf is the account that WithAccount gave ctx; nil: nobody asks.
func AccountOf(ctx context.Context) *Account {
	a, _ := ctx.Value(accountKey{}).(*Account)
	return a
}

// About says which document the call is about. id may be what a caller has sent.
func (a *Account) About(id string) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.document = id
}

// Failed says why the call did not go well. What was said first counts.
func (a *Account) Failed(code Code) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.code == "" {
		a.code = code
	}
}

// Look is what was told so far; "" where nothing was.
func (a *Account) Look() (document string, code Code) {
	if a == nil {
		return "", ""
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.document, a.code
}
