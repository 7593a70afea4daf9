package drill

import (
	"cmp"
	"fmt"
	"time"

	"weir/internal/chaos"
)

// Limits are what a row is held to, beside that nothing is late, hung, wrong,
// another user's, unclear, degraded without a word, or left. A zero means the
// default.
type Limits struct {
	PerCall   float64       // requests to the provider per call in a total outage, where calls are many. Defaults to 1.2
	Recovered time.Duration // from the fault's end until callers are answered again. Defaults to 5 s
}

// WithDefaults returns l with its zeros filled.
func (l Limits) WithDefaults() Limits {
	l.PerCall = cmp.Or(l.PerCall, 1.2)
	l.Recovered = cmp.Or(l.Recovered, 5*time.Second)
	return l
}

// What an outage may cost beside the first tries (provider.Budget): a share of
// them, and what was saved up before. The latter does not grow with the calls: of
// few it is a large part, and no sign that the provider is pressed.
const (
	retried = 0.17
	savedUp = 8
)

// requests is the most that so many calls in an outage may cost. From 300 calls on
// it is PerCall that counts.
func (l Limits) requests(calls int) float64 {
	n := float64(calls)
	return max(l.PerCall*n, n+retried*n+savedUp)
}

// Complaints says in words where the row is over the limits. None: it passes.
func (r Row) Complaints(l Limits) []string {
	l = l.WithDefaults()
	if r.Skipped != "" {
		return nil
	}
	if r.Broken != "" {
		return []string{r.Broken}
	}
	var out []string
	for _, c := range []struct {
		n    int
		what string
	}{
		{r.Hung, "did not return"},
		{r.Late, fmt.Sprintf("returned late, by up to %.0f ms (the machine woke the drill itself up to %.0f ms late)", r.WorstLate, r.OwnLag)},
		{r.Wrong, "got a wrong answer"},
		{r.Foreign, "got what is another user's"},
		{r.Undeclared, "got a degraded answer that does not say so"},
		{r.Unclear, "got an error without a code"},
	} {
		if c.n > 0 {
			out = append(out, fmt.Sprintf("%d of %d calls %s", c.n, r.AllCalls, c.what))
		}
	}
	if r.Calls == 0 {
		out = append(out, "nobody asked anything while the fault lasted")
	}
	if r.Outage && float64(r.Requests) > l.requests(r.Calls) {
		out = append(out, fmt.Sprintf("%.2f requests per call in an outage", r.PerCall))
	}
	if r.Expect == chaos.Answer.String() && float64(r.Unexpected) > mostUnexpected*float64(r.Calls) {
		out = append(out, fmt.Sprintf("%s of the calls were not answered whole, and the fault is none that excuses it", percent(r.Unexpected, r.Calls)))
	}
	switch {
	case !r.Recovered:
		out = append(out, "callers were not answered again after the fault's end")
	case r.RecoveredMS > ms(l.Recovered):
		out = append(out, fmt.Sprintf("callers were answered again only after %.1f s", r.RecoveredMS/1000))
	}
	if r.LeftGoroutines > 0 {
		out = append(out, fmt.Sprintf("%d goroutines were left", r.LeftGoroutines))
	}
	if r.LeftConnections > 0 {
		out = append(out, fmt.Sprintf("%d connections were left", r.LeftConnections))
	}
	return out
}

// mostUnexpected is the part of the calls that may be degraded or refused, and
// say so, under a fault that has an answer: what a fault takes to be noticed.
const mostUnexpected = 0.2

// Remark says where a row that passes is worse than the fault excuses; "": it
// is not.
func (r Row) Remark() string {
	const share = 0.01
	if float64(r.Unexpected) <= share*float64(r.Calls) {
		return ""
	}
	return fmt.Sprintf("%s of the calls were degraded or refused, and said so, where the fault alone does not excuse it", percent(r.Unexpected, r.Calls))
}
