package provider

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"

	"weir/internal/openai"
	"weir/internal/rag"
)

// Fault is how an attempt failed: what to tell the caller, and what whoever
// made the attempt may do about it.
type Fault struct {
	*rag.Error     // Code, Phase and RetryAfter are set; Msg is fit to be shown
	Status     int // of the answer; 0: there was none
	// Retry: the same request may succeed later.
	Retry bool
	// Split: the request was refused as it is, and parts of it may not be.
	Split bool
	// Vague: the request was refused without saying what in it was.
	Vague bool
}

// Peer is whom faults are about, in the words in which they are told.
type Peer struct {
	Name    string // the embedding provider
	Work    string // the embedding
	Offers  string // embeddings
	Sent    string // the text
	Key     string // is in no error
	Model   string
	Options []string // members of a request that may be refused by themselves
}

// Fault makes the common kind: Unavailable.
func (w Peer) Fault(p Phase, cause error, format string, args ...any) *Fault {
	return &Fault{Error: &rag.Error{
		Code: rag.Unavailable, Phase: p.String(), Err: cause,
		Msg: w.Name + " " + fmt.Sprintf(format, args...),
	}}
}

// Ended is the error of a caller whose ctx ended in phase p.
func (w Peer) Ended(ctx context.Context, p Phase, last error) *rag.Error {
	e := &rag.Error{Code: rag.CodeOf(ctx.Err()), Phase: p.String(), Err: context.Cause(ctx)}
	if last != nil {
		e.Err = fmt.Errorf("%w, after: %w", e.Err, last)
	}
	if e.Code == rag.Canceled {
		e.Msg = w.Work + " was canceled"
	} else {
		e.Msg = w.Name + " did not answer in time (" + p.Doing() + ")"
	}
	return e
}

// Doing says what is waited for in phase p.
func (p Phase) Doing() string {
	switch p {
	case Queue:
		return "waiting for a free connection"
	case Dial:
		return "connecting"
	case TLS:
		return "TLS handshake"
	case Headers:
		return "waiting for the answer to begin"
	case Body:
		return "reading the answer"
	case Decode, Check, Validate:
		return "checking"
	case FirstToken:
		return "waiting for the first word"
	case Token:
		return "waiting for the next word"
	default:
		return p.String()
	}
}

// Broken judges an error of the connection in phase p: attempt is the ctx of
// the attempt, caller the one it was made from.
func (w Peer) Broken(caller, attempt context.Context, p Phase, err error) *Fault {
	// url.Error repeats the address; a query in it may be secret.
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var (
		timeout  net.Error
		cert     *tls.CertificateVerificationError
		unknown  x509.UnknownAuthorityError
		record   tls.RecordHeaderError
		timedOut = attempt.Err() != nil || (errors.As(err, &timeout) && timeout.Timeout())
	)
	switch {
	case caller.Err() != nil:
		return &Fault{Error: w.Ended(caller, p, nil)}
	case errors.Is(err, ErrReplayed), errors.Is(context.Cause(attempt), ErrReplayed):
		f := w.Fault(Headers, ErrReplayed, "broke off the connection before it answered, again and again")
		f.Retry = true
		return f
	case timedOut:
		f := w.Fault(p, err, "did not answer in time (%s)", p.Doing())
		f.Code, f.Retry = rag.Timeout, true
		return f
	case errors.As(err, &cert), errors.As(err, &unknown):
		return w.Fault(TLS, err, "has a certificate that is not trusted")
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return w.Fault(TLS, err, "does not speak TLS at this address; is it http instead of https?")
	}
	var f *Fault
	switch p {
	case Dial, Queue:
		f = w.Fault(Dial, err, "cannot be reached")
	case TLS:
		f = w.Fault(p, err, "broke off the TLS handshake")
	case Headers:
		f = w.Fault(p, err, "broke off the connection before it answered")
	case Body, Decode, Check, Validate, FirstToken, Token:
		f = w.Fault(p, err, "broke off its answer")
	}
	f.Retry = true
	return f
}

