package extract

import (
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"

	"github.com/tiktoken-go/tokenizer"
)

// counter counts tokens as text-embedding-3-small does (cl100k_base).
type counter struct{ codec tokenizer.Codec }

func newCounter() (counter, error) {
	c, err := tokenizer.Get(tokenizer.Cl100kBase)
	return counter{c}, err
}

// Where an unbroken run of letters, signs or spaces is cut before it is
// counted: the time to encode one run grows with its square. No word comes
// near; in a run that does, the count may be one too high per cut. Scripts
// without spaces have longer runs, and more bytes to a letter.
const (
	longRun     = 400
	longRunPure = 128 // of ASCII
)

// count is the number of tokens of s.
func (c counter) count(s string) int {
	total := 0
	start, run, class, limit := 0, 0, -1, longRunPure
	for i, r := range s {
		k := classOf(r)
		if k != class {
			class, run, limit = k, 0, longRunPure
		}
		if r >= utf8.RuneSelf {
			limit = longRun
		}
		if run += utf8.RuneLen(r); run > limit {
			total += c.encode(s[start:i])
			start, run, limit = i, 0, longRunPure
		}
	}
	return total + c.encode(s[start:])
}

func (c counter) encode(s string) int {
	if s == "" {
		return 0
	}
	n, err := c.codec.Count(s)
	if err != nil {
		return len(s) // more than it can be; the codec has no errors in this mode
	}
	return n
}

func (c counter) decode(ids []int) (string, error) {
	tokens := make([]uint, len(ids))
	for i, id := range ids {
		if id < 0 {
			return "", fmt.Errorf("holds %d, which is no token", id)
		}
		tokens[i] = uint(id)
	}
	s, err := c.codec.Decode(tokens)
	if err != nil {
		return "", fmt.Errorf("is not a list of cl100k_base tokens: %w", err)
	}
	s = whole(s)
	if !utf8.ValidString(s) {
		return "", errors.New("is not the tokens of a text in UTF-8")
	}
	return s, nil
}

// whole is s without a part of a character at either end.
func whole(s string) string {
	for range utf8.UTFMax - 1 {
		if s == "" || utf8.RuneStart(s[0]) {
			break
		}
		s = s[1:]
	}
	for n := 1; n < utf8.UTFMax && n <= len(s); n++ {
		if i := len(s) - n; utf8.RuneStart(s[i]) {
			if !utf8.FullRuneInString(s[i:]) {
				return s[:i]
			}
			break
		}
	}
	return s
}

func classOf(r rune) int {
	switch {
	case r < utf8.RuneSelf && (r|0x20 >= 'a' && r|0x20 <= 'z'), unicode.IsLetter(r):
		return 0
	case unicode.IsSpace(r):
		return 1
	case unicode.IsNumber(r):
		return 2
	default:
		return 3
	}
}
