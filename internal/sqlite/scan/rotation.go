package scan

import (
	"math"
	"math/bits"
)

const (
	// MaxDim is the largest number of dimensions a vector may have.
	MaxDim = 4096

	wordBits = 64

	// rotationSeed is part of the stored format: every code ever written stands in the rotation it makes. Changing it, or
	// anything else in this file, makes every stored block wrong without a sign of it.
	rotationSeed = 0x9E6C63D0876A3F6B

	roundsPower = 3 // padded dimension is a power of two: every round mixes all of it
	roundsOther = 4 // two overlapping windows take turns
)

// rotation is a pseudo-random orthogonal map of the padded space, the same for ever and on every machine, in
// O(D log D). One round flips signs, applies a fast Hadamard transform to a window whose length is the largest power of
// two that fits (at the front and at the back in turn), and, where the window is not everything, one Kac step that mixes
// the two halves. (Ailon and Chazelle 2009 for the randomised Hadamard transform; Kac's walk for the rest.)
type rotation struct {
	dim    int
	padded int // dim rounded up to a multiple of 64
	window int // the largest power of two ≤ padded
	rounds int
	signs  []uint64 // rounds × padded bits
}

func newRotation(dim int) rotation {
	padded := (dim + wordBits - 1) / wordBits * wordBits
	r := rotation{dim: dim, padded: padded, window: 1 << (bits.Len(uint(padded)) - 1), rounds: roundsOther}
	if r.window == padded {
		r.rounds = roundsPower
	}
	r.signs = make([]uint64, r.rounds*padded/wordBits)
	for i := range r.signs {
		r.signs[i] = splitmix(rotationSeed, uint64(padded)<<32|uint64(i)) //nolint:gosec // small and positive
	}
	return r
}

// apply writes the rotated src (dim long) to dst (padded long). Every product is rounded to float32 by itself, so that no
// compiler may fuse it with an addition: the same bits come out everywhere.
func (r *rotation) apply(dst, src []float32) {
	n := copy(dst, src)
	clear(dst[n:])
	words := r.padded / wordBits
	norm := float32(1 / math.Sqrt(float64(r.window)))
	for round := range r.rounds {
		flip(dst, r.signs[round*words:(round+1)*words])
		w := dst[:r.window]
		if round%2 == 1 {
			w = dst[r.padded-r.window:]
		}
		hadamard(w)
		for i := range w {
			w[i] *= norm
		}
		if r.window != r.padded {
			kac(dst)
		}
	}
}

// flip negates dst[i] where bit i of signs is set.
func flip(dst []float32, signs []uint64) {
	for j, s := range signs {
		d := dst[j*wordBits : j*wordBits+wordBits : j*wordBits+wordBits]
		for i := range d {
			d[i] = math.Float32frombits(math.Float32bits(d[i]) ^ uint32(s&1)<<31)
			s >>= 1
		}
	}
}

// kac turns each pair (x[i], x[i+n/2]) by 45 degrees.
func kac(x []float32) {
	const h = float32(math.Sqrt2 / 2)
	lo, hi := x[:len(x)/2], x[len(x)/2:]
	hi = hi[:len(lo)]
	for i := range lo {
		a, b := lo[i], hi[i]
		lo[i] = (a + b) * h
		hi[i] = (a - b) * h
	}
}

// hadamard is the unscaled fast Walsh-Hadamard transform; len(x) is a power of two and at least 64.
func hadamard(x []float32) {
	for i := 0; i+8 <= len(x); i += 8 {
		v := (*[8]float32)(x[i:])
		a0, a1, a2, a3 := v[0]+v[1], v[0]-v[1], v[2]+v[3], v[2]-v[3]
		a4, a5, a6, a7 := v[4]+v[5], v[4]-v[5], v[6]+v[7], v[6]-v[7]
		b0, b1, b2, b3 := a0+a2, a1+a3, a0-a2, a1-a3
		b4, b5, b6, b7 := a4+a6, a5+a7, a4-a6, a5-a7
		v[0], v[1], v[2], v[3] = b0+b4, b1+b5, b2+b6, b3+b7
		v[4], v[5], v[6], v[7] = b0-b4, b1-b5, b2-b6, b3-b7
	}
	h := 8
	for ; h*4 <= len(x); h *= 4 {
		for i := 0; i+4*h <= len(x); i += 4 * h {
			p, q, r, s := x[i:i+h], x[i+h:i+2*h], x[i+2*h:i+3*h], x[i+3*h:i+4*h]
			for j := range p {
				a, b, c, d := p[j]+q[j], p[j]-q[j], r[j]+s[j], r[j]-s[j]
				p[j], q[j], r[j], s[j] = a+c, b+d, a-c, b-d
			}
		}
	}
	if h < len(x) {
		p, q := x[:h], x[h:2*h]
		for j := range p {
			p[j], q[j] = p[j]+q[j], p[j]-q[j]
		}
	}
}

// splitmix is the i-th output of the SplitMix64 generator (Steele, Lea and Flood 2014) started at seed.
func splitmix(seed, i uint64) uint64 {
	z := seed + (i+1)*0x9E3779B97F4A7C15
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}
