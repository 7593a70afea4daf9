package extract

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// piece is a block with what is still needed to tell what it is.
type piece struct {
	block
	box    box
	size   float32
	bold   bool
	lines  int
	cells  int       // 1: not a row
	cols   []float32 // where the cells of a row begin
	inCell bool      // stands beside something on its left
}

// The largest row that is written as one line. Anything larger is running
// text that happens to stand side by side, and is written cell by cell.
const (
	maxRowText  = 700
	maxRowLines = 9
)

// pieces takes the regions of one page apart into paragraphs, list items and
// rows.
func pieces(regions []region, page int) []piece {
	var out []piece
	for i := range regions {
		r := &regions[i]
		if len(r.cells) > 1 && r.small() {
			out = append(out, r.row(page))
			continue
		}
		for k := range r.cells {
			part := r.cells[k].paragraphs(page)
			for i := range part {
				part[i].inCell = k > 0
			}
			out = append(out, part...)
		}
	}
	return out
}

func (r *region) small() bool {
	n, lines, prose := 0, 0, true
	for i := range r.cells {
		cell := 0
		for _, l := range r.cells[i].lines {
			cell += len(l.text)
		}
		n += cell
		lines = max(lines, len(r.cells[i].lines))
		prose = prose && len(r.cells[i].lines) > 2 && cell > 32*len(r.cells[i].lines)
	}
	return n <= maxRowText && lines <= maxRowLines && !prose
}

var numberLabel = regexp.MustCompile(`(?i)^((chapter|section|part|article|appendix|annex|kapitel|abschnitt|capítulo|sección|第)\s*[0-9]+(\.[0-9]+)*[.:]?|[0-9]+(\.[0-9]+)*[.:]?)$`)

func (r *region) row(page int) piece {
	p := piece{block: block{kind: tableRow, page: page}, box: r.box, bold: true, cells: len(r.cells)}
	texts := make([]string, len(r.cells))
	for i := range r.cells {
		c := &r.cells[i]
		p.cols = append(p.cols, c.box.x0)
		texts[i] = strings.ReplaceAll(c.text(), "|", "/")
		p.lines = max(p.lines, len(c.lines))
		for _, l := range c.lines {
			p.bold = p.bold && (l.bold || !hasLetter(l.text))
			p.size = max(p.size, l.size)
		}
	}
	if len(texts) == 2 && len(r.cells[0].lines) == 1 && numberLabel.MatchString(texts[0]) && p.bold {
		p.kind, p.cells = paragraph, 1 // a numbered heading, its number set apart
		p.text = texts[0] + " " + texts[1]
		return p
	}
	p.text = row(texts)
	return p
}

// paragraphs cuts a column where a list item begins.
func (c *column) paragraphs(page int) []piece {
	var out []piece
	start := 0
	flush := func(end int) {
		part := column{lines: c.lines[start:end], box: c.lines[start].box}
		p := piece{block: block{page: page}, bold: true, lines: end - start, cells: 1, size: part.lines[0].size}
		for _, l := range part.lines {
			part.box = part.box.join(l.box)
			p.bold = p.bold && l.bold
		}
		p.box, p.text = part.box, part.text()
		if bulletHead.MatchString(p.text) {
			p.kind = listItem
		}
		out = append(out, p)
		start = end
	}
	for i := 1; i < len(c.lines); i++ {
		if c.begins(start, i) {
			flush(i)
		}
	}
	flush(len(c.lines))
	return out
}

