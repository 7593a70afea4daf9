package embed

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"

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
	// vague: the request was refused without saying what in it was.
	vague bool
}

// errAttempt is the cause of the end of an attempt that took too long.
var errAttempt = errors.New("the attempt timed out")

// newFault makes the common kind: Unavailable.
func newFault(p Phase, cause error, format string, args ...any) *Fault {
	return &Fault{Error: &rag.Error{
		Code: rag.Unavailable, Phase: p.String(), Err: cause,
		Msg: "the embedding provider " + fmt.Sprintf(format, args...),
	}}
}

// ended is the error of a caller whose ctx ended in phase p.
func ended(ctx context.Context, p Phase, last error) *rag.Error {
	e := &rag.Error{Code: rag.CodeOf(ctx.Err()), Phase: p.String(), Err: context.Cause(ctx)}
	if last != nil {
		e.Err = fmt.Errorf("%w, after: %w", e.Err, last)
	}
	if e.Code == rag.Canceled {
		e.Msg = "the embedding was canceled"
	} else {
		e.Msg = "the embedding provider did not answer in time (" + doing(p) + ")"
	}
	return e
}

func doing(p Phase) string {
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
	default:
		return p.String()
	}
}

// broken judges an error of the connection in phase p: attempt is the ctx of
// the attempt, caller the one it was made from.
func broken(caller, attempt context.Context, p Phase, err error) *Fault {
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
		return &Fault{Error: ended(caller, p, nil)}
	case errors.Is(err, errReplayed), errors.Is(context.Cause(attempt), errReplayed):
		f := newFault(Headers, errReplayed, "broke off the connection before it answered, again and again")
		f.Retry = true
		return f
	case timedOut:
		f := newFault(p, err, "did not answer in time (%s)", doing(p))
		f.Code, f.Retry = rag.Timeout, true
		return f
	case errors.As(err, &cert), errors.As(err, &unknown):
		return newFault(TLS, err, "has a certificate that is not trusted")
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return newFault(TLS, err, "does not speak TLS at this address; is it http instead of https?")
	}
	var f *Fault
	switch p {
	case Dial, Queue:
		f = newFault(Dial, err, "cannot be reached")
	case TLS:
		f = newFault(p, err, "broke off the TLS handshake")
	case Headers:
		f = newFault(p, err, "broke off the connection before it answered")
	case Body, Decode, Check, Validate:
		f = newFault(p, err, "broke off its answer")
	}
	f.Retry = true
	return f
}

// judge tells what an answer that is an error means. cause is the answer
// without the provider's words, which may repeat a text; msg is what is fit to
// be shown of them. The Phase is Headers, and RetryAfter is not set.
func (c *Client) judge(e *openai.Error, cause error, msg string) *Fault {
	if msg != "" {
		msg = ": " + msg
	}
	s := e.Status
	if s != 0 {
		msg = fmt.Sprintf(" (%d)%s", s, msg)
	}
	fail := func(format string, args ...any) *Fault {
		f := newFault(Headers, cause, format, args...)
		f.Status = s
		return f
	}
	badKey := slices.Contains([]string{"invalid_api_key", "API_KEY_INVALID"}, e.Code)
	switch {
	case (s == http.StatusUnauthorized || badKey) && c.cfg.APIKey == "":
		return fail("wants an API key, and none is configured (%d)", or(s, http.StatusUnauthorized))
	case s == http.StatusUnauthorized || badKey: // its words show parts of the key
		return fail("refused the API key (%d)", or(s, http.StatusUnauthorized))
	case s == http.StatusForbidden:
		return fail("refused access with this API key%s", msg)
	case s >= 300 && s < 400:
		return fail("answered with a redirect (%d), which is not followed: the base URL must be the final address", s)
	case s == http.StatusNotFound, s == http.StatusGone, isRefusal(s) && e.Param == "model", e.Code == "model_not_found":
		return fail("has no model %q, or no embeddings at this address%s", c.cfg.Model, msg)
	case isRefusal(s) && (e.Param == "dimensions" || e.Param == "encoding_format"):
		return fail("refused the parameter %s%s", e.Param, msg)
	case isRefusal(s) && (e.Structured || s == http.StatusRequestEntityTooLarge):
		f := fail("refused the text%s", msg)
		f.Code, f.Split, f.vague = rag.Invalid, true, true
		return f
	case isRefusal(s): // not in an API's words: it is hardly about the text
		f := fail("refused the request%s", msg)
		f.vague = true
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

// isBusy reports whether status is one whose Retry-After means something even
// where trying again at once makes no sense.
func isBusy(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
}

// isRefusal reports whether status blames the content of the request.
func isRefusal(status int) bool {
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
