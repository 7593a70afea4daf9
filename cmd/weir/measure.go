package main

import (
	"math"
	"slices"
)

// The measures take a ranking of document ids, best first, and the judgements
// of one query: a relevance for each judged document, relevant when above 0.
// They agree with trec_eval where the gain is linear.

func anyRelevant(judged map[string]int) bool {
	for _, rel := range judged {
		if rel > 0 {
			return true
		}
	}
	return false
}

// ndcg is the normalised discounted cumulative gain of the first k (Järvelin
// and Kekäläinen, 2002): the sum of gain/log2(rank+1), over that of the best
// possible ranking.
func ndcg(ranking []string, judged map[string]int, k int, gain func(rel int) float64) float64 {
	var got, best float64
	for i, id := range ranking[:min(k, len(ranking))] {
		if rel := judged[id]; rel > 0 {
			got += gain(rel) / math.Log2(float64(i)+2)
		}
	}
	var ideal []int
	for _, rel := range judged {
		if rel > 0 {
			ideal = append(ideal, rel)
		}
	}
	slices.Sort(ideal)
	slices.Reverse(ideal)
	for i, rel := range ideal[:min(k, len(ideal))] {
		best += gain(rel) / math.Log2(float64(i)+2)
	}
	if best == 0 {
		return 0
	}
	return got / best
}

// recall is how many of the relevant documents are among the first k.
func recall(ranking []string, judged map[string]int, k int) float64 {
	var found, relevant float64
	for _, rel := range judged {
		if rel > 0 {
			relevant++
		}
	}
	for _, id := range ranking[:min(k, len(ranking))] {
		if judged[id] > 0 {
			found++
		}
	}
	if relevant == 0 {
		return 0
	}
	return found / relevant
}

// reciprocalRank is one over the rank of the first relevant document, 0 when
// there is none among the first k.
func reciprocalRank(ranking []string, judged map[string]int, k int) float64 {
	for i, id := range ranking[:min(k, len(ranking))] {
		if judged[id] > 0 {
			return 1 / float64(i+1)
		}
	}
	return 0
}

// quantile is the value that the share q of sorted is at most (nearest rank);
// 0 when there are none.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	i := int(math.Ceil(q*float64(len(sorted)))) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}
