package extract

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// sentences cuts s into sentences. The parts are s, whole and in order; white
// space stays with the sentence it follows.
func sentences(s string) []string {
	var out []string
	start := 0
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		end := 0
		switch {
		case r == '\n':
			end = i
		case strings.ContainsRune("。！？｡", r):
			end = i + closers(s[i:])
		case strings.ContainsRune(".!?…؟۔।", r):
			end = i + closers(s[i:])
			if !endsSentence(s[start:i], s[end:], r) {
				end = 0
			}
		}
		if end == 0 {
			continue
		}
		for end < len(s) && (s[end] == ' ' || s[end] == '\n' || s[end] == '\t') {
			end++
		}
		out = append(out, s[start:end])
		start, i = end, end
	}
	if start < len(s) {
		out = append(out, s[start:])
	}
	return out
}

// closers is the length of the quotes and brackets that s begins with.
func closers(s string) int {
	for i, r := range s {
		if !strings.ContainsRune("\"'”’»›)]}」』）】》”.!?。！？؟", r) {
			return i
		}
	}
	return len(s)
}

// endsSentence tells the end of a sentence from a dot inside one: before and
// after are what stands around the sign, which before ends with.
func endsSentence(before, after string, sign rune) bool {
	if after == "" {
		return true
	}
	next, _ := utf8.DecodeRuneInString(after)
	if !unicode.IsSpace(next) {
		return false // 3.5, example.com, “?” in a URL
	}
	rest := strings.TrimLeftFunc(after, unicode.IsSpace)
	if rest == "" {
		return true
	}
	first, _ := utf8.DecodeRuneInString(rest)
	if unicode.IsLower(first) {
		return false
	}
	if sign != '.' {
		return true
	}
	w := strings.TrimSuffix(lastWord(tail(before, 40)), ".")
	switch {
	case w == "":
		return true
	case isInitial(w), abbreviation(strings.ToLower(w)):
		return false
	case len(w) <= 2 && strings.Trim(w, "0123456789") == "":
		return false // a numbered item, or “11. September”
	}
	return true
}

func tail(s string, n int) string {
	if len(s) <= n {
		return s
	}
	i := len(s) - n
	for i < len(s) && s[i]&0xC0 == 0x80 {
		i++
	}
	return s[i:]
}

// isInitial reports whether w is one letter, or letters with dots: J, U.S, z.B.
func isInitial(w string) bool {
	for part := range strings.SplitSeq(w, ".") {
		r, n := utf8.DecodeRuneInString(part)
		if n == 0 || n != len(part) || !unicode.IsLetter(r) || !unicode.IsOneOf([]*unicode.RangeTable{unicode.Latin, unicode.Cyrillic, unicode.Greek}, r) {
			return false
		}
	}
	return true
}

// abbreviation knows the common ones that a capital or a digit follows.
func abbreviation(w string) bool {
	switch w {
	case "mr", "mrs", "ms", "dr", "prof", "st", "sr", "jr", "rev", "gen", "sen", "rep", "gov", "hon", "capt", "lt", "col",
		"no", "nos", "nr", "núm", "pág", "art", "sec", "ch", "fig", "figs", "eq", "vol", "vols", "pp", "p", "par", "para",
		"vs", "etc", "al", "cf", "approx", "ca", "dept", "inc", "ltd", "co", "corp", "ave", "blvd", "mt", "ft",
		"jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec",
		"bzw", "usw", "ggf", "inkl", "zzgl", "abs", "str", "tel", "evtl", "vgl", "sog", "hr", "fr", "frau",
		"sra", "srta", "ud", "uds", "dpto", "av", "apdo", "ext", "mme", "mlle", "env":
		return true
	}
	return false
}
