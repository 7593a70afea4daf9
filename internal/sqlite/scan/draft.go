package scan

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
)

const (
	// leastRows is the smallest capacity of a segment.
	leastRows = 64
	// packShare: memory is packed when more than one row in packShare is dead …
	packShare = 3
	// … and it is worth the trouble.
	packFloor = 256
)

// draft is the next snapshot while one writer works on it. It takes part in every store it shows from the start.
type draft struct {
	base    *snapshot
	next    *snapshot
	words   int
	vectors *Vectors
}

func newDraft(base *snapshot, words int, vectors *Vectors) *draft {
	next := &snapshot{centers: base.centers, docs: base.docs, segs: slices.Clone(base.segs), rows: base.rows}
	next.refs.Store(1)
	for i := range next.segs {
		next.segs[i].store.retain()
	}
	return &draft{base: base, next: next, words: words, vectors: vectors}
}

// drop gives up the draft.
func (d *draft) drop() { d.next.release() }

// finish packs the memory where too much of it is dead, and returns the snapshot. Without memory to pack into, the state
// is as right as it was, only larger, and the next writer tries again.
func (d *draft) finish() *snapshot {
	used := d.used()
	dead := used - d.next.rows
	if dead >= packFloor && dead*packShare > used || used > 0 && d.next.rows == 0 {
		_ = d.pack()
	}
	return d.next
}

// addCenter shows one more center.
func (d *draft) addCenter(c *Center) error {
	if i := d.next.center(c.id); i >= 0 {
		if d.next.centers[i].sum != c.sum {
			return fmt.Errorf("%w: another center has the id %d", ErrCenter, c.id)
		}
		return nil
	}
	d.next.centers = append(slices.Clip(d.next.centers), c)
	return nil
}

// arrival is a document on its way in.
type arrival struct {
	doc    int64
	block  Block
	center int
}

// arrive checks a document against the state it would join.
func (d *draft) arrive(doc int64, data []byte, dim int) (arrival, error) {
	b, err := ParseBlock(data)
	if err != nil {
		return arrival{}, fmt.Errorf("document %d: %w", doc, err)
	}
	if b.dim != dim {
		return arrival{}, fmt.Errorf("document %d: %w: %d dimensions, want %d", doc, ErrVector, b.dim, dim)
	}
	c := d.next.center(b.center)
	if c < 0 {
		return arrival{}, fmt.Errorf("document %d: %w: no center has the id %d", doc, ErrCenter, b.center)
	}
	if d.next.centers[c].sum != b.centerSum {
		return arrival{}, fmt.Errorf("document %d: %w: encoded against another center with the id %d", doc, ErrCenter, b.center)
	}
	if _, found := d.next.find(doc); found {
		return arrival{}, fmt.Errorf("document %d: %w", doc, ErrExists)
	}
	return arrival{doc: doc, block: b, center: c}, nil
}

// add places documents; all or none of them, for on error the caller drops the draft.
func (d *draft) add(ctx context.Context, in []arrival) error {
	total := 0
	want := make([]int, len(d.next.centers))
	for _, a := range in {
		total += a.block.rows
		want[a.center] += a.block.rows
	}
	if total > maxRows-d.used() {
		return fmt.Errorf("%w: at most %d", ErrTooLarge, maxRows)
	}
	slices.SortFunc(in, func(a, b arrival) int { return cmp.Or(a.center-b.center, cmp.Compare(a.doc, b.doc)) })
	places := make([]place, 0, len(in))
	var w writer
	for _, a := range in {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := a.block.rows
		if n == 0 {
			places = append(places, place{doc: a.doc, seg: -1})
			continue
		}
		if w.seg == nil || w.seg.center != a.center || w.seg.store.rows-w.seg.rows < n {
			w.done()
			seg, err := d.room(a.center, n, want[a.center])
			if err != nil {
				return err
			}
			w = seg.write()
		}
		// The writer's segment is always the last one of its center, and segs does not move while it is open.
		places = append(places, place{doc: a.doc, seg: d.last(a.center), start: w.seg.rows, n: n})
		w.seg.spans = append(w.seg.spans, span{doc: a.doc, start: w.seg.rows, n: n})
		for i := range n {
			w.put(func(j int) uint64 { return a.block.word(i, j) }, a.block.factors(i))
		}
		want[a.center] -= n
	}
	w.done()
	d.next.rows += total
	return d.enter(places)
}

// used is the number of rows, dead ones included.
func (d *draft) used() int {
	n := 0
	for i := range d.next.segs {
		n += d.next.segs[i].rows
	}
	return n
}

// last is the newest segment of a center, or -1.
func (d *draft) last(center int) int {
	for i := len(d.next.segs) - 1; i >= 0; i-- {
		if d.next.segs[i].center == center {
			return i
		}
	}
	return -1
}

// room returns a segment of a center with room for n rows; a new one is made for all the rows that are still to come, and
// never smaller than all that is there, so that there are only ever a few.
func (d *draft) room(center, n, coming int) (*segment, error) {
	if i := d.last(center); i >= 0 {
		if s := &d.next.segs[i]; s.store.rows-s.rows >= n {
			return s, nil
		}
	}
	st, err := newStore(d.words, max(n, coming, d.used(), leastRows), d.vectors)
	if err != nil {
		return nil, err
	}
	d.next.segs = append(d.next.segs, segment{store: st, center: center, least: math.MaxFloat32})
	return &d.next.segs[len(d.next.segs)-1], nil
}

// enter adds places to the documents. Where all of them come after those that are there, which is usual, they are written
// behind what older snapshots can see of the same array.
func (d *draft) enter(places []place) error {
	byDoc := func(a, b place) int { return cmp.Compare(a.doc, b.doc) }
	slices.SortFunc(places, byDoc)
	for i := 1; i < len(places); i++ {
		if places[i].doc == places[i-1].doc {
			return fmt.Errorf("document %d, given twice: %w", places[i].doc, ErrExists)
		}
	}
	docs := d.next.docs
	if n := len(docs); n > 0 && len(places) > 0 && places[0].doc < docs[n-1].doc {
		docs = append(slices.Clip(docs), places...) // a copy
		slices.SortFunc(docs, byDoc)
	} else {
		docs = append(docs, places...)
	}
	d.next.docs = docs
	return nil
}

// remove takes a document out; false means that it is not there.
func (d *draft) remove(doc int64) bool {
	p, found := d.next.find(doc)
	if !found {
		return false
	}
	docs := make([]place, 0, len(d.next.docs)-1)
	for _, q := range d.next.docs {
		if q.doc != doc {
			docs = append(docs, q)
		}
	}
	d.next.docs = docs
	if p.n > 0 {
		s := &d.next.segs[p.seg]
		s.live = cut(s.live, run{p.start, p.start + p.n})
		s.dead += p.n
		d.next.rows -= p.n
	}
	return true
}

// cut returns a copy of runs without gone, which lies inside one of them.
func cut(runs []run, gone run) []run {
	left := make([]run, 0, len(runs)+1)
	for _, r := range runs {
		if gone.start < r.start || gone.end > r.end {
			left = append(left, r)
			continue
		}
		if r.start < gone.start {
			left = append(left, run{r.start, gone.start})
		}
		if gone.end < r.end {
			left = append(left, run{gone.end, r.end})
		}
	}
	return left
}
