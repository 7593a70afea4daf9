package rag

import (
	"strconv"
	"strings"
)

// What the text at a bracket is.
type groupState int

const (
	noGroup     groupState = iota
	moreOfGroup            // it may become one
	isGroup
)

const (
	maxGroup  = 96 // bytes
	maxDigits = 9
	maxRange  = 20 // numbers; of a wider one only the ends are taken
)

// bracket is the bracket that s begins with, and the one that closes it; "" for
// neither.
func bracket(s string) (opener, closer string) {
	for _, pair := range [][2]string{{"[", "]"}, {"【", "】"}, {"［", "］"}} {
		if strings.HasPrefix(s, pair[0]) {
			return pair[0], pair[1]
		}
	}
	return "", ""
}

// parseGroup reads the citations that s begins with, in one pair of brackets:
// [1], [1, 2], [1; 2 and 4], [1-3], [^1], [passage 1], 【1】, 【1†source】. n is how
// long they are.
func parseGroup(s string) (numbers []int, n int, got groupState) {
	opener, closer := bracket(s)
	short := len(s) < maxGroup
	g := groupScanner{s: s[len(opener):min(len(s), maxGroup)]}
	g.word("^")
	if g.label() {
		g.blanks()
	}
	for ranged := false; ; {
		v, ok := g.number()
		if !ok {
			break
		}
		if ranged {
			numbers = append(numbers, between(numbers[len(numbers)-1], v)...)
		}
		numbers = append(numbers, v)
		if opener == "【" { // as some models are trained to: 【1:0†source】
			if g.word(":") {
				if _, ok := g.number(); !ok {
					break
				}
			}
			if g.word("†") {
				if end := strings.Index(g.s, closer); end >= 0 {
					g.s = g.s[end:]
				} else {
					g.s = ""
				}
			}
		}
		if g.s != "" && g.word(closer) {
			return numbers, min(len(s), maxGroup) - len(g.s), isGroup
		}
		if ranged, ok = g.separator(); !ok {
			break
		}
	}
	// Everything so far was right, and the text is at its end.
	if g.hungry && short {
		return nil, 0, moreOfGroup
	}
	return nil, 0, noGroup
}

// between are the numbers that a range has between its ends.
func between(from, to int) (numbers []int) {
	if to-from > maxRange {
		return nil
	}
	for v := from + 1; v < to; v++ {
		numbers = append(numbers, v)
	}
	return numbers
}

// groupScanner reads s from the front.
type groupScanner struct {
	s      string
	hungry bool // something was looked for at, or over, the end of s
}

// word passes w.
func (g *groupScanner) word(w string) bool {
	if rest, ok := strings.CutPrefix(g.s, w); ok {
		g.s = rest
		return true
	}
	if strings.HasPrefix(w, g.s) {
		g.hungry = true
	}
	return false
}

// label passes the word that models like to write before a number.
func (g *groupScanner) label() bool {
	for _, w := range []string{"passages", "passage", "sources", "source", "documents", "document", "docs", "doc"} {
		if hasFold(g.s, w) {
			g.s = g.s[len(w):]
			return true
		}
		if hasFold(w, g.s) {
			g.hungry = true
		}
	}
	return false
}

func (g *groupScanner) blanks() {
	g.s = strings.TrimLeft(g.s, " ")
}

func (g *groupScanner) number() (v int, ok bool) {
	n := 0
	for n < len(g.s) && n <= maxDigits && '0' <= g.s[n] && g.s[n] <= '9' {
		n++
	}
	if n == len(g.s) {
		g.hungry = true
	}
	if n == 0 || n > maxDigits {
		g.hungry = g.hungry && n == 0
		return 0, false
	}
	v, err := strconv.Atoi(g.s[:n])
	g.s = g.s[n:]
	return v, err == nil
}

// separator passes what stands between two numbers; ranged if it means all
// numbers between them too.
func (g *groupScanner) separator() (ranged, ok bool) {
	at := len(g.s)
	g.blanks()
	for _, w := range []string{"and ", "&", ",", ";", "、", "，", "-", "–", "—", "to "} {
		if g.word(w) {
			ok = true
			ranged = strings.ContainsAny(w, "-–—t")
			break
		}
	}
	g.blanks()
	if g.word("and ") { // 1, 2, and 3
		g.blanks()
	}
	return ranged, ok || len(g.s) < at
}
