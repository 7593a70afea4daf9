package extract

import (
	"cmp"
	"slices"
	"strings"
)

// column is lines that stand below each other: a paragraph, some of them, or
// one cell of a table.
type column struct {
	lines []segment
	box   box
	seq   int // its place in the order of drawing
}

// region is a part of a page in reading order: one column, or several side by
// side, which are the cells of one row.
type region struct {
	cells []column
	box   box
}

// layout puts the segments of one page, in the order they are drawn, into
// reading order.
//
// Programs draw a cell or a column of text whole before they go on to the
// next, so lines drawn one after the other, each below the last, belong
// together. Where columns come is then decided by geometry alone: whatever is
// above comes first, and of things side by side the left one.
func layout(segs []segment) []region {
	var out []region
	for q := range 4 {
		var same []segment
		for i := range segs {
			if segs[i].turn == q {
				same = append(same, segs[i])
			}
		}
		if len(same) > 0 {
			out = append(out, rows(inOrder(gridRows(columns(same))))...)
		}
	}
	return out
}

func columns(segs []segment) []column {
	var out []column
	for i, s := range segs {
		if n := len(out); n > 0 && out[n-1].takes(&s) && (i+1 == len(segs) || !out[n-1].opensRow(&s, &segs[i+1])) {
			c := &out[n-1]
			c.lines = append(c.lines, s)
			c.box = c.box.join(s.box)
			continue
		}
		out = append(out, column{lines: []segment{s}, box: s.box, seq: i})
	}
	return out
}

// takes reports whether s is the next line of the column.
func (c *column) takes(s *segment) bool {
	last := &c.lines[len(c.lines)-1]
	h := max(last.box.height(), s.box.height())
	pitch := last.box.y0 - s.box.y0
	if pitch < h*0.5 || pitch > h*1.7 || c.box.overlapX(s.box) <= 0 {
		return false
	}
	if n := len(c.lines); n > 1 && pitch > (c.lines[n-2].box.y0-last.box.y0)*1.35 {
		return false // the lines were closer up to here
	}
	same := abs(last.size-s.size) <= 0.06*max(last.size, s.size)
	return same && (last.bold == s.bold || last.box.x1 > c.box.x0+c.box.width()*0.85 && s.box.width() < c.box.width()*1.2 && len(c.lines) > 1)
}

// opensRow reports whether s, a line below the column, is the first cell of a
// row: set off a little, and next to it, drawn right after it, stands another.
// The column is then the caption of a table.
func (c *column) opensRow(s, next *segment) bool {
	last := &c.lines[len(c.lines)-1]
	h := max(last.box.height(), s.box.height())
	return last.box.y0-s.box.y0 > h*1.25 && next.box.x0 >= s.box.x1 && next.box.overlapY(s.box) > h*0.5
}

// manyColumns is where exact ordering, which is quadratic, gives way to
// reading line by line.
const manyColumns = 1500

// inOrder sorts columns into reading order.
func inOrder(cols []column) []column {
	if len(cols) > manyColumns {
		slices.SortStableFunc(cols, func(a, b column) int {
			return cmp.Or(cmp.Compare(b.box.y1, a.box.y1), cmp.Compare(a.box.x0, b.box.x0))
		})
		return cols
	}
	waits := make([]int, len(cols)) // for so many others
	for i := range cols {
		for j := range cols {
			if i != j && comesBefore(&cols[j], &cols[i]) {
				waits[i]++
			}
		}
	}
	out := make([]column, 0, len(cols))
	done := make([]bool, len(cols))
	last := -1
	for range cols {
		next := pick(cols, waits, done, last)
		done[next] = true
		last = next
		out = append(out, cols[next])
		for i := range cols {
			if !done[i] && comesBefore(&cols[next], &cols[i]) {
				waits[i]--
			}
		}
	}
	return out
}

// pick takes, of the columns that wait for nothing, the one drawn next after
// the last, else the first drawn; if all wait, the highest.
func pick(cols []column, waits []int, done []bool, last int) int {
	best, highest := -1, -1
	for i := range cols {
		if done[i] {
			continue
		}
		if waits[i] == 0 && (best < 0 || best < last && i > last) {
			best = i
		}
		if highest < 0 || cols[i].box.y1 > cols[highest].box.y1 {
			highest = i
		}
	}
	if best >= 0 {
		return best
	}
	return highest
}

// comesBefore reports whether a must be read before b: it is above it, or
// beside it on the left.
func comesBefore(a, b *column) bool {
	dy := a.box.overlapY(b.box)
	if dy > 0.4*min(a.box.height(), b.box.height()) {
		return a.box.x1 <= b.box.x0+1 || a.box.x0 < b.box.x0 && a.box.overlapX(b.box) < 0.3*min(a.box.width(), b.box.width())
	}
	return a.box.y0+a.box.y1 > b.box.y0+b.box.y1 && a.box.overlapX(b.box) > 0
}

// rows joins columns that stand side by side.
func rows(cols []column) []region {
	var out []region
	for _, c := range cols {
		if n := len(out); n > 0 && out[n-1].beside(&c) {
			r := &out[n-1]
			r.cells = append(r.cells, c)
			r.box = r.box.join(c.box)
			continue
		}
		out = append(out, region{cells: []column{c}, box: c.box})
	}
	return out
}

func (r *region) beside(c *column) bool {
	last := &r.cells[len(r.cells)-1]
	return c.box.x0 >= last.box.x1-1 && r.box.overlapY(c.box) > 0.4*min(r.box.height(), c.box.height())
}

// gridRows takes tables apart that were drawn column by column: columns side
// by side whose lines stand at the same heights and are too short to be
// running text. Each line then becomes a column of its own, and so a cell.
func gridRows(cols []column) []column {
	if len(cols) > manyColumns {
		return cols
	}
	split := make([]bool, len(cols))
	for i := range cols {
		for j := i + 1; j < len(cols); j++ {
			if gridded(&cols[i], &cols[j]) {
				split[i], split[j] = true, true
			}
		}
	}
	if !slices.Contains(split, true) {
		return cols
	}
	var out []column
	for i, c := range cols {
		if !split[i] {
			out = append(out, c)
			continue
		}
		for _, l := range c.lines {
			out = append(out, column{lines: []segment{l}, box: l.box, seq: c.seq})
		}
	}
	return out
}

func gridded(a, b *column) bool {
	n := min(len(a.lines), len(b.lines))
	if n < 3 || max(len(a.lines), len(b.lines)) > n*2 || a.box.overlapX(b.box) > 0 || a.box.overlapY(b.box) <= 0 {
		return false
	}
	match, i, j := 0, 0, 0
	for i < len(a.lines) && j < len(b.lines) {
		d := a.lines[i].box.y0 - b.lines[j].box.y0
		switch {
		case abs(d) < 1.5:
			match, i, j = match+1, i+1, j+1
		case d > 0:
			i++
		default:
			j++
		}
	}
	return match >= n-n/5 && shortLines(a) && shortLines(b)
}

// shortLines tells entries of a list from running text, whose lines fill
// their width.
func shortLines(c *column) bool {
	full, long := 0, 0
	for _, l := range c.lines[:len(c.lines)-1] {
		if l.box.width() > c.box.width()*0.85 {
			full++
		}
		if len(l.text) > 30 {
			long++
		}
	}
	n := len(c.lines) - 1
	return long*4 < n || full*2 < n
}

// text joins the lines of a paragraph.
func (c *column) text() string {
	var b strings.Builder
	for i := range c.lines {
		appendLine(&b, c.lines[i].text, i > 0 && c.lines[i-1].soft)
	}
	return b.String()
}
