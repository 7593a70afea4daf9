package provider

import (
	"slices"
	"time"
)

// Pace is how long attempts that succeed take: the median of the last ones.
// The zero value knows nothing.
type Pace struct {
	last [31]time.Duration
	n    int // ever learned
	p50  time.Duration
}

// Learn takes in one more.
func (p *Pace) Learn(d time.Duration) {
	p.last[p.n%len(p.last)] = d
	p.n++
	known := slices.Clone(p.last[:min(p.n, len(p.last))])
	slices.Sort(known)
	p.p50 = known[len(known)/2]
}

// Typical returns the median, 0 when nothing is known.
func (p *Pace) Typical() time.Duration { return p.p50 }
