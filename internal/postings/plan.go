package postings

import "math"

// Alternative is one form of a word of the question and what it is worth, in
// (0,1].
type Alternative struct {
	Term   string
	Weight float32
}

// Group is one word of the question. A chunk that holds several of its
// alternatives is scored by the best of them.
type Group []Alternative

// Bounds of a search; what is beyond is an error, since the sum of the points
// would not be safe.
const (
	MaxGroups       = 128
	MaxAlternatives = 16
)

// term is one alternative, weighed by the statistics of the whole index.
type term struct {
	hash  uint64
	group int
	gain  float32 // points of an endless frequency: weight · idf · (k1+1)
}

// plan is a question with the statistics of one snapshot filled in.
type plan struct {
	terms  []term
	groups int
	// The saturation of a chunk of length l is fixed + slope·l, in halves.
	fixed, slope float32
}

// newPlan weighs the terms. With N chunks, n of them holding the term,
//
//	idf = ln(1 + (N - n + 0.5)/(n + 0.5))
//
// (Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009, in the
// form that is never negative). A word is as rare as its most frequent
// alternative: n is the largest of the group, else a rare inflection would
// outweigh the other words of the question (Cranfield: nDCG@10 0.379 instead
// of 0.370). Groups of which nothing occurs are left out.
func newPlan(cfg Config, snap *snapshot, groups []Group, spend func(int) error) (plan, error) {
	var p plan
	if snap.chunks == 0 {
		return p, nil
	}
	mean := max(float64(snap.words)/float64(snap.chunks), 1)
	p.fixed = float32(2 * cfg.K1 * (1 - cfg.B))
	p.slope = float32(2 * cfg.K1 * cfg.B / mean)
	for _, g := range groups {
		first, most := len(p.terms), 0
		for _, alt := range g {
			if !(alt.Weight > 0) {
				continue
			}
			t := term{hash: hashTerm(alt.Term), group: p.groups, gain: min(alt.Weight, 1)}
			n, err := frequency(snap, t.hash, spend)
			if err != nil {
				return p, err
			}
			if n > 0 {
				p.terms = append(p.terms, t)
				most = max(most, n)
			}
		}
		idf := math.Log1p((float64(snap.chunks) - float64(most) + 0.5) / (float64(most) + 0.5))
		for i := first; i < len(p.terms); i++ {
			p.terms[i].gain = float32(float64(p.terms[i].gain) * idf * (cfg.K1 + 1) * pointScale)
		}
		if len(p.terms) > first {
			p.groups++
		}
	}
	return p, nil
}

// frequency returns how many live chunks hold a term.
func frequency(snap *snapshot, hash uint64, spend func(int) error) (int, error) {
	n := 0
	for _, part := range snap.parts {
		from, to := part.find(hash)
		if part.dead != nil { // else nothing is counted
			if err := spend(to - from); err != nil {
				return 0, err
			}
		}
		n += part.frequency(from, to)
	}
	return n, nil
}

// points scores one posting:
//
//	gain · f/(f + k1·(1 - b + b·l/mean)),  f the frequency, l the length
//
// and never less than one, so that a word that every chunk holds still finds.
// The conversions forbid fused operations, which would round differently in
// different places.
func (p *plan) points(gain float32, freq uint8, length uint16) points {
	f := float32(freq)
	k := float32(p.slope*float32(length)) + p.fixed
	return points(float32(gain*f)/float32(f+k)) + 1
}

// bound is at least points of every posting whose frequency is not greater and
// whose length is not less. The one more pays for rounding: points is below
// 2^22, where float32 is exact to a half.
func (p *plan) bound(gain float32, freq uint8, length uint16) points {
	return p.points(gain, freq, length) + 1
}
