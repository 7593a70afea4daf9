package scan

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"testing"
)

var dims = []int{1, 3, 63, 64, 65, 100, 384, 448, 768, 1536, 3072, 4096}

func TestRotationKeepsLengthsAndAngles(t *testing.T) {
	for _, dim := range dims {
		r := newRotation(dim)
		rng := rand.New(rand.NewPCG(1, uint64(dim)))
		a, b := make([]float32, dim), make([]float32, dim)
		pa, pb := make([]float32, r.padded), make([]float32, r.padded)
		for range 20 {
			normal(rng, a)
			normal(rng, b)
			unit(a)
			unit(b)
			r.apply(pa, a)
			r.apply(pb, b)
			if n := dot64(pa, pa); math.Abs(n-1) > 1e-5 {
				t.Errorf("dim %d: length %v", dim, n)
			}
			if got, want := dot64(pa, pb), dot64(a, b); math.Abs(got-want) > 1e-5 {
				t.Errorf("dim %d: product %v, want %v", dim, got, want)
			}
		}
	}
}

// A vector along one axis must end up spread over all of them, in every dimension.
func TestRotationSpreads(t *testing.T) {
	for _, dim := range dims {
		r := newRotation(dim)
		worst := 0.0
		for axis := range min(dim, 200) {
			v, p := make([]float32, dim), make([]float32, r.padded)
			v[axis] = 1
			r.apply(p, v)
			var l1 float64
			for _, x := range p {
				l1 += math.Abs(float64(x))
			}
			worst = max(worst, 1-l1/math.Sqrt(float64(r.padded)))
		}
		if worst > 0.4 { // a random direction has 1 − √(2/π) = 0.20
			t.Errorf("dim %d: an axis keeps only %.2f of what it could under its signs", dim, 1-worst)
		}
	}
}

// Stored codes stand in this rotation: it may never change, in any bit, on any machine.
func TestRotationIsForEver(t *testing.T) {
	for _, c := range []struct {
		dim  int
		want uint32
	}{
		{1, 0x2515f82a},
		{3, 0x55218429},
		{65, 0x80a312cf},
		{100, 0xfc22f4e7},
		{384, 0x61f40752},
		{448, 0x5cb58f98},
		{1024, 0x1bf6bb07},
		{1536, 0x9eb5d67c},
		{3072, 0x945ca979},
		{4096, 0xff0b8a13},
	} {
		r := newRotation(c.dim)
		v, p := make([]float32, c.dim), make([]float32, r.padded)
		for i := range v {
			v[i] = float32(int64(splitmix(7, uint64(i)))>>40) / (1 << 23)
		}
		r.apply(p, v)
		var b []byte
		for _, x := range p {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
		}
		if got := crc32.ChecksumIEEE(b); got != c.want {
			t.Errorf("dim %d: rotation's sum is %#x, want %#x", c.dim, got, c.want)
		}
	}
}
