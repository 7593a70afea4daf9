package provider

import (
	"math/rand/v2"
	"time"
)

// Backoff is how long is waited before a further try.
type Backoff struct {
	First time.Duration // the longest wait before the second try; it doubles with each further one
	Most  time.Duration // the longest wait before any try
}

// Wait returns how long to wait before try number next (the first is 1):
// doubling, half of it chance, so that callers who failed together do not come
// back together; and not before the provider wants to be asked.
func (b Backoff) Wait(next int, after time.Duration) time.Duration {
	step := b.First << min(next-2, 30)
	if step <= 0 || step > b.Most {
		step = b.Most
	}
	chance := rand.N(step/2 + 1)
	if after > 0 {
		return max(after, step/2) + chance
	}
	return step/2 + chance
}

// Fits reports whether a wait makes sense for who has left until a deadline
// (0: no deadline): it is not over Most, and leaves time for an attempt, which
// usually takes typical.
func (b Backoff) Fits(left, wait, typical time.Duration) bool {
	if wait > b.Most+b.Most/2 { // the provider asked for it
		return false
	}
	return left == 0 || wait+typical < left
}

// Budget bounds the tries after the first: a sixth of the first tries, and a
// few saved up, so that an outage is not answered with three times the load.
// It is not safe for concurrent use.
type Budget struct{ saved float64 }

const (
	retryShare  = 0.17 // retries per first try, in the long run: with what is saved, 300 calls cost 360 requests at most
	retrySaved  = 8    // most retries saved up for a burst of failures
	retryAtOnce = 3    // saved from the beginning
)

// NewBudget returns the budget of the beginning.
func NewBudget() Budget { return Budget{retryAtOnce} }

// First notes a first try.
func (b *Budget) First() { b.saved = min(b.saved+retryShare, retrySaved) }

// Take reports whether one more retry is allowed, and notes it.
func (b *Budget) Take() bool {
	if b.saved < 1 {
		return false
	}
	b.saved--
	return true
}
