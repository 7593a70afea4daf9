package chart

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"weir/internal/load"
)

// Chart is what is drawn. It has at least one Part.
type Chart struct {
	Title    string // of the measurement
	Subtitle string // what came of it
	Parts    []Part // one after the other in time
}

// Part is a run.
type Part struct {
	Name   string // "" if there is only one
	Report *load.Report
}

// The places on the picture.
const (
	width, height = 1000, 560

	left, right  = 76.0, 720.0  // of what runs over time
	upper, lower = 92.0, 380.0  // of latency
	side, edge   = 736.0, 890.0 // of the distribution
	roof, floor  = 412.0, 510.0 // of the counts
	fontSize     = 12.0
	perDecade    = 10 // bars of the distribution
)

// axes turn values into places.
type axes struct {
	lo, hi float64         // log10 of seconds
	spans  []time.Duration // of the parts, each of which has the same width
}

func (c Chart) draw(on canvas) {
	a := c.axes()
	on.rect(0, 0, width, height, inkPaper, 1)
	on.text(left, 28, c.Title, inkText, 16, start)
	on.text(left, 48, c.Subtitle, inkMuted, fontSize+1, start)
	c.legend(on)
	a.grid(on)
	for i, p := range c.Parts {
		a.calls(on, p.Report, i)
	}
	for i, p := range c.Parts {
		a.seconds(on, p.Report, i)
		a.label(on, p, i)
	}
	a.deadline(on, c.Parts[0].Report.Deadline)
	a.distribution(on, c.Parts)
	a.counts(on, c.Parts)
}

func (c Chart) axes() axes {
	a := axes{lo: math.Inf(1), hi: math.Inf(-1)}
	take := func(d time.Duration) {
		if d > 0 {
			v := math.Log10(d.Seconds())
			a.lo, a.hi = min(a.lo, v), max(a.hi, v)
		}
	}
	for _, p := range c.Parts {
		a.spans = append(a.spans, max(p.Report.Took, time.Millisecond))
		for k := load.PointAnswered; k <= load.PointNotSent; k++ {
			for _, q := range p.Report.Points.Of(k) {
				take(q.Took)
			}
		}
		take(p.Report.Deadline)
	}
	a.lo, a.hi = math.Floor(a.lo), math.Ceil(a.hi)
	if a.hi <= a.lo {
		a.hi = a.lo + 1
	}
	return a
}

// x is the place of a time within a part. Parts stand side by side, each on a
// scale of its own: one that hangs takes a thousand times as long as one that
// does not.
func (a axes) x(part int, at time.Duration) float64 {
	from, w := a.panel(part)
	return from + w*min(at.Seconds()/a.spans[part].Seconds(), 1)
}

// panel is where a part begins, and its width.
func (a axes) panel(part int) (from, w float64) {
	each := (right - left) / float64(len(a.spans))
	if len(a.spans) == 1 {
		return left, each
	}
	const gap = 6
	return left + each*float64(part), each - gap
}

func (a axes) y(took time.Duration) float64 {
	v := math.Log10(max(took, time.Microsecond).Seconds())
	return lower - (lower-upper)*min(max((v-a.lo)/(a.hi-a.lo), 0), 1)
}

func (c Chart) legend(on canvas) {
	x := left
	put := func(name string, draw func(x float64)) {
		draw(x)
		on.text(x+9, 72, name, inkMuted, fontSize, start)
		x += 30 + 7*float64(len(name))
	}
	for _, k := range kinds() {
		n := 0
		for _, p := range c.Parts {
			n += p.Report.Points.Seen(k.kind)
		}
		if n > 0 {
			put(fmt.Sprintf("%s %d", k.name, n), func(x float64) { on.marks(k.shape, []point{{x, 68}}, 3.5, k.ink, 1) })
		}
	}
	for _, l := range []struct {
		name string
		ink  ink
	}{{"p50", inkP50}, {"p99 of each second", inkP99}} {
		put(l.name, func(x float64) { on.line([]point{{x - 7, 68}, {x + 5, 68}}, l.ink, 2, false) })
	}
}

type kind struct {
	kind  load.PointKind
	name  string
	shape shape
	ink   ink
	size  float64
	alpha float64
}

// kinds are drawn in this order, so that the rare and bad lies on top.
func kinds() []kind {
	return []kind{
		{load.PointAnswered, "answered", dot, inkAnswered, 1.4, 0.45},
		{load.PointDegraded, "degraded", diamond, inkDegraded, 2.4, 0.7},
		{load.PointRefused, "refused", triangle, inkRefused, 2.4, 0.7},
		{load.PointFailed, "failed", cross, inkFailed, 3, 1},
		{load.PointHung, "hung", cross, inkHung, 4.5, 1},
		{load.PointNotSent, "not sent", bar, inkNotSent, 4, 0.7},
	}
}

