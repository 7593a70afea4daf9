package extract

import (
	"context"
	"encoding/binary"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// mark is one bookmark.
type mark struct {
	title string
	level int // from 1
	page  int // from 1; 0: it leads nowhere
	y     float32
}

// maxMarks bounds the bookmarks read; a real book has a few thousand.
const maxMarks = 20_000

// outline reads the bookmarks in the order of the document. Bookmarks that
// lead in circles end at the limits.
func (in *instance) outline(ctx context.Context, doc uint64, maxDepth int) ([]mark, error) {
	var out []mark
	var stack []uint64 // the bookmark each level goes on from
	parent := uint64(0)
	seen := map[uint64]bool{}
	cur, err := in.call(ctx, "FPDFBookmark_GetFirstChild", doc, parent)
	for err == nil && len(out) < maxMarks {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if cur == 0 || seen[cur] {
			if len(stack) == 0 {
				break
			}
			cur, stack = stack[len(stack)-1], stack[:len(stack)-1]
			cur, err = in.call(ctx, "FPDFBookmark_GetNextSibling", doc, cur)
			continue
		}
		seen[cur] = true
		var m mark
		if m, err = in.mark(ctx, doc, cur); err != nil {
			break
		}
		if m.level = len(stack) + 1; m.title != "" {
			out = append(out, m)
		}
		stack = append(stack, cur)
		if len(stack) >= maxDepth {
			cur = 0
			continue
		}
		cur, err = in.call(ctx, "FPDFBookmark_GetFirstChild", doc, cur)
	}
	return out, err
}

func (in *instance) mark(ctx context.Context, doc, bookmark uint64) (m mark, err error) {
	title, err := in.utf16(ctx, "FPDFBookmark_GetTitle", bookmark)
	if err != nil {
		return m, err
	}
	m.title = squeeze(clean(title))
	dest, err := in.call(ctx, "FPDFBookmark_GetDest", doc, bookmark)
	if err != nil {
		return m, err
	}
	if dest == 0 {
		action, err := in.call(ctx, "FPDFBookmark_GetAction", bookmark)
		if err != nil || action == 0 {
			return m, err
		}
		if dest, err = in.call(ctx, "FPDFAction_GetDest", doc, action); err != nil || dest == 0 {
			return m, err
		}
	}
	page, err := in.call(ctx, "FPDFDest_GetDestPageIndex", doc, dest)
	if err != nil {
		return m, err
	}
	m.page = i32(page) + 1
	s := uint64(in.scratch)
	ok, err := in.call(ctx, "FPDFDest_GetLocationInPage", dest, s, s+4, s+8, s+12, s+16, s+20)
	if err != nil {
		return m, err
	}
	m.y = math.MaxFloat32
	if b, read := in.mem.Read(in.scratch, 24); read && i32(ok) != 0 && binary.LittleEndian.Uint32(b[4:]) != 0 {
		m.y = math.Float32frombits(binary.LittleEndian.Uint32(b[16:]))
	}
	return m, nil
}

// bare is text as titles are compared: letters and digits alone.
func bare(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

// saysSomething reports whether a bookmark's title is no title: programs that
// make bookmarks by looks take the end of a wrapped sentence for one, and whole
// sentences that lead to a list.
func saysSomething(title string) bool {
	first, _ := utf8.DecodeRuneInString(title)
	return unicode.IsLower(first) && strings.HasSuffix(title, ".") || strings.HasSuffix(title, ":") && strings.Contains(title, ". ")
}

// applyOutline makes headings of the pieces that bookmarks name. It returns
// false, and changes nothing, when the bookmarks do not fit the text.
func applyOutline(pieces []piece, marks []mark, need int) ([]piece, bool) {
	starts := map[int]int{} // page → its first piece
	for i := len(pieces) - 1; i >= 0; i-- {
		starts[pieces[i].page] = i
	}
	type hit struct {
		first, last int // pieces
		mark
	}
	var hits []hit
	from, usable := 0, 0
	for _, m := range marks {
		if m.page <= 0 || saysSomething(m.title) {
			continue
		}
		usable++
		at, ok := starts[m.page]
		if !ok {
			continue
		}
		if first, last, ok := findTitle(pieces, max(at, from), m); ok {
			hits = append(hits, hit{first, last, m})
			from = last + 1
		}
	}
	if len(hits) < need || len(hits)*2 < usable {
		return pieces, false
	}
	var out []piece
	next := 0
	for _, h := range hits {
		out = append(out, pieces[next:h.first]...)
		p := pieces[h.first]
		for _, q := range pieces[h.first+1 : h.last+1] {
			p.text += " " + q.text
		}
		p.text = strings.ReplaceAll(p.text, cellMark, " ")
		p.kind, p.level = heading, h.level
		out = append(out, p)
		next = h.last + 1
	}
	return append(out, pieces[next:]...), true
}

// findTitle looks for the pieces, at most four, that together are the title of
// m, on its page or the next.
func findTitle(pieces []piece, from int, m mark) (first, last int, ok bool) {
	want := bare(m.title)
	if want == "" {
		return 0, 0, false
	}
	for i := from; i < len(pieces) && pieces[i].page <= m.page+1; i++ {
		got := ""
		for j := i; j < len(pieces) && j < i+4; j++ {
			got += bare(pieces[j].text)
			if got == want {
				return i, j, true
			}
			if !strings.HasPrefix(want, got) {
				break
			}
		}
	}
	return 0, 0, false
}
