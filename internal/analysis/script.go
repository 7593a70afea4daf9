package analysis

import "unicode"

// gramScript classes the characters of scripts that are indexed as n-grams.
// A run of n-grams never crosses from one class into another.
type gramScript uint8

const (
	notGram gramScript = iota
	han
	kana // Hiragana and Katakana; one run with han, since Japanese mixes them inside words
	hangul
	thai
	lao
	khmer
	burmese
)

// gramOf classes one character in NFKC.
func gramOf(r rune) gramScript {
	switch {
	case r < 0x0E01:
		return notGram
	case r <= 0x0E4F:
		if r == 0x0E3F { // the baht sign
			return notGram
		}
		return thai
	case r >= 0x0E81 && r <= 0x0EDF:
		if r >= 0x0ED0 && r <= 0x0ED9 {
			return notGram
		}
		return lao
	case r >= 0x1000 && r <= 0x109F:
		if r >= 0x1040 && r <= 0x104F {
			return notGram
		}
		return burmese
	case r >= 0x1780 && r <= 0x17D3:
		return khmer
	case r >= 0x1100 && r <= 0x11FF, r >= 0xAC00 && r <= 0xD7A3:
		return hangul
	case r >= 0x3041 && r <= 0x3096, r >= 0x309D && r <= 0x309F,
		r >= 0x30A1 && r <= 0x30FA, r >= 0x30FC && r <= 0x30FF, r >= 0x31F0 && r <= 0x31FF:
		return kana
	case r == 0x3005, r == 0x3007, r >= 0x3400 && r <= 0x9FFF, r >= 0xF900 && r <= 0xFAFF,
		r >= 0x20000 && r <= 0x3FFFF:
		return han
	}
	return notGram
}

// sameRun reports whether two neighbouring characters share n-grams.
func sameRun(a, b gramScript) bool {
	return a == b || (a <= kana && b <= kana && a != notGram && b != notGram)
}

// hasGrams reports whether any character of s belongs to an n-gram script.
func hasGrams(s string) bool {
	for _, r := range s {
		if gramOf(r) != notGram {
			return true
		}
	}
	return false
}

// clings reports a character that belongs to the one before it: a tone mark, a
// dependent vowel, a subscript.
func clings(r rune) bool { return r >= 0x300 && unicode.In(r, unicode.Mn, unicode.Mc) }
