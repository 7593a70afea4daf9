package extract

import (
	"encoding/xml"
	"strconv"
	"strings"
)

// docxStyle is what matters here of a paragraph style.
type docxStyle struct {
	based string
	level int // of a heading; 0: none
	title bool
	num   docxNum
}

// docxNum refers to a list and a level of it.
type docxNum struct {
	id    string // "": no list
	level int
}

// each calls do for every element of a part, in order.
func (d *docx) each(name string, do func(x *docxXML, e xml.StartElement) error) error {
	x, err := d.open(name)
	if err != nil || x == nil {
		return err
	}
	defer x.Close()
	for {
		t, err := x.next()
		if err != nil || t == nil {
			return err
		}
		if e, ok := t.(xml.StartElement); ok {
			if err := do(x, e); err != nil {
				return err
			}
		}
	}
}

func (d *docx) styles() (map[string]docxStyle, error) {
	all := map[string]docxStyle{}
	id := ""
	err := d.each("word/styles.xml", func(_ *docxXML, e xml.StartElement) error {
		s := all[id]
		switch e.Name.Local {
		case "style":
			id, s = xmlAttr(e, "styleId"), docxStyle{}
		case "name":
			s.level = headingName(xmlAttr(e, "val"))
			s.title = strings.EqualFold(xmlAttr(e, "val"), "title")
		case "basedOn":
			s.based = xmlAttr(e, "val")
		case "outlineLvl":
			if n, err := strconv.Atoi(xmlAttr(e, "val")); err == nil && n >= 0 && n < 9 && s.level == 0 {
				s.level = n + 1
			}
		case "numId":
			s.num.id = xmlAttr(e, "val")
		case "ilvl":
			s.num.level, _ = strconv.Atoi(xmlAttr(e, "val"))
		default:
			return nil
		}
		if id != "" {
			all[id] = s
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := make(map[string]docxStyle, len(all))
	for id := range all {
		out[id] = inherit(all, id)
	}
	return out, nil
}

// inherit fills in what a style takes from those it is based on.
func inherit(all map[string]docxStyle, id string) docxStyle {
	s := all[id]
	for range 12 { // styles that are based on each other end here
		if s.based == "" {
			break
		}
		b := all[s.based]
		if s.level == 0 {
			s.level = b.level
		}
		if s.num.id == "" {
			s.num = b.num
		}
		s.based = b.based
	}
	return s
}

// headingName is the level of a built-in heading style; Word keeps their names
// in English whatever language it speaks.
func headingName(name string) int {
	name = strings.ToLower(name)
	if rest, ok := strings.CutPrefix(name, "heading "); ok {
		if n, err := strconv.Atoi(rest); err == nil && n >= 1 && n <= 9 {
			return n
		}
	}
	return 0
}

func (d *docx) title() (string, error) {
	title := ""
	err := d.each("docprops/core.xml", func(x *docxXML, e xml.StartElement) error {
		if e.Name.Local != "title" || title != "" {
			return nil
		}
		t, err := x.next()
		if c, ok := t.(xml.CharData); ok {
			title = squeeze(string(c))
		}
		return err
	})
	return title, err
}

// docxList is how the levels of a list are numbered.
type docxList struct {
	levels [9]docxLevel
	counts [9]int
}

type docxLevel struct {
	format string // decimal, bullet, lowerLetter, …
	text   string // such as "%1.%2."
	start  int
}

func (d *docx) numbering() (map[string]*docxList, error) {
	abstract := map[string]*docxList{}
	lists := map[string]*docxList{}
	var cur *docxList
	level, num := 0, ""
	err := d.each("word/numbering.xml", func(_ *docxXML, e xml.StartElement) error {
		val := xmlAttr(e, "val")
		switch e.Name.Local {
		case "abstractNum":
			cur, num = &docxList{}, ""
			for i := range cur.levels {
				cur.levels[i].start = 1
			}
			abstract[xmlAttr(e, "abstractNumId")] = cur
		case "num":
			cur, num = nil, xmlAttr(e, "numId")
		case "abstractNumId":
			if a := abstract[val]; a != nil && num != "" {
				c := *a
				lists[num], cur = &c, &c
			}
		case "lvl", "lvlOverride":
			level, _ = strconv.Atoi(xmlAttr(e, "ilvl"))
			level = min(max(level, 0), 8)
		case "start", "startOverride":
			if n, err := strconv.Atoi(val); err == nil && cur != nil {
				cur.levels[level].start = min(max(n, 0), 1<<20)
			}
		case "numFmt":
			if cur != nil {
				cur.levels[level].format = val
			}
		case "lvlText":
			if cur != nil && len(val) <= 2*maxLabel { // each %1 gives a letter at least
				cur.levels[level].text = val
			}
		}
		return nil
	})
	return lists, err
}

// maxLabel is the longest label of a list, in bytes; a longer one is left out.
const maxLabel = 40

// next is the label of the next paragraph on a level of the list.
func (l *docxList) next(level int) string {
	level = min(max(level, 0), 8)
	l.counts[level]++
	for i := level + 1; i < len(l.counts); i++ {
		l.counts[i] = 0
	}
	v := l.levels[level]
	switch v.format {
	case "bullet":
		return "•"
	case "none":
		return ""
	}
	out := v.text
	for i := range level + 1 {
		n := l.levels[i].start + max(l.counts[i], 1) - 1
		out = strings.ReplaceAll(out, "%"+strconv.Itoa(i+1), numeral(n, l.levels[i].format))
	}
	if len(out) > maxLabel {
		return ""
	}
	return out
}

func numeral(n int, format string) string {
	switch format {
	case "lowerLetter", "upperLetter":
		if n < 1 {
			return strconv.Itoa(n)
		}
		s := strings.Repeat(string(rune('a'+(n-1)%26)), min((n-1)/26+1, 4))
		if format == "upperLetter" {
			return strings.ToUpper(s)
		}
		return s
	case "lowerRoman":
		return roman(n)
	case "upperRoman":
		return strings.ToUpper(roman(n))
	case "decimalZero":
		if n < 10 {
			return "0" + strconv.Itoa(n)
		}
	}
	return strconv.Itoa(n)
}

func roman(n int) string {
	if n < 1 || n > 3999 {
		return strconv.Itoa(n)
	}
	var b strings.Builder
	for _, d := range [...]struct {
		n int
		s string
	}{{1000, "m"}, {900, "cm"}, {500, "d"}, {400, "cd"}, {100, "c"}, {90, "xc"}, {50, "l"}, {40, "xl"}, {10, "x"}, {9, "ix"}, {5, "v"}, {4, "iv"}, {1, "i"}} {
		for n >= d.n {
			b.WriteString(d.s)
			n -= d.n
		}
	}
	return b.String()
}
