package scan

import (
	"errors"
	"math"
	"slices"
	"testing"
)

func TestCenterRoundTrip(t *testing.T) {
	for _, dim := range dims {
		c := testCenter(t, dim)
		b, err := c.AppendBinary(nil)
		ok(t, err)
		d, err := ParseCenter(b)
		ok(t, err)
		if d.ID() != c.ID() || d.Dim() != dim || d.sum != c.sum || !slices.Equal(d.rotated, c.rotated) {
			t.Errorf("dim %d: another center came back", dim)
		}
		for i := 0; i < len(b); i += 1 + i/64 {
			bad := slices.Clone(b)
			bad[i] ^= 0x10
			if _, err := ParseCenter(bad); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("dim %d, byte %d: %v", dim, i, err)
			}
		}
		for n := range min(len(b), 100) {
			if _, err := ParseCenter(b[:n]); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("cut to %d: %v", n, err)
			}
		}
	}
}

func FuzzParseCenter(f *testing.F) {
	b, err := testCenter(f, 3).AppendBinary(nil)
	ok(f, err)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := ParseCenter(b); err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatal(err)
		}
	})
}

func TestCenterRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		mean []float32
	}{
		{"empty", nil},
		{"too long", make([]float32, MaxDim+1)},
		{"NaN", []float32{1, float32(math.NaN())}},
		{"infinity", []float32{float32(math.Inf(-1))}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := NewCenter(1, tt.mean); !errors.Is(err, ErrVector) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestCenterDue(t *testing.T) {
	for _, tt := range []struct {
		name          string
		total, atLast int
		want          bool
	}{
		{"nothing yet", 0, 0, false},
		{"first document", 1, 0, true},
		{"a few more", 200, 10, false},
		{"past the floor", 256, 10, true},
		{"grown thrice", 3000, 1000, false},
		{"grown fourfold", 4000, 1000, true},
		{"shrunk", 10, 1000, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := CenterDue(tt.total, tt.atLast); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestMean(t *testing.T) {
	m, err := NewMean(2)
	ok(t, err)
	ok(t, m.Add([]float32{1, 0}))
	ok(t, m.Add([]float32{0, 1}))
	c, err := m.Center(3)
	ok(t, err)
	if m.n != 2 || !slices.Equal(c.mean, []float32{0.5, 0.5}) {
		t.Errorf("mean of %d is %v", m.n, c.mean)
	}
	if _, err := NewMean(0); !errors.Is(err, ErrVector) {
		t.Errorf("no dimensions: %v", err)
	}
}
