package postings_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"weir/internal/analysis"
	"weir/internal/postings"
)

type layout struct {
	chunks, perDocument int
}

func (l layout) String() string {
	return fmt.Sprintf("chunks=%d/per_document=%d", l.chunks, l.perDocument)
}

func layouts() []layout {
	return []layout{{1_000, 100}, {10_000, 100}, {100_000, 100}, {1_000, 3}, {10_000, 3}, {100_000, 3}, {100_000, 100_000}}
}

// shelves keeps corpora between benchmarks, which are slow to write.
var shelves = map[layout]*shelf{}

func shelfFor(b *testing.B, l layout) *shelf {
	if shelves[l] == nil {
		clear(shelves) // one at a time
		shelves[l] = newShelf(b, l.chunks, l.perDocument)
	}
	return shelves[l]
}

// percentiles reports the median and the 99th percentile of measured times.
func percentiles(b *testing.B, times []time.Duration) {
	if len(times) == 0 {
		return
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Nanoseconds())/1e3, "p50-µs")
	b.ReportMetric(float64(times[len(times)*99/100].Nanoseconds())/1e3, "p99-µs")
}

func BenchmarkSearch(b *testing.B) {
	for _, lay := range layouts() {
		b.Run(lay.String(), func(b *testing.B) {
			s := shelfFor(b, lay)
			ix, err := postings.Load(b.Context(), postings.Config{}, s.all)
			if err != nil {
				b.Fatal(err)
			}
			benchmarkSearch(b, ix, nil)
		})
	}
}

// BenchmarkSearchGrown searches an index that was filled one document after
// another, so that it consists of parts of many sizes, of which every twentieth
// document was then removed.
func BenchmarkSearchGrown(b *testing.B) {
	s := shelfFor(b, layout{100_000, 100})
	ix := postings.New(postings.Config{})
	start := time.Now()
	slowest := time.Duration(0)
	for _, d := range s.segments {
		t := time.Now()
		if err := ix.Add(b.Context(), d.Key, d.Segment); err != nil {
			b.Fatal(err)
		}
		slowest = max(slowest, time.Since(t))
	}
	b.Logf("%d documents added in %v, the slowest in %v", len(s.segments), time.Since(start), slowest)
	start = time.Now()
	for i := 0; i < len(s.segments); i += 20 {
		if err := ix.Remove(b.Context(), s.segments[i].Key); err != nil {
			b.Fatal(err)
		}
	}
	b.Logf("%d removed in %v", len(s.segments)/20, time.Since(start))
	benchmarkSearch(b, ix, nil)
}

// BenchmarkSearchFiltered restricts the search to ten documents of a thousand.
func BenchmarkSearchFiltered(b *testing.B) {
	s := shelfFor(b, layout{100_000, 100})
	ix, err := postings.Load(b.Context(), postings.Config{}, s.all)
	if err != nil {
		b.Fatal(err)
	}
	var only []int64
	for i := range 10 {
		only = append(only, s.segments[i*97].Key)
	}
	benchmarkSearch(b, ix, only)
}

func benchmarkSearch(b *testing.B, ix *postings.Index, only []int64) {
	l := &library{a: analysis.New(), ix: ix}
	p := newProse(3)
	questions := make([][]postings.Group, 200)
	for i := range questions {
		questions[i] = l.groups(p.everyday())
	}
	times := make([]time.Duration, 0, 1<<16)
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		start := time.Now()
		hits, err := ix.Search(b.Context(), questions[i%len(questions)], 10, only)
		if err != nil || len(hits) == 0 {
			b.Fatal(hits, err)
		}
		times = append(times, time.Since(start))
	}
	percentiles(b, times)
	b.ReportMetric(float64(ix.Bytes())/(1<<20), "MiB")
}

func BenchmarkLoad(b *testing.B) {
	for _, lay := range layouts() {
		b.Run(lay.String(), func(b *testing.B) {
			s := shelfFor(b, lay)
			size := 0
			for _, d := range s.segments {
				size += len(d.Segment)
			}
			b.ResetTimer()
			for b.Loop() {
				if _, err := postings.Load(b.Context(), postings.Config{}, s.all); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(size)/(1<<20), "segment-MiB")
			b.ReportMetric(float64(s.bytes)/(1<<20), "text-MiB")
		})
	}
}

// BenchmarkAdd adds documents to an index of 100,000 chunks, merging included.
func BenchmarkAdd(b *testing.B) {
	for _, per := range []int{3, 100} {
		b.Run(fmt.Sprintf("chunks=%d", per), func(b *testing.B) {
			s := shelfFor(b, layout{100_000, 100})
			ix, err := postings.Load(b.Context(), postings.Config{}, s.all)
			if err != nil {
				b.Fatal(err)
			}
			extra := newShelf(b, 50*per, per).segments
			key := int64(1 << 40)
			times := make([]time.Duration, 0, 1<<12)
			b.ResetTimer()
			for i := 0; b.Loop(); i++ {
				start := time.Now()
				key++
				if err := ix.Add(b.Context(), key, extra[i%len(extra)].Segment); err != nil {
					b.Fatal(err)
				}
				times = append(times, time.Since(start))
			}
			percentiles(b, times)
		})
	}
}

// BenchmarkBuild analyses text and builds segments on one core.
func BenchmarkBuild(b *testing.B) {
	a := analysis.New()
	p := newProse(5)
	text := p.document(100)
	n := 0
	for _, c := range text {
		n += len(c)
	}
	b.SetBytes(int64(n))
	b.ResetTimer()
	for b.Loop() {
		segmentOf(b, a, "", text...)
	}
}
