package extract

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"unicode"
)

// word is a run of characters without a space or a jump between them.
type word struct {
	text  string
	box   box  // as tall as its font, not as its letters
	space bool // a space came before
	chars int
	turn  int    // quarter turns clockwise: 0 is upright
	soft  bool   // ends in a hyphen that only the end of the line called for
	index uint64 // of its first character
}

// errUnreadable is of one page: the others may be read all the same.
var errUnreadable = errors.New("the page cannot be read")

// readPage reads page i: its characters, joined to words and to segments, in
// the order in which the page draws them. picture: there are none, but pictures.
func (in *instance) readPage(ctx context.Context, doc uint64, i, maxChars int) (segs []segment, picture bool, err error) {
	page, err := in.call(ctx, "FPDF_LoadPage", doc, uint64(i)) //nolint:gosec // not negative
	switch {
	case err != nil:
		return nil, false, err
	case page == 0:
		return nil, false, errUnreadable
	}
	text, err := in.call(ctx, "FPDFText_LoadPage", page)
	if err != nil {
		return nil, false, err
	}
	if text == 0 {
		if _, err := in.call(ctx, "FPDF_ClosePage", page); err != nil {
			return nil, false, err
		}
		return nil, false, errUnreadable
	}
	r := charReader{in: in, text: text}
	if err := r.read(ctx, i, maxChars); err != nil {
		return nil, false, err
	}
	if segs, err = r.segments(ctx, i+1); err != nil {
		return nil, false, err
	}
	if len(segs) == 0 {
		if picture, err = in.showsPicture(ctx, page); err != nil {
			return nil, false, err
		}
	}
	if _, err := in.call(ctx, "FPDFText_ClosePage", text); err != nil {
		return nil, false, err
	}
	_, err = in.call(ctx, "FPDF_ClosePage", page)
	return segs, picture, err
}

// charReader joins characters to words. A call into the sandbox costs as much
// as some hundred characters of text, so as little as possible is asked for:
// the text of the page at once, and of most words the boxes of their first
// and last characters only.
type charReader struct {
	in    *instance
	text  uint64
	words []*word
}

func (r *charReader) read(ctx context.Context, page, maxChars int) error {
	calm := context.WithoutCancel(ctx)
	count, err := r.in.call(calm, "FPDFText_CountChars", r.text)
	n := i32(count)
	switch {
	case err != nil || n <= 0:
		return err
	case n > maxChars:
		return tooLarge("page %d holds %d characters; the limit is %d", page+1, n, maxChars)
	}
	runes, err := r.runes(ctx, n)
	if err != nil {
		return err
	}
	space, start := false, -1
	for k := range n + 1 {
		end := k == n || breaksWord(runes[k])
		if !end && runes[k] != '\u00ad' {
			if start < 0 {
				start = k
			}
			if !isSoft(runes[k]) {
				continue
			}
		}
		if start >= 0 {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			last := k
			if !end { // the hyphen at the end of a line belongs to the word
				last = k + 1
			}
			if err := r.word(calm, runes, start, last, space); err != nil {
				return err
			}
			space, start = false, -1
		}
		if end && k < n && runes[k] != 0 {
			space = true
		}
	}
	return nil
}

func breaksWord(c rune) bool {
	return c == 0 || c == 0xFEFF || c == 0x200B || !isSoft(c) && (unicode.IsSpace(c) || unicode.IsControl(c))
}

// isSoft: what PDFium makes of a hyphen at the end of a line, and made of it
// in earlier versions.
func isSoft(c rune) bool { return c == 2 || c == 0xFFFE || c == 0xAD }

// runes are the n characters of the page.
func (r *charReader) runes(ctx context.Context, n int) ([]rune, error) {
	out := make([]rune, 0, n)
	p, err := r.in.malloc(ctx, 2*n+2)
	if err != nil {
		return nil, err
	}
	got, err := r.in.call(ctx, "FPDFText_GetText", r.text, 0, uint64(n), uint64(p)) //nolint:gosec // not negative
	if err != nil {
		return nil, err
	}
	if i32(got) == n+1 { // else there are characters without text, and places would not match
		if b, ok := r.in.mem.Read(p, uint32(2*n)); ok { //nolint:gosec // bounded by maxChars
			for i := range n {
				c := rune(binary.LittleEndian.Uint16(b[2*i:]))
				if c >= 0xD800 && c < 0xE000 {
					break
				}
				out = append(out, c)
			}
		}
	}
	if _, err := r.in.call(ctx, "free", uint64(p)); err != nil || len(out) == n {
		return out, err
	}
	out = out[:0]
	calm := context.WithoutCancel(ctx)
	for k := range n {
		if k%512 == 0 && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		c, err := r.in.call(calm, "FPDFText_GetUnicode", r.text, uint64(k))
		if err != nil {
			return nil, err
		}
		out = append(out, rune(uint32(c))) //nolint:gosec // a code point
	}
	return out, nil
}

