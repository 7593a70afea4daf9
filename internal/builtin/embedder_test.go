package builtin

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"weir/internal/rag"
)

func vector(tb testing.TB, e *Embedder, text string) []float32 {
	tb.Helper()
	vs, err := e.Embed(tb.Context(), "someone", rag.ForQuery, []string{text})
	if err != nil {
		tb.Fatalf("%.60q: %v", text, err)
	}
	if len(vs) != 1 || len(vs[0]) != e.Model().Dim {
		tb.Fatalf("%.60q: %d vectors", text, len(vs))
	}
	return vs[0]
}

func dot(a, b []float32) float64 {
	d := 0.0
	for i := range a {
		d += float64(a[i]) * float64(b[i])
	}
	return d
}

func TestEveryTextHasAUnitVector(t *testing.T) {
	e := newEmbedder(t)
	for name, text := range map[string]string{
		"word":             "weir",
		"no width":         "\u200b\u200d\ufeff",
		"accents alone":    "\u0301\u0302",
		"bytes, not UTF-8": "\xff\xfe\x80",
		"unknown script":   "\U00012000\U00012001 \U00013000",
		"rare ideographs":  "龘靐齉爩",
		"emoji":            "👩‍👩‍👧",
		"special tokens":   "[PAD][UNK][CLS][SEP][MASK]",
		"a long word":      strings.Repeat("ab", 5000),
		"a long text":      strings.Repeat("the river bears what it can. ", 20000),
		"many marks":       "a" + strings.Repeat("\u302e\u1baa", 1000),
	} {
		t.Run(name, func(t *testing.T) {
			v := vector(t, e, text)
			if n := math.Sqrt(dot(v, v)); math.Abs(n-1) > 1e-6 {
				t.Errorf("length %v", n)
			}
			if !slices.Equal(v, vector(t, e, text)) {
				t.Error("another vector the second time")
			}
		})
	}
}

func TestAnEmptyTextIsInvalid(t *testing.T) {
	e := newEmbedder(t)
	for _, text := range []string{"", " \t\n", "\u2003"} {
		vs, err := e.Embed(t.Context(), "", rag.ForIngest, []string{"fine", text})
		if rag.CodeOf(err) != rag.Invalid || vs != nil || !strings.Contains(err.Error(), "texts[1]") {
			t.Errorf("%q: got %d vectors and %v", text, len(vs), err)
		}
	}
	if vs, err := e.Embed(t.Context(), "", rag.ForIngest, nil); err != nil || len(vs) != 0 {
		t.Errorf("no texts: %v, %v", vs, err)
	}
}

func TestNearInMeaningIsNear(t *testing.T) {
	e := newEmbedder(t)
	for _, c := range []struct{ name, query, right, wrong string }{
		{"synonyms", "How do I repair my automobile?", "Fixing a broken car yourself", "Baking a loaf of bread yourself"},
		{"illness", "medicine for a sore throat", "The doctor prescribed pills against the infection", "The parliament voted for the new tax"},
		{"accents and case", "CAFÉ", "cafe", "office"},
		{"unknown words shared", "𒀀𒀁𒀂 𒁀𒁁", "𒀀𒀁𒀂", "𒄀𒄁𒄂"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := vector(t, e, c.query)
			right, wrong := dot(q, vector(t, e, c.right)), dot(q, vector(t, e, c.wrong))
			if right < wrong+0.1 {
				t.Errorf("right %.3f, wrong %.3f", right, wrong)
			}
		})
	}
}

// Of texts in an unknown script those that share nothing are not alike.
func TestUnknownWordsAreNotAllAlike(t *testing.T) {
	e := newEmbedder(t)
	a, b := vector(t, e, "\U00012000\U00012001\U00012002"), vector(t, e, "\U00012003\U00012004\U00012005")
	if d := math.Abs(dot(a, b)); d > 0.25 {
		t.Errorf("cosine %.3f", d)
	}
}

