package embed

import (
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

// fits reports whether a wait makes sense for who has left until a deadline
// (0: no deadline): it is not over MaxBackoff, and leaves time for an attempt,
// which usually takes typical.
func (c Config) fits(left, wait, typical time.Duration) bool {
	if wait > c.MaxBackoff+c.MaxBackoff/2 { // the provider asked for it
		return false
	}
	return left == 0 || wait+typical < left
}

// budget bounds the tries after the first: a sixth of the first tries, and a
// few saved up, so that an outage is not answered with three times the load.
// It is not safe for concurrent use.
type budget struct{ saved float64 }

const (
	retryShare  = 0.17 // retries per first try, in the long run: with what is saved, 300 calls cost 360 requests at most
	retrySaved  = 8    // most retries saved up for a burst of failures
	retryAtOnce = 3    // saved from the beginning
)

func newBudget() budget { return budget{retryAtOnce} }

// first notes a first try.
func (b *budget) first() { b.saved = min(b.saved+retryShare, retrySaved) }

// take reports whether one more retry is allowed, and notes it.
func (b *budget) take() bool {
	if b.saved < 1 {
		return false
	}
	b.saved--
	return true
}
