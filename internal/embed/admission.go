package embed

import (
	"fmt"
	"time"

	"weir/internal/provider"
	"weir/internal/rag"
)

// want is what a call asks for beyond the cache.
type want struct {
	all   load // different texts of the user
	fresh int  // of these and of the witness, not on their way yet
	bytes int  // of the fresh
	also  int  // of the fresh, the witness
}

// wants counts, and finds the flights c would join only to run out of time.
func (p *Pipeline) wants(c *call, now time.Time) (w want, hopeless *rag.Error) {
	seen := make(map[digest]struct{}, len(c.keys))
	for i, k := range c.keys {
		if _, twice := seen[k]; twice || c.vectors[i] != nil {
			continue
		}
		seen[k] = struct{}{}
		if i < c.kept {
			w.all.items++
			w.all.bytes += len(c.texts[i])
		}
		f := p.table.byKey[k]
		if f == nil {
			w.fresh++
			w.bytes += len(c.texts[i])
			if i >= c.kept {
				w.also++
			}
			continue
		}
		if f.purpose == rag.ForIngest && c.purpose == rag.ForQuery {
			continue // it is going to be asked for as a query
		}
		if b := f.batch; b != nil && b.stage == sleeping && !p.cfg.fits(c.left(now), b.due.Sub(now), p.pace(c.purpose).Typical()) {
			hopeless = f.last
		}
	}
	return w, hopeless
}

// admit refuses a call that cannot be answered in time, or that there is no
// room for, before it costs anything. What only joins others is let in.
func (p *Pipeline) admit(c *call, now time.Time) *rag.Error {
	w, hopeless := p.wants(c, now)
	if hopeless != nil {
		return hopeless
	}
	if err := p.bounds(c, w, now); err != nil || w.fresh == 0 {
		return err
	}
	p.breaker.Check(now, p.slots.full(now))
	if p.breaker.State == provider.Opened {
		return p.openError(now)
	}
	if wait := p.pausedUntil(c.purpose).Sub(now); wait > 0 && !p.cfg.fits(c.left(now), wait, p.pace(c.purpose).Typical()) {
		return pauseError(wait)
	}
	wait, typical := p.predict(c.purpose, c.user, w.fresh, now), p.pace(c.purpose).Typical()
	if left := c.left(now); left != 0 && wait > 0 && wait+2*typical > left {
		return p.overloaded(wait+3*typical-left, // the prediction is right to within a round
			"the queue for embeddings is longer than the time this call has left")
	}
	return nil
}

// bounds checks the number of texts and bytes.
func (p *Pipeline) bounds(c *call, w want, now time.Time) *rag.Error {
	items, bytes := p.cfg.MaxPending, p.cfg.MaxPendingBytes
	mine := load{int(p.cfg.UserShare * float64(items)), int(p.cfg.UserShare * float64(bytes))}
	if w.all.items > mine.items || w.all.bytes > mine.bytes {
		return &rag.Error{
			Code: rag.TooLarge, Phase: provider.Queue.String(),
			Msg: fmt.Sprintf("one call may have %d texts embedded at most, of %d bytes together", mine.items, mine.bytes),
		}
	}
	drained := func() time.Duration {
		return max(p.predict(c.purpose, c.user, w.fresh, now), p.pace(c.purpose).Typical())
	}
	if has := p.users[c.user]; has.items+w.all.items > mine.items || has.bytes+w.all.bytes > mine.bytes {
		e := p.overloaded(drained(), "this user already waits for as many embeddings as one user may")
		e.Code = rag.RateLimited
		return e
	}
	full := len(p.table.byKey)+w.fresh > items || p.table.bytes+w.bytes > bytes
	// One user may have as many texts as ingest may: a witness must not be one too many.
	if c.purpose == rag.ForIngest && p.table.ingest+w.fresh-w.also > items/2 {
		full = true
	}
	if full && w.fresh > 0 {
		return p.overloaded(drained(), "there are as many embeddings waited for as there may be")
	}
	return nil
}

// predict returns how long the last of n further texts of a call is going to
// wait for its slot: rounds of attempts that go before, each as long as usual.
// 0: there is a slot, or it is not known how long attempts take. For ingest it
// is the least it can be: queries may go before.
func (p *Pipeline) predict(purpose rag.Purpose, u rag.User, n int, now time.Time) time.Duration {
	typical := p.pace(purpose).Typical()
	limit := max(1, int(p.slots.limit))
	if purpose == rag.ForIngest {
		limit = p.slots.forIngest()
	}
	idle := max(0, limit-p.slots.used(now))
	before := (p.queue.ahead(purpose, u, n) + n - 1) / int(max(1, p.items.Load())) // batches
	if before < idle {
		return 0
	}
	// The slots are on average half way through.
	return typical/2 + time.Duration((before-idle)/limit)*typical
}

const leastRetryAfter = 100 * time.Millisecond

func (p *Pipeline) overloaded(after time.Duration, msg string) *rag.Error {
	p.count.refused++
	return &rag.Error{Code: rag.Overloaded, Phase: provider.Queue.String(), RetryAfter: max(after, leastRetryAfter), Msg: msg}
}

func (p *Pipeline) openError(now time.Time) *rag.Error {
	p.count.refused++
	return &rag.Error{
		Code: rag.Unavailable, Phase: provider.Queue.String(), RetryAfter: max(p.breaker.Until.Sub(now), leastRetryAfter),
		Msg: "the embedding provider does not answer, and is left alone for a moment", Err: errOpen,
	}
}

func pauseError(wait time.Duration) *rag.Error {
	return &rag.Error{
		Code: rag.Unavailable, Phase: provider.Queue.String(), RetryAfter: wait,
		Msg: "the embedding provider asked not to be asked for a while",
	}
}
