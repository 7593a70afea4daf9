package postings

import (
	"context"
	"fmt"
	"math/bits"
	"slices"
)

// window is how many chunks are scored together. Their sums stay in the first
// level of the cache.
const window = 2048

// spendLimit is how many postings are scored between two looks at ctx, about
// 50 µs.
const spendLimit = 16 << 10

// Search returns the best limit chunks for a question, best first; equal scores
// in the order of document key, then chunk. only, if not nil, restricts it to
// the documents with these keys. Scores and statistics are those of all live
// chunks, whatever the restriction. Chunks that hold no word of the question
// are not hits. When ctx ends the search ends with its cause and no hits.
func (ix *Index) Search(ctx context.Context, groups []Group, limit int, only []int64) ([]Hit, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if len(groups) > MaxGroups {
		return nil, fmt.Errorf("a search has at most %d words, not %d", MaxGroups, len(groups))
	}
	for _, g := range groups {
		if len(g) > MaxAlternatives {
			return nil, fmt.Errorf("a word has at most %d alternatives, not %d", MaxAlternatives, len(g))
		}
	}
	snap := ix.current.Load()
	limit = min(limit, snap.chunks)
	if limit <= 0 || (only != nil && len(only) == 0) {
		return nil, nil
	}
	spent := 0
	spend := func(n int) error {
		if spent += n; spent < spendLimit {
			return nil
		}
		spent = 0
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return nil
	}
	p, err := newPlan(ix.cfg, snap, groups, spend)
	if err != nil {
		return nil, err
	}
	if only != nil {
		only = slices.Compact(slices.Sorted(slices.Values(only)))
	}
	work, ok := ix.scratch.Get().(*scratch)
	if !ok {
		work = new(scratch)
	}
	defer ix.scratch.Put(work)
	best := top{limit: limit, heap: work.heap[:0]}
	for i := range snap.parts {
		if err := work.part(&p, &snap.parts[i], only, &best, spend); err != nil {
			work.clear()
			return nil, err
		}
	}
	work.heap = best.heap[:0]
	return best.hits(), nil
}

// span is a range of chunks of one shard.
type span struct{ from, to uint32 }

// scratch is the memory of one search.
type scratch struct {
	lists  []list
	groups []group
	order  []int    // groups, by rising bound in the window
	below  []points // below[i] is the sum of the bounds of order[:i]
	bounds []points
	spans  []span
	heap   []found

	sum     [window]points
	best    [window]points // of the alternatives of the group at hand
	touched [window / 64]uint64
}

// list is the postings of one term in one shard.
type list struct {
	gain      float32
	from, to  int      // the list in the shard
	at, until int      // the part of it in the window
	bounds    []points // by block, from block from/blockSize on
}

// group is the lists of one word.
type group struct {
	lists []list
	bound points // in the window
}

// clear forgets sums that an interrupted window has left behind.
func (w *scratch) clear() {
	clear(w.sum[:])
	clear(w.best[:])
	clear(w.touched[:])
}

// part searches one shard.
func (w *scratch) part(p *plan, part *part, only []int64, best *top, spend func(int) error) error {
	if err := w.open(p, part, spend); err != nil || len(w.groups) == 0 {
		return err
	}
	w.spans = w.spans[:0]
	if only == nil {
		w.spans = append(w.spans, span{0, uint32(len(part.lengths))})
	} else {
		w.restrict(part, only)
	}
	if err := spend(4 * len(w.spans)); err != nil {
		return err
	}
	for _, s := range w.spans {
		for from := s.from; from < s.to; from += window {
			n, err := w.window(p, part, from, min(from+window, s.to), best, spend)
			if err != nil {
				return err
			}
			if err := spend(n + 8*len(w.lists)); err != nil {
				return err
			}
		}
	}
	return nil
}

// open finds the lists of the shard and their bounds.
func (w *scratch) open(p *plan, part *part, spend func(int) error) error {
	w.lists, w.groups, w.bounds = w.lists[:0], w.groups[:0], w.bounds[:0]
	blocks := 0
	for _, t := range p.terms {
		if from, to := part.find(t.hash); to > from {
			blocks += (to-1)/blockSize - from/blockSize + 1
		}
	}
	w.bounds = slices.Grow(w.bounds, blocks) // so that it does not move below
	w.lists = slices.Grow(w.lists, len(p.terms))
	for i := 0; i < len(p.terms); {
		first, g := len(w.lists), p.terms[i].group
		for ; i < len(p.terms) && p.terms[i].group == g; i++ {
			from, to := part.find(p.terms[i].hash)
			if to == from {
				continue
			}
			l := list{gain: p.terms[i].gain, from: from, to: to, at: from, until: from}
			w.bound(p, part, &l)
			w.lists = append(w.lists, l)
			if err := spend(len(l.bounds) + 2*blockSize); err != nil {
				return err
			}
		}
		if len(w.lists) > first {
			w.groups = append(w.groups, group{lists: w.lists[first:len(w.lists):len(w.lists)]})
		}
	}
	return nil
}

// bound fills the bounds of a list. Blocks at its ends also hold postings of
// other terms, so their bounds are taken from the list's own.
func (w *scratch) bound(p *plan, part *part, l *list) {
	first := len(w.bounds)
	for b := l.from / blockSize; b <= (l.to-1)/blockSize; b++ {
		freq, length := part.maxFreq[b], part.minLen[b]
		if b*blockSize < l.from || (b+1)*blockSize > l.to {
			freq, length = part.extremes(max(b*blockSize, l.from), min((b+1)*blockSize, l.to))
		}
		w.bounds = append(w.bounds, p.bound(l.gain, freq, length))
	}
	l.bounds = w.bounds[first:len(w.bounds):len(w.bounds)]
}

