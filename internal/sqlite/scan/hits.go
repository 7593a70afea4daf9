package scan

import (
	"cmp"
	"context"
	"slices"
)

// Ref addresses one vector: the document's key and the vector's position in its block.
type Ref struct {
	Doc int64
	Pos int
}

// Compare orders refs by document, then position.
func (r Ref) Compare(s Ref) int { return cmp.Or(cmp.Compare(r.Doc, s.Doc), r.Pos-s.Pos) }

// Hit is a vector that was found, with its cosine to the query: exact, of the full-precision vector, in float32.
type Hit struct {
	Ref
	Cosine float32
}

// compare orders hits best first, equal ones by ref.
func (h Hit) compare(o Hit) int { return cmp.Or(cmp.Compare(o.Cosine, h.Cosine), h.Compare(o.Ref)) }

// Fetcher reads full-precision vectors from where they are kept for good.
type Fetcher interface {
	// Fetch reads the vector of refs[i] into dst[i], which has the index's dimension, and sets found[i]; a vector that is
	// no longer there is left out by leaving found[i] false. Refs are in ascending order, each once. Neither slice may be
	// kept after the call. An error ends the search with it.
	Fetch(ctx context.Context, refs []Ref, dst [][]float32, found []bool) error
}

// Stats tells what a search had to do.
type Stats struct {
	Scanned  int // codes looked at
	Rescored int // full-precision vectors compared
	Fetched  int // of which read through the Fetcher
}

// best keeps the k best hits, the worst of them on top of a heap.
type best struct {
	k    int
	hits []Hit
}

func (b *best) reset(k int) { b.k, b.hits = k, b.hits[:0] }

func (b *best) full() bool { return len(b.hits) >= b.k }

// floor is the cosine of the k-th best so far; only of use when full.
func (b *best) floor() float32 { return b.hits[0].Cosine }

// offer takes a hit.
func (b *best) offer(cosine float32, ref Ref) {
	if !b.full() {
		b.hits = append(b.hits, Hit{Ref: ref, Cosine: cosine})
		b.up(len(b.hits) - 1)
		return
	}
	if cosine < b.hits[0].Cosine {
		return
	}
	if h := (Hit{Ref: ref, Cosine: cosine}); h.compare(b.hits[0]) < 0 {
		b.hits[0] = h
		b.down(0)
	}
}

// worse reports whether hit i belongs above hit j in the heap.
func (b *best) worse(i, j int) bool { return b.hits[i].compare(b.hits[j]) > 0 }

func (b *best) up(i int) {
	for i > 0 {
		p := (i - 1) / 2
		if !b.worse(i, p) {
			return
		}
		b.hits[i], b.hits[p] = b.hits[p], b.hits[i]
		i = p
	}
}

func (b *best) down(i int) {
	for {
		c := 2*i + 1
		if c >= len(b.hits) {
			return
		}
		if c+1 < len(b.hits) && b.worse(c+1, c) {
			c++
		}
		if !b.worse(c, i) {
			return
		}
		b.hits[i], b.hits[c] = b.hits[c], b.hits[i]
		i = c
	}
}

// sorted is a copy of the hits, best first.
func (b *best) sorted() []Hit {
	hits := append(make([]Hit, 0, len(b.hits)), b.hits...)
	slices.SortFunc(hits, Hit.compare)
	return hits
}

// peak is a heap of the n largest values offered, each with where it came from, the smallest on top.
type peak struct {
	n    int
	vals []float32
	from []int
}

func (p *peak) reset(n int) { p.n, p.vals, p.from = n, p.vals[:0], p.from[:0] }

func (p *peak) full() bool { return len(p.vals) >= p.n }

// wants reports whether v would be taken.
func (p *peak) wants(v float32) bool { return !p.full() || p.n > 0 && v > p.vals[0] }

func (p *peak) offer(v float32, from int) {
	if !p.full() {
		p.vals, p.from = append(p.vals, v), append(p.from, from)
		for i := len(p.vals) - 1; i > 0; {
			up := (i - 1) / 2
			if p.vals[up] <= p.vals[i] {
				return
			}
			p.swap(i, up)
			i = up
		}
		return
	}
	if !p.wants(v) {
		return
	}
	p.vals[0], p.from[0] = v, from
	for i := 0; ; {
		c := 2*i + 1
		if c >= len(p.vals) {
			return
		}
		if c+1 < len(p.vals) && p.vals[c+1] < p.vals[c] {
			c++
		}
		if p.vals[i] <= p.vals[c] {
			return
		}
		p.swap(i, c)
		i = c
	}
}

func (p *peak) swap(i, j int) {
	p.vals[i], p.vals[j] = p.vals[j], p.vals[i]
	p.from[i], p.from[j] = p.from[j], p.from[i]
}
