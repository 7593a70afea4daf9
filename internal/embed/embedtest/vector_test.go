package embedtest

import (
	"math"
	"testing"
)

func cosine(a, b []float32) float64 {
	var sum float64
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

func TestVector(t *testing.T) {
	tests := []struct {
		name, a, b string
		from, to   float64 // their cosine
	}{
		{"equal", "the deductible is 500 dollars", "the deductible is 500 dollars", 0.9999, 1.0001},
		{"order and case", "Deductible: 500 dollars", "500 dollars, deductible", 0.9999, 1.0001},
		{"half shared", "annual deductible for dental care", "annual deductible for vision loss", 0.4, 0.8},
		{"nothing shared", "annual deductible for dental care", "weather over northern mountains", -0.3, 0.3},
		{"Chinese, half shared", "年度免赔额", "年度自付额", 0.3, 0.9},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := cosine(Vector(tt.a, 384), Vector(tt.b, 384)); got < tt.from || got > tt.to {
				t.Errorf("%v, want %v to %v", got, tt.from, tt.to)
			}
		})
	}
	for _, text := range []string{"", "?!", "a", "a a a"} {
		for _, dim := range []int{1, 2, 3, 64} {
			v := Vector(text, dim)
			if n := cosine(v, v); len(v) != dim || math.Abs(n-1) > 1e-5 {
				t.Errorf("%q in %d: %d values of length² %v", text, dim, len(v), n)
			}
		}
	}
}
