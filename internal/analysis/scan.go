package analysis

import (
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"

	uax29 "github.com/clipperhouse/uax29/v2/words"
	"golang.org/x/text/unicode/norm"
)

// slabBytes bounds what is normalised at a time, so that text that grows under
// NFKC (up to elevenfold) never doubles the memory of a large passage.
const slabBytes = 64 << 10

// slabs yields text as valid UTF-8 in NFKC, cut at white space where there is
// any.
func slabs(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for len(text) > 0 {
			n := len(text)
			if n > slabBytes {
				n = slabBytes
				if sp := strings.LastIndexAny(text[:n], " \n\t\r"); sp > 0 {
					n = sp + 1
				} else {
					for n > slabBytes-utf8.UTFMax && !utf8.RuneStart(text[n]) {
						n--
					}
				}
			}
			slab := text[:n]
			text = text[n:]
			if !ascii(slab) {
				slab = norm.NFKC.String(strings.ToValidUTF8(slab, " "))
			}
			if !yield(slab) {
				return
			}
		}
	}
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// run is a stretch of words and the signs that link them, without white space:
// "insurance", "out-of-pocket", "$1,500.00", "jane@example.org",
// "保険はいくらですか".
type run struct {
	text   string
	linked bool // holds signs beside words
	near   bool // only one space between it and the run before
}

// runs yields the runs of a text in NFKC. Word boundaries are those of UAX #29.
func runs(slab string) iter.Seq[run] {
	return func(yield func(run) bool) {
		tokens := uax29.FromString(slab)
		start, end := -1, -1 // of the open run, signs at its end not counted
		last := -2           // where the run before ended
		linked, pending := false, false
		pos := 0
		flush := func() bool {
			if start < 0 {
				return true
			}
			r := run{text: slab[start:end], linked: linked, near: start == last+1}
			last, start, linked, pending = end, -1, false, false
			return yield(r)
		}
		for tokens.Next() {
			tok := tokens.Value()
			at := pos
			pos += len(tok)
			switch kindOf(tok) {
			case wordToken:
				if start < 0 {
					start = at
				} else if pending {
					linked, pending = true, false
				}
				end = pos
			case prefixToken: // a currency sign opens a run, wherever it stands
				if !flush() {
					return
				}
				start, end, linked = at, pos, true
			case suffixToken:
				if start >= 0 && !pending {
					end, linked = pos, true
				}
			case linkToken:
				pending = start >= 0
			case breakToken:
				if !flush() {
					return
				}
			}
		}
		flush()
	}
}

type tokenKind uint8

const (
	breakToken  tokenKind = iota
	wordToken             // letters and digits
	linkToken             // joins what stands on both sides
	prefixToken           // belongs to what follows
	suffixToken           // belongs to what precedes
)

func kindOf(tok string) tokenKind {
	switch c := tok[0]; {
	case c|0x20 >= 'a' && c|0x20 <= 'z', c >= '0' && c <= '9', c == '_':
		return wordToken
	case c == '%', c == '#', c == '+':
		return suffixToken
	case c == '$':
		return prefixToken
	case c == '-', c == '/', c == '@', c == ':', c == '.', c == '&', c == '=', c == '?', c == '~', c == '\'':
		return linkToken
	case c < utf8.RuneSelf:
		return breakToken
	}
	switch r, _ := utf8.DecodeRuneInString(tok); {
	case gramOf(r) != notGram, unicode.In(r, unicode.L, unicode.N):
		return wordToken
	case hyphen(r):
		return linkToken
	case unicode.Is(unicode.Sc, r):
		return prefixToken
	}
	return breakToken
}

func hyphen(r rune) bool { return r == '-' || r == 0x2010 || r == 0x2011 || r == 0xAD }

// words yields the plain words of a text, for counting stop words.
func words(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for slab := range slabs(text) {
			for r := range runs(slab) {
				if !r.linked && !yield(r.text) {
					return
				}
			}
		}
	}
}
