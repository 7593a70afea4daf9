package scan

import (
	"math"
	"sync/atomic"
)

// pack copies what is alive into new memory, one segment for each center, and lets the old go when its last reader has.
// Vectors that were kept are kept again as far as the limit allows while both copies exist.
func (d *draft) pack() error {
	old := d.next.segs
	rows := make([]int, len(d.next.centers))
	for i := range old {
		rows[old[i].center] += old[i].rows - old[i].dead
	}
	segs := make([]segment, 0, len(rows))
	at := make([]int, len(rows))
	drop := func() {
		for i := range segs {
			segs[i].store.release()
		}
	}
	for c, n := range rows {
		if n == 0 {
			continue
		}
		st, err := newStore(d.words, max(n, leastRows), d.vectors)
		if err != nil {
			drop()
			return err
		}
		at[c] = len(segs)
		segs = append(segs, segment{store: st, center: c, least: math.MaxFloat32})
	}
	writers := make([]writer, len(segs))
	for i := range segs {
		writers[i] = segs[i].write()
	}
	docs := make([]place, len(d.next.docs))
	for i, p := range d.next.docs {
		if p.n > 0 {
			from := &old[p.seg]
			to := at[from.center]
			p = move(&writers[to], from, p)
			p.seg = to
		}
		docs[i] = p
	}
	for i := range writers {
		writers[i].done()
	}
	d.next.segs, d.next.docs = segs, docs
	for i := range old {
		old[i].store.release()
	}
	return nil
}

// move copies the rows of one document to where w stands and returns their new place, its seg not yet set.
func move(w *writer, from *segment, p place) place {
	to := place{doc: p.doc, start: w.seg.rows, n: p.n}
	w.seg.spans = append(w.seg.spans, span{doc: p.doc, start: w.seg.rows, n: p.n})
	for row := p.start; row < p.start+p.n; row++ {
		group, lane := from.group(row), row%lanes
		at := w.seg.rows
		w.put(func(j int) uint64 { return group[j*lanes+lane] }, from.factors(row))
		if vec := from.vector(row); vec != nil {
			w.seg.store.keep(at, vec)
		}
	}
	return to
}

// keep fills a row's full-precision vector, if the store keeps any.
func (s *store) keep(row int, vec []float32) {
	if s.slots != nil && atomic.LoadUint32(&s.slots[row]) == slotEmpty {
		s.kept.fill(&s.slots[row], vec)
	}
}
