package rag

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
)

// cutter is a fake embedder whose vectors may be cut to one value.
type cutter struct{ fakeEmbedder }

func (*cutter) Shortens(dim int) bool { return dim == 1 }

func TestEmbedRequestIsValidated(t *testing.T) {
	tests := []struct {
		name  string
		r     EmbedRequest
		field string
	}{
		{"nothing", EmbedRequest{}, "input"},
		{"both", EmbedRequest{Texts: []string{"a"}, Tokens: [][]int{{1}}}, "input"},
		{"too many", EmbedRequest{Texts: make([]string, MaxEmbedTexts+1)}, "input"},
		{"an empty text", EmbedRequest{Texts: []string{"a", ""}}, "input[1]"},
		{"an empty list", EmbedRequest{Tokens: [][]int{{1}, {}}}, "input[1]"},
		{"not UTF-8", EmbedRequest{Texts: []string{"a\xff"}}, "input[0]"},
		{"a text of too many bytes", EmbedRequest{Texts: []string{strings.Repeat("a", MaxQueryBytes+1)}}, "input[0]"},
		{"a text of too many tokens", EmbedRequest{Texts: []string{strings.Repeat("a ", MaxQueryTokens+1)}}, "input[0]"},
		{"too many tokens in all", EmbedRequest{Texts: repeat(strings.Repeat("a ", 8000), 38)}, "input"},
		{"too long a list", EmbedRequest{Tokens: [][]int{make([]int, MaxQueryTokens+1)}}, "input[0]"},
		{"too long lists", EmbedRequest{Tokens: repeat(make([]int, 8000), 38)}, "input"},
		{"no such token", EmbedRequest{Tokens: [][]int{{7}}}, "input[0]"},
		{"dimensions of another model", EmbedRequest{Texts: []string{"a"}, Dimensions: 3}, "dimensions"},
		{"negative dimensions", EmbedRequest{Texts: []string{"a"}, Dimensions: -1}, "dimensions"},
		{"negative time", EmbedRequest{Texts: []string{"a"}, Timeout: -1}, "timeout"},
	}
	s := newService(t, Config{DecodeTokens: spell}, nil, &cutter{}, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := s.Embed(t.Context(), "u", tt.r)
			var e *Error
			if !errors.As(err, &e) || e.Code != Invalid || e.Field != tt.field {
				t.Errorf("got %v, want invalid %s", err, tt.field)
			}
		})
	}
	s.admission.whole(t)
}

// spell knows the tokens 0 to 6.
func spell(ids []int) (string, error) {
	var b strings.Builder
	for _, id := range ids {
		if id > 6 {
			return "", fmt.Errorf("holds %d, which is no token", id)
		}
		b.WriteByte("abcdefg"[id])
	}
	return b.String(), nil
}

func repeat[T any](v T, n int) []T {
	s := make([]T, n)
	for i := range s {
		s[i] = v
	}
	return s
}

func TestEmbed(t *testing.T) {
	e := &cutter{fakeEmbedder{embed: func(_ context.Context, texts []string) ([][]float32, error) {
		vs := make([][]float32, len(texts))
		for i, text := range texts {
			vs[i] = []float32{0.6, 0.8}
			if text == "cab" {
				vs[i] = []float32{-0.6, 0.8}
			}
		}
		return vs, nil
	}}}
	s := newService(t, Config{DecodeTokens: spell}, nil, e, nil)
	tests := []struct {
		name   string
		r      EmbedRequest
		want   [][]float32
		tokens int
	}{
		{"texts", EmbedRequest{Texts: []string{"a b", "cab"}}, [][]float32{{0.6, 0.8}, {-0.6, 0.8}}, 3},
		{"tokens", EmbedRequest{Tokens: [][]int{{2, 0, 1}}}, [][]float32{{-0.6, 0.8}}, 3},
		{"the model's own dimensions", EmbedRequest{Texts: []string{"a"}, Dimensions: 2}, [][]float32{{0.6, 0.8}}, 1},
		{"cut", EmbedRequest{Texts: []string{"a", "cab"}, Dimensions: 1}, [][]float32{{1}, {-1}}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := s.Embed(t.Context(), "u", tt.r)
			if err != nil {
				t.Fatal(err)
			}
			if got.Tokens != tt.tokens || len(got.Vectors) != len(tt.want) || got.Model.Dim != len(tt.want[0]) || got.OperationID == "" {
				t.Errorf("got %+v", got)
			}
			for i, v := range got.Vectors {
				for j := range v {
					if math.Abs(float64(v[j]-tt.want[i][j])) > 1e-6 {
						t.Errorf("vector %d: %v, want %v", i, v, tt.want[i])
					}
				}
			}
		})
	}
	if _, err := newService(t, Config{}, nil, &fakeEmbedder{none: true}, nil).Embed(t.Context(), "u", EmbedRequest{Texts: []string{"a"}}); CodeOf(err) != Unavailable {
		t.Errorf("without an embedder: %v", err)
	}
	s.admission.whole(t)
}
