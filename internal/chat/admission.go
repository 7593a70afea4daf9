package chat

import (
	"context"
	"time"

	"weir/internal/provider"
	"weir/internal/rag"
)

// enter returns when c has a place, or with the reason why it gets none.
func (p *Pipeline) enter(ctx context.Context, c *call) *rag.Error {
	for {
		w, pause, err := p.ask(ctx, c)
		switch {
		case err != nil:
			return err
		case pause > 0:
			if err := p.sleep(ctx, pause); err != nil {
				return err
			}
		case w == nil:
			return nil
		default:
			if err := p.stand(ctx, c, w); err != nil {
				return err
			}
			if p.keep(c) {
				return nil
			}
		}
	}
}

// ask takes a place, or one in the line, or says how long to wait before asking
// again.
func (p *Pipeline) ask(ctx context.Context, c *call) (w *waiter, pause time.Duration, err *rag.Error) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	left := c.left(ctx, now)
	pause, err = p.gate(c, left, now)
	switch {
	case err != nil || pause > 0:
		return nil, pause, err
	case p.places.take(c.user): // whoever is in the line has as many as they may, else they had this one
		return nil, 0, nil
	}
	all, mine := p.places.waiting(c.user)
	wait := p.predict(c.user, all, mine)
	switch {
	case mine >= max(1, int(p.cfg.UserShare*float64(p.cfg.MaxWaiting))):
		e := p.overloaded(c, wait, "this user already waits for as many answers as one user may")
		e.Code = rag.RateLimited
		return nil, 0, e
	case all >= p.cfg.MaxWaiting:
		return nil, 0, p.overloaded(c, wait, "there are as many answers waited for as there may be")
	case wait+p.first.Typical() > left:
		return nil, 0, p.overloaded(c, wait, "the line for the chat model is longer than the time this call has left")
	}
	return p.places.wait(c.user), 0, nil
}

// predict returns how long the next in the line is going to wait: rounds of
// answers, each as long as usual. 0: it is not known how long that is.
func (p *Pipeline) predict(u rag.User, all, mine int) time.Duration {
	typical := p.whole.Typical()
	rounds := all / int(p.places.limit)
	if p.places.held[u] >= p.places.share { // it waits for its own
		rounds = max(rounds, mine/p.places.share)
	}
	return typical/2 + time.Duration(rounds)*typical
}

// stand waits in the line.
func (p *Pipeline) stand(ctx context.Context, c *call, w *waiter) *rag.Error {
	enough := time.NewTimer(p.cfg.FirstToken)
	defer enough.Stop()
	var err *rag.Error
	select {
	case <-w.told:
		return w.err
	case <-enough.C:
	case <-ctx.Done():
		err = p.peer.Ended(ctx, provider.Queue, nil)
	case <-p.closing:
		err = closedError(provider.Queue)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.places.quit(w)
	if err == nil {
		err = p.overloaded(c, p.whole.Typical(), "no place came free at the chat model in time")
	}
	return err
}

// keep reports whether a place that was waited for may be used: meanwhile the
// breaker may have opened. Else it is given back.
func (p *Pipeline) keep(c *call) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if (p.breaker.State != provider.Closed && c.probe.IsZero()) || p.paused.After(time.Now()) {
		p.places.give(c.user)
		return false
	}
	return true
}

// sleep waits for d.
func (p *Pipeline) sleep(ctx context.Context, d time.Duration) *rag.Error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return p.peer.Ended(ctx, provider.Queue, nil)
	case <-p.closing:
		return closedError(provider.Queue)
	}
}

const leastRetryAfter = 100 * time.Millisecond

func (p *Pipeline) overloaded(c *call, after time.Duration, msg string) *rag.Error {
	c.refused = true
	return &rag.Error{Code: rag.Overloaded, Phase: provider.Queue.String(), RetryAfter: max(after, leastRetryAfter), Msg: msg}
}