// box is that of character k; ok is false when it has none.
func (r *charReader) box(ctx context.Context, k int) (b box, ok bool, err error) {
	done, err := r.in.call(ctx, "FPDFText_GetLooseCharBox", r.text, uint64(k), uint64(r.in.scratch)) //nolint:gosec // not negative
	if err != nil || i32(done) == 0 {
		return b, false, err
	}
	b, ok = r.in.rect()
	return b, ok && b.sane(), nil
}

// word adds the characters from start to end as a word or, where they stand
// apart, as several.
func (r *charReader) word(ctx context.Context, runes []rune, start, end int, space bool) error {
	first, ok, err := r.box(ctx, start)
	if err != nil {
		return err
	}
	last := first
	if ok && end-start > 1 {
		if last, ok, err = r.box(ctx, end-1); err != nil {
			return err
		}
	}
	n := end - start
	if ok && n > 1 && level(first, last, n) && !mayHoldMark(runes[start:end]) {
		r.add(runes[start:end], first.join(last), 0, space, start)
		return nil
	}
	return r.apart(ctx, runes, start, end, space)
}

// level reports whether n characters from first to last can stand side by
// side on one line.
func level(first, last box, n int) bool {
	h := max(first.height(), last.height())
	return abs(first.y0-last.y0) < h*0.1 && abs(first.height()-last.height()) < h*0.1 &&
		last.x0 > first.x0 && last.x1-first.x0 < h*1.3*float32(n)
}

// mayHoldMark reports whether the mark of a footnote may end the word: it.1
func mayHoldMark(w []rune) bool {
	c := w[len(w)-1]
	if !unicode.IsDigit(c) && !strings.ContainsRune("*†‡§", c) {
		return false
	}
	for _, c := range w {
		if unicode.IsLetter(c) {
			return true
		}
	}
	return !unicode.IsDigit(w[0])
}

// apart looks at every character of a word.
func (r *charReader) apart(ctx context.Context, runes []rune, start, end int, space bool) error {
	from, turn := -1, 0
	var prev, whole box
	for k := start; k < end; k++ {
		b, ok, err := r.box(ctx, k)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		t := b.turn(turn)
		if from < 0 || jumps(prev, t) {
			if from >= 0 {
				r.add(runes[from:k], whole, turn, space, from)
				space = false
			}
			angle, err := r.in.call(ctx, "FPDFText_GetCharAngle", r.text, uint64(k)) //nolint:gosec // not negative
			if err != nil {
				return err
			}
			turn = 0
			if a := float64(f32(angle)); a > 0 && a < 7 {
				turn = int(math.Round(a/(math.Pi/2))) % 4
			}
			t = b.turn(turn)
			from, whole = k, t
		}
		whole, prev = whole.join(t), t
	}
	if from >= 0 {
		r.add(runes[from:end], whole, turn, space, from)
	}
	return nil
}

// jumps reports whether a character at b does not continue the word after one
// at last.
func jumps(last, b box) bool {
	h := max(last.height(), b.height(), 1)
	return b.x0 < last.x0-h/2 || b.x0 > last.x1+h*0.7 || // elsewhere on the line
		abs(b.y0-last.y0) > h*0.12 || abs(b.height()-last.height()) > h*0.15 // another line, or raised
}

func (r *charReader) add(runes []rune, b box, turn int, space bool, start int) {
	w := &word{box: b, turn: turn, space: space, chars: len(runes), index: uint64(start)} //nolint:gosec // not negative
	var t strings.Builder
	for _, c := range runes {
		w.soft = isSoft(c)
		if w.soft {
			c = '-'
		}
		t.WriteRune(c)
	}
	w.text = t.String()
	r.words = append(r.words, w)
}