// begins reports whether line i begins a paragraph; the one under way began
// with line start.
func (c *column) begins(start, i int) bool {
	l, prev, first := &c.lines[i], &c.lines[i-1], &c.lines[start]
	inItem := bulletHead.MatchString(first.text)
	over := ended(prev.text)
	switch {
	case leaderLine.MatchString(prev.text):
		return true
	case bulletHead.MatchString(l.text) && (symbolBullet(l.text) || over || inItem):
		return true
	case !over:
		return prev.bold && !l.bold && prev.box.x1 < c.box.x1-l.size*4
	case inItem: // back at the margin of the bullet, or left of it
		return l.box.x0 < first.box.x0+l.size*0.3 && !(i > start+1 && prev.box.x0 < first.box.x0+l.size*0.3)
	case l.box.x0 > c.box.x0+l.size*0.8 && prev.box.x0 < l.box.x0-l.size*0.8 && i > start+1:
		return true // set in
	default: // the line before had room for more
		w, _, _ := strings.Cut(l.text, " ")
		room := c.box.x1 - prev.box.x1
		return room > l.box.width()*float32(len(w)+1)/float32(max(len(l.text), 1))+l.size*0.5
	}
}

func symbolBullet(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '('
}

// ended reports whether s reads as if its sentence were over.
func ended(s string) bool {
	s = strings.TrimRight(s, "\"'”’»)]0123456789[")
	r, _ := utf8.DecodeLastRuneInString(s)
	return strings.ContainsRune(".!?:;。！？；：…؟", r)
}

// joinPieces joins paragraphs that the end of a page or a column cut in two.
func joinPieces(in []piece) []piece {
	var out []piece
	for _, p := range in {
		if n := len(out); n > 0 && continues(&out[n-1], &p) {
			q := &out[n-1]
			var b strings.Builder
			b.WriteString(q.text)
			appendLine(&b, p.text, false)
			if p.page != q.pageAt(len(q.text)) {
				q.breaks = append(q.breaks, pageBreak{max(b.Len()-len(p.text), 0), p.page})
			}
			q.text = b.String()
			q.box, q.lines = p.box, q.lines+p.lines
			continue
		}
		out = append(out, p)
	}
	return out
}

func continues(q, p *piece) bool {
	if (q.kind != paragraph && q.kind != listItem) || p.kind != paragraph || ended(q.text) || abs(q.size-p.size) > 0.06*q.size || q.bold != p.bold {
		return false
	}
	r, _ := utf8.DecodeRuneInString(p.text)
	last, _ := utf8.DecodeLastRuneInString(q.text)
	if !unicode.IsLower(r) && (!spaceless(r) || !spaceless(last)) {
		return false
	}
	return p.page != q.pageAt(len(q.text)) || p.box.y1 > q.box.y1
}

// leaderLine is a line of a table of contents: dots lead to a page number.
var leaderLine = regexp.MustCompile(`(?:\s*[.·…_]\s?){4,}\s*([0-9]{1,4})$`)

// dropContents removes the entries of a table of contents, which repeat every
// title of the document and answer nothing, and keeps leaders elsewhere (a
// list of prices) short.
func dropContents(in []piece, pages int) []piece {
	perPage := map[int]int{}
	for i := range in {
		if isEntry(in[i].text, pages) {
			perPage[in[i].page]++
		}
	}
	out := in[:0]
	for i := range in {
		p := in[i]
		if perPage[p.page] >= 5 && isEntry(p.text, pages) {
			if n := len(out); n > 0 && out[n-1].page == p.page && contentsTitle.MatchString(out[n-1].text) {
				out = out[:n-1]
			}
			continue
		}
		p.text = leaders.ReplaceAllString(p.text, " … ")
		out = append(out, p)
	}
	return out
}

var contentsTitle = regexp.MustCompile(`(?i)^(table of )?(contents|índice|contenido|inhalt|inhaltsverzeichnis|sommaire|table des matières|目录|目錄|目次)$`)

var leaders = regexp.MustCompile(`\s*(?:[.·_]\s?){5,}\s*`)

func isEntry(s string, pages int) bool {
	m := leaderLine.FindStringSubmatch(s)
	if m == nil {
		return false
	}
	n := 0
	for _, c := range m[1] {
		n = n*10 + int(c-'0')
	}
	return n <= pages
}
