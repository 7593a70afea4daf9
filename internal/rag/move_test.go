package rag

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// moving is a server whose next move waits in the embedder, until it is let go.
func moving(t *testing.T, store *undone, to Model) (s *Service, goOn chan struct{}) {
	t.Helper()
	goOn = make(chan struct{})
	in := &modeled{model: to}
	in.embed = func(ctx context.Context, texts []string) ([][]float32, error) {
		select {
		case <-goOn:
			return make([][]float32, len(texts)), nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	s = newService(t, Config{Earlier: func(m Model) (Embedder, error) { return &modeled{model: m}, nil }}, store, in, fakeExtractor(byLine))
	if _, err := s.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s, goOn
}

// running runs a server until it is stopped.
func running(t *testing.T, s *Service) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { s.Run(ctx); close(done) }()
	return func() { cancel(); <-done }
}

func TestOneMoveAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &undone{shared: newShared(modelA(), true)}
		first, goOn := moving(t, store, modelB())
		second, _ := moving(t, store, Model{"c", 2})
		for _, s := range []*Service{first, second} {
			defer running(t, s)()
		}
		began, err := first.StartReembed(t.Context(), false)
		if err != nil || began.From != modelA() || began.To != modelB() || !began.Running {
			t.Fatalf("%+v, %v", began, err)
		}
		synctest.Wait()
		for range 3 { // however long it takes
			<-time.NewTimer(first.cfg.Lease).C // virtual
			for _, force := range []bool{false, true} {
				_, err = second.StartReembed(t.Context(), force)
				if CodeOf(err) != Conflict || !strings.Contains(err.Error(), "moved to b") {
					t.Errorf("a second one, force %t: %v", force, err)
				}
			}
			err = second.Reembed(t.Context(), second.cfg.Next, nil)
			if CodeOf(err) != Conflict {
				t.Errorf("a second one by command: %v", err)
			}
		}
		if second.Status(t.Context()).Move != nil {
			t.Error("the second one shows a move")
		}
		if again, err := first.StartReembed(t.Context(), false); err != nil || !again.Began.Equal(began.Began) {
			t.Errorf("asked again: %+v, %v", again, err)
		}
		if store.renewals() < 8 {
			t.Errorf("%d signs of life in three leases", store.renewals())
		}
		close(goOn)
		synctest.Wait()
		if m := first.Status(t.Context()).Move; m == nil || m.Running || m.Error != nil || store.model() != modelB() || store.leased() {
			t.Errorf("in the end: %+v, %v, leased %t", m, store.model(), store.leased())
		}
		before := store.renewals()
		<-time.NewTimer(2 * first.cfg.Lease).C
		if n := store.renewals(); n != before {
			t.Errorf("%d signs of life after the end", n-before)
		}
	})
}

// TestAMoveThatWasTakenOver neither changes anything over nor takes back what
// is another's, whether it hears of it at a sign of life or when it wakes up.
func TestAMoveThatWasTakenOver(t *testing.T) {
	for name, wake := range map[string]func(s *Service, goOn chan struct{}){
		"a sign of life": func(s *Service, _ chan struct{}) { <-time.NewTimer(s.cfg.Lease).C },
		"waking up":      func(_ *Service, goOn chan struct{}) { close(goOn) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &undone{shared: newShared(modelA(), true)}
				s, goOn := moving(t, store, modelB())
				ended := make(chan error, 1)
				go func() { ended <- s.Reembed(t.Context(), s.cfg.Next, nil) }()
				synctest.Wait()
				store.expire()
				if _, err := store.BeginMove(t.Context(), Model{"c", 2}, time.Hour); err != nil {
					t.Fatal(err)
				}
				wake(s, goOn)
				if err := <-ended; CodeOf(err) != Conflict || !strings.Contains(err.Error(), "another one has taken the move over") {
					t.Errorf("%v", err)
				}
				if store.model() != modelA() || s.Model() != modelA() || !store.leased() {
					t.Errorf("the documents are of %v, questions of %v, the other's lease: %t", store.model(), s.Model(), store.leased())
				}
			})
		})
	}
}

// TestAMoveThatEndsGivesTheLeaseBack however it ends, and a new one can begin.
func TestAMoveThatEndsGivesTheLeaseBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &undone{shared: newShared(modelA(), true)}
		s, _ := moving(t, store, modelB())
		stop := running(t, s)
		if _, err := s.StartReembed(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if !store.leased() {
			t.Error("no lease while it moves")
		}
		stop()
		if store.leased() {
			t.Error("a server that has stopped keeps the lease")
		}
		if m := s.Status(t.Context()).Move; m == nil || m.Running || m.Error == nil || m.Error.Code != Canceled {
			t.Errorf("%+v", m)
		}
	})
}

// TestAMoveFromNothing: nobody had vectors, whatever the model in use is called.
func TestAMoveFromNothing(t *testing.T) {
	store := newShared(Model{}, false)
	s := server(t, store, modelA())
	m, err := s.StartReembed(t.Context(), false)
	if err != nil || m.From != (Model{}) || m.To != modelA() {
		t.Errorf("%+v, %v", m, err)
	}
	store.expire()
	store.move(modelA())
	var told []Move
	if err := server(t, store, modelA()).Reembed(t.Context(), &modeled{model: modelB()}, func(m Move) { told = append(told, m) }); err != nil || len(told) == 0 {
		t.Fatalf("%d reports, %v", len(told), err)
	}
	if told[0].From != modelA() || told[0].To != modelB() {
		t.Errorf("%+v", told[0])
	}
}

// TestServersThatBeganTogether: the one whose model is not in use is not told
// that documents were moved, which nobody did.
func TestServersThatBeganTogether(t *testing.T) {
	store := newShared(Model{}, false)
	loser := server(t, store, modelA(), modelB())
	server(t, store, modelB())
	store.move(modelB()) // its first upload
	_, err := loser.StartReembed(t.Context(), false)
	if CodeOf(err) != Conflict || strings.Contains(err.Error(), "has moved") || !strings.Contains(err.Error(), "another server has made b the model in use since this one was started, whose settings name a") {
		t.Errorf("%v", err)
	}
}
