package load

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestLatencyAgainstSortedSamples(t *testing.T) {
	l := newLatency()
	var all []time.Duration
	r := rand.New(rand.NewPCG(1, 2))
	for range 50_000 {
		d := time.Duration(math.Exp(r.NormFloat64()*2) * float64(10*time.Millisecond)).Truncate(time.Microsecond)
		all = append(all, d)
		l.record(d)
	}
	slices.Sort(all)
	for _, q := range []float64{0, 0.5, 0.9, 0.99, 0.999, 1} {
		want := all[max(int(math.Ceil(q*float64(len(all))))-1, 0)]
		if got := l.At(q); !about(got, want) {
			t.Errorf("quantile %v: got %s, want %s", q, got, want)
		}
	}
	if l.Max() < all[len(all)-1]-all[len(all)-1]/500 || l.Count() != len(all) {
		t.Errorf("max %s, count %d", l.Max(), l.Count())
	}
	n := 0
	for _, b := range l.Bars() {
		n += b.Count
	}
	if n != len(all) {
		t.Errorf("the bars hold %d", n)
	}
}

func TestLatencyBounds(t *testing.T) {
	l := newLatency()
	if l.At(0.5) != 0 || l.Max() != 0 || l.Mean() != 0 {
		t.Error("of nothing it is something")
	}
	l.record(-time.Second)
	l.record(100 * time.Hour)
	if l.Count() != 2 {
		t.Errorf("it lost what is out of range: %d", l.Count())
	}
	if m := Merged(l, l, newLatency()); m.Count() != 4 {
		t.Errorf("merged %d", m.Count())
	}
}

func TestPointsAreBounded(t *testing.T) {
	var ps Points
	const n = 200_000
	for i := range n {
		ps.add(Point{At: time.Duration(i)})
	}
	ps.add(Point{What: PointHung})
	kept := ps.Of(PointAnswered)
	if len(kept) != maxPoints || ps.Seen(PointAnswered) != n || len(ps.Of(PointHung)) != 1 {
		t.Fatalf("%d kept", len(kept))
	}
	var sum float64 // of a uniform sample: the middle, give or take six deviations
	for _, p := range kept {
		sum += float64(p.At)
	}
	if mean := sum / maxPoints / n; math.Abs(mean-0.5) > 6*0.289/math.Sqrt(maxPoints) {
		t.Errorf("the sample leans: its mean is at %.3f", mean)
	}
}

func TestKindsAreBounded(t *testing.T) {
	r := Report{Kinds: map[string]int{}}
	for i := range 1000 {
		r.kind(fmt.Sprintf("status %d", i))
	}
	if len(r.Kinds) != maxKinds+1 || r.Kinds["other"] != 1000-maxKinds {
		t.Errorf("%d kinds, %d others", len(r.Kinds), r.Kinds["other"])
	}
}

func TestQuestionsAreAllDifferent(t *testing.T) {
	seen := map[string]bool{}
	for _, seed := range []uint64{1, 2} {
		q := Questions{Seed: seed}
		for n := range int64(20_000) {
			s := q.At(n)
			if seen[s] {
				t.Fatalf("%q comes twice", s)
			}
			seen[s] = true
			if len(strings.Fields(s)) < 6 || q.At(n) != s {
				t.Fatalf("%q", s)
			}
		}
	}
	lines := Questions{Lines: []string{"a", "b"}}
	if lines.At(0) != "a" || lines.At(3) != "b" {
		t.Error("lines are not asked in turn")
	}
}

func TestBodies(t *testing.T) {
	a := Ask{Questions: Questions{Lines: []string{"she said \"\\n\"\tand <left>"}}, Mode: "vector", TimeoutMS: 50, Model: "m", Encoding: "base64"}
	for _, tt := range []struct {
		name string
		body []byte
		want map[string]any
	}{
		{"retrieve", a.Retrieve(0), map[string]any{"query": a.Questions.Lines[0], "mode": "vector", "timeout_ms": 50.0}},
		{"embeddings", a.Embeddings(0), map[string]any{"input": a.Questions.Lines[0], "model": "m", "encoding_format": "base64"}},
		{"template", a.Template(`{"q":"{{question}}","id":{{n}},"text":"{{question}} again"}`)(7), map[string]any{
			"q": a.Questions.Lines[0], "id": 7.0, "text": a.Questions.Lines[0] + " again",
		}},
		{"fixed", a.Template(`{"x":1}`)(7), map[string]any{"x": 1.0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got map[string]any
			if err := json.Unmarshal(tt.body, &got); err != nil {
				t.Fatalf("%v in %s", err, tt.body)
			}
			if fmt.Sprint(got) != fmt.Sprint(tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
