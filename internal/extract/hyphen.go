package extract

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// appendLine adds the next line of a paragraph to b. A word cut at the end of
// the line is made whole; soft says that its hyphen is known to be one that
// only the end of the line called for. No space is put between characters of
// scripts that use none.
func appendLine(b *strings.Builder, line string, soft bool) {
	if b.Len() == 0 || line == "" {
		b.WriteString(line)
		return
	}
	s := b.String()
	last, n := utf8.DecodeLastRuneInString(s)
	first, _ := utf8.DecodeRuneInString(line)
	if isHyphen(last) && len(s) > n {
		before := s[:len(s)-n]
		if cut(before, line, first, soft) {
			b.Reset()
			b.WriteString(before)
		} else if r, _ := utf8.DecodeLastRuneInString(before); unicode.IsSpace(r) {
			b.WriteByte(' ') // a dash, not a hyphen
		}
		b.WriteString(line)
		return
	}
	if !spaceless(last) || !spaceless(first) {
		b.WriteByte(' ')
	}
	b.WriteString(line)
}

func isHyphen(r rune) bool { return r == '-' || r == '‐' || r == 0xAD }

// cut reports whether the hyphen between before and line is to go: not where
// both sides are words that are written with one (out-of-pocket, self-help),
// nor before a capital or a digit.
func cut(before, line string, first rune, soft bool) bool {
	if !unicode.IsLower(first) {
		return false
	}
	head := lastWord(before)
	if head == "" || strings.ContainsAny(head, "-‐0123456789/") {
		return false
	}
	tail := line
	if i := strings.IndexFunc(line, func(r rune) bool { return !unicode.IsLetter(r) }); i >= 0 {
		tail = line[:i]
		if r, _ := utf8.DecodeRuneInString(line[i:]); isHyphen(r) {
			return false
		}
	}
	return !compoundHead(strings.ToLower(head)) && !compoundTail(strings.ToLower(tail)) && (soft || utf8.RuneCountInString(head) > 1)
}

func lastWord(s string) string {
	i := strings.LastIndexFunc(s, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("([“\"'", r) })
	if i < 0 {
		return s
	}
	_, n := utf8.DecodeRuneInString(s[i:])
	return s[i+n:]
}

// compoundHead are words that are written with a hyphen after them.
func compoundHead(w string) bool {
	switch w {
	case "non", "self", "ex", "well", "co", "pre", "post", "anti", "cost", "long", "short", "high", "low", "full", "part", "over", "under",
		"out", "in", "on", "off", "up", "by", "one", "two", "three", "four", "five", "six", "ten", "half", "cross", "multi", "semi", "x", "e":
		return true
	}
	return false
}

// compoundTail are words that are written with a hyphen before them.
func compoundTail(w string) bool {
	switch w {
	case "of", "to", "in", "on", "up", "by", "day", "days", "month", "months", "year", "years", "term", "based", "sharing", "related", "covered",
		"approved", "network", "pocket", "counter", "free", "only", "level", "time", "wide":
		return true
	}
	return false
}

// spaceless reports whether r belongs to a script that puts no spaces
// between words and lines.
func spaceless(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar) ||
		r >= 0x3000 && r <= 0x303F || r >= 0xFF00 && r <= 0xFFEF
}
