package builtin

import (
	"math"
	"unicode/utf8"
)

const (
	maxDim    = 512
	maxWeight = 1<<14 - 1
	// maxTerms is how many rows fit into a sum of 32 bits: 1000 × 16383 × 127
	// is below 1<<31.
	maxTerms = 1000
	// hashedValue is the size of the values of a row drawn from a hash: about
	// that of a learned row, whose largest is 127.
	hashedValue = 40
)

// sum adds up rows exactly. It lies on its caller's stack.
type sum struct {
	part  [maxDim]int32
	total [maxDim]int64
	terms int
}

// add adds weight times row, a string of int8.
func (s *sum) add(weight int32, row string) {
	part := s.part[:len(row)]
	for i := range part {
		part[i] += weight * int32(int8(row[i])) //nolint:gosec // the bytes are int8
	}
	s.count()
}

// addHashed adds weight times a row of equal sizes whose signs are drawn from
// h (SplitMix64; Steele, Lea and Flood, 2014).
func (s *sum) addHashed(weight int32, h uint64, dim int) {
	var bits uint64
	value := weight * hashedValue
	for i := range s.part[:dim] {
		if i%64 == 0 {
			h += 0x9e3779b97f4a7c15
			bits = h
			bits = (bits ^ bits>>30) * 0xbf58476d1ce4e5b9
			bits = (bits ^ bits>>27) * 0x94d049bb133111eb
			bits ^= bits >> 31
		}
		minus := -int32(bits & 1)
		bits >>= 1
		s.part[i] += value ^ minus - minus
	}
	s.count()
}

// addUnknown adds the pairs of characters of a word, or its only one.
func (s *sum) addUnknown(weight int32, word []byte, dim int) {
	before, size := utf8.DecodeRune(word)
	if size == len(word) {
		s.addHashed(weight, uint64(before), dim) //nolint:gosec // not negative
		return
	}
	for word = word[size:]; len(word) > 0; word = word[size:] {
		var r rune
		r, size = utf8.DecodeRune(word)
		s.addHashed(weight, uint64(before)<<32|uint64(r), dim) //nolint:gosec // not negative
		before = r
	}
}

func (s *sum) count() {
	s.terms++
	if s.terms == maxTerms {
		s.carry()
	}
}

func (s *sum) carry() {
	for i, v := range s.part {
		s.total[i] += int64(v)
	}
	s.part = [maxDim]int32{}
	s.terms = 0
}

// unit writes the direction of the sum into v; false when the sum is zero.
//
// Every operation is rounded by itself: the conversions keep a compiler from
// fusing a multiplication with an addition, which would round once less on
// some platforms.
func (s *sum) unit(v []float32) bool {
	s.carry()
	squares := 0.0
	for _, t := range s.total[:len(v)] {
		f := float64(t)
		squares += float64(f * f)
	}
	if squares == 0 {
		return false
	}
	norm := math.Sqrt(squares)
	for i, t := range s.total[:len(v)] {
		v[i] = float32(float64(t) / norm)
	}
	return true
}
