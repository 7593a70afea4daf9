package extract

import (
	"context"
	"strings"

	"weir/internal/rag"
)

// chunker cuts blocks into chunks.
type chunker struct {
	tok     counter
	max     int // tokens of a chunk
	overlap int
	tiny    int            // tokens of a section that is joined with its neighbours
	blocks  int            // counted
	headers map[int]*block // the header of each table
	inTable int            // the table of this section seen last
}

// chunks cuts a document. Nothing of its text is lost and nothing changes
// places; apart from overlap and repeated table headers nothing comes twice.
func (c *chunker) chunks(ctx context.Context, blocks []block) ([]rag.Chunk, error) {
	secs := sections(blocks)
	c.headers = map[int]*block{}
	cut := make([][]unit, len(secs))
	size := make([]int, len(secs))
	for i := range secs {
		var err error
		// Nothing longer than half a chunk stays whole: a heading before a
		// sentence of a chunk's size would be a chunk by itself.
		if cut[i], err = c.units(ctx, secs[i].blocks, c.max/2); err != nil {
			return nil, err
		}
		for k := range cut[i] {
			size[i] += cut[i][k].tokens
		}
	}
	var out []rag.Chunk
	var held []unit // headings with nothing below them: they open what follows
	for i := 0; i < len(secs); {
		end, label := c.group(secs, size, i)
		units := held
		held = nil
		for k := i; k < end; k++ {
			units = appendUnits(units, cut[k])
		}
		if end < len(secs) && c.headingsOnly(units) {
			held, i = units, end
			continue
		}
		var path []int
		title := ""
		if label >= 0 && secs[label].title != "" {
			path, title = secs[label].path, strings.Join(titles(secs, label), " > ")
		}
		for _, span := range c.spans(units) {
			ch := c.build(span)
			ch.Index, ch.SectionPath, ch.SectionTitle = len(out), path, title
			out = append(out, ch)
		}
		i = end
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
	return out, nil
}

// headingsOnly reports whether units are headings and nothing else, not so
// many that they would push out what they stand before.
func (c *chunker) headingsOnly(units []unit) bool {
	sum := 0
	for i := range units {
		if units[i].kind != heading {
			return false
		}
		sum += units[i].tokens
	}
	return sum <= c.max/4
}

// appendUnits adds the units of the next section.
func appendUnits(units, more []unit) []unit {
	opens := len(units) > 0
	for i := range more {
		u := more[i]
		if u.again && hasHeader(units, u.table) {
			continue
		}
		if opens && u.sep == "" {
			u.sep = "\n\n"
			u.tokens++
		}
		opens = false
		units = append(units, u)
	}
	return units
}

func hasHeader(units []unit, table int) bool {
	for i := range units {
		if units[i].header && units[i].table == table {
			return true
		}
	}
	return false
}

// group decides which sections from i on are cut together: headings without
// text go with the section below them, and tiny sections with their
// neighbours under the same parent. label is the innermost section around all
// of the text.
func (c *chunker) group(secs []section, size []int, i int) (end, label int) {
	label, total, body := i, size[i], secs[i].body
	for end = i + 1; end < len(secs); end++ {
		switch {
		case !body && secs[end].parent == end-1:
			label = end // nothing but headings so far
		case !secs[end].body && end+1 < len(secs) && secs[end+1].parent == end:
			return end, label // opens a section of its own
		case total+size[end] <= c.max && (total < c.tiny || size[end] < c.tiny) && kin(secs, label, end):
			label = common(secs, label, end)
		default:
			return end, label
		}
		total += size[end]
		body = body || secs[end].body
	}
	return end, label
}

// kin reports whether section s stands directly below the section that label
// names, or beside it under the same parent.
func kin(secs []section, label, s int) bool {
	if secs[s].parent < 0 {
		return false
	}
	return secs[s].parent == label || secs[s].parent == secs[label].parent
}

// span is the units of one chunk. The first of them may repeat what came
// before.
type span struct {
	units    []unit
	repeated int
	text     string
	tokens   int // of text
}

// spans cuts units into chunks of about equal size.
func (c *chunker) spans(units []unit) []span {
	var out []span
	left := 0
	for i := range units {
		left += units[i].tokens
	}
	for start := 0; start < len(units); {
		lead := c.lead(units, start)
		used := 0
		for i := range lead {
			used += lead[i].tokens
		}
		want := c.max
		if n := (left + used + c.max - 1) / c.max; n > 1 {
			want = min(c.max, (left+used)/n+c.max/6)
		}
		end := start
		for end < len(units) && (end == start || used+units[end].tokens <= want) {
			used += units[end].tokens
			end++
		}
		end = niceEnd(units, start, end)
		s := span{units: append(lead, units[start:end]...), repeated: len(lead)}
		for c.over(&s) {
			if len(s.units)-s.repeated > 1 {
				s.units, end = s.units[:len(s.units)-1], end-1
			} else if s.repeated > 0 {
				s.units, s.repeated = s.units[1:], s.repeated-1
			} else {
				break
			}
		}
		for i := start; i < end; i++ {
			left -= units[i].tokens
		}
		out = append(out, s)
		start = end
	}
	return out
}

// over reports whether s has more tokens than a chunk may: the tokens of a
// whole can be more than those of its parts.
func (c *chunker) over(s *span) bool {
	s.text = text(s.units)
	s.tokens = c.tok.count(s.text)
	return s.tokens > c.max
}

// lead is what the chunk that begins at start repeats: the header of the table
// it begins in, else the last sentences before it.
func (c *chunker) lead(units []unit, start int) []unit {
	if start == 0 {
		return nil
	}
	if u := &units[start]; u.kind == tableRow {
		for i := start - 1; i >= 0 && units[i].table == u.table; i-- {
			if units[i].header {
				if units[i].tokens <= c.max/4 {
					return []unit{units[i]}
				}
				break
			}
		}
		return nil
	}
	sum, i := 0, start
	for i > 0 {
		u := &units[i-1]
		if u.kind != paragraph && u.kind != listItem || sum+u.tokens > c.overlap {
			break
		}
		sum += u.tokens
		i--
	}
	return append([]unit(nil), units[i:start]...)
}

// niceEnd moves the end of a chunk back: never behind a heading, and to the
// end of a paragraph if one is near.
func niceEnd(units []unit, start, end int) int {
	if end >= len(units) {
		return end
	}
	back := end
	for back > start+1 && units[back-1].kind == heading {
		back--
	}
	if units[back-1].kind != heading {
		end = back
	}
	total, at := 0, 0
	for i := start; i < end; i++ {
		total += units[i].tokens
	}
	sum := 0
	for i := start; i < end-1; i++ {
		sum += units[i].tokens
		if sum*4 >= total*3 && units[i].block != units[i+1].block && units[i].kind != heading {
			at = i + 1
		}
	}
	if units[end-1].block == units[end].block && at > 0 {
		return at
	}
	return end
}

func text(units []unit) string {
	var b strings.Builder
	for i := range units {
		if i > 0 {
			b.WriteString(units[i].sep)
		}
		b.WriteString(units[i].text)
	}
	return b.String()
}

func (c *chunker) build(s span) rag.Chunk {
	ch := rag.Chunk{Content: s.text, Tokens: s.tokens}
	// A header that is repeated stands, as far as a reader is concerned, on
	// the page of its row.
	for i, u := range s.units {
		if u.again || i < s.repeated && u.header {
			continue
		}
		if ch.PageStart == 0 || u.from < ch.PageStart {
			ch.PageStart = u.from
		}
		ch.PageEnd = max(ch.PageEnd, u.to)
	}
	return ch
}