// restrict lists the spans of the documents with the given keys, which are
// sorted, neighbours joined.
func (w *scratch) restrict(part *part, only []int64) {
	for _, key := range only {
		part.parts(key, func(i uint32) {
			d := &part.docs[i]
			w.spans = append(w.spans, span{d.start, d.start + d.n})
		})
	}
	slices.SortFunc(w.spans, func(a, b span) int { return int(a.from) - int(b.from) })
	joined := w.spans[:0]
	for _, s := range w.spans {
		if n := len(joined); n > 0 && joined[n-1].to == s.from {
			joined[n-1].to = s.to
		} else {
			joined = append(joined, s)
		}
	}
	w.spans = joined
}

// window searches the chunks from ≤ c < to. Groups are ordered by what they can
// give at most here. Those at the low end that together stay under the floor
// cannot lift a chunk into the hits by themselves, so only chunks of the others
// are looked at (MaxScore: Turtle and Flood, Query evaluation: strategies and
// optimizations, 1995; with bounds by blocks as in Ding and Suel, Faster top-k
// document retrieval using block-max indexes, 2011). It returns the number of
// postings touched.
func (w *scratch) window(p *plan, part *part, from, to uint32, best *top, spend func(int) error) (int, error) {
	work := 0
	w.order = w.order[:0]
	for g := range w.groups {
		w.groups[g].enter(part.chunk, from, to)
		if w.groups[g].bound > 0 {
			w.order = append(w.order, g)
		}
	}
	slices.SortFunc(w.order, func(x, y int) int { return int(w.groups[x].bound - w.groups[y].bound) })
	w.below = append(w.below[:0], 0)
	split := 0
	floor := best.floor()
	for i, g := range w.order {
		sum := w.below[i] + w.groups[g].bound
		w.below = append(w.below, sum)
		if sum < floor {
			split = i + 1
		}
	}
	if split == len(w.order) {
		return 0, nil
	}
	for _, g := range w.order[split:] {
		n := w.accumulate(p, part, &w.groups[g], from)
		work += n
		if err := spend(n); err != nil {
			return 0, err
		}
	}
	for i := range w.touched {
		for word := w.touched[i]; word != 0; word &= word - 1 {
			at := uint32(64*i + bits.TrailingZeros64(word))
			sum := w.sum[at]
			w.sum[at] = 0
			if sum+w.below[split] < floor || part.dead.has(from+at) {
				continue
			}
			work++
			if sum = w.complete(p, part, from+at, sum, split, floor); sum < floor {
				continue
			}
			d := part.holding(from + at)
			best.offer(found{score: sum, key: d.key, chunk: d.first + from + at - d.start})
			floor = best.floor()
		}
		w.touched[i] = 0
	}
	return work, nil
}

// enter moves the lists of a group to a window and bounds what they give there.
func (g *group) enter(chunks []uint16, from, to uint32) {
	g.bound = 0
	for i := range g.lists {
		l := &g.lists[i]
		l.at = seek(chunks, l.until, l.to, from)
		l.until = seek(chunks, l.at, l.to, to)
		if l.at == l.until {
			continue
		}
		base := l.from / blockSize
		for b := l.at / blockSize; b <= (l.until-1)/blockSize; b++ {
			g.bound = max(g.bound, l.bounds[b-base])
		}
	}
}

// seek returns the first place in chunks[at:end] that holds at least c, end if
// none does: in growing steps, then by halves.
func seek(chunks []uint16, at, end int, c uint32) int {
	step := 1
	for at+step < end && uint32(chunks[at+step]) < c {
		at += step
		step *= 2
	}
	hi := min(at+step, end)
	for at < hi {
		if m := int(uint(at+hi) / 2); uint32(chunks[m]) < c {
			at = m + 1
		} else {
			hi = m
		}
	}
	return at
}

// accumulate adds the points of a whole group in the window.
func (w *scratch) accumulate(p *plan, part *part, g *group, from uint32) int {
	if len(g.lists) == 1 {
		l := &g.lists[0]
		freqs := part.freq[l.at:l.until]
		for i, c := range part.chunk[l.at:l.until] {
			at := (uint32(c) - from) % window
			w.sum[at] += p.points(l.gain, freqs[i], part.lengths[c])
			w.touched[at/64] |= 1 << (at % 64)
		}
		return len(freqs)
	}
	n := 0
	for i := range g.lists {
		l := &g.lists[i]
		n += l.until - l.at
		freqs := part.freq[l.at:l.until]
		for i, c := range part.chunk[l.at:l.until] {
			at := (uint32(c) - from) % window
			if v := p.points(l.gain, freqs[i], part.lengths[c]); v > w.best[at] {
				w.sum[at] += v - w.best[at]
				w.best[at] = v
			}
			w.touched[at/64] |= 1 << (at % 64)
		}
	}
	for i := range g.lists {
		for _, c := range part.chunk[g.lists[i].at:g.lists[i].until] {
			w.best[(uint32(c)-from)%window] = 0
		}
	}
	return n
}

// complete adds the groups that were left out, the greatest first, until the
// chunk is seen to stay under the floor.
func (w *scratch) complete(p *plan, part *part, chunk uint32, sum points, split int, floor points) points {
	for i := split - 1; i >= 0; i-- {
		if sum+w.below[i+1] < floor {
			return 0
		}
		most := points(0)
		lists := w.groups[w.order[i]].lists
		for j := range lists {
			l := &lists[j]
			l.at = seek(part.chunk, l.at, l.until, chunk)
			if l.at < l.until && uint32(part.chunk[l.at]) == chunk {
				most = max(most, p.points(l.gain, part.freq[l.at], part.lengths[chunk]))
			}
		}
		sum += most
	}
	return sum
}
