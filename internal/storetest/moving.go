package storetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"weir/internal/rag"
)

// Embedder makes vectors of any model, for tests.
func Embedder(m rag.Model) rag.Embedder { return &embedder{m} }

// embedder makes the vectors of the tests.
type embedder struct{ model rag.Model }

func (e *embedder) Model() rag.Model { return e.model }
func (e *embedder) MaxBatch() int    { return 3 }

func (e *embedder) Embed(ctx context.Context, _ rag.User, _ rag.Purpose, texts []string) ([][]float32, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	vs := make([][]float32, len(texts))
	for i, t := range texts {
		if _, content, titled := strings.Cut(t, "\n"); titled { // the passage without its headings
			t = content
		}
		vs[i] = vectorOf(t, e.model.Dim)
	}
	return vs, nil
}

// testSearchDuringMoves has questions asked and documents come and go all
// along while everything is moved from one model to the other and back.
func testSearchDuringMoves(t *testing.T, open func() rag.Store) {
	s := open()
	defer closeStore(t, s)
	const documents, users, moves = 6, 3, 4
	user := func(i int) rag.User { return rag.User(fmt.Sprintf("user %d", i%users)) }
	for i := range documents * users {
		ingest(t, s, user(i), fmt.Sprintf("%d.txt", i/users), fmt.Sprintf("heron %d of %s", i/users, user(i)), fmt.Sprintf("a duck %d", i))
	}
	svc, err := rag.New(rag.Config{CountTokens: func(s string) int { return len(s) / 4 }}, s, &embedder{model()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if live, err := svc.Settle(t.Context()); err != nil || live != model() {
		t.Fatalf("Settle: %v, %v", live, err)
	}
	var asked atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for w := range 6 {
		wg.Go(func() {
			for i := w; ctx.Err() == nil; i++ {
				q := fmt.Sprintf("heron %d of %s", i%documents, user(i))
				r, err := svc.Retrieve(ctx, user(i), rag.Request{Query: q})
				if errors.Is(ctx.Err(), context.Canceled) {
					return
				}
				if err != nil {
					t.Errorf("a search failed: %v", err)
					return
				}
				if r.Mode != rag.Hybrid || len(r.Degraded) != 0 || len(r.Chunks) == 0 || r.Chunks[0].Content != q ||
					r.Chunks[0].Similarity == nil || math.Abs(*r.Chunks[0].Similarity-1) > 1e-5 {
					t.Errorf("asked %q: mode %s, degraded %v, %d passages, first %+v", q, r.Mode, r.Degraded, len(r.Chunks), r.Chunks)
					return
				}
				asked.Add(1)
			}
		})
	}
	for i := range moves {
		m := other()
		if i%2 == 1 {
			m = model()
		}
		before := asked.Load()
		if err := svc.Reembed(ctx, &embedder{m}, nil); err != nil {
			t.Errorf("Reembed: %v", err)
		}
		if svc.Model() != m {
			t.Errorf("the model in use: %v", svc.Model())
		}
		for asked.Load() < before+50 && !t.Failed() { // some after each switch
			if _, err := svc.Retrieve(ctx, user(i), rag.Request{Query: "heron"}); err != nil {
				t.Error(err)
			}
		}
	}
	stop()
	wg.Wait()
}
