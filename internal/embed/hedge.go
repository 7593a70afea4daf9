package embed

import (
	"context"
	"time"

	"weir/internal/provider"
	"weir/internal/rag"
)

// An attempt that takes far longer than usual may be on a
// connection that is dead, or with one sick server of many, while the provider
// is well. Those who wait for it could be answered many times over, so their
// texts are asked for once more beside it, on a new connection, and whichever
// answers first counts (J. Dean and L. Barroso, The Tail at Scale, 2013). It is
// done only in a slot that nobody else wants and within the budget for retries,
// so an outage is not answered with more load.

const (
	hedgeTimes = 4                      // what is usual
	hedgeLeast = 500 * time.Millisecond // however fast it usually is
	// hedgeIngest is the same for ingest, which has time, but not for ever: a
	// document that hangs on a dead connection holds up those behind it.
	hedgeIngest = 5 * time.Second
)

// hedgeAfter is how long after its begin b is asked for once more; 0: never.
func (p *Pipeline) hedgeAfter(b *batch) time.Duration {
	typical, least := p.pace(b.purpose).Typical(), hedgeLeast
	if b.purpose == rag.ForIngest {
		typical, least = max(typical, p.pace(rag.ForQuery).Typical()), hedgeIngest
	}
	if b.twin != nil || b.live == 0 || b == p.pioneer || typical == 0 ||
		b.tries >= p.cfg.MaxAttempts || p.breaker.State != provider.Closed {
		return 0
	}
	return max(least, hedgeTimes*typical)
}

// hedge begins second attempts where they are due.
func (p *Pipeline) hedge(ctx context.Context, now time.Time) {
	for b := range p.flying {
		after := p.hedgeAfter(b)
		if after == 0 || now.Sub(b.began) < after {
			continue
		}
		if p.closed || p.pausedUntil(b.purpose).After(now) || !p.slots.free(now, b.purpose, false) || !p.budgets[of(b.purpose)].Take() {
			return
		}
		h := newBatch(b.purpose, b.wanted()) // the texts are the second one's business now
		h.tries, h.tree, h.half, h.given = b.tries, b.tree, b.half, true
		h.twin, b.twin, b.live = b, h, 0
		p.count.retries++
		p.count.hedges++
		p.begin(ctx, h, now)
	}
}

// giveBack lets the texts of a second attempt that failed wait for the first,
// and reports whether it is still under way.
func (p *Pipeline) giveBack(h *batch) bool {
	b := h.twin
	if b == nil || b.stage != flying || b.live > 0 || len(h.wanted()) == 0 {
		return false
	}
	for _, f := range h.wanted() {
		f.batch = b
		b.live++
	}
	h.live = 0
	h.twin = nil // b keeps its own: it is asked for no third time
	return true
}
