package scan

import "math"

const (
	// Epsilon is the number of standard deviations that a row's bound stands above its estimate. The estimate's error is
	// that of one coordinate of a random point on a sphere (plus the query's rounding), with tails no heavier than a
	// normal's: a row is worth more than its bound with a probability of at most 0.00016 (a normal's tail is 0.000159), so
	// the expected recall against the exact top k is at least 0.9998 on any data.
	Epsilon = 3.6

	// sure is the same number for a row's lower bound. k rows whose lower bounds are higher rule a row out as well as k
	// exact cosines do, but here one deceptive row among all the scanned is enough, so the probability must be small
	// against their number: 2.9e-7.
	sure = 5.0

	// roundingSlack covers what float32 arithmetic adds to an estimate.
	roundingSlack = 4e-6

	// ditherSeed makes the random rounding of a query the same each time.
	ditherSeed = 0xD1B54A32D192ED03
)

// probe is one query as the codes of one center see it.
type probe struct {
	query  []uint64 // words × planes
	c      coeffs
	lower  float32   // sure/Epsilon
	target []float32 // scratch: the rotated query without the center's direction
}

// aim sets the probe for a query, given also rotated by the center's rotation. h and tau of the coefficients are for the
// scan to fill in.
func (p *probe) aim(c *Center, query, rotated []float32) {
	n := c.rot.padded
	p.query = resize(p.query, n/wordBits*planes)
	p.target = resize(p.target, n)
	b := dot64(query, c.dir)
	var s2, most float64
	for i, x := range rotated {
		y := float64(x) - float64(b*float64(c.rotated[i]))
		p.target[i] = float32(y)
		s2 += float64(y * y)
		most = max(most, math.Abs(y))
	}
	p.c = coeffs{b: float32(b), base: int64(levelSum * n)}
	p.lower = sure / Epsilon
	clear(p.query)
	if most == 0 {
		return // the query is the center's direction: a·b is all there is
	}
	step := 2 * most / levelSum
	noise := p.quantise(step, most)
	p.c.k = float32(step / 2)
	p.c.ce = float32(Epsilon * Epsilon * s2)
	p.c.cq = float32(Epsilon * Epsilon * step * step * noise)
}

// quantise fills the bit planes: value y becomes level ⌊(y+most)/step + dither⌋, with dither uniform in [0,1) and fixed
// by the position. It returns the sum over the values of the variance of that rounding, in squared steps.
func (p *probe) quantise(step, most float64) float64 {
	var noise float64
	scale := 1 / step
	for j := 0; j < len(p.target); j += wordBits {
		var w0, w1, w2, w3 uint64
		for i, y := range p.target[j : j+wordBits] {
			at := float64((float64(y) + most) * scale)
			floor := int64(at)
			frac := at - float64(floor)
			noise += float64(frac * (1 - frac))
			dither := float64(splitmix(ditherSeed, uint64(j+i))>>11) * 0x1p-53
			level := uint64(min(max(int64(at+dither), 0), levelSum))
			w0 |= level & 1 << i
			w1 |= level >> 1 & 1 << i
			w2 |= level >> 2 & 1 << i
			w3 |= level >> 3 << i
		}
		w := (*[planes]uint64)(p.query[j/wordBits*planes:])
		w[0], w[1], w[2], w[3] = w0, w1, w2, w3
	}
	return noise
}

// shrink sets h, the segment's smallest g²/r² times Epsilon².
func (c *coeffs) shrink(least float32) {
	c.h = Epsilon * Epsilon * least
	c.h1 = 1 + c.h
	c.inv = 1 / c.h1
}

// halfWidth is the half width of a row's bound before it is shrunk.
func (c *coeffs) halfWidth(f factors) float32 {
	return float32(math.Sqrt(float64(c.ce*f.g*f.g + c.cq*f.f*f.f)))
}

// resize returns a slice of n elements, s itself where it is large enough; what it holds is undefined.
func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
