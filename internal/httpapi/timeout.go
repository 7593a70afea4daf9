package httpapi

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"weir/internal/rag"
)

// timeoutOf reads the deadline that a caller asks for in a header, which all calls with
// a deadline have, whatever the shape of their body; 0: none.
func timeoutOf(h http.Header) (time.Duration, error) {
	values := h.Values(timeoutHeader)
	if len(values) == 0 {
		return 0, nil
	}
	if len(values) > 1 {
		return 0, rag.FieldErrorf(timeoutHeader, "is there %d times", len(values))
	}
	ms, err := strconv.ParseInt(values[0], 10, 64)
	if err != nil || ms < 1 || values[0][0] == '+' {
		return 0, rag.FieldErrorf(timeoutHeader, "must be a whole number of milliseconds from 1, not %s", shorten(values[0]))
	}
	const longest = 24 * time.Hour // beyond any server's maximum, below what a Duration holds
	return time.Duration(min(ms, longest.Milliseconds())) * time.Millisecond, nil
}

// within gives ctx the deadline that the caller asked for in a header, if it did. It
// counts from now, when the work begins. The service has a deadline of its own, and the
// sooner of the two is in force.
func (x *exchange) within(ctx context.Context) (context.Context, context.CancelFunc) {
	if x.timeout == 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, x.timeout)
}

// sooner is the timeout_ms of a body, or that of the header if it is shorter. What
// is wrong with that of the body stays so.
func (x *exchange) sooner(ms int) int {
	asked := int(x.timeout.Milliseconds())
	if ms == 0 || asked > 0 && asked < ms && ms <= rag.MaxTimeoutMS {
		return asked
	}
	return ms
}
