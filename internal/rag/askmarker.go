package rag

import "strings"

// noAnswer is the line that the model is told to write when the passages do
// not answer the question. It is never shown.
const noAnswer = "NO-ANSWER-IN-PASSAGES"

// marker takes noAnswer out of a text that comes in pieces, and white space
// from its ends. A text that begins with it is nothing but that.
type marker struct {
	held      string // what may turn out to be a part of it, or the end
	begun     bool   // something else came first
	declined  bool   // it came first
	seen      bool   // it came
	swallowed int    // bytes after it, where it came first
}

// ornaments may stand around the line, as models like to write it.
const (
	blanks       = " \t\r\n"
	ornaments    = blanks + "*_`\"'#>~"
	maxOrnaments = 16

	leastOfIt = len("NO-A") // from where on a line that was cut off can be nothing else
)

// write returns what is settled of the text so far; the same whatever the
// pieces.
func (m *marker) write(s string, last bool) string {
	if m.declined {
		m.swallowed += len(s)
		return ""
	}
	text := m.held + s
	m.held = ""
	if !m.begun {
		text = strings.TrimLeft(text, blanks)
		rest := text[len(ornament(text)):]
		switch {
		case hasFold(rest, noAnswer), last && len(rest) >= leastOfIt && hasFold(noAnswer, rest):
			m.declined, m.seen = true, true
			m.swallowed = max(0, len(rest)-len(noAnswer))
			return ""
		case !last && hasFold(noAnswer, rest): // also with nothing but ornaments yet
			m.held = text
			return ""
		case rest == "" && last:
			return strings.TrimRight(text, blanks)
		}
		m.begun = true
	}
	var out, gap strings.Builder // gap is the white space after out
	for {
		i := indexFold(text, noAnswer)
		if i < 0 {
			break
		}
		m.seen = true
		before := strings.TrimRight(text[:i], blanks)
		if before != "" {
			out.WriteString(gap.String())
			out.WriteString(before)
			gap.Reset()
		}
		// The space is there so that what stood around it cannot make another.
		gap.WriteString(text[len(before):i])
		gap.WriteByte(' ')
		text = text[i+len(noAnswer):]
	}
	text = gap.String() + text
	keep := len(text)
	if !last {
		for keep = max(0, len(text)-len(noAnswer)+1); !hasFold(noAnswer, text[keep:]); keep++ {
			continue
		}
	}
	keep = len(strings.TrimRight(text[:keep], blanks))
	out.WriteString(text[:keep])
	if !last {
		m.held = text[keep:]
	}
	return out.String()
}

// ornament is the beginning of s that may stand before the line.
func ornament(s string) string {
	n := 0
	for n < len(s) && n < maxOrnaments && strings.IndexByte(ornaments, s[n]) >= 0 {
		n++
	}
	return s[:n]
}

// hasFold reports whether s begins with prefix, ASCII letters of both cases
// being the same.
func hasFold(s, prefix string) bool {
	if len(s) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		if lower(s[i]) != lower(prefix[i]) {
			return false
		}
	}
	return true
}

func indexFold(s, part string) int {
	for i := 0; i+len(part) <= len(s); i++ {
		if hasFold(s[i:], part) {
			return i
		}
	}
	return -1
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}
