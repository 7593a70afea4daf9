package postings

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
)

// ErrCorrupt is wrapped by every error about bytes that are not a segment.
var ErrCorrupt = errors.New("corrupt posting segment")

// Limits checked when a segment is built and when it is read.
const (
	sectionChunks = 1 << 14
	maxSections   = 1 << 14
	maxLangBytes  = 8
)

// A segment on disk, integers little-endian, "uv" an unsigned varint:
//
//	"wps" 1   magic, version
//	lang      uv length ≤ 8, bytes
//	sections  uv, then per section: uv bytes, uv chunks
//	          the sections, one after the other
//	crc32c    of all before, uint32
//
// A section is the inverted index of up to 16,384 consecutive chunks, numbered
// from 0; all sections but the last are full. Sections exist so that a huge
// document is built within bounded memory and loaded on several cores:
//
//	terms, postings  uv, uv
//	lengths          per chunk: uv words of the body, uv words of the head
//	hashes           terms × uint64, strictly ascending
//	counts           terms × uv, each ≥ 1, their sum is postings
//	postings         term by term, chunk ascending:
//	                 uv gap<<2 | head<<1 | many
//	                 if many: uv frequency in the body, else it is 1
//	                 if head: uv frequency in the head, else it is 0
//	crc32c           of the section before, uint32
const (
	segmentMagic   = "wps"
	segmentVersion = 1
	flagMany       = 1
	flagHead       = 2
	sumBytes       = 4
)

// section is one section of a segment, as yet unread.
type section struct {
	lang   uint64
	first  int // chunk of the document it begins with
	chunks int
	data   []byte
}

// Verify reports whether data is a whole and undamaged segment; if not, the
// error wraps ErrCorrupt.
func Verify(data []byte) error {
	sections, err := split(data)
	if err != nil {
		return err
	}
	for _, s := range sections {
		if _, err := s.parse(); err != nil {
			return err
		}
	}
	return nil
}

// split reads the frame of a segment. It allocates no more than the bytes can
// answer for.
func split(data []byte) ([]section, error) {
	if len(data) < len(segmentMagic)+1+sumBytes || string(data[:len(segmentMagic)]) != segmentMagic {
		return nil, fmt.Errorf("%w: no segment header", ErrCorrupt)
	}
	if v := data[len(segmentMagic)]; v != segmentVersion {
		return nil, fmt.Errorf("%w: version %d, this program reads %d", ErrCorrupt, v, segmentVersion)
	}
	r := cursor{data: data[len(segmentMagic)+1 : len(data)-sumBytes]}
	lang := r.uvarint()
	if lang > maxLangBytes {
		return nil, fmt.Errorf("%w: language tag", ErrCorrupt)
	}
	tag := packLang(string(r.take(int(lang))))
	n := r.uvarint()
	if r.bad || n > maxSections || n > uint64(len(r.data)) {
		return nil, fmt.Errorf("%w: number of sections", ErrCorrupt)
	}
	sections := make([]section, n)
	first, sizes := 0, make([]int, n)
	for i := range sections {
		size, chunks := r.uvarint(), r.uvarint()
		if r.bad || size > uint64(len(data)) || chunks == 0 || chunks > sectionChunks ||
			(chunks < sectionChunks && i < len(sections)-1) {
			return nil, fmt.Errorf("%w: table of sections", ErrCorrupt)
		}
		sections[i] = section{lang: tag, first: first, chunks: int(chunks)}
		sizes[i] = int(size)
		first += int(chunks)
	}
	frame := data[:len(data)-sumBytes-len(r.data)]
	for i := range sections {
		sections[i].data = r.take(sizes[i])
	}
	if r.bad || len(r.data) != 0 {
		return nil, fmt.Errorf("%w: sections do not fill it", ErrCorrupt)
	}
	if checksum(frame) != binary.LittleEndian.Uint32(data[len(data)-sumBytes:]) {
		return nil, fmt.Errorf("%w: checksum of its header does not match", ErrCorrupt)
	}
	return sections, nil
}

// index is a parsed and wholly verified view of a section; it aliases its
// bytes.
type index struct {
	chunks   int
	terms    int
	postings int
	lengths  []byte
	hashes   []byte
	counts   []byte
	rows     []byte
}

// hash returns the i-th term hash.
func (s *index) hash(i int) uint64 { return binary.LittleEndian.Uint64(s.hashes[8*i:]) }

