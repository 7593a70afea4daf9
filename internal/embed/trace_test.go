package embed

import (
	"context"
	"crypto/rand"
	"slices"
	"sync"
	"testing"

	"weir/internal/embed/embedtest"
	"weir/internal/rag"
)

// teller is a Tracer that notes attempts.
type teller struct {
	mu    sync.Mutex
	began [][]string
	ended []rag.Code
}

type tellerKey struct{}

func (*teller) Parent(ctx context.Context) string {
	p, _ := ctx.Value(tellerKey{}).(string)
	return p
}

func (tl *teller) AttemptBegan(_ context.Context, parents []string, _ rag.Purpose, _, _ int) (string, func(rag.Code, string)) {
	tl.mu.Lock()
	defer tl.mu.Unlock()
	tl.began = append(tl.began, parents)
	return "00-of-the-attempt", func(c rag.Code, _ string) {
		tl.mu.Lock()
		defer tl.mu.Unlock()
		tl.ended = append(tl.ended, c)
	}
}

// Who asks is named to the provider by the attempt's span, and the span knows who
// asked; one attempt for two calls knows both.
func TestAttemptsAreTraced(t *testing.T) {
	tl := &teller{}
	s := embedtest.New(t, embedtest.Options{Dim: 4})
	p, err := New(Config{BaseURL: s.URL(), Dimensions: 4, Tracer: tl, Model: "m"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	asked := context.WithValue(t.Context(), tellerKey{}, "00-of-the-call")
	if _, err := p.Embed(asked, "ann", rag.ForQuery, []string{"a", "b"}); err != nil {
		t.Fatal(err)
	}
	if got := s.Requests()[0].Header.Get("Traceparent"); got != "00-of-the-attempt" {
		t.Errorf("the provider was told %q", got)
	}
	if s.Requests()[0].Header.Get("Tracestate") != "" {
		t.Error("tracestate was sent")
	}
	b := &batch{}
	for _, trace := range []string{"x", "y", "x", ""} {
		b.flights = append(b.flights, &flight{members: map[*call]struct{}{{trace: trace}: {}}})
	}
	if got := p.parents(b); !slices.Equal(got, []string{"x", "y"}) {
		t.Errorf("parents %q", got)
	}
	for range 3 * maxParents {
		b.flights = append(b.flights, &flight{members: map[*call]struct{}{{trace: rand.Text()}: {}}})
	}
	if n := len(p.parents(b)); n != maxParents {
		t.Errorf("%d parents", n)
	}
	tl.mu.Lock()
	defer tl.mu.Unlock()
	if len(tl.began) != 1 || !slices.Equal(tl.began[0], []string{"00-of-the-call"}) || !slices.Equal(tl.ended, []rag.Code{""}) {
		t.Errorf("began %q, ended %q", tl.began, tl.ended)
	}
}
