package load

import (
	"fmt"
	"strings"
	"time"
)

// Demand is what a run must have come to.
type Demand struct {
	// Success is the least part of the calls that were due which must be answered
	// by the deadline, from 0 to 1. Refusals are no answers.
	Success float64
	// Whole says that degraded answers do not count.
	Whole bool
}

// Verdict says whether a run has come to it.
type Verdict struct {
	Pass  bool   `json:"pass"`
	Words string `json:"words"` // why, in a sentence or some
}

// Judge judges a run. One in which a call hung, or which was broken off, has
// not passed, however many were answered.
func (d Demand) Judge(r *Report) Verdict {
	var why []string
	share := r.Share(d.Whole)
	what := "answered"
	if d.Whole {
		what = "answered whole"
	}
	v := Verdict{Pass: true}
	fail := func(format string, args ...any) {
		v.Pass = false
		why = append(why, fmt.Sprintf(format, args...))
	}
	n := r.OK
	if d.Whole {
		n -= r.Degraded
	}
	switch {
	case r.Due == 0:
		fail("no call was made")
	case share < d.Success:
		fail("%d of %d calls (%s) were %s within %s, less than %s", n, r.Due, percent(share), what, r.Deadline, percent(d.Success))
	default:
		why = append(why, fmt.Sprintf("%d of %d calls (%s) were %s within %s", n, r.Due, percent(share), what, r.Deadline))
	}
	if r.Hung == 0 {
		why = append(why, "none hung")
	} else {
		fail("%d hung: they had no end %s after the deadline", r.Hung, r.Grace)
	}
	if r.Cut || r.Unfinished > 0 {
		fail("the run was broken off")
	}
	v.Words = strings.Join(why, "; ")
	return v
}

// percent never rounds up to 100.
func percent(share float64) string {
	p := 100 * share
	switch {
	case p == float64(int(p)):
		return fmt.Sprintf("%.0f %%", p)
	case p > 99.9:
		return fmt.Sprintf("%.5g %%", min(p, 99.999))
	default:
		return fmt.Sprintf("%.1f %%", p)
	}
}

// Behind says how late the generator was itself, if that is so much that the
// latencies are in part its own: "" if it is not.
func (r *Report) Behind() string {
	lag := r.Lag.At(0.99)
	if lag < 5*time.Millisecond || lag*10 < r.Answers.At(0.5) {
		return ""
	}
	return fmt.Sprintf("this machine was too busy to start calls in time: 1 in 100 began %s late or more, which the latencies include", lag.Round(time.Millisecond))
}