// Refused tells what an answer that is an error means. h is its head, sent are
// the caller's texts, which are not to be shown, and p is where it was found:
// Check says that its status was 200.
func (w Peer) Refused(e *openai.Error, h http.Header, sent []string, p Phase) *Fault {
	msg := Clean(e.Message, w.Key, sent)
	cause := &answered{
		status: e.Status, typ: Clean(e.Type, w.Key, sent), code: Clean(e.Code, w.Key, sent),
		id: Clean(h.Get("X-Request-Id"), w.Key, nil),
	}
	f := w.judge(e, cause, msg)
	if after := RetryAfter(h, time.Now()); f.Retry || IsBusy(e.Status) {
		f.RetryAfter = after
	}
	f.Phase = p.String()
	if p == Check && e.Status == 0 {
		f.Msg = w.Name + " answered with an error under status 200"
		if msg != "" {
			f.Msg += ": " + msg
		}
	}
	return f
}

// judge tells what an answer that is an error means. cause is the answer
// without the provider's words, which may repeat a text; msg is what is fit to
// be shown of them. The Phase is Headers, and RetryAfter is not set.
func (w Peer) judge(e *openai.Error, cause error, msg string) *Fault {
	if msg != "" {
		msg = ": " + msg
	}
	s := e.Status
	if s != 0 {
		msg = fmt.Sprintf(" (%d)%s", s, msg)
	}
	fail := func(format string, args ...any) *Fault {
		f := w.Fault(Headers, cause, format, args...)
		f.Status = s
		return f
	}
	badKey := slices.Contains([]string{"invalid_api_key", "API_KEY_INVALID"}, e.Code)
	switch {
	case (s == http.StatusUnauthorized || badKey) && w.Key == "":
		return fail("wants an API key, and none is configured (%d)", cmp.Or(s, http.StatusUnauthorized))
	case s == http.StatusUnauthorized || badKey: // its words show parts of the key
		return fail("refused the API key (%d)", cmp.Or(s, http.StatusUnauthorized))
	case s == http.StatusForbidden:
		return fail("refused access with this API key%s", msg)
	case s >= 300 && s < 400:
		return fail("answered with a redirect (%d), which is not followed: the base URL must be the final address", s)
	case s == http.StatusNotFound, s == http.StatusGone, IsRefusal(s) && e.Param == "model", e.Code == "model_not_found":
		return fail("has no model %q, or no %s at this address%s", w.Model, w.Offers, msg)
	case IsRefusal(s) && slices.Contains(w.Options, e.Param):
		return fail("refused the parameter %s%s", e.Param, msg)
	case IsRefusal(s) && (e.Structured || s == http.StatusRequestEntityTooLarge):
		f := fail("refused %s%s", w.Sent, msg)
		f.Code, f.Split, f.Vague = rag.Invalid, true, true
		return f
	case IsRefusal(s): // not in an API's words: it is hardly about the text
		f := fail("refused the request%s", msg)
		f.Vague = true
		return f
	case s == http.StatusTooManyRequests:
		f := fail("is asked too often%s", msg)
		unpaid := slices.Contains([]string{"insufficient_quota", "billing_hard_limit_reached"}, e.Code)
		f.Retry = !unpaid
		return f
	default:
		f := fail("answered with an error%s", msg)
		f.Retry = passes(s)
		return f
	}
}

// IsBusy reports whether status is one whose Retry-After means something even
// where trying again at once makes no sense.
func IsBusy(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
}

// IsRefusal reports whether status blames the content of the request.
func IsRefusal(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return true
	default:
		return false
	}
}

// passes reports whether a status is one that may pass by itself. 424 is how
// TEI says that its backend failed, 409 how OpenAI says that a lock timed out.
func passes(status int) bool {
	switch status {
	case 0, http.StatusRequestTimeout, http.StatusConflict, http.StatusFailedDependency, http.StatusTooEarly:
		return true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return false
	default:
		return status >= 500
	}
}

// answered is a failed answer for the log.
type answered struct {
	status        int
	typ, code, id string
}

func (a *answered) Error() string {
	return fmt.Sprintf("status %d, type %.40q, code %.40q, request id %.80q", a.status, a.typ, a.code, a.id)
}
