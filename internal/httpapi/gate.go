package httpapi

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"strings"
	"time"

	"weir/internal/rag"
)

// Gate finds out who calls.
type Gate interface {
	// Admit says who makes a request, by its headers and addresses; asked is the
	// user that it names itself, "" when it names none. The caller's User is
	// "" when it may act for several and named none. Its errors are
	// Unauthorized, Forbidden (it may not act for asked), RateLimited and
	// Unavailable; they never tell how near a guess was. It ends with ctx.
	Admit(ctx context.Context, r *http.Request, asked rag.User) (rag.Caller, error)
	// Hold ends the ctx it returns, with an Unauthorized as its cause, when c would
	// no longer be let in as it was. leave is called when the call is over. It does not wait,
	// and is for calls that last.
	Hold(ctx context.Context, c rag.Caller) (held context.Context, leave func())
	// Ready says why nobody can be let in, if so. It does not wait.
	Ready() error
	// Look is how it stands, for /v1/status, without secrets. It does not wait.
	Look() any
}

// Limiter bounds what one user asks. It does not wait.
type Limiter interface {
	// Take counts one call of user. Its error is RateLimited, with when to try
	// again; what is left is told either way.
	Take(user rag.User) (rag.Quota, error)
}

// Auditor is told of each call that may concern somebody's documents, and of each that
// was refused. It does not wait.
type Auditor interface {
	Note(rag.Deed)
}

// right is what rt asks of its callers: one of these. Where there is nothing,
// any caller may learn so.
func (rt route) right() rag.Rights {
	switch {
	case rt.needs != 0:
		return rt.needs
	case rt.body == unread:
		return rag.AllRights
	case rt.method == http.MethodGet:
		return rag.MayRead
	default:
		return rag.MayWrite
	}
}

// admit finds out who makes the request, and refuses what the caller may not
// do, or not yet again. It comes before anything of the request but its headers is read.
func (d *door) admit(ctx context.Context, x *exchange, rt route) (context.Context, error) {
	asked, unreadable := userOf(x.r.Header)
	if rt.public {
		return ctx, nil
	}
	if d.cfg.Gate == nil {
		if unreadable != nil {
			return ctx, unreadable
		}
		x.caller = rag.Caller{User: orDefault(asked, defaultUser), Kind: rag.CallerLocal, Rights: rag.AllRights}
	} else {
		caller, err := d.cfg.Gate.Admit(ctx, x.r, asked)
		if err != nil {
			return ctx, err
		}
		x.caller = caller
		if unreadable != nil {
			return ctx, unreadable
		}
	}
	x.user = x.caller.User
	wanted := rt.right()
	switch {
	case !x.caller.Rights.Any(wanted):
		return ctx, &rag.Error{Code: rag.Forbidden, Msg: "this caller may not do this: " + rightNames(wanted) + " is not among its rights"}
	case x.user == "" && !wanted.Any(rag.MayObserve|rag.MayOperate):
		return ctx, rag.FieldErrorf(userHeader, "is missing; this key acts for users, and each call says for which")
	}
	if !rt.quiet { // who looks each second how the server is, as the page does, has not asked it for anything
		if err := d.limit(x); err != nil {
			return ctx, err
		}
	}
	return rag.WithCaller(ctx, x.caller), nil
}

func rightNames(r rag.Rights) string {
	var names []string
	for _, right := range []struct {
		is   rag.Rights
		name string
	}{{rag.MayRead, "read"}, {rag.MayWrite, "write"}, {rag.MayObserve, "metrics"}, {rag.MayOperate, "admin"}} {
		if r.Any(right.is) {
			names = append(names, right.name)
		}
	}
	return strings.Join(names, " or ")
}

// limit counts the call against what its user may ask. Whoever owns the data
// folder could as well read it.
func (d *door) limit(x *exchange) error {
	if d.cfg.Limit == nil || x.caller.Kind == rag.CallerOwner {
		return nil
	}
	user := x.user
	if user == "" {
		user = rag.User("\x00" + x.caller.KeyID) // no user's name, which hold no controls
	}
	left, err := d.cfg.Limit.Take(user)
	setQuota(x.w.Header(), left)
	return err
}

// challenge tells a caller that is not known how to be (RFC 9110, section
// 11.6.1; RFC 6750, section 3).
func challenge(asked http.Header, p Problem, h http.Header) {
	if p.Code != rag.Unauthorized {
		return
	}
	how := `Bearer realm="weir"`
	if len(asked.Values("Authorization")) > 0 {
		how += `, error="invalid_token"`
	}
	h.Set("WWW-Authenticate", how)
}

// audit notes what was done. What only looks at the server itself is not noted,
// unless it was refused.
func (d *door) audit(x *exchange, rt route, p Problem) {
	if d.cfg.Audit == nil || rt.public || rt.quiet && p.Status < 400 {
		return
	}
	host, _, err := net.SplitHostPort(x.r.RemoteAddr)
	if err != nil {
		host = ""
	}
	what := logMethod(x.r.Method) + " " + rt.path
	if x.tool != "" {
		what += " " + x.tool
	}
	if x.document == "" {
		x.document = plainID(x.r.PathValue("id"))
	}
	code := p.Code
	if x.account != nil {
		about, went := x.account.Look()
		x.document = plainID(about)
		if code = cmp.Or(code, went); code == "" && x.status >= http.StatusBadRequest { // refused before it was a call
			code = codeOfPlain(x.status)
		}
	}
	d.cfg.Audit.Note(rag.Deed{
		Time: time.Now(), Operation: x.operation, Caller: x.caller, Remote: host,
		What: what, Document: x.document, Status: x.status, Code: code,
	})
}

// plainID is id if it is of the kind that documents have: a path may hold
// anything else, such as what a document says.
func plainID(id string) string {
	const most = 64
	if len(id) > most || strings.ContainsFunc(id, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'f') && r != '-'
	}) {
		return ""
	}
	return id
}
