package analysis

import "unicode/utf8"

// grams calls emit with the n-grams of s, which lies wholly in n-gram scripts
// of one class: the pairs of neighbouring characters, or the character itself
// where it stands alone. A character carries its vowel and tone marks along.
// Single Han and Hangul characters are words of their own, so singles asks for
// them beside the pairs. It returns the number of characters.
func grams(s string, singles bool, emit func(gram string, single bool)) int {
	prev, at, n := -1, 0, 0
	for at < len(s) {
		next := unit(s, at)
		r, _ := utf8.DecodeRuneInString(s[at:])
		if g := gramOf(r); singles && (g == han || g == hangul) {
			emit(s[at:next], true)
		}
		if prev >= 0 {
			emit(s[prev:next], false)
		}
		prev, at = at, next
		n++
	}
	if n == 1 && !singles {
		emit(s, true)
	} else if n == 1 {
		if r, _ := utf8.DecodeRuneInString(s); gramOf(r) != han && gramOf(r) != hangul {
			emit(s, true)
		}
	}
	return n
}

// unit returns where the character that begins at from ends, its first four
// marks included; what else clings to it is skipped by the length limit.
func unit(s string, from int) int {
	_, size := utf8.DecodeRuneInString(s[from:])
	at := from + size
	for marks := 0; at < len(s) && marks < 4; marks++ {
		r, size := utf8.DecodeRuneInString(s[at:])
		if !clings(r) {
			break
		}
		at += size
	}
	return at
}

// stretches splits a run into stretches of one n-gram class and stretches of
// ordinary words.
func stretches(s string, yield func(part string, class gramScript)) {
	start, class := 0, notGram
	for i, r := range s {
		g := gramOf(r)
		if g == notGram && clings(r) {
			continue // stays with what it marks
		}
		if i == 0 {
			class = g
			continue
		}
		if g == class || sameRun(g, class) {
			continue
		}
		yield(s[start:i], class)
		start, class = i, g
	}
	if start < len(s) {
		yield(s[start:], class)
	}
}
