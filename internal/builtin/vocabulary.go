package builtin

import "strings"

const within = "##" // before a token that continues a word

// vocabulary finds the tokens of a model file: an open hash table of their
// numbers. Tokens at the start of a word and within one are different keys.
type vocabulary struct {
	slots   []int32 // number + 1; 0 is free
	longest int     // bytes
	file    *file
}

const (
	seedFirst  uint64 = 14695981039346656037 // FNV-1a, 64 bits
	seedWithin uint64 = seedFirst ^ 0x5bd1e9955bd1e995
	prime      uint64 = 1099511628211
)

func newVocabulary(f *file) *vocabulary {
	size := 1
	for size < 2*f.vocab {
		size *= 2
	}
	v := &vocabulary{slots: make([]int32, size), file: f}
	for id := range int32(f.vocab) { //nolint:gosec // parse bounds it
		word, seed := f.word(id), seedFirst
		if rest, ok := strings.CutPrefix(word, within); ok && rest != "" {
			word, seed = rest, seedWithin
		}
		v.longest = max(v.longest, len(word))
		h := seed
		for i := range len(word) {
			h = (h ^ uint64(word[i])) * prime
		}
		at := v.slot(h)
		for v.slots[at] != 0 {
			at = (at + 1) & (len(v.slots) - 1)
		}
		v.slots[at] = id + 1
	}
	return v
}

func (v *vocabulary) slot(h uint64) int {
	return int((h ^ h>>32) & uint64(len(v.slots)-1)) //nolint:gosec // below len
}

// find returns the token that is word, of which h is the hash.
func (v *vocabulary) find(word []byte, h uint64, first bool) (id int32, ok bool) {
	for at := v.slot(h); v.slots[at] != 0; at = (at + 1) & (len(v.slots) - 1) {
		id := v.slots[at] - 1
		token := v.file.word(id)
		if !first {
			rest, cut := strings.CutPrefix(token, within)
			if !cut {
				continue
			}
			token = rest
		} else if strings.HasPrefix(token, within) && token != within {
			continue
		}
		if token == string(word) {
			return id, true
		}
	}
	return 0, false
}

// split spells word with tokens, the longest first (WordPiece). It reports
// false when that cannot be done; into holds nothing of use then.
func (v *vocabulary) split(word []byte, into *[maxWord]int32) (n int, ok bool) {
	for len(word) > 0 {
		first := n == 0
		h := seedWithin
		if first {
			h = seedFirst
		}
		limit := min(len(word), v.longest)
		var hashes [maxTokenBytes]uint64
		for i := range limit {
			h = (h ^ uint64(word[i])) * prime
			hashes[i] = h
		}
		found := 0
		for end := limit; end > 0; end-- {
			if end < len(word) && word[end]&0xC0 == 0x80 {
				continue // inside a character
			}
			if id, is := v.find(word[:end], hashes[end-1], first); is {
				into[n] = id
				n, found = n+1, end
				break
			}
		}
		if found == 0 {
			return 0, false
		}
		word = word[found:]
	}
	return n, true
}
