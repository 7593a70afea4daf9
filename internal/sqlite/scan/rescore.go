package scan

import (
	"context"
	"fmt"
	"math"
	"math/bits"
	"slices"
)

const (
	// firstRound is how many of the highest bounds are compared exactly first, at least; each round after takes
	// roundGrowth times as many. Small ones waste no reads, large ones no passes over the candidates.
	firstRound  = 16
	roundGrowth = 4
	// passRows is how many candidates are looked over between two looks at ctx.
	passRows = 16 << 10
	// compareRows is how many candidates are taken up between two looks at the floor and, perhaps, ctx.
	compareRows = 64
	// batchFloats and batchRows bound what is asked of a Fetcher at once.
	batchFloats = 128 << 10
	batchRows   = 256
)

// floor is the cosine below which nothing can be among the best any more, or -Inf.
func (s *search) floor() float32 {
	tau := float32(math.Inf(-1))
	if s.top.full() {
		tau = s.top.floor()
	}
	if s.lows.n > 0 && s.lows.full() {
		tau = max(tau, s.lows.vals[0])
	}
	return tau - roundingSlack
}

// collect takes the marked rows of n groups, the first of them being g, as far as they belong to r.
func (s *search) collect(at, g, n int, r run) {
	seg := &s.snap.segs[at]
	if first := g * lanes; r.start > first {
		s.masks[0] &= 0xFF << (r.start - first)
	}
	if end := (g + n) * lanes; r.end < end {
		s.masks[n-1] &= 0xFF >> (end - r.end)
	}
	for i, mask := range s.masks[:n] {
		for ; mask != 0; mask &= mask - 1 {
			l := i*lanes + bits.TrailingZeros8(mask)
			row, est := g*lanes+l, s.est[l]
			s.front.offer(est, len(s.cands))
			s.cands = append(s.cands, candidate{ub: s.ub[l], at: address(at, row)})
			// A lower bound can only matter where the estimate does, and only while no exact floor is above it.
			if s.lows.wants(est) && (!s.top.full() || est > s.top.floor()) {
				s.lows.offer(est-s.probe.lower*s.probe.c.halfWidth(seg.factors(row)), 0)
			}
		}
	}
}

// look compares the most promising candidates exactly where their vectors are at hand, to raise the floor early.
func (s *search) look(ctx context.Context) error {
	s.ready = s.ready[:0]
	for _, i := range s.front.from {
		c := &s.cands[i]
		if math.IsInf(float64(c.ub), -1) {
			continue
		}
		if vec := s.vector(*c); vec != nil {
			s.ready = append(s.ready, scored{c.at, vec})
			c.ub = float32(math.Inf(-1))
		}
	}
	return s.scoreReady(ctx)
}

// scored is a row and its vector.
type scored struct {
	at  int64
	vec []float32
}

// scoreReady compares the vectors in s.ready, and asks for the memory of those to come: they lie at random, and waiting for
// them costs more than the sums.
func (s *search) scoreReady(ctx context.Context) error {
	const ahead = 3
	for i, r := range s.ready {
		s.score(r.at, r.vec, s.ready[min(i+ahead, len(s.ready)-1)].vec)
		if err := s.spend(ctx, s.x.dim, floatsPerCheck); err != nil {
			return err
		}
	}
	return nil
}

// row unpacks a candidate's at.
func (s *search) row(at int64) (*segment, int) {
	return &s.snap.segs[at>>rowBits], int(at & (1<<rowBits - 1))
}

// vector is the kept vector of a candidate, or nil.
func (s *search) vector(c candidate) []float32 {
	seg, row := s.row(c.at)
	return seg.vector(row)
}

// score compares one vector with the query and returns the cosine; next is the memory that will be wanted soon.
func (s *search) score(at int64, vec, next []float32) float32 {
	s.stats.Rescored++
	cosine := dotThen(s.x.use, s.query, vec, next)
	if !s.top.full() || cosine >= s.top.floor() {
		seg, row := s.row(at)
		s.top.offer(cosine, seg.ref(row))
	}
	return cosine
}

