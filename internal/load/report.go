package load

import (
	"encoding/json"
	"time"
)

// Report is what a run's callers saw. Due = Sent + NotSent, and Sent = OK +
// Refused + Failed + Hung + Unfinished.
type Report struct {
	Began    time.Time
	Rate     float64 // as asked for; 0: the closed loop
	Callers  int     // side by side; 0: the open loop
	Rounds   int     // that were whole
	Deadline time.Duration
	Grace    time.Duration
	Took     time.Duration // from the first call that was due to the end of the last
	Cut      bool          // not all calls that were to come have come

	Due        int // calls that were to be made
	Sent       int
	NotSent    int // for want of room, see Config.MaxOpen
	OK         int // answered by the deadline, the degraded included
	Degraded   int // of these, less than whole
	Refused    int // by the deadline: 429 or 503
	Failed     int // any other end
	Hung       int // had no end when deadline and grace were over
	Unfinished int // cut short by the end of the run's context
	Stuck      int // of those cut short or hung, did not end even when told to

	// Kinds says how often each kind of failure was met; "late" is an answer
	// after the deadline.
	Kinds map[string]int

	// From when a call was due to its end.
	Answers, Refusals, Failures *Latency
	// The same from when a call was really sent, without the generator's own Lag:
	// the server's part. It knows nothing of calls that had to wait to be sent, so
	// no verdict rests on it.
	AnswersSent, RefusalsSent *Latency
	// Lag is how late the generator itself started the calls. It is part of the
	// latencies: when it is not small beside them, the machine was too busy to
	// tell.
	Lag *Latency

	MostOpen int
	Seconds  []Second
	Points   Points
}

// maxKinds bounds what a server that answers all kinds of things can make of
// Kinds.
const maxKinds = 64

func (r *Report) kind(k string) {
	if _, known := r.Kinds[k]; !known && len(r.Kinds) >= maxKinds {
		k = "other"
	}
	r.Kinds[k]++
}

// Share is the part of the calls that were due which were answered by the
// deadline; with whole, degraded answers do not count.
func (r *Report) Share(whole bool) float64 {
	if r.Due == 0 {
		return 0
	}
	n := r.OK
	if whole {
		n -= r.Degraded
	}
	return float64(n) / float64(r.Due)
}

// Second is what happened in one second: what was due, and what ended,
// whenever it had begun.
type Second struct {
	At       int // whole seconds since the beginning
	Due      int
	NotSent  int
	OK       int
	Degraded int // of OK
	Refused  int
	Failed   int
	Hung     int
	Open     int           // in flight at its end
	P50, P99 time.Duration // of those answered in it; 0: none were
}

// second is the Second that goes on.
type second struct {
	Second
	answers *Latency
}

func newSecond() second { return second{answers: newLatency()} }

// MarshalJSON writes times in milliseconds.
func (s Second) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		At       int     `json:"second"`
		Due      int     `json:"due"`
		NotSent  int     `json:"not_sent"`
		OK       int     `json:"ok"`
		Degraded int     `json:"degraded"`
		Refused  int     `json:"refused"`
		Failed   int     `json:"failed"`
		Hung     int     `json:"hung"`
		Open     int     `json:"in_flight"`
		P50      float64 `json:"p50_ms"`
		P99      float64 `json:"p99_ms"`
	}{s.At, s.Due, s.NotSent, s.OK, s.Degraded, s.Refused, s.Failed, s.Hung, s.Open, ms(s.P50), ms(s.P99)})
}

// MarshalJSON writes times in milliseconds, without the Points.
func (r *Report) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Began      time.Time      `json:"began_at"`
		Rate       float64        `json:"rate,omitempty"`
		Callers    int            `json:"callers,omitempty"`
		Rounds     int            `json:"rounds,omitempty"`
		Deadline   float64        `json:"deadline_ms"`
		Took       float64        `json:"took_ms"`
		Cut        bool           `json:"cut_short"`
		Due        int            `json:"due"`
		Sent       int            `json:"sent"`
		NotSent    int            `json:"not_sent"`
		OK         int            `json:"ok"`
		Degraded   int            `json:"degraded"`
		Refused    int            `json:"refused"`
		Failed     int            `json:"failed"`
		Hung       int            `json:"hung"`
		Unfinished int            `json:"unfinished"`
		Kinds      map[string]int `json:"failures_by_kind"`
		Answers    *Latency       `json:"answers"`
		Refusals   *Latency       `json:"refusals"`
		Failures   *Latency       `json:"failures"`
		AnsSent    *Latency       `json:"answers_from_sending"`
		RefSent    *Latency       `json:"refusals_from_sending"`
		Lag        *Latency       `json:"generator_lag"`
		MostOpen   int            `json:"most_in_flight"`
		Seconds    []Second       `json:"seconds"`
	}{
		r.Began.UTC(), r.Rate, r.Callers, r.Rounds, ms(r.Deadline), ms(r.Took), r.Cut || r.Unfinished > 0,
		r.Due, r.Sent, r.NotSent, r.OK, r.Degraded, r.Refused, r.Failed, r.Hung, r.Unfinished, r.Kinds,
		r.Answers, r.Refusals, r.Failures, r.AnswersSent, r.RefusalsSent, r.Lag, r.MostOpen, r.Seconds,
	})
}
