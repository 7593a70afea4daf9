package main

import (
	"fmt"
	"io"
	"slices"

	"weir/internal/rag"
)

// similarities are the cosines of right and wrong passages: what a threshold
// for a model can be chosen by.
type similarities struct {
	right, wrong []float64
}

// wrongsPerQuestion is how many wrong passages of a question count: those that
// a caller would meet.
const wrongsPerQuestion = 10

// add takes in one answer: the first passage of each thing that is right, by
// its key, and the first wrong ones. A key is empty for a wrong passage.
func (s *similarities) add(passages []rag.Passage, rightKey func(rag.Passage) string) {
	seen := map[string]bool{}
	wrongs := 0
	for _, p := range passages {
		if p.Similarity == nil {
			continue
		}
		switch key := rightKey(p); {
		case key == "":
			if wrongs++; wrongs <= wrongsPerQuestion {
				s.wrong = append(s.wrong, *p.Similarity)
			}
		case !seen[key]:
			seen[key] = true
			s.right = append(s.right, *p.Similarity)
		}
	}
}

// spread is how a set of similarities lies.
type spread struct {
	Count  int     `json:"count"`
	P1     float64 `json:"p1"`
	P5     float64 `json:"p5"`
	P25    float64 `json:"p25"`
	Median float64 `json:"median"`
	P75    float64 `json:"p75"`
	P95    float64 `json:"p95"`
}

// cutoff is what a threshold does.
type cutoff struct {
	Threshold float64 `json:"threshold"`
	RightKept float64 `json:"right_kept"`
	WrongKept float64 `json:"wrong_kept"`
}

// similarityReport is nil-able: a search by words alone has no similarities.
type similarityReport struct {
	Right   spread   `json:"right"`
	Wrong   spread   `json:"wrong"`
	Cutoffs []cutoff `json:"cutoffs"`
}

// report is nil when nothing had a similarity.
func (s *similarities) report() *similarityReport {
	if len(s.right) == 0 || len(s.wrong) == 0 {
		return nil
	}
	slices.Sort(s.right)
	slices.Sort(s.wrong)
	r := &similarityReport{Right: spreadOf(s.right), Wrong: spreadOf(s.wrong)}
	for _, t := range []float64{0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6} {
		r.Cutoffs = append(r.Cutoffs, cutoff{t, kept(s.right, t), kept(s.wrong, t)})
	}
	return r
}

func spreadOf(sorted []float64) spread {
	q := func(share float64) float64 { return quantile(sorted, share) }
	return spread{len(sorted), q(0.01), q(0.05), q(0.25), q(0.5), q(0.75), q(0.95)}
}

// kept is the share of sorted that is at least t.
func kept(sorted []float64, t float64) float64 {
	below, _ := slices.BinarySearch(sorted, t)
	return float64(len(sorted)-below) / float64(len(sorted))
}

func (r *similarityReport) print(w io.Writer) {
	if r == nil {
		return
	}
	line := func(name string, s spread) {
		fmt.Fprintf(w, "similarity       %s  1%% %.2f, 5%% %.2f, 25%% %.2f, 50%% %.2f, 75%% %.2f, 95%% %.2f  (%d)\n", name, s.P1, s.P5, s.P25, s.Median, s.P75, s.P95, s.Count)
	}
	line("right", r.Right)
	line("wrong", r.Wrong)
	for _, c := range r.Cutoffs {
		fmt.Fprintf(w, "threshold %.2f   keeps %5.1f%% of the right passages and %5.1f%% of the wrong\n", c.Threshold, 100*c.RightKept, 100*c.WrongKept)
	}
}
