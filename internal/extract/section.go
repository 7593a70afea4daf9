package extract

import "slices"

// section is a heading and what stands below it up to the next.
type section struct {
	title  string
	level  int
	parent int // index; -1: none
	path   []int
	real   bool    // its number, or that of a section around it, stands in the document
	blocks []block // its heading first, if it has one
	body   bool    // has more than its heading
}

// maxTitle cuts titles for section paths; the heading itself stays whole in
// the text.
const maxTitle = 200

// sections cuts blocks at their headings. The first section, if it has no
// title, is what stands before the first heading.
func sections(blocks []block) []section {
	var out []section
	var open []int // the sections around, outermost first
	for i := range blocks {
		b := &blocks[i]
		if b.kind == heading {
			for len(open) > 0 && out[open[len(open)-1]].level >= b.level {
				open = open[:len(open)-1]
			}
			parent := -1
			if len(open) > 0 {
				parent = open[len(open)-1]
			}
			out = append(out, section{title: cutRunes(squeeze(b.text), maxTitle), level: b.level, parent: parent})
			open = append(open, len(out)-1)
		} else if len(out) == 0 {
			out = append(out, section{parent: -1})
		}
		s := &out[len(out)-1]
		s.blocks = append(s.blocks, *b)
		s.body = s.body || b.kind != heading
	}
	number(out)
	return out
}

// number gives every section its path. Sections without a number of their own
// are counted; among numbered siblings they follow after the highest.
func number(all []section) {
	highest := map[int]int{} // parent → highest number among its children
	for i := range all {
		if n := numberOf(all[i].title).nums; all[i].title != "" && n != nil {
			highest[all[i].parent] = max(highest[all[i].parent], n[len(n)-1])
		}
	}
	for i := range all {
		s := &all[i]
		if s.title == "" {
			continue
		}
		var above []int
		if s.parent >= 0 {
			above = all[s.parent].path
		}
		if n := numberOf(s.title); n.nums != nil {
			s.real = true
			if s.parent < 0 || all[s.parent].real {
				s.path = n.under(above)
			} else {
				s.path = n.nums // a title above all chapters has no number of its own
			}
			continue
		}
		s.real = s.parent >= 0 && all[s.parent].real
		highest[s.parent]++
		s.path = append(slices.Clone(above), highest[s.parent])
	}
}

// titles are those of section i and the ones around it, outermost first.
func titles(all []section, i int) []string {
	var out []string
	for ; i >= 0; i = all[i].parent {
		if all[i].title != "" {
			out = append(out, all[i].title)
		}
	}
	slices.Reverse(out)
	return out
}

// common is the innermost section that holds both a and b, or -1.
func common(all []section, a, b int) int {
	around := map[int]bool{}
	for ; a >= 0; a = all[a].parent {
		around[a] = true
	}
	for ; b >= 0; b = all[b].parent {
		if around[b] {
			return b
		}
	}
	return -1
}

func cutRunes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n]
}
