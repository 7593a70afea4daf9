package scan

import (
	"math"
	"math/bits"
)

const (
	// lanes is how many rows stand side by side in a group.
	lanes = 8
	// planes is how many bits of a query's value are kept.
	planes = 4
	// levelSum is the sum of the planes' weights.
	levelSum = 1<<planes - 1
)

// isa names the instruction set that the inner loops use. All give the same bits.
type isa int

const (
	isaGo     isa = iota // pure Go
	isaAVX2              // dot products by AVX2
	isaAVX512            // and codes by AVX-512 with VPOPCNTQ
)

// groupWords is the size of a group in 64-bit words: the words of eight codes, then their three factors.
func groupWords(words int) int { return words*lanes + 3*lanes/2 }

// coeffs is what the scan of one segment needs besides the bit planes. The assembly knows the layout.
//
// With I = 15·D − 2·Σⱼ 2ʲ·popcount(code XOR planeⱼ), an odd-numbered sum of ±k:
//
//	w   = f·k·I                          the estimate of r·s·<u,v>
//	H   = ce·g² + cq·f²                  the square of its bound's half width
//	est = b·a + w
//	ub  = b·a + max(w, (w + √(H·(1+h) − h·w²)) / (1+h))
//
// The last line is the larger solution ρ of (ρ−w)² = H − h·ρ²: the code's error shrinks with √(1−<u,v>²), and h holds
// the smallest share of it in the segment.
type coeffs struct {
	b    float32
	k    float32
	ce   float32
	cq   float32
	h    float32
	h1   float32 // 1+h
	inv  float32 // 1/(1+h)
	tau  float32 // rows with ub ≥ tau are marked
	base int64   // 15·D
}

// scanGroups computes, for n groups at mem, est and ub of every row that it marks in masks (bit l of masks[g]: lane l of
// group g); est and ub of other rows are undefined. The slices hold at least n groups, 8n floats and n masks.
func scanGroups(use isa, mem []uint64, words, n int, query []uint64, c *coeffs, est, ub []float32, masks []uint8) {
	if n == 0 {
		return
	}
	mem, query = mem[:n*groupWords(words)], query[:words*planes]
	est, ub, masks = est[:n*lanes], ub[:n*lanes], masks[:n]
	if use == isaAVX512 {
		scanGroupsASM(mem, words, n, query, c, est, ub, masks)
		return
	}
	scanGroupsGo(mem, words, n, query, c, est, ub, masks)
}

func scanGroupsGo(mem []uint64, words, n int, query []uint64, c *coeffs, est, ub []float32, masks []uint8) {
	size := groupWords(words)
	for g := range n {
		group := mem[g*size : (g+1)*size : (g+1)*size]
		sums := weighGroup(group[:words*lanes], query)
		tail := (*[3 * lanes / 2]uint64)(group[words*lanes:])
		e, u := (*[lanes]float32)(est[g*lanes:]), (*[lanes]float32)(ub[g*lanes:])
		var mask uint8
		for l := range lanes {
			fac := unpackFactors(tail, l)
			w := float32(fac.f * float32(c.k*float32(c.base-2*int64(sums[l]))))
			ab := float32(c.b * fac.a)
			hw := float32(c.ce*float32(fac.g*fac.g)) + float32(c.cq*float32(fac.f*fac.f))
			// Most rows are far below: a test that is a little too kind spares the root.
			if d := c.tau - ab - w - 1e-6; d > 0 && float32(d*d) > float32(hw*1.0001) {
				continue
			}
			root := c.bound(w, hw)
			e[l], u[l] = ab+w, ab+root
			if u[l] >= c.tau {
				mask |= 1 << l
			}
		}
		masks[g] = mask //nolint:gosec // n masks, see scanGroups
	}
}

// bound is max(w, ρ) of the formula above.
func (c *coeffs) bound(w, hw float32) float32 {
	disc := float32(hw*c.h1) - float32(float32(w*w)*c.h)
	if !(disc > 0) {
		disc = 0
	}
	return max(w, float32((w+float32(math.Sqrt(float64(disc))))*c.inv))
}

// weighGroup is Σⱼ 2ʲ·popcount(code XOR planeⱼ) of the eight codes.
func weighGroup(codes, query []uint64) [lanes]int {
	var s0, s1, s2, s3, s4, s5, s6, s7 int
	for len(codes) >= lanes && len(query) >= planes {
		p0, p1, p2, p3 := query[0], query[1], query[2], query[3]
		s0 += weigh(codes[0], p0, p1, p2, p3)
		s1 += weigh(codes[1], p0, p1, p2, p3)
		s2 += weigh(codes[2], p0, p1, p2, p3)
		s3 += weigh(codes[3], p0, p1, p2, p3)
		s4 += weigh(codes[4], p0, p1, p2, p3)
		s5 += weigh(codes[5], p0, p1, p2, p3)
		s6 += weigh(codes[6], p0, p1, p2, p3)
		s7 += weigh(codes[7], p0, p1, p2, p3)
		codes, query = codes[lanes:], query[planes:]
	}
	return [lanes]int{s0, s1, s2, s3, s4, s5, s6, s7}
}

func weigh(x, p0, p1, p2, p3 uint64) int {
	return bits.OnesCount64(x^p0) + bits.OnesCount64(x^p1)<<1 + bits.OnesCount64(x^p2)<<2 + bits.OnesCount64(x^p3)<<3
}

// unpackFactors reads the factors of lane l from the last words of a group, where each factor's eight float32 stand in
// order (the lower half of a word first).
func unpackFactors(tail *[3 * lanes / 2]uint64, l int) factors {
	at, shift := l/2&3, uint(l%2)*32
	return factors{
		a: math.Float32frombits(uint32(tail[at] >> shift)),         //nolint:gosec // half a word
		f: math.Float32frombits(uint32(tail[at+lanes/2] >> shift)), //nolint:gosec // half a word
		g: math.Float32frombits(uint32(tail[at+lanes] >> shift)),   //nolint:gosec // half a word
	}
}

// packFactors is the inverse of unpackFactors.
func packFactors(tail *[3 * lanes / 2]uint64, l int, f factors) {
	at, shift := l/2&3, uint(l%2)*32
	for i, x := range [...]float32{f.a, f.f, f.g} {
		w := &tail[at+i*lanes/2]
		*w = *w&^(0xFFFFFFFF<<shift) | uint64(math.Float32bits(x))<<shift
	}
}
