package rag

import (
	"cmp"
	"slices"
)

// rankConstant is the k of reciprocal rank fusion, score = Σ 1/(k + rank):
// Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion outperforms Condorcet
// and individual Rank Learning Methods", SIGIR 2009, who set it to 60.
const rankConstant = 60

// hit is a candidate with the score it is ranked by.
type hit struct {
	Candidate
	score float64
}

// fuse ranks what the halves found, best first. Equal scores keep the order
// of the halves: lexical before vector, each as the store gave it.
func fuse(found Candidates, mode Mode) []hit {
	switch mode {
	case Lexical:
		return scored(found.Lexical, func(c Candidate) float64 { return c.Lexical })
	case Vector:
		return scored(found.Vector, func(c Candidate) float64 { return c.Cosine })
	case Hybrid:
	}
	at := make(map[Ref]int, len(found.Lexical)+len(found.Vector))
	hits := make([]hit, 0, len(found.Lexical)+len(found.Vector))
	for _, half := range [][]Candidate{found.Lexical, found.Vector} {
		for rank, c := range half {
			i, seen := at[c.Ref]
			if !seen {
				i = len(hits)
				at[c.Ref] = i
				hits = append(hits, hit{Candidate: c})
			}
			hits[i].score += 1 / float64(rankConstant+rank+1)
		}
	}
	slices.SortStableFunc(hits, func(a, b hit) int { return cmp.Compare(b.score, a.score) })
	return hits
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
