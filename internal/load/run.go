package load

import (
	"context"
	"errors"
	"sync"
	"time"
)

// errOverdue ends the context of a call that has hung.
var errOverdue = errors.New("no answer when the deadline and the grace were over")

// errOver ends the context of what is left when a run is broken off.
var errOver = errors.New("the load is over")

// tick is how often overdue calls are looked for, and how often it is seen that
// a second is over.
const tick = 50 * time.Millisecond

// run is a run of calls.
type run struct {
	cfg    Config
	caller Caller
	tally  *tally
	calls  sync.WaitGroup
}

// Run makes the calls and returns when all have ended or were given up, which
// is at the latest when MaxTime, Deadline and Grace are over. When ctx ends it
// ends at once, with what there is: Report.Unfinished says how many calls that
// cut short. Its error is for a Config that cannot be.
func Run(ctx context.Context, cfg Config, caller Caller) (*Report, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	r := &run{cfg: cfg, caller: caller, tally: newTally(cfg, time.Now())}
	ended := make(chan struct{})
	var clock sync.WaitGroup
	clock.Go(func() { r.watch(ended) })

	callsCtx, stop := context.WithCancelCause(ctx)
	whole := r.arrive(callsCtx)
	r.tally.drain(ctx)
	stop(errOver)
	close(ended)
	clock.Wait()
	r.tally.finish()
	for _, s := range r.tally.news() {
		cfg.Progress(s)
	}
	// A call that was given up has its context ended; that is waited for, not
	// long: one that does not obey must not make a hang of the measurement.
	r.tally.report.Stuck = r.leftBehind()
	rep := r.tally.report
	rep.Cut = !whole
	return &rep, nil
}

// arrive starts the calls; false: not all that were to come.
func (r *run) arrive(ctx context.Context) bool {
	end := r.tally.began.Add(r.cfg.MaxTime)
	switch {
	case r.cfg.Rate > 0:
		return r.open(ctx, end)
	case r.cfg.Rounds > 0:
		return r.together(ctx, end)
	default:
		return r.each(ctx, end)
	}
}

// open starts a call whenever one is due. Those that are due while it is late
// start at once, and their latency counts from when they were due.
func (r *run) open(ctx context.Context, end time.Time) bool {
	for i := 0; ; i++ {
		// From the start each time: the error of a sum would grow.
		due := r.tally.began.Add(time.Duration(float64(i) / r.cfg.Rate * float64(time.Second)))
		if !due.Before(r.tally.began.Add(r.cfg.Duration)) {
			return true
		}
		if !due.Before(end) || waitUntil(ctx, due) != nil {
			return false
		}
		r.start(ctx, due)
	}
}

// together starts a call for each caller at once, round after round.
func (r *run) together(ctx context.Context, end time.Time) bool {
	flights := make([]*flight, r.cfg.Callers)
	for range r.cfg.Rounds {
		due := time.Now()
		if !due.Before(end) || ctx.Err() != nil {
			return false
		}
		for i := range flights {
			flights[i] = r.start(ctx, due)
		}
		for _, f := range flights {
			select {
			case <-f.done:
			case <-ctx.Done():
				return false
			}
		}
		r.tally.round()
	}
	return true
}

// each lets each caller call again as soon as its own call has ended.
func (r *run) each(ctx context.Context, end time.Time) bool {
	if stop := r.tally.began.Add(r.cfg.Duration); stop.Before(end) {
		end = stop
	}
	var callers sync.WaitGroup
	for range r.cfg.Callers {
		callers.Go(func() {
			for ctx.Err() == nil && time.Now().Before(end) {
				select {
				case <-r.start(ctx, time.Now()).done:
				case <-ctx.Done():
				}
			}
		})
	}
	callers.Wait()
	return ctx.Err() == nil && r.cfg.Duration <= r.cfg.MaxTime
}

// start starts a call that is due, in its own goroutine. It returns nil when
// there is no room, which is counted.
func (r *run) start(ctx context.Context, due time.Time) *flight {
	whole := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	f, n := r.tally.begin(due, cancel)
	if f == nil {
		cancel(nil)
		return nil
	}
	r.calls.Go(func() {
		defer cancel(nil)
		defer r.tally.leave()
		result := r.caller.Call(ctx, n)
		if result.Outcome == Failed && whole.Err() != nil {
			r.tally.cut(f) // not by the other side
			return
		}
		r.tally.end(f, result)
	})
	return f
}

// watch closes seconds and gives up what is overdue, until ended.
func (r *run) watch(ended <-chan struct{}) {
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			r.tally.reap(time.Now())
			for _, s := range r.tally.news() {
				r.cfg.Progress(s)
			}
		case <-ended:
			return
		}
	}
}

// leftBehind waits, for the grace, until the goroutines of all calls have ended, and
// returns how many have not.
func (r *run) leftBehind() int {
	gone := make(chan struct{})
	go func() { // ends with the last call
		r.calls.Wait()
		close(gone)
	}()
	t := time.NewTimer(r.cfg.Grace)
	defer t.Stop()
	select {
	case <-gone:
		return 0
	case <-t.C:
		return r.tally.running()
	}
}
