package embed

import (
	"context"
	"slices"
	"time"

	"weir/internal/rag"
)

// dispatch is the one goroutine that begins attempts. It is woken when
// something is submitted, when an attempt ends, and when something is due.
func (p *Pipeline) dispatch() {
	ctx, cancel := context.WithCancelCause(lifetime(p.closing))
	defer p.leave()
	defer cancel(errClosed)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if next := p.round(ctx); next.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(time.Until(next))
		}
		select {
		case <-p.wake:
		case <-timer.C:
		case <-p.closing:
			return
		}
	}
}

// rouse wakes the dispatcher; never blocks.
func (p *Pipeline) rouse() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// round begins as many attempts as may begin now, and returns when to look
// again if nothing happens before; zero: not at all.
func (p *Pipeline) round(ctx context.Context) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.awaken(now)
	probe := p.breaker.probe
	if p.breaker.stuck(now, p.flying, p.stallAfter, int(p.slots.limit)) {
		p.failStuck(now, probe)
		p.failWaiting(now)
	}
	for !p.closed && !p.queue.empty() && p.gate(now) {
		// A slot first, then whoever waits: what comes while all slots are
		// taken grows into fuller batches, and an idle provider is asked at once.
		probe := p.breaker.state == halfOpen
		purpose, ok := p.queue.next(now, p.slots.free(now, rag.ForIngest, probe))
		if !ok || !p.slots.free(now, purpose, probe) {
			break
		}
		b := p.queue.pop(purpose, int(p.items.Load()), p.cfg.MaxBatchBytes, now, p.pace(purpose).typical(), func(f *flight) {
			p.settle(f, nil, expiredError(), false)
		})
		if b != nil {
			p.begin(ctx, b, now)
		}
	}
	return p.next(now)
}

// gate reports whether an attempt may begin: nobody is asked in a pause or
// while the breaker is open, and only one probe when it is half-open.
func (p *Pipeline) gate(now time.Time) bool {
	p.breaker.check(now, p.slots.full(now))
	switch p.breaker.state {
	case opened:
		p.failWaiting(now)
		return false
	case halfOpen:
		if p.breaker.probe != nil {
			return false
		}
	case closed:
	}
	return !p.pausedUntil.After(now)
}

// awaken queues the batches whose time to be tried again has come.
func (p *Pipeline) awaken(now time.Time) {
	p.asleep = slices.DeleteFunc(p.asleep, func(b *batch) bool {
		if b.due.After(now) {
			return false
		}
		p.queue.last(b)
		return true
	})
}

// stallAfter is how long b may be under way while nothing is answered: twice
// as long when nothing ever was, for a model may have to be loaded.
func (p *Pipeline) stallAfter(b *batch) time.Duration {
	typical := p.pace(b.purpose).typical()
	switch {
	case typical == 0:
		return 2 * p.cfg.StallAfter
	case b == p.breaker.probe:
		return max(p.cfg.OpenFor, 4*typical)
	default:
		return max(p.cfg.StallAfter, 4*typical)
	}
}

// failStuck gives up the queries that are stuck, so that their slots and
// connections are there for the next probe. Passages may take their time.
func (p *Pipeline) failStuck(now time.Time, probe *batch) {
	for b := range p.flying {
		if b.purpose != rag.ForQuery || (b != probe && now.Sub(b.began) < p.stallAfter(b)) {
			continue
		}
		err := newFault(b.where.Phase(), errStuck, "did not answer in time (%s)", doing(b.where.Phase())).Error
		err.Code, err.RetryAfter = rag.Timeout, p.cfg.OpenFor
		for _, f := range b.wanted() {
			p.settle(f, nil, err, false)
		}
		b.late = true
	}
}

// failWaiting ends all that waits for an open breaker. What is under way may
// still be answered.
func (p *Pipeline) failWaiting(now time.Time) {
	waiting := p.waiting()
	if len(waiting) == 0 {
		return
	}
	err := p.openError(now)
	for _, f := range waiting {
		p.settle(f, nil, afterLast(err, f.last), false)
	}
}

// waiting returns what is not under way.
func (p *Pipeline) waiting() []*flight {
	waiting := p.queue.all()
	for _, b := range p.asleep {
		waiting = append(waiting, b.wanted()...)
	}
	return waiting
}

// pause makes everybody wait, and ends at once who cannot wait so long.
func (p *Pipeline) pause(after time.Duration, now time.Time) {
	until := now.Add(min(after, p.cfg.MaxPause))
	if !until.After(p.pausedUntil) {
		return
	}
	p.pausedUntil = until
	for _, f := range p.waiting() {
		p.endWhoCannotWait(f, until.Sub(now), pauseError(until.Sub(now)), now)
	}
}

// endWhoCannotWait ends the calls waiting for f that a wait does not fit.
func (p *Pipeline) endWhoCannotWait(f *flight, wait time.Duration, err *rag.Error, now time.Time) {
	for c := range f.members {
		if !p.cfg.fits(c.left(now), wait, p.pace(f.purpose).typical()) {
			p.end(c, err)
		}
	}
}

// next returns when something is due.
func (p *Pipeline) next(now time.Time) time.Time {
	var due time.Time
	sooner := func(t time.Time) {
		if t.After(now) && (due.IsZero() || t.Before(due)) {
			due = t
		}
	}
	for _, b := range p.asleep {
		sooner(b.due)
	}
	for b := range p.flying {
		sooner(b.began.Add(p.stallAfter(b)))
	}
	if !p.queue.empty() {
		sooner(p.pausedUntil)
		sooner(p.slots.cooled())
	}
	return due
}
