package embed_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/internal/chaos"
	"weir/internal/embed"
	"weir/internal/provider"
	"weir/internal/rag"
)

const slotsOfTest = 8

// patience is what a busy machine may be late. Virtual time is strict instead.
const patience = 10 * time.Second

// cell is one meeting of the matrix.
type cell struct {
	row     chaos.Entry
	callers int
	limit   time.Duration
}

func (c cell) name() string { return fmt.Sprintf("%s/%d callers/%s", c.row.Fault, c.callers, c.limit) }

// found is what came of it.
type found struct {
	cell
	answered  int
	late      time.Duration // the latest
	requests  int           // seen by the provider
	recovered time.Duration
}

// distinct faults are those whose mechanics differ.
func distinct() []chaos.Fault {
	return []chaos.Fault{
		chaos.Refuses, chaos.Silent, chaos.HTTP2GoAwayAlways, chaos.Never, chaos.HalfThenRST, chaos.FewSlots, chaos.EveryOther, chaos.Status503,
	}
}

func cells(short bool) []cell {
	var all []cell
	for _, e := range chaos.Faults() {
		special := slices.Contains(distinct(), e.Fault)
		switch {
		case short && !special:
			continue
		case short:
			all = append(all, cell{e, 5, 300 * time.Millisecond})
			continue
		}
		if racing {
			all = append(all, cell{e, 5, 1500 * time.Millisecond}, cell{e, 50, 300 * time.Millisecond})
			continue
		}
		for _, n := range []int{1, 5, 50} {
			all = append(all, cell{e, n, 300 * time.Millisecond}, cell{e, n, 1500 * time.Millisecond})
		}
		if special {
			all = append(all, cell{e, 500, 300 * time.Millisecond}, cell{e, 500, 1500 * time.Millisecond})
		}
	}
	return all
}

// TestMatrix is every fault on real sockets, with few callers and many, who
// have little time or more: each is back by its deadline with what is its own
// or with a clear error, the provider is not asked more often than it can
// bear, and is used again seconds after it is well.
func TestMatrix(t *testing.T) {
	var mu sync.Mutex
	var all []found
	began := time.Now()
	at := make(chan struct{}, 6*runtime.NumCPU()) // more would measure this machine
	if racing {
		at = make(chan struct{}, 2*runtime.NumCPU())
	}
	var running sync.WaitGroup
	for _, c := range cells(testing.Short()) {
		at <- struct{}{}
		running.Go(func() {
			defer func() { <-at }()
			t.Run(c.name(), func(t *testing.T) {
				f := c.run(t)
				mu.Lock()
				defer mu.Unlock()
				all = append(all, f)
			})
		})
	}
	running.Wait()
	var calls, late int
	for _, f := range all {
		calls += f.callers
		if f.late > 50*time.Millisecond {
			late++
		}
	}
	t.Logf("%d cells, %d calls, in %s; in %d cells somebody was over 50 ms late", len(all), calls, time.Since(began).Round(time.Second), late)
	worst := func(what string, of func(found) float64) {
		f := slices.MaxFunc(all, func(a, b found) int { return cmp.Compare(of(a), of(b)) })
		t.Logf("most %s: %.3f (%s)", what, of(f), f.name())
	}
	worst("seconds late", func(f found) float64 { return f.late.Seconds() })
	worst("seconds to recover", func(f found) float64 { return f.recovered.Seconds() })
	worst("requests per call, 50 or more callers in an outage", func(f found) float64 {
		if f.row.Expect != chaos.Failure || f.callers < 50 {
			return 0
		}
		return float64(f.requests) / float64(f.callers)
	})
}

