package scan

import (
	"math"
	"math/rand/v2"
	"testing"
)

// sets are the instruction sets of this machine.
func sets() []isa {
	var all []isa
	for use := isaGo; use <= detect(); use++ {
		all = append(all, use)
	}
	return all
}

func TestDotIsTheSameEverywhere(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{1, 3, 31, 32, 33, 64, 95, 100, 384, 1000, 1536, 4096} {
		a, b := make([]float32, n), make([]float32, n)
		for range 50 {
			normal(rng, a)
			normal(rng, b)
			unit(a)
			unit(b)
			want := dot(isaGo, a, b)
			if exact := dot64(a, b); math.Abs(float64(want)-exact) > 3e-7 {
				t.Errorf("%d: %v, want %v", n, want, exact)
			}
			for _, use := range sets() {
				if got := dot(use, a, b); math.Float32bits(got) != math.Float32bits(want) {
					t.Errorf("%d: instruction set %d gives %v, Go %v", n, use, got, want)
				}
			}
		}
	}
}

func TestScanIsTheSameEverywhere(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, words := range []int{1, 2, 3, 6, 7, 12, 24, 48, 64} {
		const groups = 33
		mem := make([]uint64, groups*groupWords(words))
		for g := range groups {
			group := mem[g*groupWords(words):]
			for i := range words * lanes {
				group[i] = rng.Uint64()
			}
			tail := (*[3 * lanes / 2]uint64)(group[words*lanes:])
			for l := range lanes {
				f := factors{a: float32(rng.NormFloat64()) * 0.3, f: rng.Float32() * 0.1, g: rng.Float32() * 0.05}
				if rng.IntN(20) == 0 {
					f.f, f.g = 0, 0
				}
				packFactors(tail, l, f)
				if got := unpackFactors(tail, l); got != f {
					t.Fatalf("factors %v came back as %v", f, got)
				}
			}
		}
		query := make([]uint64, words*planes)
		for i := range query {
			query[i] = rng.Uint64()
		}
		c := &coeffs{b: 0.4, k: 0.02, ce: 9, cq: 0.3, base: int64(levelSum * words * wordBits)}
		c.shrink(0.0015)
		marked := 0
		for _, tau := range []float32{float32(math.Inf(-1)), -0.2, 0, 0.2, 0.5, 3} {
			c.tau = tau
			want := scanned(isaGo, mem, words, groups, query, c)
			for i := range want {
				if want[i] != [2]float32{} {
					marked++
				}
			}
			for _, use := range sets() {
				got := scanned(use, mem, words, groups, query, c)
				for i := range got {
					if got[i] != want[i] {
						t.Fatalf("%d words, tau %v, row %d: instruction set %d gives %v, Go %v", words, tau, i, use, got[i], want[i])
					}
				}
			}
		}
		if marked < groups*lanes || marked == 6*groups*lanes {
			t.Errorf("%d words: %d rows marked, the test sees too little", words, marked)
		}
	}
}

// scanned is est and ub of each row, zero where it was not marked.
func scanned(use isa, mem []uint64, words, n int, query []uint64, c *coeffs) [][2]float32 {
	est, ub, masks := make([]float32, n*lanes), make([]float32, n*lanes), make([]uint8, n)
	scanGroups(use, mem, words, n, query, c, est, ub, masks)
	out := make([][2]float32, n*lanes)
	for i := range out {
		if masks[i/lanes]>>(i%lanes)&1 == 1 {
			out[i] = [2]float32{est[i], ub[i]}
		}
	}
	return out
}
