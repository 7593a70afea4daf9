package embed

import (
	"time"

	"weir/internal/rag"
)

// breaker stops asking a provider that does not answer, and finds out by
// single probes when it does again. It is not safe for concurrent use.
//
// It opens when of the last attempts most failed, or nearly all were slow, or
// when half of the slots have been held for long while nothing was answered.
// After a while, always the same so that recovery takes seconds however long
// the outage was, one batch of what callers ask is let through (half-open):
// any answer closes the breaker, a failure opens it again.
type breaker struct {
	cfg   Config
	state state
	until time.Time // while open: when to probe
	probe *batch    // under way, while half-open
	good  time.Time // of the last answer
	last  [breakerWindow]outcome
	n     int // outcomes noted since it last closed
	opens int64
}

// state is one of the three.
type state int

const (
	closed state = iota
	opened
	halfOpen
)

func (s state) String() string {
	switch s {
	case closed:
		return "closed"
	case opened:
		return "open"
	case halfOpen:
		return "half-open"
	default:
		return "unknown"
	}
}

type outcome struct {
	at        time.Time
	bad, slow bool
}

const (
	breakerWindow = 20               // outcomes that count
	breakerLeast  = 8                // outcomes without which nothing is concluded
	breakerAge    = 30 * time.Second // older ones do not count
	badShare      = 0.6
	slowShare     = 0.8
)

// note takes in how an attempt ended. alive: whatever it said, the provider
// answered.
func (b *breaker) note(now time.Time, alive, slow bool) {
	if alive {
		b.good = now
		if b.state == opened && !slow {
			b.until = now // somebody is there: the next call finds out
		}
	}
	if b.state != closed {
		return
	}
	b.last[b.n%breakerWindow] = outcome{now, !alive, slow}
	b.n++
	var all, bad, slows float64
	for _, o := range b.last[:min(b.n, breakerWindow)] {
		if now.Sub(o.at) > breakerAge {
			continue
		}
		all++
		if o.bad {
			bad++
		}
		if o.slow {
			slows++
		}
	}
	if all >= breakerLeast && (bad >= badShare*all || slows >= slowShare*all) {
		b.open(now)
	}
}

// probed takes in how the probe ended. told: it is known how; else it was
// given up too soon to tell, and the next one is the probe.
func (b *breaker) probed(now time.Time, alive, told bool) {
	b.probe = nil
	switch {
	case !told:
	case alive:
		b.state, b.n = closed, 0
	default:
		b.open(now)
	}
}

func (b *breaker) open(now time.Time) {
	b.state, b.probe, b.until = opened, nil, now.Add(b.cfg.OpenFor)
	b.opens++
}

// check moves on with time. full: there is no slot for a probe.
func (b *breaker) check(now time.Time, full bool) {
	if b.state != opened || now.Before(b.until) {
		return
	}
	if full {
		b.until = now.Add(b.cfg.OpenFor)
		return
	}
	b.state = halfOpen
}

// stuck reports whether it opened because of attempts that have been under way
// for longer than allowed, all that time with no answer to anybody: half of the
// limit, or the probe. Ingest may take its time, unless queries are held up by it.
func (b *breaker) stuck(now time.Time, flying map[*batch]struct{}, allowed func(*batch) time.Duration, limit int, held bool) bool {
	switch b.state {
	case opened:
		return false
	case halfOpen:
		if b.probe == nil || now.Sub(b.probe.began) < allowed(b.probe) {
			return false
		}
	case closed:
		n := 0
		for f := range flying {
			if now.Sub(later(f.began, b.good)) >= allowed(f) {
				n++
				held = held || f.purpose == rag.ForQuery
			}
		}
		if n == 0 || 2*n < limit || !held {
			return false
		}
	}
	b.open(now)
	return true
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
