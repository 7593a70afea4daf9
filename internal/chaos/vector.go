package chaos

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strings"
	"unicode"
)

// own is the weight of the part of a vector that only its very text has, of
// which the words have 1. It keeps texts of the same words at a cosine of
// 1/(1+own²) ≈ 0.98, where [Matches] tells them apart, and leaves likeness to
// the words.
const own = 0.15

// Vector returns the unit vector of dim values, dim ≥ 1, that the provider
// answers for text. Texts that share words are similar, equal texts have equal
// vectors, and no two texts have the same one.
func Vector(text string, dim int) []float32 {
	sums := make([]float64, dim)
	fields := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r)
	})
	for _, w := range fields {
		places := rand.New(rand.NewPCG(hash(w), 1))
		for range 4 {
			sums[places.IntN(dim)] += float64(places.IntN(2)*2 - 1)
		}
	}
	scale(sums, 1)
	mine := make([]float64, dim)
	noise := rand.New(rand.NewPCG(hash(text), 2))
	for i := range mine {
		mine[i] = noise.NormFloat64()
	}
	scale(mine, own)
	for i := range sums {
		sums[i] += mine[i]
	}
	scale(sums, 1)
	v := make([]float32, dim)
	for i, x := range sums {
		v[i] = float32(x)
	}
	return v
}

// Matches reports whether v is text's vector, whatever its length was scaled
// to.
func Matches(text string, v []float32) bool {
	if len(v) == 0 {
		return false
	}
	var dot, norm float64
	want := Vector(text, len(v))
	for i, x := range v {
		dot += float64(x) * float64(want[i])
		norm += float64(x) * float64(x)
	}
	return norm > 0 && dot/math.Sqrt(norm) > 1-1e-5 // false for NaN
}

// scale brings v to the length given; all zeros stay.
func scale(v []float64, length float64) {
	var sum float64
	for _, x := range v {
		sum += x * x
	}
	if sum == 0 {
		return
	}
	f := length / math.Sqrt(sum)
	for i := range v {
		v[i] *= f
	}
}

func hash(s string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s)) // never fails
	return h.Sum64()
}