func TestSumIsExactHoweverLong(t *testing.T) {
	e := newEmbedder(t)
	one, many := vector(t, e, "harbour"), vector(t, e, strings.Repeat("harbour ", 300_000))
	if !slices.Equal(one, many) {
		t.Errorf("one word says %v, the same many times %v", one[:3], many[:3])
	}
}

func TestAnEndedContextEndsTheWork(t *testing.T) {
	e := newEmbedder(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("gone")
	cancel(gone)
	vs, err := e.Embed(ctx, "", rag.ForIngest, []string{"some text"})
	if vs != nil || rag.CodeOf(err) != rag.Canceled || !errors.Is(err, gone) {
		t.Errorf("got %d vectors and %v", len(vs), err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 0)
	defer stop()
	if _, err := e.Embed(ctx, "", rag.ForIngest, []string{"some text"}); rag.CodeOf(err) != rag.Timeout {
		t.Errorf("got %v", err)
	}
}

// ending is a context that ends after it was asked often enough: a long text
// must look at its context along the way.
type ending struct {
	context.Context
	left int
}

func (c *ending) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

func TestALongTextIsGivenUpHalfway(t *testing.T) {
	e := newEmbedder(t)
	for name, text := range map[string]string{
		"many words": strings.Repeat("word ", 100_000),
		"one word":   strings.Repeat("a", 10_000_000),
	} {
		t.Run(name, func(t *testing.T) {
			ctx := &ending{t.Context(), 3}
			if _, err := e.Embed(ctx, "", rag.ForIngest, []string{text}); rag.CodeOf(err) != rag.Canceled {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestOneModelForMany(t *testing.T) {
	e := newEmbedder(t)
	texts := []string{"one text", "another, somewhat longer text", "ein dritter", "第四", strings.Repeat("x", 300)}
	var want [][]float32
	for _, text := range texts {
		want = append(want, vector(t, e, text))
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				k := (i + g) % len(texts)
				vs, err := e.Embed(t.Context(), "", rag.ForQuery, texts[k:k+1])
				if err != nil || !slices.Equal(vs[0], want[k]) {
					t.Errorf("%.20q: %v", texts[k], err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// Two allocations a call, whatever the text: the values and the list of vectors.
func TestNothingIsAllocatedPerToken(t *testing.T) {
	e := newEmbedder(t)
	for name, text := range map[string]string{
		"short":   "a question",
		"long":    strings.Repeat("Crème brûlée, naïvely: 東京 각 unaffableness \U00012000\U00012001 ", 500),
		"unknown": strings.Repeat("\U00012000", 5000),
	} {
		t.Run(name, func(t *testing.T) {
			texts, ctx := []string{text}, t.Context()
			got := testing.AllocsPerRun(5, func() {
				if _, err := e.Embed(ctx, "", rag.ForQuery, texts); err != nil {
					t.Error(err)
				}
			})
			if got > 2 {
				t.Errorf("%v allocations", got)
			}
		})
	}
}

// Two spellings that Unicode calls the same, of words that the vocabulary
// cannot spell: marks come in the order of their classes, a letter or a mark
// of class 0 ends it.
func TestMarksAreInCanonicalOrder(t *testing.T) {
	e := newEmbedder(t)
	for _, tt := range []struct {
		name, a, b string
		same       bool
	}{
		{"two marks", "a\u302e\u1baa", "a\u1baa\u302e", true},
		{"an accent between them", "a\u302e\u0301\u1baa", "a\u1baa\u302e", true},
		{"of one class", "a\u302e\u302f", "a\u302f\u302e", false},
		{"a letter between them", "a\u302eb\u1baa", "a\u1baab\u302e", false},
		{"a mark of class 0 between them", "a\u302e\u0903\u1baa", "a\u1baa\u0903\u302e", false},
		{"decomposed", "\U0001d15e", "\U0001d157\U0001d165", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if same := slices.Equal(vector(t, e, tt.a), vector(t, e, tt.b)); same != tt.same {
				t.Errorf("%+q and %+q: the same is %v", tt.a, tt.b, same)
			}
		})
	}
}
