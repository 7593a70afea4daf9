package scan

import (
	"math"
	"testing"
)

// missShare is the stated probability that a row is worth more than its bound.
const missShare = 0.00016

// bounds calls f with the estimate, bounds and exact cosine of every row of lib for a query.
func bounds(lib *library, query []float32, f func(low, up, exact float64)) {
	snap, err := lib.acquire()
	if err != nil {
		panic(err)
	}
	defer snap.release()
	var p probe
	rotated := make([]float32, lib.rot.padded)
	lib.rot.apply(rotated, query)
	row := 0
	for i := range snap.segs {
		seg := &snap.segs[i]
		p.aim(snap.centers[seg.center], query, rotated)
		p.c.shrink(seg.least)
		p.c.tau = float32(math.Inf(-1))
		var est, ub [lanes]float32
		var mask [1]uint8
		for r := range seg.rows {
			if r%lanes == 0 {
				scanGroups(lib.use, seg.group(r), seg.store.words, 1, p.query, &p.c, est[:], ub[:], mask[:])
			}
			l := r % lanes
			low := est[l] - p.lower*p.c.halfWidth(seg.factors(r))
			f(float64(low), float64(ub[l]), dot64(query, lib.vecs[row]))
			row++
		}
	}
}

// The share of pairs whose cosine is above the bound must be what Epsilon says, on every kind of data and in every
// dimension, also with a center that has nothing to do with the data.
func TestBoundHolds(t *testing.T) {
	var allPairs, allMissed int
	for _, kind := range kinds {
		for _, dim := range dims {
			n, queries := 400, 40
			if dim >= 768 {
				n, queries = 200, 30
			}
			src := newSource(kind, dim, n)
			lib := build(t, src.many(1, n), n, 0)
			var pairs, missed, under int
			var width float64
			// Fresh queries, and queries close to a row, where the best hits are.
			for i, q := range src.many(2, queries) {
				if i%2 == 1 {
					for j, x := range lib.vecs[i] {
						q[j] = q[j]*0.5 + x
					}
					unit(q)
				}
				bounds(lib, q, func(low, up, exact float64) {
					pairs++
					width += up - low
					if exact > up+roundingSlack {
						missed++
					}
					if exact < low-roundingSlack {
						under++
					}
				})
			}
			if most := tolerated(pairs); missed > most {
				t.Errorf("%s %d: %d of %d above the bound, at most %d expected", kind, dim, missed, pairs, most)
			}
			allPairs, allMissed = allPairs+pairs, allMissed+missed
			if under > 1 {
				t.Errorf("%s %d: %d of %d below the sure bound", kind, dim, under, pairs)
			}
			// A bound that is always true because it is always 2 would pass all of the above.
			if mean, most := width/float64(pairs), 9/math.Sqrt(float64(lib.rot.padded)); mean > most {
				t.Errorf("%s %d: bounds %.3f wide on average, want at most %.3f", kind, dim, mean, most)
			}
		}
	}
	if most := tolerated(allPairs); allMissed > most {
		t.Errorf("%d of all %d above the bound, at most %d expected", allMissed, allPairs, most)
	}
	t.Logf("%d of %d pairs above the bound: a share of %.6f, stated %.6f", allMissed, allPairs, float64(allMissed)/float64(allPairs), missShare)
}

// tolerated is how many misses among pairs are no more than chance, at five standard deviations.
func tolerated(pairs int) int {
	want := missShare * float64(pairs)
	return int(want + 5*math.Sqrt(want))
}

func TestRecall(t *testing.T) {
	for _, kind := range kinds {
		for _, size := range []struct{ dim, n, queries int }{{384, 6000, 100}, {1536, 1500, 60}} {
			src := newSource(kind, size.dim, size.n)
			lib := build(t, src.many(1, size.n), 10, 1<<30)
			queries := src.many(2, size.queries)
			got := make([]float64, len(queries))
			spread(len(queries), func(i int) {
				hits, _, err := lib.Search(t.Context(), queries[i], 10, nil, lib.shelf)
				if err != nil {
					t.Error(err)
				}
				got[i] = recall(hits, lib.exact(queries[i], 10))
			})
			var sum float64
			for _, r := range got {
				sum += r
			}
			if mean := sum / float64(len(got)); mean < 0.999 {
				t.Errorf("%s %d: recall@10 is %.4f, want at least 0.999", kind, size.dim, mean)
			}
		}
	}
}