// settle compares exactly, highest bounds first, until no bound reaches the k-th best.
func (s *search) settle(ctx context.Context) error {
	if err := s.look(ctx); err != nil {
		return err
	}
	rest := s.cands
	for want := max(firstRound, s.top.k); len(rest) > 0; want *= roundGrowth {
		hopeful, err := s.hopeful(ctx, rest)
		if err != nil {
			return err
		}
		var now []candidate
		if now, rest, err = s.split(ctx, hopeful, want); err != nil {
			return err
		}
		if err := s.compare(ctx, now); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// hopeful keeps, in place, the candidates whose bound reaches the floor.
func (s *search) hopeful(ctx context.Context, cands []candidate) ([]candidate, error) {
	tau := max(s.floor(), -math.MaxFloat32) // a bound of -Inf is no candidate's
	n := 0
	for i, c := range cands {
		cands[n] = c
		if c.ub >= tau {
			n++
		}
		if i%passRows == passRows-1 {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
		}
	}
	return cands[:n], nil
}

// split moves about want candidates with the highest bounds to the front: those in the upper bins of a histogram.
func (s *search) split(ctx context.Context, cands []candidate, want int) (now, rest []candidate, err error) {
	if len(cands) <= 2*want {
		return cands, nil, nil
	}
	lo, hi := cands[0].ub, cands[0].ub
	for part := range slices.Chunk(cands, passRows) {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		for _, c := range part {
			lo, hi = min(lo, c.ub), max(hi, c.ub)
		}
	}
	const bins = 128
	scale := (bins - 1) / (hi - lo)
	if !(scale <= math.MaxFloat32) {
		return cands, nil, nil // all alike
	}
	bin := func(c candidate) int { return int((c.ub-lo)*scale) & (bins - 1) }
	var count [bins]int
	for part := range slices.Chunk(cands, passRows) {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		for _, c := range part {
			count[bin(c)]++
		}
	}
	cut, n := bins, 0
	for cut > 0 && n < want {
		cut--
		n += count[cut]
	}
	at := 0
	for i, c := range cands {
		if bin(c) >= cut {
			cands[i], cands[at] = cands[at], c
			at++
		}
		if i%passRows == passRows-1 {
			if err := ctx.Err(); err != nil {
				return nil, nil, err
			}
		}
	}
	return cands[:at], cands[at:], nil
}

// compare scores candidates: first those whose vectors are at hand, then the others as far as they still matter.
func (s *search) compare(ctx context.Context, cands []candidate) error {
	s.missing = s.missing[:0]
	for len(cands) > 0 {
		n := min(len(cands), compareRows)
		s.ready = s.ready[:0]
		tau := s.floor()
		for _, c := range cands[:n] {
			if c.ub < tau {
				continue
			}
			if vec := s.vector(c); vec != nil {
				s.ready = append(s.ready, scored{c.at, vec})
			} else {
				s.missing = append(s.missing, c)
			}
		}
		if err := s.scoreReady(ctx); err != nil {
			return err
		}
		cands = cands[n:]
	}
	most := max(1, min(batchRows, batchFloats/s.x.dim))
	for rest := s.missing; len(rest) > 0; {
		n := min(most, len(rest))
		now, err := s.hopeful(ctx, rest[:n])
		if err != nil {
			return err
		}
		if err := s.read(ctx, now); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// read scores candidates through the Fetcher, and keeps their vectors.
func (s *search) read(ctx context.Context, cands []candidate) error {
	b := &s.batch
	b.start()
	for i, c := range cands {
		seg, row := s.row(c.at)
		b.add(seg.ref(row), i)
	}
	err := b.read(ctx, s.x.dim, s.fetch)
	if err != nil {
		return err
	}
	for i, item := range b.items {
		if !b.found[i] {
			s.gone = true
			continue
		}
		s.stats.Fetched++
		c := cands[item.from]
		cosine := s.score(c.at, b.dst[i], b.dst[i])
		if !usable(cosine) {
			return unreadable(item.ref)
		}
		seg, row := s.row(c.at)
		seg.store.keep(row, b.dst[i])
		if err := s.spend(ctx, s.x.dim, floatsPerCheck); err != nil {
			return err
		}
	}
	return nil
}

// usable is false for the cosine of a vector that holds something else than finite numbers of a unit vector.
func usable(cosine float32) bool { return cosine >= -1-4*unitSlack && cosine <= 1+4*unitSlack }

func unreadable(r Ref) error {
	return fmt.Errorf("%w: what was read for document %d, vector %d, is not a unit vector", ErrVector, r.Doc, r.Pos)
}
