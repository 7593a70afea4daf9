package chat

import (
	"context"
	"fmt"
	"time"

	"weir/internal/provider"
	"weir/internal/rag"
)

// again decides whether an attempt that failed is made again, and after how
// long.
func (p *Pipeline) again(ctx context.Context, c *call, out outcome, try int) (time.Duration, bool) {
	f := out.fault
	if f == nil || out.left || c.emitted || !f.Retry || try >= p.cfg.MaxAttempts {
		return 0, false
	}
	wait := p.cfg.backoff().Wait(try+1, f.RetryAfter)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.breaker.State != provider.Closed || !p.cfg.backoff().Fits(c.left(ctx, time.Now()), wait, p.first.Typical()) || !p.budget.Take() {
		return 0, false
	}
	p.count.retries++
	return wait, true
}

// goodFor is how long after an answer a request that a connection gave back is
// made again for nothing: connections come to their end while all is well.
const goodFor = 2 * time.Second

// mayRetry reports whether a request that was given back may be made again.
func (p *Pipeline) mayRetry() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Since(p.breaker.Good) < goodFor || p.budget.Take()
}

// afterLast is err, and what went wrong before it. What is told is what was
// wrong with the provider, unless it is the caller's own end.
func afterLast(err *rag.Error, last *provider.Fault) *provider.Fault {
	if last == nil {
		return &provider.Fault{Error: err}
	}
	if err.Code == rag.Overloaded || err.Code == rag.RateLimited || err.Code == rag.Unavailable {
		return last
	}
	both := *err
	both.Err = last.Error
	if err.Err != nil {
		both.Err = fmt.Errorf("%w, after: %w", err.Err, last.Error)
	}
	return &provider.Fault{Error: &both}
}
