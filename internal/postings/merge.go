package postings

import (
	"context"
	"slices"
)

// merge makes one shard of the live chunks of several, in their order. Every
// list of the result is the lists of the parts one after the other, since the
// chunks of one part all come before those of the next. It holds, beside its
// result, the new numbers of the old chunks: 2 bytes for each.
func merge(ctx context.Context, parts []part) (*shard, error) {
	out := &shard{}
	renumber := make([][]uint16, len(parts))
	terms, postings := 0, 0
	for i, p := range parts {
		renumber[i] = make([]uint16, len(p.lengths))
		for _, d := range p.docs {
			if p.dead.has(d.start) {
				continue
			}
			at := uint32(len(out.lengths))
			for c := range d.n {
				renumber[i][d.start+c] = uint16(at + c)
			}
			out.lengths = append(out.lengths, p.lengths[d.start:d.start+d.n]...)
			d.start = at
			out.docs = append(out.docs, d)
		}
		terms += len(p.hashes)
		postings += len(p.chunk)
	}
	out.hashes = make([]uint64, 0, terms)
	out.starts = make([]uint32, 1, terms+1)
	out.chunk, out.freq = make([]uint16, 0, postings), make([]uint8, 0, postings)
	heads := make([]int, len(parts)) // next term of each part
	for step := 0; ; step++ {
		if step&0xfff == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		h, any := uint64(0), false
		for i, p := range parts {
			if heads[i] < len(p.hashes) && (!any || p.hashes[heads[i]] < h) {
				h, any = p.hashes[heads[i]], true
			}
		}
		if !any {
			break
		}
		for i, p := range parts {
			if heads[i] < len(p.hashes) && p.hashes[heads[i]] == h {
				from, to := p.starts[heads[i]], p.starts[heads[i]+1]
				heads[i]++
				out.take(p, renumber[i], from, to)
			}
		}
		if at := uint32(len(out.chunk)); at > out.starts[len(out.starts)-1] {
			out.hashes = append(out.hashes, h)
			out.starts = append(out.starts, at)
		}
	}
	// The capacity was that of all parts together; shared terms and removed
	// chunks leave part of it empty, which would be held as long as the shard.
	out.hashes, out.starts = snug(out.hashes), snug(out.starts)
	out.chunk, out.freq = snug(out.chunk), snug(out.freq)
	out.finish()
	return out, nil
}

// take appends the live postings of one list.
func (s *shard) take(p part, renumber []uint16, from, to uint32) {
	for i := from; i < to; i++ {
		c := p.chunk[i]
		if p.dead.has(uint32(c)) {
			continue
		}
		s.chunk = append(s.chunk, renumber[c])
		s.freq = append(s.freq, p.freq[i])
	}
}

// snug returns s without the spare capacity, if that is worth a copy.
func snug[T any](s []T) []T {
	if cap(s)-len(s) <= len(s)/8 {
		return s
	}
	return slices.Clone(s)
}
