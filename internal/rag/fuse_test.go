package rag

import (
	"math"
	"slices"
	"testing"
)

func TestFuse(t *testing.T) {
	both := func(i int, bm25, cosine float64) Candidate {
		return Candidate{Ref: Ref{"d", i}, Lexical: bm25, Cosine: cosine, HasCosine: true}
	}
	tests := []struct {
		name            string
		lexical, vector []Candidate
		weight          float64
		want            []int
		scores          []float64
	}{
		{"nothing", nil, nil, 0.5, nil, nil},
		{"the words alone", []Candidate{lex(3, 8), lex(1, 4)}, nil, 0.3, []int{3, 1}, []float64{0.7, 0.35}},
		{"the vectors alone", nil, []Candidate{cos(2, 0.8), cos(5, 0.2)}, 0.3, []int{2, 5}, []float64{0.3, 0.075}},
		{
			"each half as a share of its best",
			[]Candidate{both(0, 10, 0.2), both(1, 5, 0.8)},
			[]Candidate{cos(1, 0.8), cos(2, 0.4)},
			0.5,
			[]int{1, 0, 2},
			[]float64{0.75, 0.625, 0.25},
		},
		{
			"a small weight keeps the order of the words",
			[]Candidate{both(0, 10, 0.2), both(1, 5, 0.8)},
			[]Candidate{cos(1, 0.8)},
			0.1,
			[]int{0, 1},
			[]float64{0.925, 0.55},
		},
		{"the weight is all", []Candidate{both(0, 10, 0.2)}, []Candidate{cos(1, 0.8)}, 1, []int{1, 0}, []float64{1, 0.25}},
		{"no better than opposite is no better than nothing", []Candidate{both(0, 2, -0.5), lex(1, 2)}, []Candidate{cos(2, 0.5)}, 0.5, []int{0, 1, 2}, []float64{0.5, 0.5, 0.5}},
		{"only opposites", nil, []Candidate{cos(0, -0.1), cos(1, -0.2)}, 0.5, []int{0, 1}, []float64{0, 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			hits := fuse(Candidates{Lexical: tt.lexical, Vector: tt.vector}, Hybrid, tt.weight)
			var got []int
			for i, h := range hits {
				got = append(got, h.Index)
				if i < len(tt.scores) && math.Abs(h.score-tt.scores[i]) > 1e-12 {
					t.Errorf("score of %d: got %v, want %v", h.Index, h.score, tt.scores[i])
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// The threshold of the model in use holds for who does not say, and only for them.
func TestThresholdOfTheModel(t *testing.T) {
	for _, tt := range []struct {
		name      string
		calibrate func(Model) Calibration
		asked     *float64
		want      int
	}{
		{"default", nil, nil, 2},
		{"of the model", func(Model) Calibration { return Calibration{0.1, 0.5} }, nil, 3},
		{"of the request", func(Model) Calibration { return Calibration{0.1, 0.5} }, ptr(0.5), 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newService(t, Config{Calibrate: tt.calibrate}, book(3, nil, []Candidate{cos(0, .6), cos(1, .3), cos(2, .15)}), &fakeEmbedder{}, nil)
			got, err := s.Retrieve(t.Context(), "u", Request{Query: "q", SimilarityThreshold: tt.asked})
			if err != nil || len(got.Chunks) != tt.want {
				t.Errorf("got %v %v, want %d passages", indexes(got), err, tt.want)
			}
		})
	}
}
