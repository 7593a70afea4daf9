package provider

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// MaxRetryAfter is the most that is believed: a provider that says "in three
// hundred years" is out for today.
const MaxRetryAfter = 24 * time.Hour

// RetryAfter reads when the provider wants to be asked again: retry-after-ms,
// else Retry-After in seconds (decimals too) or as a date. A date counts from
// the answer's own Date, so that a clock that is off does no harm. 0: it does
// not say, or says nothing that makes sense.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	if d := seconds(h.Get("Retry-After-Ms"), time.Millisecond); d > 0 {
		return d
	}
	raw := strings.TrimSpace(h.Get("Retry-After"))
	if d := seconds(raw, time.Second); d > 0 {
		return d
	}
	at, err := http.ParseTime(raw)
	if err != nil {
		return 0
	}
	if sent, err := http.ParseTime(h.Get("Date")); err == nil {
		now = sent
	}
	return min(max(at.Sub(now), 0), MaxRetryAfter)
}

func seconds(raw string, unit time.Duration) time.Duration {
	n, err := strconv.ParseFloat(strings.TrimSpace(raw), 64)
	tooBig := math.IsInf(n, 1) && err != nil // 1e999, but not the word Inf
	switch {
	case tooBig, err == nil && !math.IsInf(n, 0) && n*float64(unit) > float64(MaxRetryAfter):
		return MaxRetryAfter
	case err != nil, math.IsNaN(n), math.IsInf(n, 0), n <= 0:
		return 0
	default:
		return time.Duration(n * float64(unit))
	}
}
