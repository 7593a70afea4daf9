package rag

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Code is the closed set of ways a call can fail. Doors map it to their own
// statuses, each in one table.
type Code string

// The codes. What each means to a caller is in docs/API.md.
const (
	Invalid          Code = "invalid"
	Unauthorized     Code = "unauthorized"
	Forbidden        Code = "forbidden"
	NotFound         Code = "not_found"
	Conflict         Code = "conflict"
	TooLarge         Code = "too_large"
	UnsupportedMedia Code = "unsupported_media"
	RateLimited      Code = "rate_limited"
	Overloaded       Code = "overloaded"
	Unavailable      Code = "unavailable"
	Timeout          Code = "timeout"
	Canceled         Code = "canceled"
	Internal         Code = "internal"
)

// Error is what a caller of Weir is told. Msg is for the caller: it holds no
// document text, key or path of the server. Err is the cause, for the log.
type Error struct {
	Code       Code
	Msg        string
	Field      string        // the field of the request that is at fault, if one is
	Phase      string        // where it happened: queue, dial, tls, headers, body, decode, store, …
	RetryAfter time.Duration // when a new attempt may succeed; 0: unknown
	Err        error
}

func (e *Error) Error() string {
	s := string(e.Code) + ": " + e.Msg
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error of a code; a %w in format becomes its cause's text
// and its Err.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Msg: err.Error(), Err: errors.Unwrap(err)}
}

// FieldErrorf makes an Invalid Error that names the field at fault.
func FieldErrorf(field, format string, args ...any) *Error {
	return &Error{Code: Invalid, Field: field, Msg: field + ": " + fmt.Sprintf(format, args...)}
}

// CodeOf tells the code of any error: an Error's own, Timeout and Canceled
// for a context's end, else Internal. CodeOf(nil) is "".
func CodeOf(err error) Code {
	var e *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.Code
	case errors.Is(err, context.DeadlineExceeded):
		return Timeout
	case errors.Is(err, context.Canceled):
		return Canceled
	default:
		return Internal
	}
}

// ErrLeaseLost is returned by a Queue operation whose job is no longer the
// caller's: its lease ran out, or the document was cancelled or deleted. The
// caller drops the job; nothing it did after the loss took effect.
var ErrLeaseLost = errors.New("the lease on the document is lost")
