package embed

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff returns how long to wait before try number next (the first is 1):
// doubling, half of it chance, so that callers who failed together do not come
// back together; and not before the provider wants to be asked.
func (c Config) backoff(next int, after time.Duration) time.Duration {
	step := c.Backoff << min(next-2, 30)
	if step <= 0 || step > c.MaxBackoff {
		step = c.MaxBackoff
	}
	chance := rand.N(step/2 + 1)
	if after > 0 {
		return max(after, step/2) + chance
	}
	return step/2 + chance
}

// fits reports whether a wait makes sense: it is not over MaxBackoff, and
// leaves time for an attempt, which usually takes typical, before ctx ends.
func (c Config) fits(ctx context.Context, wait, typical time.Duration) bool {
	deadline, bounded := ctx.Deadline()
	if wait > c.MaxBackoff+c.MaxBackoff/2 { // the provider asked for it
		return false
	}
	return !bounded || wait+typical < time.Until(deadline)
}
