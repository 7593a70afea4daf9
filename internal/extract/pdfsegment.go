package extract

import (
	"context"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// segment is a run of words on one line with no wide gap between them: a line
// of a paragraph, or one line of one cell of a table.
type segment struct {
	text string
	box  box
	size float32 // of its font
	bold bool    // all of it
	soft bool    // ends in a hyphen that only the end of the line called for
	turn int
	page int
}

// segments joins words, in the order they are drawn.
func (r *charReader) segments(ctx context.Context, page int) ([]segment, error) {
	var out []segment
	calm := context.WithoutCancel(ctx)
	for start := 0; start < len(r.words); {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		end := start + 1
		for end < len(r.words) && follows(r.words[end-1], r.words[end]) {
			end++
		}
		s := newSegment(r.words[start:end], page)
		if s.text != "" {
			if err := r.fonts(calm, &s, r.words[start:end]); err != nil {
				return nil, err
			}
			out = append(out, s)
		}
		start = end
	}
	return joinMarks(out), nil
}

// fonts fills in the looks of a segment from its first, middle and last word.
func (r *charReader) fonts(ctx context.Context, s *segment, run []*word) error {
	s.bold = hasLetter(s.text)
	for i, at := range [...]int{len(run) / 2, 0, len(run) - 1} {
		w := run[at]
		if i > 0 && (at == len(run)/2 || !hasLetter(w.text)) {
			continue
		}
		size, bold, err := r.font(ctx, w.index)
		if err != nil {
			return err
		}
		if i == 0 {
			s.size = size
			if !hasLetter(w.text) {
				continue
			}
		}
		if s.bold = s.bold && bold; !s.bold {
			break
		}
	}
	if s.size < 1 || s.size > 1000 {
		s.size = s.box.height() * 0.85
	}
	return nil
}

func follows(last, w *word) bool {
	h := max(min(last.box.height(), w.box.height()), 1)
	gap := w.box.x0 - last.box.x1
	return w.turn == last.turn && !last.soft &&
		last.box.overlapY(w.box) > h*0.5 &&
		gap > -h*0.6 && gap < max(last.box.height(), w.box.height())
}

func newSegment(run []*word, page int) segment {
	s := segment{box: run[0].box, turn: run[0].turn, page: page, soft: run[len(run)-1].soft}
	var tall float32
	for _, w := range run {
		tall = max(tall, w.box.height())
	}
	var t strings.Builder
	for i, w := range run {
		text := w.text
		if i > 0 {
			prev := run[i-1]
			mark := w.box.height() < tall*0.85 && w.box.y0 > prev.box.y0+tall*0.08 && prev.box.height() > w.box.height() && isMark(text)
			switch {
			case mark && marksNote(prev.text):
				text = "[" + text + "]"
			case w.space || w.box.x0-prev.box.x1 > 0.12*tall:
				t.WriteByte(' ')
			}
		}
		t.WriteString(text)
		s.box = s.box.join(w.box)
	}
	s.text = strings.TrimSpace(clean(t.String()))
	return s
}

// isMark reports whether raised text is the mark of a footnote.
func isMark(s string) bool {
	for _, r := range s {
		if !unicode.IsDigit(r) && !strings.ContainsRune("*†‡§,", r) {
			return false
		}
	}
	return len(s) <= 6
}

// marksNote tells a footnote's mark after a word from the exponent of a unit:
// m², cm³.
func marksNote(before string) bool {
	letters := 0
	for _, r := range before {
		if unicode.IsLetter(r) {
			letters++
		}
	}
	r, _ := utf8.DecodeLastRuneInString(before)
	return letters > 2 || !unicode.IsLetter(r)
}

func hasLetter(s string) bool { return strings.IndexFunc(s, unicode.IsLetter) >= 0 }

var (
	bulletOnly = regexp.MustCompile(`^([•◦▪■□●○‣⁃∙·*–—➢➤✓✔oO-]|\(?[0-9]{1,3}[.)]|\(?[A-Za-z][.)]|\(?[ivxIVX]{1,5}[.)])$`)
	numberOnly = regexp.MustCompile(`^[0-9]{1,3}(\.[0-9]{1,3})*$`)
	bulletHead = regexp.MustCompile(`^([•◦▪■□●○‣⁃∙➢➤✓✔]|[-–—*·o] |\(?[0-9]{1,3}[.)] |\(?[A-Za-z][.)] |\([ivxIVX]{1,5}\) )`)
)

// joinMarks joins a bullet, or the number of an item or a heading, with the
// text it stands before, wherever the two come in the order of drawing.
func joinMarks(segs []segment) []segment {
	gone := map[int]bool{}
	for i := range segs {
		if !isLabel(&segs[i]) {
			continue
		}
		if k := labelled(segs, i); k >= 0 && !gone[k] {
			m, s := &segs[i], &segs[k]
			s.text = m.text + " " + s.text
			s.box = s.box.join(m.box)
			gone[i] = true
		}
	}
	if len(gone) == 0 {
		return segs
	}
	out := segs[:0]
	for i, s := range segs {
		if !gone[i] {
			out = append(out, s)
		}
	}
	return out
}

// isLabel: a number without a dot or a bracket is one only in a heading; else
// it is a number in a table.
func isLabel(s *segment) bool {
	return bulletOnly.MatchString(s.text) || numberOnly.MatchString(s.text)
}

// maxLabels bounds the search below, which is quadratic.
const maxLabels = 20_000

// labelled is the segment on the right of label i, or -1.
func labelled(segs []segment, i int) int {
	m := &segs[i]
	best := -1
	if len(segs) > maxLabels {
		return -1
	}
	for k := range segs {
		s := &segs[k]
		h := max(m.box.height(), s.box.height())
		gap := s.box.x0 - m.box.x1
		if k == i || s.turn != m.turn || m.box.overlapY(s.box) < h*0.4 || gap < -h*0.5 || gap > h*5 || !hasLetter(s.text) {
			continue
		}
		if numberOnly.MatchString(m.text) && !(s.bold && abs(s.size-m.size) < 0.5) {
			continue
		}
		if best < 0 || s.box.x0 < segs[best].box.x0 {
			best = k
		}
	}
	return best
}
