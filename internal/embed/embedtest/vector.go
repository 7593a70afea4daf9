package embedtest

import (
	"hash/fnv"
	"math"
	"strings"
	"unicode"
)

// Vector returns the unit vector of dim values for text: its words, counted
// into a few signed places each. Texts that share words are similar; equal
// texts have equal vectors; the order of words does not matter. In scripts
// without spaces each character is a word.
func Vector(text string, dim int) []float32 {
	sums := make([]float64, dim)
	for _, w := range words(text) {
		h := hash(w)
		for range 4 {
			sign := 1.0
			if h&1 == 1 {
				sign = -1
			}
			sums[(h>>1)%uint64(len(sums))] += sign
			h = h*6364136223846793005 + 1442695040888963407 // Knuth's MMIX
			h ^= h >> 29
		}
	}
	var norm float64
	for _, x := range sums {
		norm += x * x
	}
	if norm == 0 { // no words, or they cancel out
		sums[hash(text)%uint64(len(sums))], norm = 1, 1
	}
	v := make([]float32, dim)
	for i, x := range sums {
		v[i] = float32(x / math.Sqrt(norm))
	}
	return v
}

func words(text string) []string {
	var out []string
	for _, w := range strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r)
	}) {
		if !strings.ContainsFunc(w, spaceless) {
			out = append(out, w)
			continue
		}
		for _, r := range w {
			out = append(out, string(r))
		}
	}
	return out
}

func spaceless(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer)
}

func hash(s string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s)) // never fails
	return h.Sum64()
}
