package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/e2e/weirtest"
	"weir/internal/embed/embedtest"
	"weir/internal/rag"
)

// reembedding is a folder whose documents are moved from model to model.
type reembedding struct {
	data, provider string
	asked          atomic.Int64
}

const (
	movedDocuments = 40
	firstDim       = 64
)

// settings are those of one of two models, which differ in their dimensions.
func (r *reembedding) settings(model int) []string {
	return []string{
		"--openai-base-url", r.provider, "--embedding-model", fmt.Sprintf("model-%d", model),
		"--embedding-dimensions", strconv.Itoa(firstDim + 32*model),
	}
}

// TestKillDuringReembed kills the server at random moments of a move to
// another model, which goes on after each restart. Whenever the server is up,
// every question is answered whole, from vectors of one model.
func TestKillDuringReembed(t *testing.T) {
	provider := embedtest.New(t, embedtest.Options{Dim: firstDim, TakesDimensions: true})
	r := &reembedding{data: filepath.Join(t.TempDir(), "data"), provider: provider.URL()}
	s := serve(t, r.data, r.settings(0)...)
	k := &killing{docs: make(map[string]string, movedDocuments)}
	for i := range movedDocuments {
		k.docs[strconv.Itoa(i)+".md"] = logbook(i)
	}
	k.begin()
	k.upload(t, s.Client)
	k.waitForAll(t, s.Client)
	s.stop(t)

	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	began := time.Now()
	if !r.move(t, 1, 0) {
		t.Fatal("an undisturbed move did not end")
	}
	took := time.Since(began)
	kills := 0
	for round := 0; round < 4 || kills == 0 && round < 40; round++ { // more while chance has had no kill meet a move
		to := round % 2 // and there it is: 1 at first
		for !r.move(t, to, time.Duration(1+random.Int64N(int64(took)))) {
			if kills++; kills > 60 {
				t.Fatal("it gets nowhere: what was made is not kept")
			}
		}
	}
	t.Logf("an undisturbed move took %v; %d kills, %d questions answered", took, kills, r.asked.Load())
	if kills == 0 {
		t.Error("no kill met a move: the rounds show nothing")
	}
}

// move starts the server with the settings of a model and has all documents
// moved to it; the server is killed after some time, unless that is 0. It
// reports whether the move ended before.
func (r *reembedding) move(t *testing.T, to int, after time.Duration) (ended bool) {
	t.Helper()
	s := serve(t, r.data, r.settings(to)...)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var work sync.WaitGroup
	defer work.Wait()
	for w := range 3 {
		work.Go(func() { r.ask(ctx, t, s, w) })
	}
	done := make(chan bool, 1)
	work.Go(func() {
		cmd := exec.CommandContext(ctx, binary, "reembed", "--data", r.data)
		cmd.Env = weirtest.Environment()
		out, err := cmd.CombinedOutput()
		if err == nil {
			t.Logf("%s", out)
		}
		done <- err == nil
	})
	if after == 0 {
		after = patience
	}
	timer := time.NewTimer(after)
	defer timer.Stop()
	select {
	case ended = <-done:
		if !ended {
			t.Error("weir reembed failed, and nothing was in its way")
		}
	case <-timer.C:
	}
	cancel()
	work.Wait()
	if !ended {
		s.Kill()
		return false
	}
	if d, _, err := s.Client.Documents(t.Context(), user, rag.Page{Limit: rag.MaxPage}); err != nil {
		t.Error(err)
	} else {
		for _, d := range d {
			if d.Model.Dim != firstDim+32*to {
				t.Errorf("after the move: %s has vectors of %v", d.Filename, d.Model)
			}
		}
	}
	s.stop(t)
	return true
}

// ask asks until ctx ends.
func (r *reembedding) ask(ctx context.Context, t *testing.T, s *server, w int) {
	least := 0.001 // the provider's vectors are of words, and a passage has many
	for i := w; ctx.Err() == nil; i++ {
		n := i % movedDocuments
		got, err := s.Client.Retrieve(ctx, user, rag.Request{
			Query: fmt.Sprintf("what did ship%02d note in watch%02dx3x2?", n, n), SimilarityThreshold: &least,
		})
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			t.Errorf("a question failed: %v", err)
			return
		}
		if got.Mode != rag.Hybrid || len(got.Degraded) > 0 || len(got.Chunks) == 0 || got.Chunks[0].Filename != strconv.Itoa(n)+".md" || got.Chunks[0].Similarity == nil {
			t.Errorf("question %d: mode %s, degraded %v, %d passages", n, got.Mode, got.Degraded, len(got.Chunks))
			return
		}
		r.asked.Add(1)
	}
}
