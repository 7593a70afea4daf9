package chart

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

// PNG draws the chart on light paper, at twice the size so that it is sharp on
// screens of today.
func (c Chart) PNG() ([]byte, error) {
	f, err := opentype.Parse(goregular.TTF)
	if err != nil {
		return nil, fmt.Errorf("chart: the font: %w", err)
	}
	p := &raster{
		img: image.NewRGBA(image.Rect(0, 0, width*scale, height*scale)), font: f, faces: map[float64]font.Face{},
		shape: vector.NewRasterizer(1, 1),
	}
	c.draw(p)
	if p.err != nil {
		return nil, fmt.Errorf("chart: %w", p.err)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, p.img); err != nil {
		return nil, fmt.Errorf("chart: %w", err)
	}
	return b.Bytes(), nil
}

const scale = 2

// raster is a canvas of pixels.
type raster struct {
	img   *image.RGBA
	font  *opentype.Font
	faces map[float64]font.Face
	shape *vector.Rasterizer
	err   error // of a font that could not be had
}

func inkOf(i ink, alpha float64) color.NRGBA {
	c, _ := palette(i)
	c.A = uint8(math.Round(255 * min(max(alpha, 0), 1)))
	return c
}

func (p *raster) rect(x, y, w, h float64, i ink, alpha float64) {
	p.fill([]point{{x, y}, {x + w, y}, {x + w, y + h}, {x, y + h}}, inkOf(i, alpha))
}

// fill fills a polygon, which is rasterised in its own box: most are small.
func (p *raster) fill(points []point, c color.NRGBA) {
	lo, hi := point{math.Inf(1), math.Inf(1)}, point{math.Inf(-1), math.Inf(-1)}
	for _, q := range points {
		lo = point{min(lo.x, q.x*scale), min(lo.y, q.y*scale)}
		hi = point{max(hi.x, q.x*scale), max(hi.y, q.y*scale)}
	}
	box := image.Rect(int(math.Floor(lo.x)), int(math.Floor(lo.y)), int(math.Ceil(hi.x)), int(math.Ceil(hi.y)))
	if box.Empty() || !box.Overlaps(p.img.Bounds()) {
		return
	}
	p.shape.Reset(box.Dx(), box.Dy())
	p.shape.DrawOp = draw.Over
	for k, q := range points {
		x, y := float32(q.x*scale-float64(box.Min.X)), float32(q.y*scale-float64(box.Min.Y))
		if k == 0 {
			p.shape.MoveTo(x, y)
		} else {
			p.shape.LineTo(x, y)
		}
	}
	p.shape.ClosePath()
	p.shape.Draw(p.img, box, image.NewUniform(c), image.Point{})
}

func (p *raster) line(points []point, i ink, w float64, dashed bool) {
	c := inkOf(i, 1)
	for k := 1; k < len(points); k++ {
		a, b := points[k-1], points[k]
		if !dashed {
			p.stroke(a, b, w, c)
			continue
		}
		long := math.Hypot(b.x-a.x, b.y-a.y)
		for at := 0.0; at < long; at += 10 {
			to := min(at+6, long)
			p.stroke(point{a.x + (b.x-a.x)*at/long, a.y + (b.y-a.y)*at/long}, point{a.x + (b.x-a.x)*to/long, a.y + (b.y-a.y)*to/long}, w, c)
		}
	}
}

// stroke is a line as a polygon. Its ends are half its width longer, which
// closes the corners of a polyline.
func (p *raster) stroke(a, b point, w float64, c color.NRGBA) {
	long := math.Hypot(b.x-a.x, b.y-a.y)
	if long == 0 {
		return
	}
	dx, dy := (b.x-a.x)/long*w/2, (b.y-a.y)/long*w/2
	a, b = point{a.x - dx, a.y - dy}, point{b.x + dx, b.y + dy}
	p.fill([]point{{a.x - dy, a.y + dx}, {b.x - dy, b.y + dx}, {b.x + dy, b.y - dx}, {a.x + dy, a.y - dx}}, c)
}

func (p *raster) marks(sh shape, at []point, size float64, i ink, alpha float64) {
	c := inkOf(i, alpha)
	filled, strokes := outline(sh, size)
	if sh == dot {
		const corners = 12
		filled = filled[:0]
		for k := range corners {
			a := 2 * math.Pi * float64(k) / corners
			filled = append(filled, point{size * math.Cos(a), size * math.Sin(a)})
		}
	}
	for _, m := range at {
		for _, l := range strokes {
			p.stroke(point{m.x + l[0].x, m.y + l[0].y}, point{m.x + l[1].x, m.y + l[1].y}, 1.6, c)
		}
		if filled == nil {
			continue
		}
		moved := make([]point, len(filled))
		for k, q := range filled {
			moved[k] = point{m.x + q.x, m.y + q.y}
		}
		p.fill(moved, c)
	}
}

func (p *raster) text(x, y float64, s string, i ink, size float64, a anchor) {
	face, ok := p.faces[size]
	if !ok {
		var err error
		if face, err = opentype.NewFace(p.font, &opentype.FaceOptions{Size: size * scale, DPI: 72, Hinting: font.HintingNone}); err != nil {
			p.err = err
			return
		}
		p.faces[size] = face
	}
	d := font.Drawer{Dst: p.img, Src: image.NewUniform(inkOf(i, 1)), Face: face}
	x *= scale
	long := float64(d.MeasureString(s)) / 64
	switch a {
	case start:
	case middle:
		x -= long / 2
	case end:
		x -= long
	}
	d.Dot = fixed.Point26_6{X: fixed.Int26_6(x * 64), Y: fixed.Int26_6(y * scale * 64)}
	d.DrawString(s)
}
