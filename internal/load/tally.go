package load

import (
	"context"
	"sync"
	"time"
)

// flight is a call that has begun. What it holds is the tally's.
type flight struct {
	due    time.Time
	sent   time.Time
	cancel context.CancelCauseFunc
	over   bool
	done   chan struct{} // closed when it has ended or was given up
}

// tally counts. Each call is counted once, by whichever comes first: its end,
// or the clock that gives it up.
type tally struct {
	cfg   Config
	began time.Time

	mu      sync.Mutex
	report  Report
	now     second
	told    int       // of report.Seconds, how many news has returned
	open    int       // begun and not over
	left    int       // goroutines that make calls, those given up included
	waiting []*flight // in the order in which they began; some at the front may be over
}

func newTally(cfg Config, began time.Time) *tally {
	t := &tally{cfg: cfg, began: began, now: newSecond()}
	t.report = Report{
		Began: began, Rate: cfg.Rate, Callers: cfg.Callers, Deadline: cfg.Deadline, Grace: cfg.Grace, Kinds: map[string]int{},
		Answers: newLatency(), Refusals: newLatency(), Failures: newLatency(), Lag: newLatency(),
		AnswersSent: newLatency(), RefusalsSent: newLatency(),
	}
	return t
}

// begin counts a call that is due and numbers it; nil: there is no room.
func (t *tally) begin(due time.Time, cancel context.CancelCauseFunc) (*flight, int64) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.advance(now)
	n := t.cfg.First + int64(t.report.Due)
	t.report.Due++
	t.now.Due++
	if t.open >= t.cfg.MaxOpen {
		t.report.NotSent++
		t.now.NotSent++
		t.report.Points.add(Point{At: due.Sub(t.began), What: PointNotSent})
		return nil, 0
	}
	f := &flight{due: due, sent: now, cancel: cancel, done: make(chan struct{})}
	t.report.Sent++
	t.report.Lag.record(now.Sub(due))
	t.open++
	t.left++
	t.report.MostOpen = max(t.report.MostOpen, t.open)
	t.waiting = append(t.waiting, f)
	return f, n
}

// end counts what became of a call, unless it was given up before.
func (t *tally) end(f *flight, r Result) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if f.over {
		return
	}
	t.advance(now)
	took := now.Sub(f.due)
	if took > t.cfg.Deadline+t.cfg.Grace {
		t.hung(f, took)
		return
	}
	if took > t.cfg.Deadline {
		r = Result{Outcome: Failed, Kind: kindLate}
	}
	t.count(f, r, now)
	t.close(f)
}

// kindLate is an answer between the deadline and the end of the grace.
const kindLate = "late"

func (t *tally) count(f *flight, r Result, now time.Time) {
	took := now.Sub(f.due)
	p := Point{At: f.due.Sub(t.began), Took: took}
	switch r.Outcome {
	case Answered, Degraded:
		t.report.OK++
		t.now.OK++
		t.report.Answers.record(took)
		t.report.AnswersSent.record(now.Sub(f.sent))
		t.now.answers.record(took)
		if r.Outcome == Degraded {
			t.report.Degraded++
			t.now.Degraded++
			p.What = PointDegraded
		}
	case Refused:
		t.report.Refused++
		t.now.Refused++
		t.report.Refusals.record(took)
		t.report.RefusalsSent.record(now.Sub(f.sent))
		p.What = PointRefused
	case Failed:
		t.report.Failed++
		t.now.Failed++
		t.report.kind(r.Kind)
		t.report.Failures.record(took)
		p.What = PointFailed
	}
	t.report.Points.add(p)
}

// hung gives a call up.
func (t *tally) hung(f *flight, took time.Duration) {
	t.report.Hung++
	t.now.Hung++
	t.report.Points.add(Point{At: f.due.Sub(t.began), Took: took, What: PointHung})
	t.close(f)
	f.cancel(errOverdue)
}

func (t *tally) close(f *flight) {
	f.over = true
	close(f.done)
	t.open--
}

// leave notes that the goroutine of a call ends.
func (t *tally) leave() {
	t.mu.Lock()
	t.left--
	t.mu.Unlock()
}

func (t *tally) running() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.left
}

// reap gives up what is overdue, and closes the seconds that are over.
func (t *tally) reap(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.advance(now)
	kept := t.waiting[:0]
	for i, f := range t.waiting {
		if f.over {
			continue
		}
		if took := now.Sub(f.due); took > t.cfg.Deadline+t.cfg.Grace {
			t.hung(f, took)
			continue
		}
		// In order of their beginning, which is nearly that of their end: what is
		// behind one that may go on is looked at another time.
		kept = append(kept, t.waiting[i:]...)
		break
	}
	clear(t.waiting[len(kept):])
	t.waiting = kept
}

// drain returns when every call is over; those that are not when ctx ends are
// cut short.
func (t *tally) drain(ctx context.Context) {
	for {
		t.mu.Lock()
		var next *flight
		for _, f := range t.waiting {
			if !f.over {
				next = f
				break
			}
		}
		t.mu.Unlock()
		if next == nil {
			return
		}
		select {
		case <-next.done:
		case <-ctx.Done():
			t.abandon()
			return
		}
	}
}

func (t *tally) abandon() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range t.waiting {
		t.unfinished(f)
	}
}

// cut ends a call that the end of the run cut short.
func (t *tally) cut(f *flight) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unfinished(f)
}

func (t *tally) unfinished(f *flight) {
	if !f.over {
		t.report.Unfinished++
		t.close(f)
	}
}

// round counts a round of callers that is over.
func (t *tally) round() {
	t.mu.Lock()
	t.report.Rounds++
	t.mu.Unlock()
}

// advance closes the seconds that are over at now, also those in which nothing
// happened.
func (t *tally) advance(now time.Time) {
	at := int(now.Sub(t.began) / time.Second)
	for t.now.At < at {
		t.closeSecond()
	}
}

func (t *tally) closeSecond() {
	t.now.Open = t.open
	t.now.P50, t.now.P99 = t.now.answers.At(0.5), t.now.answers.At(0.99)
	t.report.Seconds = append(t.report.Seconds, t.now.Second)
	t.now.Second = Second{At: t.now.At + 1}
	t.now.answers.hist.Reset()
}

// finish ends the count.
func (t *tally) finish() {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.advance(now)
	if s := t.now.Second; s != (Second{At: s.At}) {
		t.closeSecond()
	}
	t.report.Took = now.Sub(t.began)
}

// news returns the seconds that were closed since it was last called.
func (t *tally) news() []Second {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.report.Seconds[t.told:]
	t.told = len(t.report.Seconds)
	return s
}
