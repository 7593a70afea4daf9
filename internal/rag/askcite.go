package rag

import (
	"strconv"
	"strings"
)

// citer settles the citations of a text that comes in pieces: [1, 2], [1-2],
// 【1】 and the like become [1][2], those that point to no passage are dropped
// and counted. Code, in backticks or fences, stays as it is.
type citer struct {
	count   int          // of passages
	used    map[int]bool // numbers that stand in the text
	dropped int

	held  string // not settled yet
	fence string // that is open; "" outside of one
	mid   bool   // in a line, not at its beginning
	open  bool   // in this line stands a bracket that is none of a citation
}

const (
	// codeAhead is how far is looked for the end of a code span.
	codeAhead = 256
	// fenceAhead is how far is looked for the end of a line that opens a fence.
	fenceAhead = 64
)

// write returns what is settled of the text so far; the same whatever the
// pieces.
func (c *citer) write(s string, last bool) string {
	c.held += s
	var out strings.Builder
	for c.held != "" {
		text, n := c.step(last)
		if n == 0 {
			break
		}
		out.WriteString(text)
		c.held = c.held[n:]
	}
	return out.String()
}

// step settles the first n bytes of what is held as text; 0: it takes more to
// know.
func (c *citer) step(last bool) (text string, n int) {
	s := c.held
	if !c.mid {
		if n, sure := c.fenceAt(s, last); !sure {
			return "", 0
		} else if n > 0 {
			c.mid = true
			return s[:n], n
		}
		c.mid = true
	}
	if c.fence != "" {
		return c.line(s)
	}
	switch s[0] {
	case '\n':
		c.mid, c.open = false, false
		return "\n", 1
	case '`':
		return c.code(s, last)
	}
	space := ""
	if s[0] == ' ' {
		space = " "
	}
	rest := s[len(space):]
	switch {
	case rest == "" && !last:
		return "", 0 // a citation that is dropped takes the space before it along
	case rest == "":
		return s, len(s)
	}
	if _, closer := bracket(rest); closer != "" {
		return c.group(space, rest, last)
	}
	if space != "" {
		return space, 1
	}
	n = strings.IndexAny(s, " \n`[【［")
	if n < 0 {
		n = len(s)
	}
	return s[:n], n
}

// line passes what is in a fence up to the line's end.
func (c *citer) line(s string) (text string, n int) {
	n = strings.IndexByte(s, '\n') + 1
	if n == 0 {
		return s, len(s)
	}
	c.mid = false
	return s[:n], n
}

// fenceAt is how long the fence at the beginning of a line is, 0: there is none,
// which it opens or closes. It is not sure while more of the line may tell.
func (c *citer) fenceAt(s string, last bool) (n int, sure bool) {
	s = s[:min(len(s), fenceAhead)]
	indent := len(s) - len(strings.TrimLeft(s, " "))
	run := strings.TrimLeft(s, " ")
	switch {
	case indent > 3:
		return 0, true
	case run == "":
		return 0, last
	case run[0] != '`' && run[0] != '~':
		return 0, true
	}
	long := len(run) - len(strings.TrimLeft(run, run[:1]))
	info := run[long:]
	end := strings.IndexByte(info, '\n')
	switch {
	case end >= 0:
		info = info[:end]
	case long < 3 && info != "":
		return 0, true
	case len(s) < fenceAhead && !last:
		return 0, false
	}
	mark := run[:long]
	switch {
	case long < 3:
		return 0, true
	case c.fence == "":
		if mark[0] == '`' && strings.Contains(info, "`") {
			return 0, true // code within the line
		}
		c.fence = mark
	case mark[0] == c.fence[0] && long >= len(c.fence) && strings.TrimSpace(info) == "":
		c.fence = ""
	default:
		return 0, true
	}
	return indent + long, true
}

// code passes a span in backticks as it is. Backticks that nothing closes in
// their line are text. A span that is nothing but a citation is one.
func (c *citer) code(s string, last bool) (text string, n int) {
	s = s[:min(len(s), codeAhead)]
	long := len(s) - len(strings.TrimLeft(s, "`"))
	tick, ahead := s[:long], s[long:]
	if end := strings.IndexByte(ahead, '\n'); end >= 0 {
		ahead, last = ahead[:end], true
	}
	for from := 0; ; {
		i := strings.IndexByte(ahead[from:], '`')
		if i < 0 {
			break
		}
		i += from
		run := len(ahead[i:]) - len(strings.TrimLeft(ahead[i:], "`"))
		switch {
		case i+run == len(ahead) && long+i+run < codeAhead && !last:
			return "", 0 // the run may go on
		case run == long:
			return c.span(ahead[:i], tick), 2*long + i
		}
		from = i + run
	}
	if long+len(ahead) < codeAhead && !last {
		return "", 0
	}
	return tick, long
}

func (c *citer) span(inner, tick string) string {
	if numbers, n, got := parseGroup(inner); got == isGroup && n == len(inner) {
		return c.settle(numbers)
	}
	return tick + inner + tick
}

// group settles what a bracket begins; space is what stands before it.
func (c *citer) group(space, rest string, last bool) (text string, n int) {
	opener, _ := bracket(rest)
	numbers, n, got := parseGroup(rest)
	switch {
	case got == moreOfGroup && !last:
		return "", 0
	case got == moreOfGroup: // cut off
		return "", len(space) + len(rest)
	case got == noGroup:
		c.open = true
		return space + opener, len(space) + len(opener)
	}
	text = c.settle(numbers)
	if text == "" {
		if c.open { // what stands around it must not become a citation
			text = "…"
		}
		return text, len(space) + n
	}
	return space + text, len(space) + n
}

// settle writes the numbers that point to a passage, and counts the others.
func (c *citer) settle(numbers []int) string {
	var out strings.Builder
	before := 0
	for _, n := range numbers {
		switch {
		case n < 1 || n > c.count:
			c.dropped++
			continue
		case n == before:
			continue
		}
		if c.used == nil {
			c.used = map[int]bool{}
		}
		c.used[n] = true
		out.WriteString("[" + strconv.Itoa(n) + "]")
		before = n
	}
	return out.String()
}
