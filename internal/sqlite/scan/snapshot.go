package scan

import (
	"cmp"
	"slices"
	"sync/atomic"
)

// snapshot is one state of an Index. It never changes; it is let go of by reference count, because what it shows lies
// outside the garbage collector's reach.
type snapshot struct {
	refs    atomic.Int64
	centers []*Center
	docs    []place // by key
	segs    []segment
	rows    int // live
}

// place says where a document's rows are.
type place struct {
	doc   int64
	seg   int
	start int
	n     int
}

// retain takes part in the snapshot; false means that it is gone already and the caller must ask for a newer one.
func (s *snapshot) retain() bool {
	for {
		n := s.refs.Load()
		if n == 0 {
			return false
		}
		if s.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (s *snapshot) release() {
	if s.refs.Add(-1) > 0 {
		return
	}
	for i := range s.segs {
		s.segs[i].store.release()
	}
}

// index is where a document stands in docs.
func (s *snapshot) index(doc int64) (int, bool) {
	return slices.BinarySearchFunc(s.docs, doc, func(p place, doc int64) int { return cmp.Compare(p.doc, doc) })
}

// find looks a document up.
func (s *snapshot) find(doc int64) (place, bool) {
	i, found := s.index(doc)
	if !found {
		return place{}, false
	}
	return s.docs[i], true
}

// center looks a center up by its id.
func (s *snapshot) center(id int64) int {
	return slices.IndexFunc(s.centers, func(c *Center) bool { return c.id == id })
}

// bytes is the memory that the snapshot shows, descriptors included, the Vectors not.
func (s *snapshot) bytes() int64 {
	var n int64
	for _, c := range s.centers {
		n += c.bytes()
	}
	const placeBytes, spanBytes, runBytes = 32, 24, 16
	n += int64(placeBytes * len(s.docs))
	for i := range s.segs {
		g := &s.segs[i]
		n += int64(8 * groupWords(g.store.words) * (g.rows / lanes))
		n += int64(8*len(g.tail) + spanBytes*len(g.spans) + runBytes*len(g.live))
		if g.store.slots != nil {
			n += int64(4 * g.rows)
		}
	}
	return n
}
