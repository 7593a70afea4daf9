package scan

import (
	"slices"
	"sync/atomic"
)

// store is the memory of one segment: full groups, and a slot per row that says where Vectors keeps it. Groups are
// written once, by the one writer, before a snapshot shows them. A store counts the snapshots that hold it.
type store struct {
	words int
	rows  int // capacity, a multiple of lanes
	codes arena
	marks arena
	slots []uint32 // atomic; nil without Vectors
	kept  *Vectors
	refs  atomic.Int64
}

func newStore(words, rows int, kept *Vectors) (*store, error) {
	groups := (rows + lanes - 1) / lanes
	s := &store{words: words, rows: groups * lanes, kept: kept}
	var err error
	if s.codes, err = newArena(groups * groupWords(words)); err != nil {
		return nil, err
	}
	if kept != nil {
		if s.marks, err = newArena(s.rows / 2); err != nil {
			s.codes.free()
			return nil, err
		}
		s.slots = s.marks.uints()[:s.rows]
		kept.retain()
	}
	s.refs.Store(1)
	return s, nil
}

// groups is the memory of n groups from at on.
func (s *store) groups(at, n int) []uint64 {
	size := groupWords(s.words)
	return s.codes.words[at*size : (at+n)*size]
}

func (s *store) retain() { s.refs.Add(1) }

// release gives everything back when nobody holds the store any more.
func (s *store) release() {
	if s.refs.Add(-1) > 0 {
		return
	}
	if s.kept != nil {
		var places []uint32
		for i := range s.slots {
			if p := atomic.LoadUint32(&s.slots[i]); p >= slotFilled {
				places = append(places, p-slotFilled)
			}
		}
		s.kept.giveBack(places)
		s.kept.release()
		s.slots = nil
		s.marks.free()
	}
	s.codes.free()
}

// span says which document a stretch of rows belongs to.
type span struct {
	doc   int64
	start int
	n     int
}

// run is a stretch of rows [start, end).
type run struct{ start, end int }

// segment is a snapshot's view of a store: the rows it may look at. The slices are never changed in place; spans may grow
// behind the length that a snapshot knows.
type segment struct {
	store  *store
	center int      // index into the snapshot's centers
	rows   int      // rows in use, dead ones included
	dead   int      // rows of removed documents
	tail   []uint64 // the last group where it is not full: a copy of this snapshot's own
	spans  []span   // every document ever placed here, by start
	live   []run    // rows of documents that are there, by start, apart from each other
	least  float32  // smallest g²/r² of any row
}

// group is the memory of the group that row lies in.
func (s *segment) group(row int) []uint64 {
	if g := row / lanes; g < s.rows/lanes {
		return s.store.groups(g, 1)
	}
	return s.tail
}

func (s *segment) factors(row int) factors {
	g := s.group(row)
	return unpackFactors((*[3 * lanes / 2]uint64)(g[s.store.words*lanes:]), row%lanes)
}

// ref tells which vector a row is.
func (s *segment) ref(row int) Ref {
	i, found := slices.BinarySearchFunc(s.spans, row, func(p span, row int) int { return p.start - row })
	if !found {
		i--
	}
	return Ref{Doc: s.spans[i].doc, Pos: row - s.spans[i].start}
}

// vector is the kept full-precision vector of a row, or nil.
func (s *segment) vector(row int) []float32 {
	if s.store.slots == nil {
		return nil
	}
	return s.store.kept.kept(&s.store.slots[row])
}

// writer appends rows to a segment that is not shown to anybody yet.
type writer struct {
	seg   *segment
	first int
	group []uint64
}

// write returns a writer that goes on where the segment ends.
func (s *segment) write() writer {
	w := writer{seg: s, first: s.rows, group: make([]uint64, groupWords(s.store.words))}
	copy(w.group, s.tail)
	return w
}

// put appends one row.
func (w *writer) put(word func(j int) uint64, f factors) {
	s := w.seg
	words, lane := s.store.words, s.rows%lanes
	for j := range words {
		w.group[j*lanes+lane] = word(j)
	}
	packFactors((*[3 * lanes / 2]uint64)(w.group[words*lanes:]), lane, f)
	if r2 := f.residual(words * wordBits); r2 > 0 {
		s.least = min(s.least, float32(float64(f.g)*float64(f.g)/r2))
	}
	s.rows++
	if s.rows%lanes == 0 {
		copy(s.store.groups(s.rows/lanes-1, 1), w.group)
		clear(w.group)
	}
}

// done leaves the partial group, if there is one, as the segment's tail, and the rows as live. It may be called on a writer
// without a segment.
func (w *writer) done() {
	s := w.seg
	if s == nil {
		return
	}
	s.tail = nil
	if s.rows%lanes != 0 {
		s.tail = w.group
	}
	live := append(make([]run, 0, len(s.live)+1), s.live...)
	if n := len(live); n > 0 && live[n-1].end == w.first {
		live[n-1].end = s.rows
	} else {
		live = append(live, run{w.first, s.rows})
	}
	s.live = live
	w.seg = nil
}
