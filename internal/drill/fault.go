package drill

import (
	"context"
	"errors"
	"fmt"
	"runtime/pprof"
	"time"

	"weir/internal/chaos"
)

// The longest that the steps beside the calls themselves may take.
const (
	openTime  = 20 * time.Second // opening the target
	warmTime  = 10 * time.Second // until every caller was answered once
	setTime   = 5 * time.Second  // setting and healing
	closeTime = 5 * time.Second  // closing the target
)

// Model is what the providers call theirs.
const Model = "chaos"

// drive drives one fault with a provider and a target of its own. What ends
// with ctx has not got a whole row.
func drive(ctx context.Context, cfg Config, e chaos.Entry, open Open) *Row {
	row := newRow(e)
	began := time.Now()
	defer func() { row.TookMS = ms(time.Since(began)) }()
	p, err := cfg.start(ctx, chaos.Config{Dim: cfg.Dim, Model: Model, Wire: e.Wires[0]})
	if err != nil {
		row.Broken = "the provider did not start: " + err.Error()
		return row
	}
	defer func() {
		if err := p.Close(); err != nil {
			row.Broken = join(row.Broken, "the provider did not end: "+err.Error())
		}
	}()
	if why := unable(ctx, p, e.Fault); why != "" {
		row.Skipped = why
		return row
	}
	labels, id := newLabels()
	// The goroutines of the target get their label from this one.
	mark := func() { pprof.SetGoroutineLabels(pprof.WithLabels(context.WithoutCancel(ctx), labels)) }
	life, end := context.WithCancel(ctx)
	defer end()
	t, err := opened(life, mark, open, p.place(e.Named))
	if err != nil {
		row.Broken = "the target did not open: " + err.Error()
		return row
	}
	through(life, cfg, e, p, t, mark, row)
	if err := closed(ctx, mark, t); err != nil {
		row.note("closing: %v", err)
	}
	bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), settle) // also when the drill is broken off
	defer cancel()
	var at []string
	if row.LeftGoroutines, at = remain(bound, id); row.LeftGoroutines > 0 {
		row.note("goroutines left: %v", at)
	}
	_ = p.Await(bound, func(s chaos.Stats) bool { return s.Open == 0 }) // the count tells
	row.LeftConnections = p.Stats().Open
	return row
}

// through takes the target through the steps, and fills the row.
func through(ctx context.Context, cfg Config, e chaos.Entry, p provider, t Target, mark func(), row *Row) {
	watched, stopWatching := context.WithCancel(ctx)
	most, lag := make(chan int, 1), make(chan time.Duration, 1)
	go func() { most <- peak(watched, p) }()
	go func() { lag <- ownLag(watched) }()
	l := newLedger(time.Now())
	c := &crowd{
		cfg: cfg, target: t, ledger: l, run: string(e.Fault), mark: mark, stop: make(chan struct{}),
		poison: e.Fault == chaos.PoisonText || e.Fault == chaos.PoisonText500,
	}
	c.ask(ctx)
	if err := c.lead(ctx, p, t, row, e.Fault); err != nil {
		row.Broken = err.Error()
	}
	close(c.stop)
	c.asking.Wait() // bounded: each call is left in the end
	row.count(e, l.all())
	stopWatching()
	row.MostConnections, row.OwnLag = <-most, ms(<-lag)
}

// ownLag is how late the drill itself was woken, at worst, until ctx ended: on
// a machine that is busy nobody is in time.
func ownLag(ctx context.Context) time.Duration {
	const beat = 10 * time.Millisecond
	var worst time.Duration
	t := time.NewTimer(beat)
	defer t.Stop()
	for {
		due := time.Now().Add(beat)
		t.Reset(beat)
		select {
		case <-t.C:
			worst = max(worst, time.Since(due))
		case <-ctx.Done():
			return worst
		}
	}
}

// lead leads the callers from step to step.
func (c *crowd) lead(ctx context.Context, p provider, t Target, row *Row, f chaos.Fault) error {
	l := c.ledger
	warm, cancel := context.WithTimeout(ctx, warmTime)
	defer cancel()
	if !l.await(warm, func() bool { return l.whole() >= c.cfg.Callers }) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("before any fault not every caller was answered within %v%s", warmTime, firstBad(l.all()))
	}
	l.turn(striking, time.Now())
	if err := c.strike(ctx, p, f, row.Outage); err != nil {
		return fmt.Errorf("the fault could not be set: %w", err)
	}
	l.turn(suffering, time.Now())
	before := requests(p, t)
	c.pause(ctx, c.cfg.Lasts)
	row.Requests = requests(p, t) - before
	if err := within(ctx, p.Heal); err != nil {
		return fmt.Errorf("the provider could not be healed: %w", err)
	}
	l.turn(after, time.Now())
	bound, stop := context.WithTimeout(ctx, c.cfg.Recovery)
	defer stop()
	row.Recovered = l.await(bound, func() bool {
		took, ok := l.recovered(max(20, 2*c.cfg.Callers))
		row.RecoveredMS = ms(took)
		return ok
	})
	return context.Cause(ctx)
}

// strike sets the fault. One that leaves nobody an answer is set twice, because
// a connection that was about to be made at the first time would outlive it.
func (c *crowd) strike(ctx context.Context, p provider, f chaos.Fault, outage bool) error {
	set := func(ctx context.Context) error { return p.Set(ctx, f) }
	if err := within(ctx, set); err != nil || !outage {
		return err
	}
	c.pause(ctx, 50*time.Millisecond)
	return within(ctx, set)
}

// firstBad tells of the first call that was not answered.
func firstBad(calls []entry) string {
	for _, c := range calls {
		switch {
		case c.hung:
			return ": a call did not return"
		case c.ended && c.Kind != Whole:
			return ": " + c.String()
		}
	}
	return ""
}

// requests are what the provider has seen, or what the target says to have
// sent if that is more: what is refused or swallowed on the way is not seen.
func requests(p provider, t Target) int {
	n := p.Stats().Attempts
	if a, ok := t.(Asker); ok {
		n = max(n, int(a.Requests()))
	}
	return n
}

// unable says why the fault cannot be had on this system; "": it can.
func unable(ctx context.Context, p provider, f chaos.Fault) string {
	err := within(ctx, func(ctx context.Context) error { return p.Set(ctx, f) })
	if errors.Is(err, chaos.ErrSystem) {
		return err.Error()
	}
	// Any other error comes again when it is set in earnest.
	if err := within(ctx, p.Heal); err != nil {
		return err.Error()
	}
	return ""
}

func within(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, setTime)
	defer cancel()
	return f(ctx)
}

var errBound = errors.New("it did not return in time")

// opened opens the target beside itself, so that one which does not open is
// left.
func opened(ctx context.Context, mark func(), open Open, at Place) (Target, error) {
	type result struct {
		t   Target
		err error
	}
	back := make(chan result, 1)
	go func() {
		mark()
		t, err := open(ctx, at)
		back <- result{t, err}
	}()
	timer := time.NewTimer(openTime)
	defer timer.Stop()
	select {
	case r := <-back:
		return r.t, r.err
	case <-timer.C:
		return nil, errBound
	}
}

// closed closes the target beside itself. It does so when ctx has ended, too.
func closed(ctx context.Context, mark func(), t Target) error {
	bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	back := make(chan error, 1)
	go func() {
		mark()
		back <- t.Close(bound)
	}()
	timer := time.NewTimer(closeTime + time.Second)
	defer timer.Stop()
	select {
	case err := <-back:
		return err
	case <-timer.C:
		return errBound
	}
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}
