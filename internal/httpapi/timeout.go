package httpapi

import (
	"net/http"
	"strconv"
	"time"

	"weir/internal/rag"
)

// timeoutOf reads the deadline that a caller of the OpenAI shape asks for in a
// header, as there is no member for it in the body; 0: none.
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
