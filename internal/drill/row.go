package drill

import (
	"fmt"
	"slices"
	"time"

	"weir/internal/chaos"
)

// Row is what callers saw of one fault. Times are milliseconds.
type Row struct {
	Fault  chaos.Fault `json:"fault"`
	Does   string      `json:"does"`
	Wire   string      `json:"wire"`
	Expect string      `json:"expect"` // what callers of a service that does all it should may get

	Skipped string `json:"skipped,omitempty"` // why it was not driven
	Broken  string `json:"broken,omitempty"`  // why it could not be driven to its end

	// Of the calls that began while the fault lasted.
	Calls    int            `json:"calls"`
	Whole    int            `json:"whole"`
	Degraded map[string]int `json:"degraded"` // declared, by what they were degraded by
	Errors   map[string]int `json:"errors"`   // by code
	// Unexpected ended in a way that keeps the promise, a degraded answer or an
	// error that says so, but that the fault alone does not excuse.
	Unexpected int     `json:"unexpected"`
	Requests   int     `json:"requests"` // to the provider, as it or the target counts them, whichever is more
	PerCall    float64 `json:"requests_per_call"`
	Outage     bool    `json:"outage"` // no call can be answered whole: requests are counted against the limit

	// Of all calls.
	AllCalls   int     `json:"all_calls"`
	Late       int     `json:"late"`
	WorstLate  float64 `json:"worst_late_ms"`
	Hung       int     `json:"hung"`
	Wrong      int     `json:"wrong"`
	Foreign    int     `json:"foreign"`
	Undeclared int     `json:"undeclared"`
	Unclear    int     `json:"unclear"` // errors without a code
	Slowest    float64 `json:"slowest_ms"`
	Healthy    float64 `json:"healthy_p50_ms"` // before the fault

	Recovered       bool    `json:"recovered"`
	RecoveredMS     float64 `json:"recovered_ms"` // from the fault's end to the first of many calls that were nearly all whole
	MostConnections int     `json:"most_connections"`
	LeftGoroutines  int     `json:"left_goroutines"`
	LeftConnections int     `json:"left_connections"`
	OwnLag          float64 `json:"own_lag_ms"` // how late the drill itself was woken at worst: what the machine adds to any call
	TookMS          float64 `json:"took_ms"`

	Notes []string `json:"notes,omitempty"` // of the first few things that should not have been
}

func newRow(e chaos.Entry) *Row {
	return &Row{
		Fault: e.Fault, Does: e.Does, Wire: e.Wires[0].String(), Expect: e.Expect.String(),
		Outage:   e.Expect == chaos.Failure,
		Degraded: map[string]int{}, Errors: map[string]int{},
	}
}

// maxNotes of a row are kept.
const maxNotes = 8

func (r *Row) note(format string, args ...any) {
	if n := fmt.Sprintf(format, args...); len(r.Notes) < maxNotes && !slices.Contains(r.Notes, n) {
		r.Notes = append(r.Notes, n)
	}
}

// count makes the row of the calls.
func (r *Row) count(e chaos.Entry, calls []entry) {
	var healthy []time.Duration
	for _, c := range calls {
		r.AllCalls++
		r.Slowest = max(r.Slowest, ms(c.took))
		r.judge(c)
		switch {
		case c.step == suffering:
			r.suffer(e, c)
		case c.step == warming && c.ended && !c.hung && c.Kind == Whole:
			healthy = append(healthy, c.took)
		}
	}
	if len(healthy) > 0 {
		slices.Sort(healthy)
		r.Healthy = ms(healthy[len(healthy)/2])
	}
	if r.Calls > 0 {
		r.PerCall = float64(r.Requests) / float64(r.Calls)
	}
}

// judge counts what must not be at any time.
func (r *Row) judge(c entry) {
	when := [steps]string{"before the fault", "as the fault began", "in the fault", "after the fault"}[c.step]
	switch {
	case c.hung:
		r.Hung++
		r.note("%s: a call had not returned after %v", when, c.took.Round(time.Millisecond))
		return
	case c.late > 0:
		r.Late++
		r.WorstLate = max(r.WorstLate, ms(c.late))
		r.note("%s: a call returned %v after its deadline: %s", when, c.late.Round(time.Millisecond), c.Outcome)
	}
	switch c.Kind {
	case Wrong:
		r.Wrong++
	case Foreign:
		r.Foreign++
	case Undeclared:
		r.Undeclared++
	case Unclear:
		r.Unclear++
	case Whole, Degraded, Failed:
		return
	}
	r.note("%s: %s", when, c.Outcome)
}

// suffer counts a call of the fault's own time.
func (r *Row) suffer(e chaos.Entry, c entry) {
	r.Calls++
	switch {
	case c.hung:
		return
	case c.Kind == Whole:
		r.Whole++
		return
	case c.Kind == Degraded:
		r.Degraded[c.Code]++
	case c.Kind == Failed:
		r.Errors[c.Code]++
	default:
		return
	}
	if !excused(e, c.Code) {
		r.Unexpected++
		r.note("not excused by the fault: %s", c.Outcome)
	}
}

// excused reports whether a call may end with code while e lasts.
func excused(e chaos.Entry, code string) bool {
	return code == string(chaos.Overloaded) || slices.Contains(e.Codes, chaos.Code(code))
}

func (o Outcome) String() string {
	s := [...]string{"answered", "degraded", "error", "unclear error", "wrong answer", "another user's", "degraded without a word"}[o.Kind]
	if o.Code != "" {
		s += " (" + o.Code + ")"
	}
	if o.Detail != "" {
		s += ": " + o.Detail
	}
	return s
}

func ms(d time.Duration) float64 {
	return float64(d.Round(time.Microsecond)) / float64(time.Millisecond)
}
