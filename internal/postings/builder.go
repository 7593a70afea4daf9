package postings

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
)

// Field is one field of a chunk: its terms in any order, repeated as often as
// they occur, and its length in words (stems and parts of words are terms but
// not words).
type Field struct {
	Terms []string
	Words int
}

// Builder makes the segment of one document, chunk by chunk. It is not safe for
// concurrent use. The zero value is ready.
type Builder struct {
	sections [][]byte
	chunks   []int // per section

	// The open section.
	ids     map[uint64]uint32
	hashes  []uint64
	latest  []uint32 // per term, one more than its newest row
	rows    []row
	lengths []fieldLengths
}

type fieldLengths struct{ body, head int }

type row struct {
	term, chunk uint32
	body, head  uint16
}

// Add appends the next chunk: the text of the passage, and the heading, title
// or file name over it, whose words count for more.
func (b *Builder) Add(body, head Field) {
	if len(b.lengths) == sectionChunks {
		b.close()
	}
	if b.ids == nil {
		b.ids = make(map[uint64]uint32)
	}
	chunk := uint32(len(b.lengths))
	b.lengths = append(b.lengths, fieldLengths{max(body.Words, 0), max(head.Words, 0)})
	for _, t := range body.Terms {
		if r := b.row(chunk, t); r.body < math.MaxUint16 {
			r.body++
		}
	}
	for _, t := range head.Terms {
		if r := b.row(chunk, t); r.head < math.MaxUint16 {
			r.head++
		}
	}
}

// row returns the row of a term in the current chunk, making it if need be.
func (b *Builder) row(chunk uint32, term string) *row {
	h := hashTerm(term)
	id, ok := b.ids[h]
	if !ok {
		id = uint32(len(b.hashes))
		b.ids[h] = id
		b.hashes = append(b.hashes, h)
		b.latest = append(b.latest, 0)
	}
	if at := b.latest[id]; at > 0 && b.rows[at-1].chunk == chunk {
		return &b.rows[at-1]
	}
	b.rows = append(b.rows, row{term: id, chunk: chunk})
	b.latest[id] = uint32(len(b.rows))
	return &b.rows[len(b.rows)-1]
}

// Segment returns the finished bytes. lang is the language the terms were made
// for, at most 8 bytes; Index.Langs gives it back. It fails only for a longer
// tag and for a document beyond 268 million chunks.
func (b *Builder) Segment(lang string) ([]byte, error) {
	if len(b.lengths) > 0 {
		b.close()
	}
	if len(b.sections) > maxSections {
		return nil, errors.New("document is too large for one posting segment")
	}
	if len(lang) > maxLangBytes {
		return nil, errors.New("language tag longer than 8 bytes")
	}
	size := 64
	for _, s := range b.sections {
		size += len(s) + 10
	}
	out := make([]byte, 0, size)
	out = append(out, segmentMagic...)
	out = append(out, segmentVersion)
	out = binary.AppendUvarint(out, uint64(len(lang)))
	out = append(out, lang...)
	out = binary.AppendUvarint(out, uint64(len(b.sections)))
	for i, s := range b.sections {
		out = binary.AppendUvarint(out, uint64(len(s)))
		out = binary.AppendUvarint(out, uint64(b.chunks[i]))
	}
	sum := checksum(out)
	for _, s := range b.sections {
		out = append(out, s...)
	}
	return binary.LittleEndian.AppendUint32(out, sum), nil
}

// close finishes the open section and begins another.
func (b *Builder) close() {
	b.sections = append(b.sections, b.section())
	b.chunks = append(b.chunks, len(b.lengths))
	clear(b.ids)
	b.hashes, b.latest, b.rows, b.lengths = b.hashes[:0], b.latest[:0], b.rows[:0], b.lengths[:0]
}

func (b *Builder) section() []byte {
	order := make([]uint32, len(b.hashes))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(x, y uint32) int {
		if b.hashes[x] < b.hashes[y] {
			return -1
		}
		return 1
	})
	// Counting sort of the rows by term; chunks stay ascending within a term.
	ends := make([]uint32, len(b.hashes)+1)
	for _, r := range b.rows {
		ends[r.term+1]++
	}
	for i := 1; i < len(ends); i++ {
		ends[i] += ends[i-1]
	}
	next := slices.Clone(ends[:len(b.hashes)])
	sorted := make([]uint32, len(b.rows))
	for i, r := range b.rows {
		sorted[next[r.term]] = uint32(i)
		next[r.term]++
	}

	out := make([]byte, 0, 64+3*len(b.lengths)+10*len(order)+2*len(b.rows))
	out = binary.AppendUvarint(out, uint64(len(order)))
	out = binary.AppendUvarint(out, uint64(len(b.rows)))
	for _, l := range b.lengths {
		out = binary.AppendUvarint(out, uint64(l.body))
		out = binary.AppendUvarint(out, uint64(l.head))
	}
	for _, id := range order {
		out = binary.LittleEndian.AppendUint64(out, b.hashes[id])
	}
	for _, id := range order {
		out = binary.AppendUvarint(out, uint64(ends[id+1]-ends[id]))
	}
	for _, id := range order {
		out = appendRows(out, b.rows, sorted[ends[id]:ends[id+1]])
	}
	return binary.LittleEndian.AppendUint32(out, checksum(out))
}

func appendRows(out []byte, rows []row, list []uint32) []byte {
	before := uint32(0)
	for _, i := range list {
		r := rows[i]
		v := uint64(r.chunk-before) << 2
		before = r.chunk
		if r.body != 1 {
			v |= flagMany
		}
		if r.head != 0 {
			v |= flagHead
		}
		out = binary.AppendUvarint(out, v)
		if r.body != 1 {
			out = binary.AppendUvarint(out, uint64(r.body))
		}
		if r.head != 0 {
			out = binary.AppendUvarint(out, uint64(r.head))
		}
	}
	return out
}
