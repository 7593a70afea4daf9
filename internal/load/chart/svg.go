package chart

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image/color"
	"strconv"
	"strings"
)

// SVG draws the chart as an SVG image of its own, without scripts and fonts.
func (c Chart) SVG() []byte {
	s := &svg{}
	fmt.Fprintf(&s.b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" font-family="system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif">`+"\n",
		width, height, width, height)
	fmt.Fprintf(&s.b, "<title>%s</title>\n", escaped(c.Title))
	s.style()
	c.draw(s)
	s.b.WriteString("</svg>\n")
	return s.b.Bytes()
}

type svg struct{ b bytes.Buffer }

// style has a class for each ink to fill (f) and to stroke (s) with.
func (s *svg) style() {
	rules := func(of func(ink) color.NRGBA) string {
		var b strings.Builder
		for i := range inks {
			c := of(i)
			hex := fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B)
			fmt.Fprintf(&b, ".f%d{fill:%s}.s%d{fill:none;stroke:%s}", i, hex, i, hex)
		}
		return b.String()
	}
	light := rules(func(i ink) color.NRGBA { l, _ := palette(i); return l })
	dark := rules(func(i ink) color.NRGBA { _, d := palette(i); return d })
	fmt.Fprintf(&s.b, "<style>%s@media (prefers-color-scheme:dark){%s}</style>\n", light, dark)
}

func (s *svg) rect(x, y, w, h float64, i ink, alpha float64) {
	fmt.Fprintf(&s.b, `<rect x="%s" y="%s" width="%s" height="%s" class="f%d"%s/>`+"\n", num(x), num(y), num(w), num(h), i, opacity(alpha))
}

func (s *svg) line(points []point, i ink, w float64, dashed bool) {
	if len(points) < 2 {
		return
	}
	dash := ""
	if dashed {
		dash = ` stroke-dasharray="6 4"`
	}
	fmt.Fprintf(&s.b, `<polyline class="s%d" stroke-width="%s" stroke-linejoin="round"%s points="`, i, num(w), dash)
	for k, p := range points {
		if k > 0 {
			s.b.WriteByte(' ')
		}
		s.b.WriteString(num(p.x) + "," + num(p.y))
	}
	s.b.WriteString("\"/>\n")
}

// marks are one path, for there may be thousands.
func (s *svg) marks(sh shape, at []point, size float64, i ink, alpha float64) {
	if len(at) == 0 {
		return
	}
	if sh == dot { // lines of no length have round ends
		fmt.Fprintf(&s.b, `<path class="s%d" stroke-width="%s" stroke-linecap="round"%s d="`, i, num(2*size), opacity(alpha))
		for _, p := range at {
			s.b.WriteString("M" + num(p.x) + " " + num(p.y) + "h0")
		}
		s.b.WriteString("\"/>\n")
		return
	}
	filled, strokes := outline(sh, size)
	if strokes != nil {
		fmt.Fprintf(&s.b, `<path class="s%d" stroke-width="1.6"%s d="`, i, opacity(alpha))
	} else {
		fmt.Fprintf(&s.b, `<path class="f%d"%s d="`, i, opacity(alpha))
	}
	for _, p := range at {
		for _, l := range strokes {
			s.b.WriteString("M" + num(p.x+l[0].x) + " " + num(p.y+l[0].y) + "L" + num(p.x+l[1].x) + " " + num(p.y+l[1].y))
		}
		for k, q := range filled {
			s.b.WriteString([]string{"L", "M"}[b2i(k == 0)] + num(p.x+q.x) + " " + num(p.y+q.y))
		}
		if filled != nil {
			s.b.WriteByte('z')
		}
	}
	s.b.WriteString("\"/>\n")
}

func (s *svg) text(x, y float64, t string, i ink, size float64, a anchor) {
	fmt.Fprintf(&s.b, `<text x="%s" y="%s" font-size="%s" text-anchor="%s" class="f%d">%s</text>`+"\n",
		num(x), num(y), num(size), [...]string{start: "start", middle: "middle", end: "end"}[a], i, escaped(t))
}

// outline is the form of a mark around 0, as a polygon or as strokes.
func outline(sh shape, r float64) (filled []point, strokes [][2]point) {
	switch sh {
	case diamond:
		return []point{{0, -r}, {r, 0}, {0, r}, {-r, 0}}, nil
	case triangle:
		return []point{{0, -r}, {r, r}, {-r, r}}, nil
	case cross:
		return nil, [][2]point{{{-r, -r}, {r, r}}, {{-r, r}, {r, -r}}}
	case bar:
		return nil, [][2]point{{{0, -r}, {0, r}}}
	case dot:
	}
	return []point{{-r, -r}, {r, -r}, {r, r}, {-r, r}}, nil
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func num(v float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0")
}

func opacity(alpha float64) string {
	if alpha >= 1 {
		return ""
	}
	return fmt.Sprintf(` opacity="%.2g"`, alpha)
}

func escaped(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder never fails
	return b.String()
}
