package postings

import (
	"math/bits"
	"slices"
)

const (
	// shardChunks is the most chunks of one shard: the number of a chunk inside
	// its shard has 16 bits, so a posting is 3 bytes that need no decoding.
	shardChunks = 1 << 16
	blockSize   = 128 // postings that share a bound
)

// shard is an immutable inverted index over up to 65,536 chunks. All slices
// are free of pointers, so the garbage collector has nothing to walk.
type shard struct {
	docs    []document // in the order of their chunks
	byKey   []uint32   // positions in docs, by key and first chunk
	lengths []uint16   // per chunk, in words, saturated
	words   uint64     // sum of lengths

	hashes []uint64 // of the terms, ascending
	starts []uint32 // per term, where its postings begin; one more at the end
	jump   []uint32 // by the leading bits of a hash: where to look in hashes
	shift  uint

	chunk []uint16 // per posting: the chunk
	freq  []uint8  // per posting: weighted frequency in halves, saturated

	// Bounds of every blockSize postings, across the ends of lists.
	maxFreq []uint8
	minLen  []uint16
}

// document is the part of one document that lies in one shard; a document
// larger than a shard has several.
type document struct {
	key   int64
	lang  uint64
	first uint32 // position in the document of its first chunk here
	start uint32 // number in the shard of that chunk
	n     uint32
}

// finish derives what follows from the postings.
func (s *shard) finish() {
	s.byKey = make([]uint32, len(s.docs))
	for i := range s.byKey {
		s.byKey[i] = uint32(i)
	}
	slices.SortStableFunc(s.byKey, func(x, y uint32) int {
		switch a, b := &s.docs[x], &s.docs[y]; {
		case a.key < b.key:
			return -1
		case a.key > b.key:
			return 1
		}
		return int(x) - int(y)
	})
	s.words = 0
	for _, l := range s.lengths {
		s.words += uint64(l)
	}
	width := max(bits.Len(uint(len(s.hashes)))-2, 0)
	s.shift = uint(64 - width)
	s.jump = make([]uint32, 1<<width+1)
	for _, h := range s.hashes {
		s.jump[s.bucket(h)+1]++
	}
	for i := 1; i < len(s.jump); i++ {
		s.jump[i] += s.jump[i-1]
	}
	blocks := (len(s.chunk) + blockSize - 1) / blockSize
	s.maxFreq, s.minLen = make([]uint8, blocks), make([]uint16, blocks)
	for b := range blocks {
		s.maxFreq[b], s.minLen[b] = s.extremes(b*blockSize, min((b+1)*blockSize, len(s.chunk)))
	}
}

// bucket returns the leading bits of a hash. A shift by 64 gives 0 in Go.
func (s *shard) bucket(h uint64) uint64 { return h >> s.shift }

// extremes returns the largest frequency and the shortest chunk of some
// postings.
func (s *shard) extremes(from, to int) (freq uint8, length uint16) {
	length = ^uint16(0)
	for i := from; i < to; i++ {
		freq = max(freq, s.freq[i])
		length = min(length, s.lengths[s.chunk[i]])
	}
	return freq, length
}

// find returns the range of a term's postings, empty if it has none.
func (s *shard) find(h uint64) (from, to int) {
	if len(s.hashes) == 0 {
		return 0, 0
	}
	b := s.bucket(h)
	for i := s.jump[b]; i < s.jump[b+1]; i++ {
		if s.hashes[i] == h {
			return int(s.starts[i]), int(s.starts[i+1])
		}
	}
	return 0, 0
}

// holding returns the document that a chunk belongs to.
func (s *shard) holding(chunk uint32) *document {
	lo, hi := 0, len(s.docs)
	for hi-lo > 1 {
		if m := (lo + hi) / 2; s.docs[m].start <= chunk {
			lo = m
		} else {
			hi = m
		}
	}
	return &s.docs[lo]
}

// parts calls yield with the positions in docs of a document's parts.
func (s *shard) parts(key int64, yield func(i uint32)) {
	at, _ := slices.BinarySearchFunc(s.byKey, key, func(i uint32, key int64) int {
		switch k := s.docs[i].key; {
		case k < key:
			return -1
		case k > key:
			return 1
		}
		return 0
	})
	for ; at < len(s.byKey) && s.docs[s.byKey[at]].key == key; at++ {
		yield(s.byKey[at])
	}
}

// bytes returns the memory the shard holds.
func (s *shard) bytes() int64 {
	return int64(cap(s.docs))*32 + 4*int64(cap(s.byKey)) + 2*int64(cap(s.lengths)) + 8*int64(cap(s.hashes)) +
		4*int64(cap(s.starts)+cap(s.jump)) + 2*int64(cap(s.chunk)) + int64(cap(s.freq)) +
		int64(cap(s.maxFreq)) + 2*int64(cap(s.minLen))
}