func (c cell) run(t *testing.T) found {
	m := meet(t, c.row, embed.Config{MaxConcurrent: slotsOfTest})
	if c.limit > time.Second { // else it has never answered
		if a := m.ask(t, 0, "all is well", 5*time.Second); a.err != nil {
			t.Fatal(a.err)
		}
	}
	m.set(t, c.row.Fault)
	watch, stop := context.WithCancel(t.Context())
	most, done := 0, make(chan struct{})
	go func() {
		defer close(done)
		_ = m.Await(watch, func(s chaos.Stats) bool {
			most = max(most, s.Open)
			return false
		})
	}()
	before := m.Stats()
	as := m.wave(t, c.callers, c.limit, c.text)
	f := found{cell: c, requests: m.Stats().Calls - before.Calls}
	if f.requests == 0 { // what fails before there is a request
		f.requests = m.Stats().Attempts - before.Attempts
	}
	for _, a := range as {
		c.judge(t, a)
		f.late = max(f.late, a.late)
		if a.err == nil {
			f.answered++
		}
	}
	if f.late > patience {
		t.Errorf("%s late", f.late)
	}
	const noticed = 4 // calls whose end the provider may not have seen yet; virtual time is strict
	if s := m.Stats(); s.MaxInFlight > slotsOfTest+noticed || m.p.Stats().Slots > slotsOfTest {
		t.Errorf("%d calls at a time, %d slots", s.MaxInFlight, m.p.Stats().Slots)
	}
	c.frugal(t, f)
	m.heal(t)
	f.recovered = m.recovers(t, min(c.callers, 50))
	stop()
	<-done
	if most > 2*slotsOfTest { // a connection that is closed is seen a moment later
		t.Errorf("%d connections at a time", most)
	}
	return f
}

// text is what a caller asks for. The first of five or more brings the poison,
// for the faults that strike it alone.
func (c cell) text(i int) string {
	if i == 0 && c.callers >= 5 {
		return "question with " + chaos.Poison
	}
	return fmt.Sprint("question ", i)
}

// sure reports whether a caller must be answered: the fault leaves everybody
// his answer, and time for it. A dark connection costs two seconds, the tail
// any time, and a few slots bear few callers.
func (c cell) sure(text string) bool {
	switch {
	case c.limit < time.Second, c.callers > 50, c.row.Fault == chaos.HTTP2Dark, c.row.Fault == chaos.HeavyTail:
		return false
	case c.row.Fault == chaos.PoisonText:
		return !strings.Contains(text, chaos.Poison)
	default:
		return c.row.Expect == chaos.Answer && len(c.row.Codes) == 0
	}
}

// judge checks what one caller got.
func (c cell) judge(t *testing.T, a answer) {
	t.Helper()
	if a.err == nil {
		if c.row.Expect == chaos.Failure {
			t.Errorf("%q was answered while nothing can be", a.text)
		}
		return
	}
	code := rag.CodeOf(a.err)
	// Those may be this machine's; so may be whose kept connection comes to a request
	// that was given back: one that another caller has put back just then is no
	// better, and when many meet one, not all of them may try a third time.
	machine := code == rag.Timeout || code == rag.Overloaded || errors.Is(a.err, provider.ErrReplayed)
	if c.sure(a.text) && !machine {
		t.Errorf("%q is to be answered in any case: %v", a.text, a.err)
	}
	may := []rag.Code{rag.Timeout, rag.Unavailable, rag.Overloaded}
	for _, o := range c.row.Codes {
		may = append(may, rag.Code(o))
	}
	if !slices.Contains(may, code) || strings.Contains(a.err.Error(), "canceled") {
		t.Errorf("%q: %v", a.text, a.err)
	}
}

// frugal checks how often the provider was asked in an outage. What comes on
// top, a request for each slot, is what a provider that refuses all costs when
// the first callers come one by one. Few are tried three times each, and once
// more beside it where this machine makes a try look slow; virtual time is strict.
func (c cell) frugal(t *testing.T, f found) {
	t.Helper()
	if c.row.Expect != chaos.Failure {
		return
	}
	bound := 1.2*float64(c.callers) + slotsOfTest
	if c.callers < 50 {
		bound = 4 * float64(c.callers)
	}
	if float64(f.requests) > bound {
		t.Errorf("%d requests for %d calls", f.requests, c.callers)
	}
}
