package scan

import "context"

// Cosines returns the exact cosine to query of each vector named, in their order, and whether it was found at all. It is
// for a handful: each vector that is not kept is read through fetch, also one that the index does not know (yet, or any
// more), so a ref's document must be the user's own. The rules for ctx and query are Search's.
func (x *Index) Cosines(ctx context.Context, query []float32, refs []Ref, fetch Fetcher) ([]float32, []bool, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if err := x.checkCall(query, fetch); err != nil {
		return nil, nil, err
	}
	snap, err := x.acquire()
	if err != nil {
		return nil, nil, err
	}
	defer snap.release()
	s := x.begin(snap, query, fetch)
	defer x.end(s)

	cosines, found := make([]float32, len(refs)), make([]bool, len(refs))
	unread := make(map[Ref][]int)
	for i, r := range refs {
		if err := s.spend(ctx, x.dim, floatsPerCheck); err != nil {
			return nil, nil, err
		}
		if vec := snap.kept(r); vec != nil {
			cosines[i], found[i] = dot(x.use, query, vec), true
			continue
		}
		unread[r] = append(unread[r], i)
	}
	b := &s.batch
	flush := func() error {
		if err := b.read(ctx, x.dim, fetch); err != nil {
			return err
		}
		for i, it := range b.items {
			if !b.found[i] {
				continue
			}
			cosine := dot(x.use, query, b.dst[i])
			if !usable(cosine) {
				return unreadable(it.ref)
			}
			for _, at := range unread[it.ref] {
				cosines[at], found[at] = cosine, true
			}
			snap.keep(it.ref, b.dst[i])
		}
		b.start()
		return nil
	}
	most := max(1, min(batchRows, batchFloats/x.dim))
	b.start()
	for r := range unread {
		if b.add(r, 0); len(b.items) == most {
			if err := flush(); err != nil {
				return nil, nil, err
			}
		}
	}
	if err := flush(); err != nil {
		return nil, nil, err
	}
	return cosines, found, nil
}

// row finds a ref's row.
func (s *snapshot) row(r Ref) (*segment, int, bool) {
	p, found := s.find(r.Doc)
	if !found || r.Pos < 0 || r.Pos >= p.n {
		return nil, 0, false
	}
	return &s.segs[p.seg], p.start + r.Pos, true
}

// kept is the full-precision vector of a ref where it is at hand, or nil.
func (s *snapshot) kept(r Ref) []float32 {
	seg, row, found := s.row(r)
	if !found {
		return nil
	}
	return seg.vector(row)
}

// keep fills the row of a ref, if there is one.
func (s *snapshot) keep(r Ref, vec []float32) {
	if seg, row, found := s.row(r); found {
		seg.store.keep(row, vec)
	}
}