func (a axes) grid(on canvas) {
	for v := a.lo; v <= a.hi+0.01; v++ {
		d := time.Duration(math.Pow(10, v) * float64(time.Second))
		y := a.y(d)
		on.line([]point{{left, y}, {right, y}}, inkGrid, 1, false)
		on.line([]point{{side, y}, {edge, y}}, inkGrid, 1, false)
		on.text(left-8, y+4, short(d), inkMuted, fontSize, end)
	}
	if len(a.spans) > 1 {
		for i, span := range a.spans {
			from, w := a.panel(i)
			on.text(from+w/2, floor+18, short(span), inkMuted, fontSize-1, middle)
		}
		on.text((left+right)/2, floor+38, "time at which a call was due, each on a scale of its own", inkMuted, fontSize, middle)
	} else {
		step := niceStep(a.spans[0].Seconds(), 8)
		for s := 0.0; s <= a.spans[0].Seconds()*1.0001; s += step {
			x := a.x(0, time.Duration(s*float64(time.Second)))
			on.line([]point{{x, floor}, {x, floor + 4}}, inkMuted, 1, false)
			on.text(x, floor+18, strconv.FormatFloat(s, 'g', 6, 64)+" s", inkMuted, fontSize, middle)
		}
		on.text((left+right)/2, floor+38, "time at which a call was due", inkMuted, fontSize, middle)
	}
	on.text(left, upper-6, "latency, from when the call was due", inkMuted, fontSize-1, start)
}

// calls draws a mark for each.
func (a axes) calls(on canvas, r *load.Report, part int) {
	for _, k := range kinds() {
		var at []point
		for _, p := range r.Points.Of(k.kind) {
			q := point{a.x(part, p.At), a.y(p.Took)}
			if k.kind == load.PointNotSent {
				q.y = upper
			}
			at = append(at, q)
		}
		size := k.size
		if len(at) < fewMarks {
			size = max(size, 2.6)
		}
		on.marks(k.shape, at, size, k.ink, k.alpha)
	}
}

// fewMarks may be larger.
const fewMarks = 300

// seconds draws the percentiles of each second as steps, broken where nothing
// was answered.
func (a axes) seconds(on canvas, r *load.Report, part int) {
	for _, l := range []struct {
		ink ink
		of  func(load.Second) time.Duration
	}{
		{inkP99, func(s load.Second) time.Duration { return s.P99 }},
		{inkP50, func(s load.Second) time.Duration { return s.P50 }},
	} {
		var steps []point
		for _, s := range r.Seconds {
			v := l.of(s)
			if v == 0 {
				on.line(steps, l.ink, 2, false)
				steps = nil
				continue
			}
			from, to := secondOf(r, s)
			steps = append(steps, point{a.x(part, from), a.y(v)}, point{a.x(part, to), a.y(v)})
		}
		on.line(steps, l.ink, 2, false)
	}
}

// secondOf is when a second begins and ends; the last may be short.
func secondOf(r *load.Report, s load.Second) (from, to time.Duration) {
	from = time.Duration(s.At) * time.Second
	return from, max(min(from+time.Second, r.Took), from)
}

// label names a part of several, in one of two lines by turns, for short ones
// stand close.
func (a axes) label(on canvas, p Part, i int) {
	if p.Name == "" {
		return
	}
	x, _ := a.panel(i)
	if i > 0 {
		on.line([]point{{x - 3, upper}, {x - 3, floor}}, inkGrid, 1, true)
	}
	on.text(x+4, upper+12+14*float64(i%2), p.Name, inkText, fontSize-1, start)
}

func (a axes) deadline(on canvas, d time.Duration) {
	y := a.y(d)
	on.line([]point{{left, y}, {edge, y}}, inkLimit, 1.2, true)
	on.text(right-4, y-5, "deadline "+short(d), inkMuted, fontSize-1, end)
}

// niceStep is 1, 2 or 5 times a power of ten, so that there are about n.
func niceStep(span float64, n int) float64 {
	raw := span / float64(n)
	unit := math.Pow(10, math.Floor(math.Log10(raw)))
	steps := []float64{1, 2, 5, 10}
	i := slices.IndexFunc(steps, func(s float64) bool { return s*unit >= raw })
	if i < 0 {
		i = len(steps) - 1
	}
	return steps[i] * unit
}

// short is a time in three digits.
func short(d time.Duration) string {
	f := func(v float64, unit string) string {
		digits := 3
		if v >= 100 {
			digits = len(strconv.Itoa(int(math.Round(v))))
		}
		return strconv.FormatFloat(v, 'g', digits, 64) + " " + unit
	}
	switch {
	case d < time.Millisecond:
		return f(float64(d.Nanoseconds())/1e3, "µs")
	case d < time.Second:
		return f(float64(d.Microseconds())/1e3, "ms")
	default:
		return f(d.Seconds(), "s")
	}
}
