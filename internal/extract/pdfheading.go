package extract

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Headings of a PDF without usable bookmarks are told by their looks: larger
// than the running text, or bold on a short line of their own.

const maxHeading = 160 // bytes; no heading is longer

type look struct {
	size int // in half points
	bold bool
}

func looksOf(p *piece) look { return look{int(p.size*2 + 0.5), p.bold} }

// applyLooks makes headings of the pieces that look like headings.
func applyLooks(pieces []piece) []piece {
	body := bodyLook(pieces)
	chars := map[look]int{}
	var isHead []bool
	for i := range pieces {
		p := &pieces[i]
		h := likeHeading(p, body)
		isHead = append(isHead, h)
		if h {
			chars[looksOf(p)]++
		}
	}
	looks := make([]look, 0, len(chars))
	for l := range chars {
		looks = append(looks, l)
	}
	slices.SortFunc(looks, func(a, b look) int {
		if a.size != b.size {
			return cmp.Compare(b.size, a.size)
		}
		if a.bold != b.bold && a.bold {
			return -1
		}
		return 1
	})
	level := map[look]int{}
	for i, l := range looks {
		level[l] = min(i+1, 6)
	}
	out := pieces[:0]
	for i := range pieces {
		p := pieces[i]
		if isHead[i] {
			p.kind, p.level = heading, level[looksOf(&p)]
			p.text = strings.ReplaceAll(p.text, cellMark, " ")
			if n := len(out); n > 0 && out[n-1].kind == heading && sameTitle(&out[n-1], &p) {
				out[n-1].text += " " + p.text
				out[n-1].box = out[n-1].box.join(p.box)
				continue
			}
		}
		out = append(out, p)
	}
	return out
}

// bodyLook is how most of the text looks.
func bodyLook(pieces []piece) look {
	chars := map[look]int{}
	for i := range pieces {
		chars[looksOf(&pieces[i])] += len(pieces[i].text)
	}
	var body look
	most := -1
	for l, n := range chars {
		if n > most || n == most && l.size < body.size {
			body, most = l, n
		}
	}
	return body
}

func likeHeading(p *piece, body look) bool {
	if p.cells > 1 || p.inCell || captionLine.MatchString(p.text) || p.lines > 3 || len(p.text) > maxHeading || !hasLetter(p.text) {
		return false
	}
	r, _ := utf8.DecodeRuneInString(p.text)
	if unicode.IsLower(r) || symbolBullet(p.text) && !strings.ContainsRune("“\"¿¡§(", r) {
		return false
	}
	last, _ := utf8.DecodeLastRuneInString(p.text)
	stops := strings.ContainsRune(".,;。，", last)
	l := looksOf(p)
	switch {
	case float32(l.size) >= float32(body.size)*1.12:
		return !stops || p.lines == 1 && numberOf(p.text).nums != nil
	case l.bold && !body.bold && l.size*10 >= body.size*9:
		return !stops && last != ':'
	default:
		return false
	}
}

// captionLine is what stands over a table or under a picture, and is no
// heading however it looks.
var captionLine = regexp.MustCompile(`(?i)^(table|figure|fig\.|tabla|figura|cuadro|tabelle|abbildung|tableau|表|图|圖)\s*[0-9]`)

// sameTitle reports whether p is the next line of the heading q.
func sameTitle(q, p *piece) bool {
	if q.level != p.level || q.page != p.page || numberOf(p.text).nums != nil {
		return false
	}
	gap := q.box.y0 - p.box.y1
	return gap < q.size*0.5 && gap > -q.size
}

// subheadings makes headings of bold lines below those that bookmarks name:
// bookmarks seldom reach down to the last level.
func subheadings(pieces []piece) []piece {
	body := bodyLook(pieces)
	bold, all := 0, 0
	left := map[int]float32{} // page → where its text begins
	for i := range pieces {
		p := &pieces[i]
		all += len(p.text)
		if p.bold {
			bold += len(p.text)
		}
		if x, ok := left[p.page]; !ok || p.box.x0 < x {
			left[p.page] = p.box.x0
		}
	}
	if bold*4 > all {
		return pieces // bold does not stand out
	}
	above := 0
	for i := range pieces {
		p := &pieces[i]
		if p.kind == heading {
			above = p.level
			continue
		}
		if above > 0 && p.kind == paragraph && p.bold && p.lines <= 2 && likeHeading(p, look{body.size * 9 / 10, body.bold}) &&
			p.box.x0 < left[p.page]+p.size*4 {
			p.kind, p.level = heading, above+1
		}
	}
	return pieces
}

// finishHeadings joins labels with their titles, and drops headings that only
// say that what stands under them goes on, and lines that only repeat one.
func finishHeadings(pieces []piece) []piece {
	out := pieces[:0]
	last := map[int]string{} // level → the latest heading
	for i := range pieces {
		p := pieces[i]
		if n := len(out); n > 0 && namesLabel(&out[n-1], &p) {
			out[n-1].text += " " + p.text
			last[out[n-1].level] = bare(out[n-1].text)
			continue
		}
		if n := len(out); n > 0 && repeats(&out[n-1], &p) {
			continue
		}
		if p.kind == heading {
			name := bare(continued.ReplaceAllString(p.text, ""))
			if continued.MatchString(p.text) && last[p.level] == name {
				continue
			}
			last[p.level] = name
			for l := range last {
				if l > p.level {
					delete(last, l)
				}
			}
		}
		out = append(out, p)
	}
	return out
}

// repeats reports whether p says again what the heading right before it says,
// as the first page of a chapter often does.
func repeats(q, p *piece) bool {
	return q.kind == heading && p.page <= q.page+2 && (p.kind == heading || p.kind == paragraph) && bare(p.text) == bare(q.text)
}

var continued = regexp.MustCompile(`(?i)\s*[(\[](continued|cont\.?|cont’d|cont'd|continúa|continuación|fortsetzung|suite|续|続き)[)\]]\s*$`)

// namesLabel reports whether p is the title of a heading that is a bare label:
// “CHAPTER 4:”.
func namesLabel(q, p *piece) bool {
	return q.kind == heading && numberLabel.MatchString(q.text) && (p.kind == paragraph || p.kind == heading && p.level >= q.level) && p.page == q.page && p.cells == 1 &&
		p.lines <= 4 && len(p.text) <= maxHeading && !ended(p.text) && hasLetter(p.text) && !numberLabel.MatchString(p.text) && q.box.y0-p.box.y1 < q.size*6
}
