package scan

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/bits"
)

const (
	// chunkGroups is how many groups are scanned between two looks at what was found.
	chunkGroups = 64
	// wordsPerCheck bounds the work between two looks at ctx: some 50 µs of code words in pure Go.
	wordsPerCheck = 32 << 10
	// wordsPerKey is what looking up a document's key counts as.
	wordsPerKey = 64
	// floatsPerCheck bounds it while vectors are compared.
	floatsPerCheck = 64 << 10
	// firstLook is the number of rows after which the best so far are compared exactly for the first time; then after
	// each lookGrowth times as many.
	firstLook  = 512
	lookGrowth = 4
	// promising is how many of them at least.
	promising = 32
)

// candidate is a row that could be among the best.
type candidate struct {
	ub float32 // -Inf once its cosine is known
	at int64   // seg<<rowBits | row
}

const rowBits = 31

func address(seg, row int) int64 { return int64(seg)<<rowBits | int64(row) }

// search is the state of one call; it is pooled.
type search struct {
	x     *Index
	snap  *snapshot
	query []float32
	fetch Fetcher
	stats Stats

	rotated []float32
	probe   probe
	est, ub [chunkGroups * lanes]float32
	masks   [chunkGroups]uint8

	cands   []candidate
	front   peak // the best estimates, from: index into cands
	lows    peak // the k best lower bounds
	top     best
	work    int // words or floats since ctx was looked at
	lookAt  int
	missing []candidate
	ready   []scored
	gone    bool // a vector was no longer to be read
	batch   batch
}

// Search returns the k vectors nearest to query (all of them, where there are fewer), best first, equal ones by key and
// position. A filter that is not nil restricts it to the documents named; keys that are unknown, or named twice, do not
// matter, and an empty filter finds nothing. The query must have the index's dimension, finite values and unit length
// (ErrVector). When ctx ends its error is returned, never a part of the answer. A vector that fetch no longer finds is left
// out. k must be positive.
func (x *Index) Search(ctx context.Context, query []float32, k int, filter []int64, fetch Fetcher) ([]Hit, Stats, error) {
	if err := ctx.Err(); err != nil {
		return nil, Stats{}, err
	}
	if k < 1 {
		return nil, Stats{}, fmt.Errorf("scan: k is %d, must be positive", k)
	}
	if err := x.checkCall(query, fetch); err != nil {
		return nil, Stats{}, err
	}
	snap, err := x.acquire()
	if err != nil {
		return nil, Stats{}, err
	}
	defer snap.release()
	s := x.begin(snap, query, fetch)
	defer x.end(s)
	if err := s.run(ctx, k, filter); err != nil {
		return nil, Stats{}, err
	}
	return s.top.sorted(), s.stats, nil
}

func (x *Index) checkCall(query []float32, fetch Fetcher) error {
	if fetch == nil {
		return errors.New("scan: no fetcher")
	}
	return checkVector(query, x.dim)
}

// begin takes the scratch memory of a call.
func (x *Index) begin(snap *snapshot, query []float32, fetch Fetcher) *search {
	s, ok := x.pool.Get().(*search)
	if !ok {
		s = &search{}
	}
	s.x, s.snap, s.query, s.fetch, s.stats = x, snap, query, fetch, Stats{}
	s.work, s.gone = 0, false
	return s
}

// end gives the scratch memory back, without anything of the caller's.
func (x *Index) end(s *search) {
	s.x, s.snap, s.query, s.fetch = nil, nil, nil, nil
	clear(s.ready[:cap(s.ready)]) // points into memory that may be returned
	s.batch.forget()
	const most = 1 << 18 // a search that kept everything must not keep its memory too
	if cap(s.cands) > most || cap(s.missing) > most {
		s.cands, s.missing = nil, nil
	}
	x.pool.Put(s)
}

// run leaves the answer in s.top.
func (s *search) run(ctx context.Context, k int, filter []int64) error {
	todo, rows, err := s.stretches(ctx, filter)
	if err != nil {
		return err
	}
	k = min(k, rows)
	err = s.pass(ctx, k, rows, k, todo)
	if err == nil && s.gone && s.lows.full() && rows > k {
		// A lower bound of a vector that is gone may have ruled out one that is not: once more, without them.
		err = s.pass(ctx, k, rows, 0, todo)
	}
	return err
}

