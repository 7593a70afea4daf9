package main

import (
	"strings"
	"testing"

	"weir/internal/rag"
)

func TestSimilaritiesOfRightAndWrong(t *testing.T) {
	at := func(doc string, similarity float64) rag.Passage {
		return rag.Passage{DocID: doc, Similarity: &similarity}
	}
	passages := []rag.Passage{at("a", 0.6), at("b", 0.3), {DocID: "a"}, at("a", 0.1), at("c", 0.4)}
	for range 20 {
		passages = append(passages, at("d", 0.01))
	}
	var s similarities
	s.add(passages, func(p rag.Passage) string {
		if p.DocID == "a" || p.DocID == "c" {
			return p.DocID
		}
		return ""
	})
	r := s.report()
	if r.Right.Count != 2 || r.Right.Median != 0.4 || r.Right.P95 != 0.6 {
		t.Errorf("right %+v", r.Right)
	}
	if r.Wrong.Count != wrongsPerQuestion || r.Wrong.P95 != 0.3 || r.Wrong.Median != 0.01 {
		t.Errorf("wrong %+v", r.Wrong)
	}
	for _, c := range r.Cutoffs {
		if c.Threshold == 0.4 && (c.RightKept != 1 || c.WrongKept != 0) || c.Threshold == 0.5 && c.RightKept != 0.5 || c.Threshold == 0.3 && c.WrongKept != 0.1 {
			t.Errorf("%+v", c)
		}
	}
	var out strings.Builder
	r.print(&out)
	if !strings.Contains(out.String(), "threshold 0.30   keeps 100.0% of the right passages and  10.0% of the wrong") {
		t.Error(out.String())
	}
	if (&similarities{}).report() != nil {
		t.Error("a report about nothing")
	}
}
