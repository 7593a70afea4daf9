package analysis

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxTermRunes bounds a term; what is longer is cut, in documents and in
// queries alike, so that a long word still finds itself.
const maxTermRunes = 64

// lower returns the lower case of a word in NFKC, without invisible
// characters, vowel points and tatweel, accents kept: what a stemmer reads.
func lower(lang Lang, word string) string {
	if isLowerASCII(word) {
		return word
	}
	var b strings.Builder
	b.Grow(len(word))
	for _, r := range word {
		switch {
		case r == utf8.RuneError, invisible(r), r == 'ـ', harakat(r):
			continue
		case lang == Turkish:
			r = unicode.TurkishCase.ToLower(r)
		case r == 'İ':
			r = 'i'
		default:
			r = unicode.ToLower(r)
		}
		b.WriteRune(r)
	}
	return b.String()
}

// fold returns the form under which a lower-cased word is looked up: accents
// dropped, letters that keyboards lack spelt out, digits in ASCII. At most
// maxTermRunes long.
//
// Marks are dropped only from scripts where they are accents; in Devanagari
// or Thai they are vowels. Cyrillic й stays what it is, ё becomes е.
func fold(word string) string {
	if isLowerASCII(word) {
		return cut(word)
	}
	var b strings.Builder
	b.Grow(len(word))
	var base rune // the last rune that was not a mark
	for _, r := range norm.NFD.String(word) {
		if unicode.Is(unicode.Mn, r) {
			if accent(base, r) {
				continue
			}
			b.WriteRune(r)
			continue
		}
		base = r
		if s := spelled(r); s != "" {
			b.WriteString(s)
			continue
		}
		b.WriteRune(foldRune(r))
	}
	return cut(norm.NFC.String(b.String()))
}

// accent reports whether mark on base only varies base.
func accent(base, mark rune) bool {
	switch {
	case base < 0x250, unicode.In(base, unicode.Latin, unicode.Greek, unicode.Hebrew, unicode.Arabic):
		return true
	case unicode.Is(unicode.Cyrillic, base):
		return mark == 0x0300 || mark == 0x0301 || (mark == 0x0308 && base == 'е')
	}
	return false
}

// spelled returns the letters that stand for r where it cannot be typed, ""
// for all others.
func spelled(r rune) string {
	switch r {
	case 'ß', 'ẞ':
		return "ss"
	case 'æ', 'Æ':
		return "ae"
	case 'œ', 'Œ':
		return "oe"
	case 'þ', 'Þ':
		return "th"
	}
	return ""
}

func foldRune(r rune) rune {
	switch r {
	case 'ø', 'Ø':
		return 'o'
	case 'ł', 'Ł':
		return 'l'
	case 'đ', 'Đ', 'ð', 'Ð':
		return 'd'
	case 'ı':
		return 'i'
	case 'ς':
		return 'σ'
	case 'ٱ':
		return 'ا'
	case 'ى', 'ی', 'ې':
		return 'ي'
	case 'ة', 'ۀ', 'ہ':
		return 'ه'
	case 'ک':
		return 'ك'
	}
	if r > 0x7f && unicode.Is(unicode.Nd, r) {
		return digit(r)
	}
	return unicode.ToLower(r)
}

// digit maps a decimal digit of any script to ASCII. Unicode keeps the ten
// digits of a script together and in order, so the value is the distance to
// the first of the ten.
func digit(r rune) rune {
	for v := rune(0); v < 10; v++ {
		if !unicode.Is(unicode.Nd, r-v-1) {
			return '0' + v
		}
	}
	return r // a block that follows another without a gap
}

func harakat(r rune) bool { return (r >= 0x064B && r <= 0x0652) || r == 0x0670 }

// invisible reports marks of layout that must not tell words apart: soft
// hyphen, joiners, direction marks, byte order mark.
func invisible(r rune) bool {
	return r == 0xAD || (r >= 0x200B && r <= 0x200F) || (r >= 0x202A && r <= 0x202E) ||
		(r >= 0x2060 && r <= 0x2064) || r == 0xFEFF
}

func isLowerASCII(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= utf8.RuneSelf || (c >= 'A' && c <= 'Z') {
			return false
		}
	}
	return true
}

// cut returns at most the first maxTermRunes runes.
func cut(s string) string {
	if len(s) <= maxTermRunes {
		return s
	}
	n := 0
	for i := range s {
		if n == maxTermRunes {
			return s[:i]
		}
		n++
	}
	return s
}
