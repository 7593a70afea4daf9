package drill

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/chaos"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeProvider is one that has no sockets, so that time can be virtual.
type fakeProvider struct {
	mu     sync.Mutex
	fault  chaos.Fault
	stats  chaos.Stats
	setErr error
	closed bool
	moved  chan struct{}
}

func newFakeProvider() *fakeProvider { return &fakeProvider{moved: make(chan struct{})} }

func (p *fakeProvider) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	close(p.moved)
	p.moved = make(chan struct{})
}

func (p *fakeProvider) Set(_ context.Context, f chaos.Fault) error {
	if p.setErr != nil {
		return p.setErr
	}
	p.change(func() { p.fault = f })
	return nil
}

func (p *fakeProvider) Heal(context.Context) error {
	p.change(func() { p.fault = "" })
	return nil
}

func (p *fakeProvider) current() chaos.Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fault
}

// asked counts requests.
func (p *fakeProvider) asked(n int) {
	p.change(func() { p.stats.Attempts += n })
}

// connected counts connections; n may be negative.
func (p *fakeProvider) connected(n int) {
	p.change(func() { p.stats.Open += n })
}

func (p *fakeProvider) Stats() chaos.Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stats
}

func (p *fakeProvider) Await(ctx context.Context, ok func(chaos.Stats) bool) error {
	for {
		p.mu.Lock()
		s, moved := p.stats, p.moved
		p.mu.Unlock()
		if ok(s) {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (p *fakeProvider) Close() error {
	p.change(func() { p.closed = true })
	return nil
}

func (p *fakeProvider) place(bool) Place { return Place{URL: "http://fake/v1", Model: Model, Dim: 8} }

// fakeTarget does in each step what it is told. The zero one answers rightly.
type fakeTarget struct {
	p     *fakeProvider
	well  func(ctx context.Context, q Question) Outcome
	ill   func(ctx context.Context, q Question) Outcome // while the fault lasts; nil: well
	close func(ctx context.Context) error
}

func (f *fakeTarget) Ask(ctx context.Context, q Question) Outcome {
	f.p.asked(1)
	do := f.well
	if f.ill != nil && f.p.current() != "" {
		do = f.ill
	}
	if do == nil {
		return after10(ctx, Outcome{})
	}
	return do(ctx, q)
}

func (f *fakeTarget) Close(ctx context.Context) error {
	if f.close == nil {
		return nil
	}
	return f.close(ctx)
}

// after10 is an outcome after ten milliseconds.
func after10(ctx context.Context, o Outcome) Outcome { return afterTime(ctx, 10*time.Millisecond, o) }

func afterTime(ctx context.Context, d time.Duration, o Outcome) Outcome {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return o
	case <-ctx.Done():
		return Outcome{Kind: Failed, Code: "timeout"}
	}
}

// deaf is afterTime of one that does not know of any ctx.
func deaf(d time.Duration, o Outcome) Outcome {
	t := time.NewTimer(d)
	defer t.Stop()
	<-t.C
	return o
}

// driven runs one fault in virtual time against what makes of the provider,
// and returns its row.
func driven(t *testing.T, f chaos.Fault, cfg Config, makes func(p *fakeProvider) Target, setErr ...error) (row Row) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var p *fakeProvider
		cfg.Faults = []chaos.Fault{f}
		cfg.Callers = cmp.Or(cfg.Callers, 10)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		cfg.start = func(context.Context, chaos.Config) (provider, error) {
			p = newFakeProvider()
			p.setErr = errors.Join(setErr...)
			return p, nil
		}
		rows, err := Run(ctx, cfg, func(context.Context, Place) (Target, error) {
			target := makes(p)
			if target == nil {
				return nil, errors.New("no target")
			}
			return target, nil
		})
		if err != nil || len(rows) != 1 {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
		row = rows[0]
		if !p.closed {
			t.Error("the provider was not closed")
		}
		deaf(2*time.Hour, Outcome{}) // until what was left has ended, too: no bubble ends before
	})
	return row
}
