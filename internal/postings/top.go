package postings

import "slices"

// Hit is one chunk found.
type Hit struct {
	Key   int64   // of the document
	Chunk int     // its position in the document, from 0
	Score float64 // BM25, greater is better; comparable only within one search
}

// points are scores in fixed point, 2^16 to the unit. A sum of integers does
// not depend on the order of adding, so pruning, which adds in an order of its
// own, gives exactly the scores of exhaustive scoring, ties included.
type points = int32

const pointScale = 1 << 16

// found is a candidate in the heap.
type found struct {
	score points
	key   int64
	chunk uint32
}

// worse orders candidates: lower score, then later document, then later chunk.
func (f found) worse(g found) bool {
	if f.score != g.score {
		return f.score < g.score
	}
	if f.key != g.key {
		return f.key > g.key
	}
	return f.chunk > g.chunk
}

// top keeps the best candidates in a heap with the worst at its root.
type top struct {
	heap  []found
	limit int
}

// floor is the score below which a candidate cannot enter. One that reaches it
// exactly still may, by its key.
func (t *top) floor() points {
	if len(t.heap) < t.limit {
		return 1
	}
	return t.heap[0].score
}

func (t *top) offer(f found) {
	if len(t.heap) < t.limit {
		t.heap = append(t.heap, f)
		for i := len(t.heap) - 1; i > 0; {
			up := (i - 1) / 2
			if !t.heap[i].worse(t.heap[up]) {
				return
			}
			t.heap[i], t.heap[up] = t.heap[up], t.heap[i]
			i = up
		}
		return
	}
	if !t.heap[0].worse(f) {
		return
	}
	t.heap[0] = f
	for i := 0; ; {
		down := 2*i + 1
		if down >= len(t.heap) {
			return
		}
		if down+1 < len(t.heap) && t.heap[down+1].worse(t.heap[down]) {
			down++
		}
		if !t.heap[down].worse(t.heap[i]) {
			return
		}
		t.heap[i], t.heap[down] = t.heap[down], t.heap[i]
		i = down
	}
}

// hits empties the heap, best first.
func (t *top) hits() []Hit {
	slices.SortFunc(t.heap, func(a, b found) int {
		switch {
		case b.worse(a):
			return -1
		case a.worse(b):
			return 1
		}
		return 0
	})
	out := make([]Hit, len(t.heap))
	for i, f := range t.heap {
		out[i] = Hit{Key: f.key, Chunk: int(f.chunk), Score: float64(f.score) / pointScale}
	}
	return out
}
