package drill

import (
	"context"
	"slices"
	"sync"
	"time"
)

// step is the part of a fault's drive in which a call began.
type step int

const (
	warming   step = iota // the provider is well
	striking              // it begins to misbehave: who asks now may be answered yet
	suffering             // it misbehaves
	after                 // it is well again
	steps
)

// entry is one call.
type entry struct {
	step  step
	began time.Time
	took  time.Duration
	late  time.Duration // 0: in time
	ended bool
	hung  bool
	Outcome
}

// ledger has every call of a fault's drive. It is safe for concurrent use.
type ledger struct {
	mu      sync.Mutex
	step    step
	since   time.Time // of the step
	calls   []*entry
	from    int           // calls of the last step begin here
	base    int           // before this one, counted from from, no window is whole; see recovered
	changed chan struct{} // closed, and replaced, when a call ends
}

func newLedger(now time.Time) *ledger {
	return &ledger{since: now, changed: make(chan struct{})}
}

func (l *ledger) begin(now time.Time) *entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := &entry{step: l.step, began: now}
	l.calls = append(l.calls, e)
	return e
}

// end notes the outcome of e. That of a call which was given up as hung comes
// too late to be counted.
func (l *ledger) end(e *entry, now, deadline time.Time, o Outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.ended {
		return
	}
	e.ended, e.took, e.Outcome = true, now.Sub(e.began), o
	if over := now.Sub(deadline); over > Grace {
		e.late = over
	}
	l.tell()
}

// giveUp notes that e has not returned.
func (l *ledger) giveUp(e *entry, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.ended, e.hung, e.took = true, true, now.Sub(e.began)
	l.tell()
}

func (l *ledger) tell() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// turn begins the next step.
func (l *ledger) turn(to step, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.step, l.since, l.from, l.base = to, now, len(l.calls), 0
}

// await returns true when ok, which is called under the mutex, holds, and
// false when ctx ends first.
func (l *ledger) await(ctx context.Context, ok func() bool) bool {
	for {
		l.mu.Lock()
		is, changed := ok(), l.changed
		l.mu.Unlock()
		if is {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// recovered looks for the first call of this step from which on, over window
// calls in the order in which they began, ninety-nine of a hundred were
// answered whole, and returns when it began, counted from the begin of the
// step.
func (l *ledger) recovered(window int) (time.Duration, bool) {
	calls := l.calls[l.from:]
	for ; l.base+window <= len(calls); l.base++ {
		first := calls[l.base]
		if !first.ended {
			return 0, false
		}
		if first.hung || first.Kind != Whole {
			continue
		}
		bad, open := 0, false
		for _, e := range calls[l.base : l.base+window] {
			switch {
			case !e.ended:
				open = true
			case e.hung || e.Kind != Whole:
				bad++
			}
		}
		switch {
		case bad*100 > window:
			continue
		case open:
			return 0, false
		}
		return max(0, first.began.Sub(l.since)), true // it may have begun at the very end of the step before
	}
	return 0, false
}

// whole counts the calls of this step that were answered whole.
func (l *ledger) whole() int {
	n := 0
	for _, e := range l.calls[l.from:] {
		if e.ended && !e.hung && e.Kind == Whole {
			n++
		}
	}
	return n
}

// all returns a copy of all calls.
func (l *ledger) all() []entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]entry, 0, len(l.calls))
	for _, e := range l.calls {
		out = append(out, *e)
	}
	return slices.Clip(out)
}
