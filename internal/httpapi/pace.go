package httpapi

import "time"

// pace cuts a body off that comes too slowly, by moving the deadline of the
// connection as bytes come: each gives the body the time it may take at the
// least rate, up to grace ahead of now. So what falls behind the rate by grace is
// cut off, and so is any silence of that length, however fast it came before.
type pace struct {
	rate  int64 // bytes per second
	grace time.Duration
	last  time.Time // the deadline of the whole body
	until time.Time // the deadline now
	set   func(time.Time) error
}

// newPace begins now.
func newPace(rate int64, grace, whole time.Duration, set func(time.Time) error) *pace {
	now := time.Now()
	p := &pace{rate: rate, grace: grace, last: now.Add(whole), set: set}
	p.move(now, now.Add(grace))
	return p
}

// came notes that n bytes came.
func (p *pace) came(n int) {
	earned := time.Duration(float64(n) / float64(p.rate) * float64(time.Second))
	p.move(time.Now(), p.until.Add(earned))
}

func (p *pace) move(now, until time.Time) {
	for _, most := range []time.Time{now.Add(p.grace), p.last} {
		if until.After(most) {
			until = most
		}
	}
	p.until = until
	_ = p.set(until) // fails where there is no connection
}

// slow reports whether what was cut off had time left, as a whole.
func (p *pace) slow() bool { return p.until.Before(p.last) }