// parse checks everything in a section, so that whoever walks it later meets no
// surprise.
func (s section) parse() (index, error) {
	x := index{chunks: s.chunks}
	if len(s.data) < sumBytes {
		return x, fmt.Errorf("%w: cut short", ErrCorrupt)
	}
	body := s.data[:len(s.data)-sumBytes]
	if checksum(body) != binary.LittleEndian.Uint32(s.data[len(body):]) {
		return x, fmt.Errorf("%w: checksum does not match", ErrCorrupt)
	}
	r := cursor{data: body}
	terms, posts := r.uvarint(), r.uvarint()
	left := uint64(len(r.data))
	if r.bad || uint64(s.chunks) > left/2 || terms > left/9 || posts > left || posts < terms {
		return x, fmt.Errorf("%w: counts do not fit %d bytes", ErrCorrupt, len(s.data))
	}
	x.terms, x.postings = int(terms), int(posts)
	at := r.data
	for range 2 * x.chunks {
		r.uvarint()
	}
	x.lengths = at[:len(at)-len(r.data)]
	x.hashes = r.take(8 * x.terms)
	if r.bad {
		return x, fmt.Errorf("%w: cut short", ErrCorrupt)
	}
	for i := 1; i < x.terms; i++ {
		if x.hash(i-1) >= x.hash(i) {
			return x, fmt.Errorf("%w: terms out of order", ErrCorrupt)
		}
	}
	at = r.data
	for range x.terms {
		r.uvarint()
	}
	if r.bad {
		return x, fmt.Errorf("%w: cut short", ErrCorrupt)
	}
	x.counts, x.rows = at[:len(at)-len(r.data)], r.data
	return x, x.verifyRows()
}

func (s *index) verifyRows() error {
	counts, rows := cursor{data: s.counts}, cursor{data: s.rows}
	total := uint64(0)
	for range s.terms {
		n := counts.uvarint()
		total += n
		if n == 0 || n > uint64(s.chunks) || total > uint64(s.postings) {
			return fmt.Errorf("%w: posting counts", ErrCorrupt)
		}
		chunk := uint64(0)
		for i := range n {
			gap, body, head := rows.posting()
			if rows.bad || gap >= uint64(s.chunks) || (i > 0 && gap == 0) || (body == 0 && head == 0) {
				return fmt.Errorf("%w: posting list", ErrCorrupt)
			}
			if chunk += gap; chunk >= uint64(s.chunks) {
				return fmt.Errorf("%w: posting beyond the last chunk", ErrCorrupt)
			}
		}
	}
	if total != uint64(s.postings) || len(rows.data) != 0 {
		return fmt.Errorf("%w: posting counts do not add up", ErrCorrupt)
	}
	return nil
}

// cursor reads varints; after the end, or a varint that is too long, bad is
// set and everything reads as zero.
type cursor struct {
	data []byte
	bad  bool
}

func (c *cursor) uvarint() uint64 {
	if len(c.data) > 0 && c.data[0] < 0x80 {
		v := uint64(c.data[0])
		c.data = c.data[1:]
		return v
	}
	v, n := binary.Uvarint(c.data)
	if n <= 0 {
		c.bad, c.data = true, nil
		return 0
	}
	c.data = c.data[n:]
	return v
}

func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.data) {
		c.bad = true
		return nil
	}
	b := c.data[:n]
	c.data = c.data[n:]
	return b
}

// posting reads one row: the gap to the chunk before, and how often the term
// stands in the chunk's body and head.
func (c *cursor) posting() (gap, body, head uint64) {
	if len(c.data) > 0 && c.data[0] < 0x80 && c.data[0]&(flagMany|flagHead) == 0 { // once, and not far
		gap = uint64(c.data[0] >> 2)
		c.data = c.data[1:]
		return gap, 1, 0
	}
	v := c.uvarint()
	body = 1
	if v&flagMany != 0 {
		body = c.uvarint()
	}
	if v&flagHead != 0 {
		head = c.uvarint()
	}
	return v >> 2, min(body, math.MaxUint16), min(head, math.MaxUint16)
}

// packLang keeps a language tag without a pointer.
func packLang(lang string) uint64 {
	var b [maxLangBytes]byte
	copy(b[:], lang)
	return binary.LittleEndian.Uint64(b[:])
}

func unpackLang(v uint64) string {
	var b [maxLangBytes]byte
	binary.LittleEndian.PutUint64(b[:], v)
	n := 0
	for n < len(b) && b[n] != 0 {
		n++
	}
	return string(b[:n])
}

func checksum(data []byte) uint32 { return crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)) }
