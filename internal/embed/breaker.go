package embed

import (
	"time"

	"weir/internal/provider"
	"weir/internal/rag"
)

// breaker is the provider's, which is probed by a batch, and opens also when
// half of the slots have been held for long while nothing was answered. It is
// not safe for concurrent use.
type breaker struct {
	provider.Breaker
	probe *batch // under way, while half-open
}

const (
	breakerLeast = 8
	breakerAge   = 30 * time.Second
)

func newBreaker(cfg Config) breaker {
	return breaker{Breaker: provider.Breaker{OpenFor: cfg.OpenFor, Least: breakerLeast, Age: breakerAge}}
}

// probed takes in how the probe ended. told: it is known how; else it was
// given up too soon to tell, and the next one is the probe.
func (b *breaker) probed(now time.Time, alive, told bool) {
	b.probe = nil
	if told {
		b.Probed(now, alive)
	}
}

// stuck reports whether it opened because of attempts that have been under way
// for longer than allowed, all that time with no answer to anybody: half of the
// limit, or the probe. Ingest may take its time, unless queries are held up by it.
func (b *breaker) stuck(now time.Time, flying map[*batch]struct{}, allowed func(*batch) time.Duration, limit int, held bool) bool {
	switch b.State {
	case provider.Opened:
		return false
	case provider.HalfOpen:
		if b.probe == nil || now.Sub(b.probe.began) < allowed(b.probe) {
			return false
		}
	case provider.Closed:
		n := 0
		for f := range flying {
			if now.Sub(later(f.began, b.Good)) >= allowed(f) {
				n++
				held = held || f.purpose == rag.ForQuery
			}
		}
		if n == 0 || 2*n < limit || !held {
			return false
		}
	}
	b.probe = nil
	b.Open(now)
	return true
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
