package builtin

import "unicode/utf8"

const (
	maxWord       = 100 // characters; a longer word is unknown to the reference too
	maxTokenBytes = 64  // a model file with a longer token is refused
)

// scanner takes a text apart into words and spells them with tokens, as the
// teacher's tokenizer does: BERT's, uncased. Special tokens such as [MASK] are
// text like any other.
//
// It lies on its caller's stack and allocates nothing.
type scanner struct {
	runes  runes
	vocab  *vocabulary
	tokens [maxWord]int32

	word  [maxWord * utf8.UTFMax]byte
	size  int // bytes in word
	chars int // characters in word
	over  bool

	back     rune // was read, but belongs to the next word
	backKind kind
	hasBack  bool
}

// span is a word: its tokens, or, when it cannot be spelled, its text. A word
// of more than maxWord characters comes in parts, none of which has tokens.
type span struct {
	tokens  []int32
	unknown []byte // normalised
	last    bool   // of the parts of a word
}

// next returns the next word, good until the call after; false at the end.
func (s *scanner) next() (span, bool) {
	s.size, s.chars = 0, 0
	for {
		r, k, ok := s.read()
		switch {
		case !ok || k == space:
			if s.chars > 0 {
				return s.take(true), true
			}
			if !ok {
				return span{}, false
			}
		case s.chars > 0 && (k == single || s.chars == maxWord):
			s.back, s.backKind, s.hasBack = r, k, true
			return s.take(k == single), true
		default:
			s.size += utf8.EncodeRune(s.word[s.size:s.size+utf8.UTFMax], r)
			s.chars++
			if k == single {
				return s.take(true), true
			}
		}
	}
}

func (s *scanner) read() (rune, kind, bool) {
	if s.hasBack {
		s.hasBack = false
		return s.back, s.backKind, true
	}
	return s.runes.next()
}

func (s *scanner) take(last bool) span {
	word := s.word[:s.size]
	spelled := last && !s.over
	s.over = !last
	if spelled {
		if n, ok := s.vocab.split(word, &s.tokens); ok {
			return span{tokens: s.tokens[:n], last: true}
		}
	}
	return span{unknown: word, last: last}
}