// pass searches the rows of todo for the best k, with the help of as many lower bounds.
func (s *search) pass(ctx context.Context, k, rows, lows int, todo [][]run) error {
	s.cands, s.lookAt = s.cands[:0], firstLook
	s.top.reset(k)
	s.front.reset(max(promising, 2*k))
	s.lows.reset(lows)
	if rows <= k {
		return s.takeAll(ctx, todo)
	}
	if rows <= s.x.small && s.gather(todo) {
		return s.scoreReady(ctx)
	}
	s.rotated = resize(s.rotated, s.x.rot.padded)
	s.x.rot.apply(s.rotated, s.query)
	for center := range s.snap.centers {
		aimed := false
		for seg := range s.snap.segs {
			if s.snap.segs[seg].center != center || len(todo[seg]) == 0 {
				continue
			}
			if !aimed {
				s.probe.aim(s.snap.centers[center], s.query, s.rotated)
				aimed = true
			}
			if err := s.segment(ctx, seg, todo[seg]); err != nil {
				return err
			}
		}
	}
	return s.settle(ctx)
}

// stretches lists the runs to scan, by segment, and counts their rows.
func (s *search) stretches(ctx context.Context, filter []int64) ([][]run, int, error) {
	todo := make([][]run, len(s.snap.segs))
	if filter == nil {
		for i := range todo {
			todo[i] = s.snap.segs[i].live
		}
		return todo, s.snap.rows, nil
	}
	chosen := make([]uint64, (len(s.snap.docs)+wordBits-1)/wordBits)
	for _, key := range filter {
		if err := s.spend(ctx, wordsPerKey, wordsPerCheck); err != nil {
			return nil, 0, err
		}
		if i, found := s.snap.index(key); found {
			chosen[i/wordBits] |= 1 << (i % wordBits)
		}
	}
	rows := 0
	for j, w := range chosen {
		for ; w != 0; w &= w - 1 {
			if err := s.spend(ctx, wordsPerKey, wordsPerCheck); err != nil {
				return nil, 0, err
			}
			p := s.snap.docs[j*wordBits+bits.TrailingZeros64(w)]
			if p.n == 0 {
				continue
			}
			rows += p.n
			t := todo[p.seg]
			if n := len(t); n > 0 && t[n-1].end == p.start {
				t[n-1].end += p.n
			} else {
				todo[p.seg] = append(t, run{p.start, p.start + p.n})
			}
		}
	}
	return todo, rows, nil
}

// takeAll compares every row there is.
func (s *search) takeAll(ctx context.Context, todo [][]run) error {
	for seg, runs := range todo {
		for _, r := range runs {
			for row := r.start; row < r.end; row++ {
				s.cands = append(s.cands, candidate{ub: math.MaxFloat32, at: address(seg, row)})
			}
		}
	}
	return s.compare(ctx, s.cands)
}

// gather puts every row of todo into s.ready; false means that one of their vectors is not at hand.
func (s *search) gather(todo [][]run) bool {
	s.ready = s.ready[:0]
	for at, runs := range todo {
		seg := &s.snap.segs[at]
		for _, r := range runs {
			for row := r.start; row < r.end; row++ {
				vec := seg.vector(row)
				if vec == nil {
					return false
				}
				s.ready = append(s.ready, scored{address(at, row), vec})
			}
		}
	}
	return true
}

// spend counts work and looks at ctx when there was enough of it.
func (s *search) spend(ctx context.Context, work, most int) error {
	if s.work += work; s.work < most {
		return nil
	}
	s.work = 0
	return ctx.Err()
}

// segment scans runs of one segment.
func (s *search) segment(ctx context.Context, at int, runs []run) error {
	seg := &s.snap.segs[at]
	words := seg.store.words
	s.probe.c.shrink(seg.least)
	full := seg.rows / lanes
	for _, r := range runs {
		last := (r.end + lanes - 1) / lanes
		for g := r.start / lanes; g < last; {
			n := min(last-g, chunkGroups, max(1, wordsPerCheck/(words*lanes)))
			mem := seg.tail
			if g < full {
				n = min(n, full-g)
				mem = seg.store.groups(g, n)
			}
			s.probe.c.tau = s.floor()
			scanGroups(s.x.use, mem, words, n, s.probe.query, &s.probe.c, s.est[:], s.ub[:], s.masks[:])
			s.collect(at, g, n, r)
			s.stats.Scanned += min(r.end, (g+n)*lanes) - max(r.start, g*lanes)
			if s.stats.Scanned >= s.lookAt {
				s.lookAt = s.stats.Scanned * lookGrowth
				if err := s.look(ctx); err != nil {
					return err
				}
			}
			g += n
			if err := s.spend(ctx, n*words*lanes, wordsPerCheck); err != nil {
				return err
			}
		}
	}
	return nil
}
