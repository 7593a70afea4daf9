package embed

import (
	"context"
	"slices"
	"time"

	"weir/internal/provider"
	"weir/internal/rag"
)

// dispatch is the one goroutine that begins attempts. It is woken when
// something is submitted, when an attempt ends, and when something is due.
func (p *Pipeline) dispatch() {
	ctx, cancel := context.WithCancelCause(provider.Lifetime(p.closing))
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
	held := !p.yield(now) && p.queue.waiting(rag.ForQuery) > 0
	if p.breaker.stuck(now, p.flying, p.stallAfter, int(p.slots.limit), held) {
		p.failStuck(now, probe)
		p.failWaiting(now)
	}
	for !p.closed && !p.queue.empty() && p.gate(now) {
		// A slot first, then whoever waits: what comes while all slots are
		// taken grows into fuller batches, and an idle provider is asked at once.
		probe := p.breaker.State == provider.HalfOpen
		purpose, ok := p.queue.next(now, p.slots.free(now, rag.ForIngest, probe) && !p.pausedUntil(rag.ForIngest).After(now))
		if !ok || !p.slots.free(now, purpose, probe) {
			break
		}
		b := p.queue.pop(purpose, p.together(), p.cfg.MaxBatchBytes, now, p.pace(purpose).Typical(), func(f *flight) {
			p.settle(f, nil, expiredError(), false)
		})
		if b != nil {
			p.begin(ctx, b, now)
		}
	}
	p.hedge(ctx, now)
	return p.next(now)
}

// gate reports whether an attempt may begin: nobody is asked in a pause or
// while the breaker is open, and only one probe when it is half-open.
func (p *Pipeline) gate(now time.Time) bool {
	p.breaker.Check(now, p.slots.full(now))
	switch p.breaker.State {
	case provider.Opened:
		p.failWaiting(now)
		return false
	case provider.HalfOpen:
		if p.breaker.probe != nil {
			return false
		}
	case provider.Closed:
	}
	return !p.pausedUntil(rag.ForQuery).After(now)
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
	typical := p.pace(b.purpose).Typical()
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
		err := stuckError(b, p.cfg.OpenFor)
		b.spared = b.spared || b == p.pioneer
		wanted := b.wanted()
		if b.twin != nil {
			wanted = append(wanted, b.twin.wanted()...)
		}
		for _, f := range wanted {
			p.settle(f, nil, err, false)
		}
		b.late = true
	}
}

// yield gives up an attempt for ingest that has come to nothing for long while
// queries wait for its slot, and reports whether a slot is on its way to them.
// Its texts are asked for again, in halves, which take less time; or fail where
// they were asked for often enough.
func (p *Pipeline) yield(now time.Time) bool {
	if p.queue.waiting(rag.ForQuery) == 0 || p.slots.free(now, rag.ForQuery, p.breaker.State == provider.HalfOpen) {
		return false
	}
	if p.slots.used(now) > p.slots.busy { // one that cools down comes free soon
		return true
	}
	var oldest *batch
	for b := range p.flying {
		switch {
		case b.purpose != rag.ForIngest || b == p.pioneer:
		case b.live == 0:
			return true // it was told to end
		case now.Sub(later(b.began, p.breaker.Good)) < p.stallAfter(b):
		case oldest == nil || b.began.Before(oldest.began):
			oldest = b
		}
	}
	if oldest == nil {
		return false
	}
	p.requeue(oldest, now)
	return true
}

// requeue ends an attempt under way, and has its texts asked for later.
func (p *Pipeline) requeue(b *batch, now time.Time) {
	flights := b.wanted()
	b.late = true
	if b.tries >= p.cfg.MaxAttempts || !p.budgets[of(b.purpose)].Take() {
		err := stuckError(b, p.cfg.OpenFor)
		for _, f := range flights {
			p.settle(f, nil, err, false)
		}
		return
	}
	p.count.retries++
	mid := (len(flights) + 1) / 2
	for _, part := range [][]*flight{flights[:mid], flights[mid:]} {
		if len(part) > 0 {
			next := newBatch(b.purpose, part)
			next.tries = b.tries
			p.queue.last(next)
		}
	}
	p.queue.lane(b.purpose).since = now.Add(mostCooling) // the slot is for those who wait
	b.live = 0
	b.cancel(errOrphans)
}

// stuckError tells those who wait for b that it was given up.
func stuckError(b *batch, after time.Duration) *rag.Error {
	err := newFault(b.where.Phase(), errStuck, "did not answer in time (%s)", b.where.Phase().Doing()).Error
	err.Code, err.RetryAfter = rag.Timeout, after
	return err
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

// pause makes everybody wait, or ingest alone where ingest was told, and ends at once who cannot wait so long. What
// asks for longer than anybody obeys is no time, but a way to say no: the
// provider is asked again soon, to see whether it still does.
func (p *Pipeline) pause(u rag.Purpose, after time.Duration, now time.Time) {
	if after > p.cfg.MaxPause {
		after = min(2*p.cfg.OpenFor, p.cfg.MaxPause)
	}
	until := now.Add(after)
	if !until.After(p.paused[of(u)]) {
		return
	}
	p.paused[of(u)] = until
	for _, f := range p.waiting() {
		if u == rag.ForIngest && f.purpose != u {
			continue
		}
		p.endWhoCannotWait(f, until.Sub(now), pauseError(until.Sub(now)), now)
	}
}

// endWhoCannotWait ends the calls waiting for f that a wait does not fit.
func (p *Pipeline) endWhoCannotWait(f *flight, wait time.Duration, err *rag.Error, now time.Time) {
	for c := range f.members {
		if !p.cfg.fits(c.left(now), wait, p.pace(f.purpose).Typical()) {
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
	hedges := false // some are to be made, if there is a slot
	for b := range p.flying {
		sooner(b.began.Add(p.stallAfter(b)))
		sooner(later(b.began, p.breaker.Good).Add(p.stallAfter(b)))
		if after := p.hedgeAfter(b); after != 0 {
			sooner(b.began.Add(after))
			hedges = true
		}
	}
	if hedges || !p.queue.empty() {
		sooner(p.paused[0])
		sooner(p.paused[1])
		sooner(p.slots.cooled())
	}
	return due
}
