package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"weir/internal/rag"
)

const (
	problemType = "application/problem+json"
	contentJSON = "application/json"
)

// statusOf is the one table from code to status. docs/API.md shows it.
func statusOf(code rag.Code) (status int, title string) {
	switch code {
	case rag.Invalid:
		return http.StatusBadRequest, "The request is not valid"
	case rag.Unauthorized:
		return http.StatusUnauthorized, "Who is calling is not known"
	case rag.Forbidden:
		return http.StatusForbidden, "This caller may not do this"
	case rag.NotFound:
		return http.StatusNotFound, "Not found"
	case rag.Conflict:
		return http.StatusConflict, "Not possible in the present state"
	case rag.TooLarge:
		return http.StatusRequestEntityTooLarge, "Too large"
	case rag.UnsupportedMedia:
		return http.StatusUnsupportedMediaType, "This kind of content is not read"
	case rag.RateLimited:
		return http.StatusTooManyRequests, "Too many requests of this user"
	case rag.Overloaded:
		return http.StatusServiceUnavailable, "The server is full"
	case rag.Unavailable:
		return http.StatusServiceUnavailable, "Something the server needs is not available"
	case rag.Timeout:
		return http.StatusGatewayTimeout, "The deadline has passed"
	case rag.Canceled:
		return statusClientClosed, "The caller left"
	case rag.Internal:
		return http.StatusInternalServerError, "The server failed"
	default:
		return http.StatusInternalServerError, "The server failed"
	}
}

// statusClientClosed is nginx's 499. No standard status says this, and nobody
// is there to read it: it is for the log.
const statusClientClosed = 499

// methodError is a 405: an Invalid error with a status and a header of its
// own.
type methodError struct {
	method, path, allow string
}

func (e *methodError) Error() string {
	return e.method + " is not a method of " + e.path + "; it has " + e.allow
}

// documentError is an upload with wait=true whose document failed.
type documentError struct {
	doc rag.Document
	err *rag.Error
}

func (e *documentError) Error() string { return e.err.Error() }
func (e *documentError) Unwrap() error { return e.err }

// problemOf says what the caller of a failed request is told. ctx is the
// request's.
func problemOf(ctx context.Context, err error, operation string) (p Problem, headers http.Header) {
	headers = http.Header{}
	var method *methodError
	if errors.As(err, &method) {
		headers.Set("Allow", method.allow)
		return Problem{
			Type: "about:blank", Title: "Method not allowed", Status: http.StatusMethodNotAllowed,
			Detail: method.Error(), Code: rag.Invalid, OperationID: operation,
		}, headers
	}
	e := callerError(ctx, err, operation)
	status, title := statusOf(e.Code)
	p = Problem{
		Type: "about:blank", Title: title, Status: status, Detail: e.Msg, Code: e.Code, Field: e.Field, Phase: e.Phase,
		OperationID: operation,
	}
	if e.Code == rag.Overloaded && e.RetryAfter <= 0 {
		e.RetryAfter = time.Second
	}
	if e.RetryAfter > 0 {
		p.RetryAfterMS = max(1, e.RetryAfter.Milliseconds())
		headers.Set("Retry-After", strconv.FormatInt(wholeSeconds(e.RetryAfter), 10))
	}
	var failed *documentError
	if errors.As(err, &failed) {
		p.Document = &failed.doc
	}
	return p, headers
}

// callerError is err as its caller may see it: the words of an error that is
// not a rag.Error are for the log only.
func callerError(ctx context.Context, err error, operation string) rag.Error {
	err = stopped(ctx, err)
	code := rag.CodeOf(err)
	var e *rag.Error
	if errors.As(err, &e) {
		return *e
	}
	switch code { // the others are of no ctx, and come as a rag.Error
	case rag.Canceled:
		return rag.Error{Code: code, Msg: "the caller left before the answer was ready"}
	case rag.Timeout:
		return rag.Error{Code: code, Msg: "no answer was ready by the deadline"}
	default:
		return rag.Error{Code: rag.Internal, Msg: "the server failed; its log has the cause under operation " + operation}
	}
}

// wholeSeconds rounds up, to at least 1: Retry-After: 0 means "at once".
func wholeSeconds(d time.Duration) int64 {
	return max(1, int64((d+time.Second-1)/time.Second))
}

func (p Problem) json() []byte {
	b, err := json.Marshal(p)
	if err != nil { // of strings and numbers: cannot be
		return []byte(`{"type":"about:blank","title":"The server failed","status":500,"code":"internal"}`)
	}
	return b
}
