package embed

import "time"

// A provider that runs its model itself may have to load it first, which takes
// longer than any query waits, and such a provider gives up loading when whoever
// asked leaves (Ollama does, and unloads again after five minutes without
// calls). If every attempt ended with its callers it would never be of use. So
// when it may be cold, one attempt, the pioneer, goes on when its callers have
// run out of time, up to a limit of its own. It is one at a time, so that a
// provider that hangs costs one slot, and when it comes to nothing there is no
// second one until something was answered. Callers who leave of their own will
// end it as they end any other.

// coldAfter is how long a provider is not asked anything before it counts as
// cold.
const coldAfter = time.Minute

// leads reports whether b, which has just begun, is the pioneer.
func (p *Pipeline) leads(b *batch, now time.Time) bool {
	if !p.landed.IsZero() && len(p.flying) == 1 && now.Sub(p.landed) >= coldAfter {
		p.cold = true
	}
	if !p.cold || p.pioneer != nil {
		return false
	}
	p.pioneer = b
	return true
}

// thaw learns from the end of an attempt. alive: the provider answered;
// timeout: it had all its time.
func (p *Pipeline) thaw(b *batch, alive, timeout bool, now time.Time) {
	p.landed = now
	if alive {
		p.cold = false
	}
	if b != p.pioneer {
		if alive {
			p.pioneer = nil // somebody else was answered: it is an attempt like any other now
		}
		return
	}
	p.pioneer = nil
	if timeout {
		p.cold = false
	}
}
