package rag

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"
)

func said(texts ...string) []ChatMessage {
	var all []ChatMessage
	for i, t := range texts {
		all = append(all, ChatMessage{Role: []string{"user", "assistant"}[i%2], Content: t})
	}
	return all
}

func TestEarlierQuestions(t *testing.T) {
	long := strings.Repeat("x", earlierBytes+1)
	tests := []struct {
		name, question string
		history        []ChatMessage
		want           []string
	}{
		{name: "nothing was said", question: "b?"},
		{"what was answered is not searched for", "b?", said("a?", "an answer"), []string{"a?"}},
		{"the latest two, oldest first", "d?", said("a?", "1", "b?", "2", "c?", "3"), []string{"b?", "c?"}},
		{"blanks go", " b? ", said(" a?\n", "1", " ", "2"), []string{"a?"}},
		{"asked once more", "a?", said("z?", "0", "a?", "1"), []string{"z?"}},
		{"the same twice", "b?", said("z?", "0", "a?", "1", "a?", "2"), []string{"z?", "a?"}},
		{"too long", "b?", said("a?", "1", long, "2"), nil},
		{"the one before is too long", "c?", said(long, "1", "b?", "2"), []string{"b?"}},
		{"together too long", "c?", said(long[:earlierBytes], "1", "b?", "2"), []string{"b?"}},
		{"just short enough", "c?", said(long[:earlierBytes-2], "1", "b?", "2"), []string{long[:earlierBytes-2], "b?"}},
		{"a long question stands alone", strings.Repeat("y", standsAlone+1), said("a?", "1"), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := asking1(tt.question)
			r.History = tt.history
			if got := r.earlier(); !slices.Equal(got, tt.want) {
				t.Errorf("got %.20q, want %.20q", got, tt.want)
			}
		})
	}
}

// TestTextsFitTheModel: what is searched for beside the question cannot be why
// a question is refused.
func TestTextsFitTheModel(t *testing.T) {
	if n := standsAlone + earlierBytes + earlierQuestions; n > MaxQueryTokens { // a token is a byte at least
		t.Errorf("%d bytes, and a model may take %d tokens", n, MaxQueryTokens)
	}
}

// conversing is a store and an embedder that write down what they are asked.
type conversing struct {
	*fakeStore
	fakeEmbedder
	queries []Query
	texts   [][]string
}

func (c *conversing) Candidates(ctx context.Context, user User, q Query) (Candidates, error) {
	c.queries = append(c.queries, q)
	found, err := c.fakeStore.Candidates(ctx, user, q)
	if strings.Contains(q.Text, "dental") { // the second passage is about teeth
		found.Lexical = []Candidate{lex(1, 9), lex(0, 3)}
	}
	return found, err
}

func (c *conversing) Embed(ctx context.Context, user User, p Purpose, texts []string) ([][]float32, error) {
	c.texts = append(c.texts, texts)
	return c.fakeEmbedder.Embed(ctx, user, p, texts)
}

func TestAFollowUpIsSearchedWithWhatWasAskedBefore(t *testing.T) {
	const before, question = "What does dental care cost?", "And for my children?"
	tests := []struct {
		name    string
		mode    Mode
		history []ChatMessage
		texts   []string // searched for by words
		embeds  int      // texts given to the embedder, at once
		first   string   // passage
		with    []string
	}{
		{"the first question", Hybrid, nil, []string{question}, 1, "d:a", nil},
		{"hybrid", Hybrid, said(before, "$25"), []string{question, before + "\n" + question}, 2, "d:b", []string{before}},
		{"lexical", Lexical, said(before, "$25"), []string{question, before + "\n" + question}, 0, "d:b", []string{before}},
		{"vector", Vector, said(before, "$25"), []string{""}, 2, "d:a", []string{before}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &conversing{fakeStore: book(2, []Candidate{lex(0, 2), lex(1, 1)}, []Candidate{cos(0, 0.9), cos(1, 0.8)})}
			s := newService(t, Config{}, c, c, nil)
			r := asking1(question)
			r.Mode, r.History = tt.mode, tt.history
			a, err := s.Ask(t.Context(), "u", r, nil)
			if err != nil {
				t.Fatal(err)
			}
			var texts []string
			for _, q := range c.queries {
				texts = append(texts, q.Text)
				if (q.Vector != nil) != (tt.mode != Lexical) {
					t.Errorf("%s: a vector of %d values", q.Text, len(q.Vector))
				}
			}
			if !slices.Equal(texts, tt.texts) || !slices.Equal(a.SearchedWith, tt.with) {
				t.Errorf("searched for %q, told of %q", texts, a.SearchedWith)
			}
			if n := len(slices.Concat(c.texts...)); n != tt.embeds || len(c.texts) > 1 {
				t.Errorf("embedded %q; want %d texts in one call", c.texts, tt.embeds)
			}
			if a.Passages[0].ID != tt.first {
				t.Errorf("the first passage is %s, want %s", a.Passages[0].ID, tt.first)
			}
		})
	}
}

func TestSearchesAreJoined(t *testing.T) {
	alone := Candidates{Lexical: []Candidate{lex(0, 6), lex(1, 3)}, Vector: []Candidate{cos(2, 0.9)}, Chunks: 9, NoVector: 1}
	both := Candidates{Lexical: []Candidate{lex(3, 9), lex(1, 9), lex(0, 6)}, Note: "a word was left out"}
	both.Lexical[0].Cosine, both.Lexical[0].HasCosine = 0.5, true
	got := alone.with(both, 3)
	want := []Candidate{lex(0, 6), lex(1, 5), lex(3, 3)} // (alone + both/2) / 1.5
	want[2].Cosine, want[2].HasCosine = 0.5, true
	if !slices.EqualFunc(got.Lexical, want, func(a, b Candidate) bool {
		return a.Ref == b.Ref && math.Abs(a.Lexical-b.Lexical) < 1e-9 && a.Cosine == b.Cosine && a.HasCosine == b.HasCosine
	}) {
		t.Errorf("got %+v\nwant %+v", got.Lexical, want)
	}
	if len(got.Vector) != 1 || got.Chunks != 9 || got.NoVector != 1 || got.Note != both.Note {
		t.Errorf("%+v", got)
	}
	if cut := alone.with(both, 2); len(cut.Lexical) != 2 || cut.Lexical[0].Index != 0 {
		t.Errorf("cut to two: %+v", cut.Lexical)
	}
}

func TestBlend(t *testing.T) {
	if v := blend([][]float32{{0, 1}}); !slices.Equal(v, []float32{0, 1}) {
		t.Errorf("one vector became %v", v)
	}
	for name, tt := range map[string]struct{ a, b []float32 }{
		"apart": {[]float32{1, 0}, []float32{0, 1}}, "the same": {[]float32{1, 0}, []float32{1, 0}}, "opposite": {[]float32{1, 0}, []float32{-1, 0}},
	} {
		v := blend([][]float32{tt.a, tt.b})
		if length := math.Hypot(float64(v[0]), float64(v[1])); math.Abs(length-1) > 1e-6 || v[0] < 0.8 {
			t.Errorf("%s: %v, %v long", name, v, length)
		}
	}
}
