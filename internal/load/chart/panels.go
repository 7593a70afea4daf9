package chart

import (
	"math"
	"strconv"
	"time"

	"weir/internal/load"
)

// distribution draws how many calls took how long, and the percentiles of the
// answers.
func (a axes) distribution(on canvas, parts []Part) {
	var answers, refusals []*load.Latency
	for _, p := range parts {
		answers, refusals = append(answers, p.Report.Answers), append(refusals, p.Report.Refusals)
	}
	ok, no := load.Merged(answers...), load.Merged(refusals...)
	bins := int(math.Round((a.hi - a.lo) * perDecade))
	counts := func(l *load.Latency) []float64 {
		in := make([]float64, bins)
		for _, b := range l.Bars() {
			v := math.Log10(max(b.From+(b.To-b.From)/2, time.Microsecond).Seconds())
			in[min(max(int((v-a.lo)*perDecade), 0), bins-1)] += float64(b.Count)
		}
		return in
	}
	answered, refused := counts(ok), counts(no)
	most := 1.0
	for i := range bins {
		most = max(most, answered[i]+refused[i])
	}
	tall := (lower - upper) / float64(bins)
	for i := range bins {
		y := lower - tall*float64(i+1)
		w := (edge - side) * answered[i] / most
		if w > 0 {
			on.rect(side, y+0.5, w, tall-1, inkAnswered, 0.8)
		}
		if refused[i] > 0 {
			on.rect(side+w, y+0.5, (edge-side)*refused[i]/most, tall-1, inkRefused, 0.8)
		}
	}
	on.line([]point{{side, upper}, {side, lower}}, inkMuted, 1, false)
	on.text(side, upper-6, "how many took how long", inkMuted, fontSize-1, start)
	a.percentiles(on, ok)
}

func (a axes) percentiles(on canvas, l *load.Latency) {
	if l.Count() == 0 {
		on.text(side+6, upper+12, "nothing was answered", inkMuted, fontSize-1, start)
		return
	}
	below := math.Inf(1)
	for _, q := range []struct {
		name string
		at   float64
	}{{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}, {"max", 1}} {
		v := l.At(q.at)
		y := a.y(v)
		on.line([]point{{edge, y}, {edge + 5, y}}, inkText, 1, false)
		below = min(y+4, below-13) // labels do not lie on each other
		on.text(edge+9, below, q.name+" "+short(v), inkText, fontSize-1, start)
	}
}

// counts draws what came of the calls of each second, one on the other.
func (a axes) counts(on canvas, parts []Part) {
	layers := func(s load.Second) []struct {
		n   int
		ink ink
	} {
		return []struct {
			n   int
			ink ink
		}{
			{s.OK - s.Degraded, inkAnswered},
			{s.Degraded, inkDegraded},
			{s.Refused, inkRefused},
			{s.Failed, inkFailed},
			{s.Hung, inkHung},
			{s.NotSent, inkNotSent},
		}
	}
	most := 1
	for _, p := range parts {
		for _, s := range p.Report.Seconds {
			most = max(most, s.OK+s.Refused+s.Failed+s.Hung+s.NotSent)
		}
	}
	for i, p := range parts {
		for _, s := range p.Report.Seconds {
			from, to := secondOf(p.Report, s)
			x, y := a.x(i, from), floor
			w := max(a.x(i, to)-x, 1)
			for _, l := range layers(s) {
				if l.n > 0 {
					h := (floor - roof) * float64(l.n) / float64(most)
					y -= h
					on.rect(x, y, max(w-0.5, 0.5), h, l.ink, 0.85)
				}
			}
		}
	}
	on.line([]point{{left, floor}, {right, floor}}, inkMuted, 1, false)
	on.text(left-8, roof+4, strconv.Itoa(most), inkMuted, fontSize, end)
	on.text(left-8, floor+4, "0", inkMuted, fontSize, end)
	on.text(left, roof-6, "calls that ended in each second", inkMuted, fontSize-1, start)
}
