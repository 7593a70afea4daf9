package postings

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// piece is one section of a document, on its way into a shard.
type piece struct {
	key int64
	section
}

// packer gathers pieces until they fill a shard of room chunks.
type packer struct {
	room    int
	pending []piece
	used    int
	full    func([]piece) error
}

func (p *packer) add(key int64, sections []section) error {
	for _, s := range sections {
		if p.used+s.chunks > p.room {
			if err := p.flush(); err != nil {
				return err
			}
		}
		p.pending = append(p.pending, piece{key, s})
		p.used += s.chunks
	}
	return nil
}

func (p *packer) flush() error {
	pieces := p.pending
	p.pending, p.used = nil, 0
	if len(pieces) == 0 {
		return nil
	}
	return p.full(pieces)
}

// reader is a piece in the course of being built from.
type reader struct {
	index
	start  uint32 // number in the shard of its first chunk
	at     int    // next term
	lists  int    // terms in the range at hand
	counts cursor
	rows   cursor
}

// rangeTerms is about how many terms are built at a time. Their table, and the
// postings being written, then stay in the second level of the cache.
const rangeTerms = 1 << 14

// build makes a shard of the pieces. It works through the hashes range by range,
// each time over all pieces, in which hashes are sorted: it numbers the terms,
// sums their postings, and writes these straight to their places.
func build(ctx context.Context, cfg Config, pieces []piece) (*shard, error) {
	s := &shard{docs: make([]document, 0, len(pieces))}
	readers := make([]reader, len(pieces))
	lists, postings, chunks := 0, 0, 0
	for i, p := range pieces {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		x, err := p.parse()
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", p.key, err)
		}
		readers[i] = reader{index: x, start: uint32(chunks), counts: cursor{data: x.counts}, rows: cursor{data: x.rows}}
		s.docs = append(s.docs, document{
			key: p.key, lang: p.lang, first: uint32(p.first), start: uint32(chunks), n: uint32(p.chunks),
		})
		lists, postings, chunks = lists+x.terms, postings+x.postings, chunks+p.chunks
	}
	if uint64(postings) > math.MaxUint32 {
		return nil, errors.New("too many postings for one shard")
	}
	s.lengths = make([]uint16, 0, chunks)
	for i := range readers {
		s.lengths = appendLengths(s.lengths, readers[i].index)
	}
	s.chunk, s.freq = make([]uint16, postings), make([]uint8, postings)
	s.starts = append(s.starts, 0)
	width := bits.Len(uint(lists / 8 / rangeTerms)) // a term is in some eight lists
	var w termRange
	for r := range uint64(1) << width {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		last := ^uint64(0)
		if width > 0 {
			last = (r+1)<<(64-width) - 1
		}
		w.count(readers, last)
		w.place(s)
		w.fill(s, cfg, readers)
	}
	s.hashes, s.starts = snug(s.hashes), snug(s.starts)
	s.finish()
	return s, nil
}

// termRange is the terms of one range.
type termRange struct {
	table  table
	counts []uint32 // postings of every term
	ids    []uint32 // the term of every list, in the order of reading
	order  []uint32
}

// count numbers the terms up to the hash last, and sums their postings.
func (w *termRange) count(readers []reader, last uint64) {
	w.table.reset()
	w.counts, w.ids = w.counts[:0], w.ids[:0]
	for i := range readers {
		x := &readers[i]
		c, from := x.counts, x.at
		for ; x.at < x.terms && x.hash(x.at) <= last; x.at++ {
			id := w.table.put(x.hash(x.at))
			if int(id) == len(w.counts) {
				w.counts = append(w.counts, 0)
			}
			w.counts[id] += uint32(c.uvarint())
			w.ids = append(w.ids, id)
		}
		x.lists = x.at - from
	}
}

// place appends the terms to the dictionary in order, and turns their counts
// into the places of their lists.
func (w *termRange) place(s *shard) {
	w.order = w.order[:0]
	for id := range w.counts {
		w.order = append(w.order, uint32(id))
	}
	hashes := w.table.hashes
	slices.SortFunc(w.order, func(x, y uint32) int {
		if hashes[x] < hashes[y] {
			return -1
		}
		return 1
	})
	end := s.starts[len(s.starts)-1]
	for _, id := range w.order {
		n := w.counts[id]
		w.counts[id] = end
		end += n
		s.hashes = append(s.hashes, hashes[id])
		s.starts = append(s.starts, end)
	}
}

// fill writes the postings.
func (w *termRange) fill(s *shard, cfg Config, readers []reader) {
	weight := cfg.headHalves()
	ids := w.ids
	for i := range readers {
		x := &readers[i]
		for _, id := range ids[:x.lists] {
			at, chunk := w.counts[id], uint64(x.start)
			for range x.counts.uvarint() {
				gap, body, head := x.rows.posting()
				chunk += gap
				s.chunk[at] = uint16(chunk)
				s.freq[at] = uint8(min(2*body+weight*head, math.MaxUint8))
				at++
			}
			w.counts[id] = at
		}
		ids = ids[x.lists:]
	}
}

func appendLengths(dst []uint16, x index) []uint16 {
	c := cursor{data: x.lengths}
	for range x.chunks {
		body, head := min(c.uvarint(), math.MaxUint16), min(c.uvarint(), math.MaxUint16)
		dst = append(dst, uint16(min(body+head, math.MaxUint16)))
	}
	return dst
}

// table numbers hashes in the order of their first appearance.
type table struct {
	slots  []slot
	shift  uint
	hashes []uint64
}

// spread brings the lower bits of a hash forward, since the leading ones are
// the same throughout a range (Fibonacci hashing).
const spread = 0x9e3779b97f4a7c15

// slot holds the hash itself, so that a look-up touches one cache line.
type slot struct {
	hash uint64
	next uint32 // id + 1, 0 if the slot is free
}

// reset empties the table, and makes it if it is not yet.
func (t *table) reset() {
	const width = 10
	if t.slots == nil {
		t.slots, t.shift = make([]slot, 1<<width), 64-width
	}
	clear(t.slots)
	t.hashes = t.hashes[:0]
}

// put returns the number of a hash, adding it if need be.
func (t *table) put(h uint64) uint32 {
	mask := uint64(len(t.slots) - 1)
	for i := h * spread >> t.shift; ; i = (i + 1) & mask {
		switch v := &t.slots[i]; {
		case v.next == 0:
			t.hashes = append(t.hashes, h)
			*v = slot{h, uint32(len(t.hashes))}
			if 3*len(t.hashes) > 2*len(t.slots) {
				t.grow()
			}
			return uint32(len(t.hashes) - 1)
		case v.hash == h:
			return v.next - 1
		}
	}
}

func (t *table) grow() {
	t.slots = make([]slot, 2*len(t.slots))
	t.shift--
	mask := uint64(len(t.slots) - 1)
	for id, h := range t.hashes {
		i := h * spread >> t.shift
		for t.slots[i].next != 0 {
			i = (i + 1) & mask
		}
		t.slots[i] = slot{h, uint32(id + 1)}
	}
}
