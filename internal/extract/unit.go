package extract

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf8"
)

// unit is what is never cut: a sentence, a row of a table, a heading, or a
// part of one of those when it is longer than half a chunk.
type unit struct {
	text   string
	sep    string // what stands between it and the unit before
	tokens int    // of sep and text
	kind   blockKind
	header bool // names the columns of its table
	table  int
	from   int // pages
	to     int
	block  int  // units of the same block carry the same number
	again  bool // the header of a table that began in another section
}

// units cuts the blocks of a section.
func (c *chunker) units(ctx context.Context, blocks []block, limit int) ([]unit, error) {
	var out []unit
	var before *block
	c.inTable = 0
	for i := range blocks {
		b := &blocks[i]
		if strings.TrimSpace(b.text) == "" {
			continue
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		c.blocks++
		if h := c.headerAbove(blocks, i); h != nil {
			sep := separator(before, h)
			out = append(out, unit{
				text: h.text, sep: sep, kind: tableRow, header: true, again: true, table: b.table, block: c.blocks,
				from: b.page, to: b.page, tokens: c.tok.count(sep + h.text),
			})
			before = h
			c.blocks++
		}
		sep, offset := separator(before, b), 0
		before = b
		for k, part := range c.parts(b, limit) {
			if k%1024 == 1023 && ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			text := strings.TrimSpace(part)
			start := offset + len(part) - len(strings.TrimLeftFunc(part, unicode.IsSpace))
			offset += len(part)
			if text != "" {
				out = append(out, unit{
					text: text, sep: sep, kind: b.kind, header: b.header, table: b.table, block: c.blocks,
					from: b.pageAt(start), to: b.pageAt(start + len(text) - 1), tokens: c.tok.count(sep + text),
				})
			}
			sep = blanks(part)
		}
	}
	return out, nil
}

// headerAbove is the header of the table that row i goes on with, when the
// table began in another section: rows without their header say little.
func (c *chunker) headerAbove(blocks []block, i int) *block {
	b := &blocks[i]
	if b.kind != tableRow || b.table == 0 {
		return nil
	}
	if b.header {
		c.headers[b.table], c.inTable = b, b.table
		return nil
	}
	if c.inTable == b.table {
		return nil
	}
	c.inTable = b.table
	h := c.headers[b.table]
	if h == nil || len(h.text) > c.max { // a byte is at least a quarter of a token
		return nil
	}
	return h
}

// separator is what stands between the text of two blocks.
func separator(a, b *block) string {
	switch {
	case a == nil:
		return ""
	case a.kind == tableRow && b.kind == tableRow && a.table == b.table,
		a.kind == listItem && b.kind == listItem,
		a.kind == heading && b.kind == heading:
		return "\n"
	default:
		return "\n\n"
	}
}

// blanks is what stands for the white space at the end of part.
func blanks(part string) string {
	ws := part[len(strings.TrimRightFunc(part, unicode.IsSpace)):]
	switch {
	case strings.Contains(ws, "\n"):
		return "\n"
	case ws != "":
		return " "
	default:
		return ""
	}
}

// parts cuts a block into pieces of at most limit tokens: whole if it is a
// row or a heading, sentences if it is running text, lines if it is code. They
// are the text of the block, whole and in order.
func (c *chunker) parts(b *block, limit int) []string {
	var whole []string
	at := 0
	switch b.kind {
	case heading, tableRow:
		whole = []string{b.text}
	case code:
		whole = strings.SplitAfter(b.text, "\n")
	case paragraph, listItem:
		whole = sentences(b.text)
	}
	out := make([]string, 0, len(whole))
	short := 0 // bytes of parts that are too short to be worth a unit of their own
	for i, p := range whole {
		if short += len(p); short < shortPart && i+1 < len(whole) {
			continue
		}
		// Neighbours are cut from one string, so joining them is slicing it.
		out = c.split(out, b.text[at:at+short], limit)
		at, short = at+short, 0
	}
	return out
}

// shortPart is how long lines and sentences are that may be cut apart; text
// made of millions of dots must not become millions of units.
const shortPart = 24

// split cuts s where it reads best until every part has at most limit tokens.
func (c *chunker) split(out []string, s string, limit int) []string {
	for len(s) > limit { // a token is at least one byte
		n := c.fit(s, limit)
		if n == len(s) {
			break
		}
		n = bestCut(s, n)
		out = append(out, s[:n])
		s = s[n:]
	}
	if s != "" {
		out = append(out, s)
	}
	return out
}

// fit is the length of a start of s, near the longest, that has at most limit
// tokens; two are left for what separates it from what is before. It is at
// least one rune.
func (c *chunker) fit(s string, limit int) int {
	low, high := 0, len(s)+1 // low fits, high does not
	for n := runeStart(s, min(len(s), limit*4)); n > low && n < high; {
		t := c.tok.count(s[:n])
		if t <= limit-2 {
			if low = n; n == len(s) || t*8 >= limit*7 {
				break
			}
		} else {
			high = n
		}
		n = runeStart(s, min(max(n*(limit-2)/max(t, 1), low+1), high-1))
	}
	if low == 0 {
		_, low = utf8.DecodeRuneInString(s)
	}
	return low
}

// runeStart is the last start of a rune in s at or before i.
func runeStart(s string, i int) int {
	if i >= len(s) {
		return len(s)
	}
	for i > 0 && !utf8.RuneStart(s[i]) {
		i--
	}
	return i
}

// bestCut looks back from n for a natural end: of a clause, a cell, a word.
// The first half of s[:n] is never given up for one.
func bestCut(s string, n int) int {
	for _, ends := range [...]string{"\n", ";；|", ",，、:：—–", ""} {
		for i := n; i > n/2; {
			r, w := utf8.DecodeLastRuneInString(s[:i])
			if ends == "" && unicode.IsSpace(r) {
				return i
			}
			if strings.ContainsRune(ends, r) && r != utf8.RuneError {
				next, _ := utf8.DecodeRuneInString(s[i:])
				if r >= utf8.RuneSelf || r == '\n' || unicode.IsSpace(next) {
					for i < len(s) && s[i] == ' ' && i < n {
						i++
					}
					return i
				}
			}
			i -= w
		}
	}
	return n
}
