package scan

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"testing"
)

func testCenter(tb testing.TB, dim int) *Center {
	tb.Helper()
	mean := make([]float32, dim)
	for i := range mean {
		mean[i] = 1 / float32(i+2)
	}
	c, err := NewCenter(7, mean)
	ok(tb, err)
	return c
}

func TestBlockRoundTrip(t *testing.T) {
	for _, dim := range dims {
		c := testCenter(t, dim)
		vecs := newSource("isotropic", dim, 9).many(1, 9)
		b, err := Encode(c, vecs)
		ok(t, err)
		again, err := Encode(c, vecs)
		ok(t, err)
		if !slices.Equal(b, again) {
			t.Errorf("dim %d: two encodings differ", dim)
		}
		p, err := ParseBlock(b)
		ok(t, err)
		if p.Rows() != 9 || p.Dim() != dim || p.CenterID() != 7 {
			t.Errorf("dim %d: %d rows of %d, center %d", dim, p.Rows(), p.Dim(), p.CenterID())
		}
		for i, v := range vecs {
			f := p.factors(i)
			a := dot64(v, c.dir)
			if math.Abs(float64(f.a)-a) > 1e-6 || math.Abs(f.residual(c.rot.padded)-(1-a*a)) > 1e-5 {
				t.Errorf("dim %d: row %d has factors %v, want a = %v", dim, i, f, a)
			}
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	c := testCenter(t, 4)
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, tt := range []struct {
		name string
		vec  []float32
	}{
		{"too short", []float32{1, 0, 0}},
		{"too long", []float32{1, 0, 0, 0, 0}},
		{"empty", nil},
		{"NaN", []float32{nan, 0, 0, 1}},
		{"infinity", []float32{0, inf, 0, 0}},
		{"zero", []float32{0, 0, 0, 0}},
		{"not of unit length", []float32{1, 1, 0, 0}},
		{"huge", []float32{math.MaxFloat32, math.MaxFloat32, 0, 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Encode(c, [][]float32{{1, 0, 0, 0}, tt.vec}); !errors.Is(err, ErrVector) {
				t.Errorf("Encode: %v", err)
			}
			m, err := NewMean(4)
			ok(t, err)
			if err := m.Add(tt.vec); !errors.Is(err, ErrVector) {
				t.Errorf("Mean.Add: %v", err)
			}
			if m.n != 0 {
				t.Error("a refused vector was counted")
			}
		})
	}
}

func TestEveryFlippedBitIsFound(t *testing.T) {
	good, err := Encode(testCenter(t, 65), newSource("isotropic", 65, 3).many(1, 3))
	ok(t, err)
	for i := range good {
		for bit := range 8 {
			b := slices.Clone(good)
			b[i] ^= 1 << bit
			if _, err := ParseBlock(b); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("byte %d, bit %d: %v", i, bit, err)
			}
		}
	}
	for n := range good {
		if _, err := ParseBlock(good[:n]); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
	if _, err := ParseBlock(append(slices.Clone(good), 0)); !errors.Is(err, ErrCorrupt) {
		t.Fatal("one byte more was not found")
	}
}

// FuzzParseBlock also mends the checksum, so that the checks behind it are reached, and searches what was accepted.
func FuzzParseBlock(f *testing.F) {
	for _, dim := range []int{1, 64, 65} {
		for _, n := range []int{0, 1, 9} {
			b, err := Encode(testCenter(f, dim), newSource("isotropic", dim, n).many(1, n))
			ok(f, err)
			f.Add(b)
			f.Add(b[:len(b)/2])
		}
	}
	f.Add([]byte(blockMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := ParseBlock(b); err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatal(err)
		}
		if len(b) < blockHeader {
			return
		}
		b = slices.Clone(b)
		binary.LittleEndian.PutUint32(b[blockSumAt:], sumAround(b, blockSumAt))
		p, err := ParseBlock(b)
		if err != nil {
			return
		}
		if p.Dim() > 128 || p.Rows() > 64 {
			return
		}
		c := testCenter(t, p.Dim())
		binary.LittleEndian.PutUint64(b[8:], uint64(c.id))
		binary.LittleEndian.PutUint32(b[16:], c.sum)
		binary.LittleEndian.PutUint32(b[blockSumAt:], sumAround(b, blockSumAt))
		x, err := New(Config{Dim: p.Dim()})
		ok(t, err)
		defer x.Close()
		ok(t, x.AddCenter(t.Context(), c))
		ok(t, x.Add(t.Context(), 1, b))
		q := newSource("isotropic", p.Dim(), 1).many(2, 1)[0]
		shelf := newShelf()
		shelf.put(1, newSource("isotropic", p.Dim(), p.Rows()).many(3, p.Rows()))
		if _, _, err := x.Search(t.Context(), q, 3, nil, shelf); err != nil {
			t.Fatal(err)
		}
	})
}
