package postgres_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/internal/postgres"
	"weir/internal/rag"
	"weir/internal/storetest"
)

// TestAServerFollowsAnother: one server moves all documents there and back,
// again and again, while another is asked without a pause. No answer of it may
// fail, be empty, or be of no vectors or some.
func TestAServerFollowsAnother(t *testing.T) {
	cluster(t)
	a := address(t)
	fillOne(t, a)
	other := rag.Model{Name: "other", Dim: 24}
	serve := func(named rag.Model) *rag.Service {
		svc, err := rag.New(rag.Config{
			CountTokens: func(s string) int { return len(s) / 4 },
			Earlier:     func(m rag.Model) (rag.Embedder, error) { return storetest.Embedder(m), nil },
		}, open(t, postgres.Config{Address: a}), storetest.Embedder(named), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := svc.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		return svc
	}
	moving, asked := serve(testModel()), serve(testModel())
	ctx, stop := context.WithCancel(t.Context())
	var work sync.WaitGroup
	var answers [2]atomic.Int64
	for range 4 {
		work.Go(func() {
			for ctx.Err() == nil {
				for i, mode := range []rag.Mode{rag.Hybrid, rag.Vector} {
					got, err := asked.Retrieve(ctx, alice, rag.Request{Query: "heron by the weir", Mode: mode})
					if ctx.Err() != nil {
						return
					}
					if err != nil || got.Mode != mode || len(got.Chunks) != 1 || len(got.Degraded) > 0 || got.Chunks[0].Similarity == nil || *got.Chunks[0].Similarity < 0.99 {
						t.Errorf("%s: %+v, %v", mode, got, err)
						return
					}
					answers[i].Add(1)
				}
			}
		})
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for i := range 6 {
		to := []rag.Model{other, testModel()}[i%2]
		if err := moving.Reembed(t.Context(), storetest.Embedder(to), nil); err != nil {
			t.Error(err)
		}
		for before := answers[1].Load(); answers[1].Load() < before+8 && !t.Failed(); {
			<-tick.C
		}
		if asked.Model() != to {
			t.Errorf("after move %d it asks with %v", i, asked.Model())
		}
	}
	stop()
	work.Wait()
	t.Logf("%d and %d answers", answers[0].Load(), answers[1].Load())
	if _, err := serve(other).StartReembed(t.Context(), false); err != nil {
		t.Errorf("settings that name another model at the start: %v", err)
	}
}
