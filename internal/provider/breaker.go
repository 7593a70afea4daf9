package provider

import "time"

// Breaker stops asking a provider that does not answer, and finds out by
// single probes when it does again. It is a plain value that is told the time;
// it is not safe for concurrent use.
//
// It opens when of the last attempts most failed, or nearly all were slow, or
// when its owner says so. After a while, always the same so that recovery takes
// seconds however long the outage was, one probe is let through (half-open): any
// answer closes the breaker, a failure opens it again.
type Breaker struct {
	OpenFor time.Duration // until it is probed
	Least   int           // outcomes without which nothing is concluded
	Age     time.Duration // older outcomes do not count

	State State
	Until time.Time // while open: when to probe
	Good  time.Time // of the last answer
	Opens int64     // how often it opened

	last [breakerWindow]outcome
	n    int // outcomes noted since it last closed
}

// State is one of the three.
type State int

// The states.
const (
	Closed State = iota
	Opened
	HalfOpen
)

func (s State) String() string {
	switch s {
	case Closed:
		return "closed"
	case Opened:
		return "open"
	case HalfOpen:
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
	breakerWindow = 20 // outcomes that count
	badShare      = 0.6
	slowShare     = 0.8
)

// Note takes in how an attempt ended. alive: whatever it said, the provider
// answered.
func (b *Breaker) Note(now time.Time, alive, slow bool) {
	if alive {
		b.Good = now
		if b.State == Opened && !slow {
			b.Until = now // somebody is there: the next call finds out
		}
	}
	if b.State != Closed {
		return
	}
	b.last[b.n%breakerWindow] = outcome{now, !alive, slow}
	b.n++
	if alive && !slow {
		return // what was bad before it did not open it; an answer is no reason to
	}
	var all, bad, slows float64
	for _, o := range b.last[:min(b.n, breakerWindow)] {
		if now.Sub(o.at) > b.Age {
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
	if int(all) >= b.Least && (bad >= badShare*all || slows >= slowShare*all) {
		b.Open(now)
	}
}

// Probed takes in how the probe ended.
func (b *Breaker) Probed(now time.Time, alive bool) {
	if alive {
		b.State, b.n = Closed, 0
		return
	}
	b.Open(now)
}

// Open opens it.
func (b *Breaker) Open(now time.Time) {
	b.State, b.Until = Opened, now.Add(b.OpenFor)
	b.Opens++
}

// Check moves on with time. full: there is no room for a probe.
func (b *Breaker) Check(now time.Time, full bool) {
	if b.State != Opened || now.Before(b.Until) {
		return
	}
	if full {
		b.Until = now.Add(b.OpenFor)
		return
	}
	b.State = HalfOpen
}
