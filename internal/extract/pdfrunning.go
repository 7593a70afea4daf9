package extract

import (
	"regexp"
	"strings"
)

// Running headers and footers: text that stands at the same height near the
// edge of page after page. What stands there may differ from page to page: a
// page number, the title of the chapter.

const (
	runningZone  = 0.15 // of the text's height, at the top and at the bottom
	runningPages = 3    // so many pages must carry a line before it is running
	runningNear  = 3    // …or the same line stands this few pages away, where most pages carry one
)

type runningKey struct {
	y    int // in steps of 3 points, from the edge
	text string
}

var digitRuns = regexp.MustCompile(`[0-9]+`)

var pageNumber = regexp.MustCompile(`(?i)^([-–—|\s]*(page|seite|página|pagina|p\.|第)?\s*[0-9ivxlc]{1,5}(\s*(of|/|von|de|di|sur)\s*[0-9]{1,5})?\s*页?[-–—|\s]*)$`)

// dropRunning removes running headers and footers from pages. The pages share
// one system of coordinates per document, as boxes give it.
func dropRunning(pages [][]segment) {
	frame, ok := textFrame(pages)
	if !ok {
		return
	}
	zone := func(b box) bool {
		edge := frame.height() * runningZone
		return b.y0 > frame.y1-edge || b.y1 < frame.y0+edge
	}
	seen := map[runningKey][]int{} // the pages a line stands on, in order
	for p, segs := range pages {
		for i := range segs {
			if zone(segs[i].box) {
				k := keyOf(&segs[i])
				if on := seen[k]; len(on) == 0 || on[len(on)-1] != p {
					seen[k] = append(on, p)
				}
			}
		}
	}
	lanes := runningLanes(pages, seen, zone)
	for p, segs := range pages {
		drop := make([]bool, len(segs))
		for i := range segs {
			s := &segs[i]
			if zone(s.box) {
				k := keyOf(s)
				drop[i] = len(seen[k]) >= runningPages && near(seen[k], p) || lanes[k.y] ||
					(pageNumber.MatchString(s.text) && outermost(segs, s))
			}
		}
		keepLines(segs, drop, lanes)
		kept := segs[:0]
		for i := range segs {
			if !drop[i] {
				kept = append(kept, segs[i])
			}
		}
		pages[p] = kept
	}
}

// keepLines keeps what repeats beside something that does not: the first
// column of a table's header, the label of a heading.
func keepLines(segs []segment, drop []bool, lanes map[int]bool) {
	own := map[int]bool{}
	for i := range segs {
		if y := keyOf(&segs[i]).y; !drop[i] && !lanes[y] {
			own[y] = true
		}
	}
	for i := range segs {
		if own[keyOf(&segs[i]).y] && !pageNumber.MatchString(segs[i].text) {
			drop[i] = false
		}
	}
}

func keyOf(s *segment) runningKey {
	return runningKey{int(s.box.y0+1.5) / 3, digitRuns.ReplaceAllString(strings.ToLower(s.text), "#")}
}

// runningLanes are the heights at which most pages carry a running line;
// whatever else stands there is one too, such as the title of a chapter of
// one page.
func runningLanes(pages [][]segment, seen map[runningKey][]int, zone func(box) bool) map[int]bool {
	count := map[int]int{}
	for p, segs := range pages {
		on := map[int]bool{}
		for i := range segs {
			if k := keyOf(&segs[i]); zone(segs[i].box) && near(seen[k], p) {
				on[k.y] = true
			}
		}
		for y := range on {
			count[y]++
		}
	}
	lanes := map[int]bool{}
	for y, n := range count {
		lanes[y] = n >= runningPages && n*10 >= len(pages)*6
	}
	return lanes
}

// near reports whether a line that stands on the pages on stands on another
// one not far from page p.
func near(on []int, p int) bool {
	for _, o := range on {
		if o != p && o >= p-runningNear && o <= p+runningNear {
			return true
		}
	}
	return false
}

// textFrame is the part of the page that text stands on, over all pages.
func textFrame(pages [][]segment) (frame box, ok bool) {
	for _, segs := range pages {
		for i := range segs {
			if segs[i].turn != 0 {
				continue
			}
			if !ok {
				frame, ok = segs[i].box, true
			}
			frame = frame.join(segs[i].box)
		}
	}
	return frame, ok && len(pages) > 0
}

// outermost reports whether nothing on the page stands above s or nothing
// below it.
func outermost(segs []segment, s *segment) bool {
	above, below := false, false
	for i := range segs {
		above = above || segs[i].box.y0 >= s.box.y1
		below = below || segs[i].box.y1 <= s.box.y0
	}
	return (!above || !below) && len(segs) > 1
}
