package rag

import (
	"cmp"
	"slices"
)

// hit is a candidate with the score it is ranked by.
type hit struct {
	Candidate
	score float64
}

// fuse ranks what the halves found, best first. Equal scores keep the order
// of the halves: lexical before vector, each as the store gave it.
//
// The score of a hybrid hit is a convex combination of its two scores, each as
// a share of the best that this question found:
//
//	(1-w) × BM25 / best BM25  +  w × max(cosine, 0) / best cosine
//
// It keeps what ranks throw away, by how much one passage is better than the
// next (Bruch, Gai and Ingber, "An Analysis of Fusion Functions for Hybrid
// Retrieval", ACM TOIS 42, 2023); docs/QUALITY.md has it against reciprocal
// rank fusion. A half that found nothing leaves the order to the other.
func fuse(found Candidates, mode Mode, w float64) []hit {
	switch mode {
	case Lexical:
		return scored(found.Lexical, func(c Candidate) float64 { return c.Lexical })
	case Vector:
		return scored(found.Vector, func(c Candidate) float64 { return c.Cosine })
	case Hybrid:
	}
	bestBM25, bestCosine := best(found)
	at := make(map[Ref]int, len(found.Lexical)+len(found.Vector))
	hits := make([]hit, 0, len(found.Lexical)+len(found.Vector))
	for _, half := range [][]Candidate{found.Lexical, found.Vector} {
		for _, c := range half {
			i, seen := at[c.Ref]
			if !seen {
				i = len(hits)
				at[c.Ref] = i
				hits = append(hits, hit{Candidate: c})
			}
			h := &hits[i]
			h.Lexical = max(h.Lexical, c.Lexical)
			if c.HasCosine {
				h.Cosine, h.HasCosine = c.Cosine, true
			}
		}
	}
	for i := range hits {
		h := &hits[i]
		if bestBM25 > 0 {
			h.score += (1 - w) * h.Lexical / bestBM25
		}
		if bestCosine > 0 && h.HasCosine {
			h.score += w * max(h.Cosine, 0) / bestCosine
		}
	}
	slices.SortStableFunc(hits, func(a, b hit) int { return cmp.Compare(b.score, a.score) })
	return hits
}

// best returns the highest score of each kind among the candidates.
func best(found Candidates) (bm25, cosine float64) {
	for _, half := range [][]Candidate{found.Lexical, found.Vector} {
		for _, c := range half {
			bm25 = max(bm25, c.Lexical)
			if c.HasCosine {
				cosine = max(cosine, c.Cosine)
			}
		}
	}
	return bm25, cosine
}

func scored(half []Candidate, score func(Candidate) float64) []hit {
	hits := make([]hit, len(half))
	for i, c := range half {
		hits[i] = hit{c, score(c)}
	}
	return hits
}

// aboveThreshold drops the hits whose similarity is known and below the
// threshold; below reports whether that emptied the list.
func aboveThreshold(hits []hit, threshold float64) (kept []hit, below bool) {
	kept = slices.DeleteFunc(slices.Clone(hits), func(h hit) bool { return h.HasCosine && h.Cosine < threshold })
	return kept, len(kept) == 0 && len(hits) > 0
}
