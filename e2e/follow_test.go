package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/internal/embed/embedtest"
	"weir/internal/postgres/pgtest"
	"weir/internal/rag"
)

// followTime is how soon the other servers must have followed a move.
const followTime = 5 * time.Second

// fleet is three servers on one database: of the old settings, of the new, and
// one that has no provider.
type fleet struct {
	old, next, lone *server
	asked           atomic.Int64
}

func (f *fleet) all() []*server { return []*server{f.old, f.next, f.lone} }

// TestServersFollowAMove has one of three servers move the documents, there and
// back, while questions are asked of all. No question may fail, or be answered
// by nothing or from two models, and whoever has the provider answers from
// vectors all along.
func TestServersFollowAMove(t *testing.T) {
	db := pgtest.Start(t, pgtest.Settings{})
	database := db.Database(t)
	provider := embedtest.New(t, embedtest.Options{Dim: firstDim, TakesDimensions: true})
	r := &reembedding{provider: provider.URL()}
	config := write(t, t.TempDir(), "weir.yaml", "database_url: "+db.URL(pgtest.Role, database)+"\nstore: postgres\n")
	start := func(settings ...string) *server {
		return serve(t, filepath.Join(t.TempDir(), "data"), append([]string{"--config", config}, settings...)...)
	}
	f := &fleet{old: start(r.settings(0)...)}
	k := &killing{docs: make(map[string]string, movedDocuments)}
	for i := range movedDocuments {
		k.docs[strconv.Itoa(i)+".md"] = logbook(i)
	}
	k.begin()
	k.upload(t, f.old.Client)
	k.waitForAll(t, f.old.Client)
	f.next, f.lone = start(r.settings(1)...), start()

	ctx, stop := context.WithCancel(t.Context())
	var work sync.WaitGroup
	defer work.Wait()
	defer stop()
	for w := range 6 {
		work.Go(func() { f.ask(ctx, t, w) })
	}
	to := func(model int) rag.Model {
		return rag.Model{Name: fmt.Sprintf("model-%d", model), Dim: firstDim + 32*model}
	}
	f.moveOn(t, f.next)
	f.follow(t, to(1))
	f.upload(t, f.old, "by-old.md", to(1))
	f.upload(t, f.lone, "by-lone.md", to(1))
	for _, s := range []*server{f.old, f.lone} {
		if _, err := s.Client.StartReembed(t.Context(), false); rag.CodeOf(err) != rag.Conflict {
			t.Errorf("a server whose settings are behind was asked to move: %v", err)
		}
	}
	if _, err := f.lone.Client.Retrieve(t.Context(), user, rag.Request{Query: "what did ship01 note?", Mode: rag.Vector}); rag.CodeOf(err) != rag.Unavailable {
		t.Errorf("vectors alone, and no provider: %v", err)
	}
	// And back, by a process of its own.
	if got := weir(t, append([]string{"reembed", "--json", "--config", config, "--data", t.TempDir()}, r.settings(0)...)...); got.code != 0 ||
		!decode[struct{ Moved bool }](t, got.out).Moved {
		t.Errorf("weir reembed: %+v", got)
	}
	f.follow(t, to(0))
	stop()
	work.Wait()
	t.Logf("%d questions", f.asked.Load())
	if n := db.Number(t, database, "SELECT count(DISTINCT model) FROM weir.documents"); n != 1 {
		t.Errorf("documents of %d models", n)
	}
}

// moveOn has a server move the documents and waits until it has.
func (f *fleet) moveOn(t *testing.T, s *server) {
	t.Helper()
	if _, err := s.Client.StartReembed(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	until(t, patience, "the move", func() bool {
		st, err := s.Client.Status(t.Context())
		if err != nil || st.Move == nil || st.Move.Error != nil {
			t.Fatalf("%+v, %v", st.Move, err)
		}
		return !st.Move.Running
	})
}

// follow waits until every server is with a model.
func (f *fleet) follow(t *testing.T, m rag.Model) {
	t.Helper()
	began := time.Now()
	for i, s := range f.all() {
		until(t, followTime-time.Since(began), fmt.Sprintf("server %d follows to %s", i, m.Name), func() bool {
			st, err := s.Client.Status(t.Context())
			if err != nil || st.Model == nil {
				t.Fatalf("%+v, %v", st, err)
			}
			if *st.Model == m && st.NoProvider != (s == f.lone) {
				t.Errorf("server %d: provider missing: %t", i, st.NoProvider)
			}
			return *st.Model == m
		})
	}
	t.Logf("all with %s after %v", m.Name, time.Since(began))
}

// upload stores a document and waits until it is ready.
func (f *fleet) upload(t *testing.T, s *server, name string, m rag.Model) {
	t.Helper()
	d, _, err := s.Client.Upload(t.Context(), user, rag.NewDocument{Filename: name, Content: []byte("# " + name + "\n\nThe dinghy is called Petrel.\n")})
	if err != nil {
		t.Fatal(err)
	}
	until(t, patience, name+" is ready", func() bool {
		d, err = s.Client.Document(t.Context(), user, d.ID)
		if err != nil || d.Status == rag.Failed {
			t.Fatalf("%+v, %v", d, err)
		}
		return d.Status == rag.Ready
	})
	if d.Model != m {
		t.Errorf("%s has vectors of %v, want %v", name, d.Model, m)
	}
}

// until waits for something, not longer than d.
func until(t *testing.T, d time.Duration, what string, done func() bool) {
	t.Helper()
	timer, tick := time.NewTimer(d), time.NewTicker(20*time.Millisecond)
	defer timer.Stop()
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-timer.C:
			t.Fatalf("%s: not within %v", what, d)
		}
	}
}

// ask asks all servers in turn until ctx ends.
func (f *fleet) ask(ctx context.Context, t *testing.T, w int) {
	least := 0.001
	for i := w; ctx.Err() == nil; i++ {
		s, n := f.all()[i%3], i%movedDocuments
		got, err := s.Client.Retrieve(ctx, user, rag.Request{
			Query: fmt.Sprintf("what did ship%02d note in watch%02dx3x2?", n, n), SimilarityThreshold: &least,
		})
		if ctx.Err() != nil {
			return
		}
		if err != nil || len(got.Chunks) == 0 || got.Chunks[0].Filename != strconv.Itoa(n)+".md" {
			t.Errorf("server %d, question %d: %+v, %v", i%3, n, got, err)
			return
		}
		if s == f.lone {
			if got.Mode != rag.Lexical || len(got.Degraded) != 1 || got.Degraded[0].Reason != "no_embedder_for_model" {
				t.Errorf("the server without a provider: mode %s, %+v", got.Mode, got.Degraded)
				return
			}
		} else if got.Mode != rag.Hybrid || len(got.Degraded) > 0 {
			t.Errorf("server %d: mode %s, %+v", i%3, got.Mode, got.Degraded)
			return
		}
		for _, c := range got.Chunks {
			if (c.Similarity != nil) != (s != f.lone) {
				t.Errorf("server %d: a passage of another model beside the others", i%3)
				return
			}
		}
		f.asked.Add(1)
	}
}
