package postings

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
)

// snapshot is everything a reader sees: immutable, replaced as a whole.
type snapshot struct {
	parts  []part // largest first
	chunks int    // live ones, in all parts
	words  uint64 // of the live chunks
	docs   int
	langs  []string
	bytes  int64
}

// part is a shard and what of it has been removed since it was built.
type part struct {
	*shard
	dead   bitset // chunks removed; nil if none
	chunks int    // live ones
	words  uint64
}

// bitset holds chunk numbers; nil is empty.
type bitset []uint64

func (b bitset) has(i uint32) bool { return b != nil && b[i>>6]>>(i&63)&1 != 0 }

func whole(s *shard) part { return part{shard: s, chunks: len(s.lengths), words: s.words} }

// without returns the part with one document removed, and whether it held it.
func (p part) without(key int64) (part, bool) {
	cloned := false
	p.parts(key, func(i uint32) {
		d := p.docs[i]
		if p.dead.has(d.start) {
			return
		}
		if !cloned {
			if p.dead == nil {
				p.dead = make(bitset, (len(p.lengths)+63)/64)
			} else {
				p.dead = slices.Clone(p.dead)
			}
			cloned = true
		}
		for c := d.start; c < d.start+d.n; c++ {
			p.dead[c>>6] |= 1 << (c & 63)
			p.words -= uint64(p.lengths[c])
		}
		p.chunks -= int(d.n)
	})
	return p, cloned
}

// frequency returns how many live chunks hold a term whose postings are given.
func (p part) frequency(from, to int) int {
	if p.dead == nil {
		return to - from
	}
	n := 0
	for _, c := range p.chunk[from:to] {
		if !p.dead.has(uint32(c)) {
			n++
		}
	}
	return n
}

// newSnapshot sums up the parts.
func newSnapshot(parts []part) *snapshot {
	s := &snapshot{parts: slices.DeleteFunc(parts, func(p part) bool { return p.chunks == 0 })}
	slices.SortStableFunc(s.parts, func(a, b part) int { return cmp.Compare(b.chunks, a.chunks) })
	langs := make(map[uint64]bool)
	for _, p := range s.parts {
		s.chunks += p.chunks
		s.words += p.words
		s.bytes += p.bytes() + 8*int64(len(p.dead))
		for i := range p.docs {
			if d := &p.docs[i]; !p.dead.has(d.start) {
				langs[d.lang] = true
				if d.first == 0 {
					s.docs++
				}
			}
		}
	}
	for l := range langs {
		s.langs = append(s.langs, unpackLang(l))
	}
	slices.Sort(s.langs)
	return s
}

// Merging. Parts are classed by size, each class four times the one below. Four
// parts of one class become one of the next, so an index has at most three of
// each class for long, and a chunk is copied about eight times in its life.
const mergeFan = 4

func class(chunks int) int { return (bits.Len(uint(chunks)) + 1) / 2 }

// mergeable chooses parts to merge, by their places, nil if nothing is to do:
// any part of which a quarter is dead, or the smallest of a crowded class that
// fit into a shard.
func mergeable(parts []part) []int {
	crowd := make(map[int][]int)
	for i, p := range parts {
		if dead := len(p.lengths) - p.chunks; 4*dead > len(p.lengths) {
			return []int{i}
		}
		crowd[class(p.chunks)] = append(crowd[class(p.chunks)], i)
	}
	for _, c := range slices.Sorted(func(yield func(int) bool) {
		for c := range crowd {
			if !yield(c) {
				return
			}
		}
	}) {
		in := crowd[c]
		if len(in) < mergeFan {
			continue
		}
		slices.SortFunc(in, func(x, y int) int { return cmp.Compare(parts[x].chunks, parts[y].chunks) })
		sum, postings, n := 0, 0, 0
		for n < len(in) {
			p := parts[in[n]]
			if sum, postings = sum+p.chunks, postings+len(p.chunk); sum > shardChunks || uint64(postings) > math.MaxUint32 {
				break
			}
			n++
		}
		if n >= 2 {
			return in[:n]
		}
	}
	return nil
}
