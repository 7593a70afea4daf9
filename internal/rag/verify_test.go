package rag

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// sampled is a store whose one passage has a vector.
type sampled struct {
	fakeStore
	vector []float32
	asked  int
}

func (s *sampled) Sample(context.Context, Model) (Chunk, []float32, error) {
	s.asked++
	return Chunk{SectionTitle: "1 Keys", Content: "the spare key"}, s.vector, nil
}

func TestAnEmbedderIsHeldAgainstAStoredPassage(t *testing.T) {
	var calls [][]string
	answer := func(v []float32, refuse string) *fakeEmbedder {
		return &fakeEmbedder{embed: func(_ context.Context, texts []string) ([][]float32, error) {
			calls = append(calls, texts)
			out := make([][]float32, len(texts))
			for i, text := range texts {
				if text == refuse {
					return nil, FieldErrorf("texts", "refused")
				}
				out[i] = []float32{0, 1}
				if text == "1 Keys\nthe spare key" {
					out[i] = v
				}
			}
			return out, nil
		}}
	}
	tests := []struct {
		name     string
		stored   []float32
		embedder *fakeEmbedder
		want     Code
		calls    int // for two questions
	}{
		{"the same vector", []float32{1, 0}, answer([]float32{1, 0}, ""), "", 2},
		{"nearly the same", []float32{1, 0}, answer([]float32{0.999, 0.045}, ""), "", 2},
		{"another model's", []float32{1, 0}, answer([]float32{0, 1}, ""), Unavailable, 2},
		{"nothing to compare with", nil, answer(nil, ""), "", 2},
		{"the passage is refused", []float32{1, 0}, answer(nil, "1 Keys\nthe spare key"), Unavailable, 4},
		{"the question is refused", []float32{1, 0}, answer([]float32{1, 0}, "q"), Invalid, 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			calls = nil
			store := &sampled{fakeStore: *book(1, nil, []Candidate{cos(0, 0.9)}), vector: tt.stored}
			s := newService(t, Config{}, store, tt.embedder, nil)
			if _, err := s.Settle(t.Context()); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				_, err := s.Retrieve(t.Context(), "u", Request{Query: "q", Mode: Vector})
				if CodeOf(err) != tt.want {
					t.Errorf("got %v, want %q", err, tt.want)
				}
			}
			if len(calls) != tt.calls || store.asked != 1 {
				t.Errorf("%d calls: %q; %d samples", len(calls), calls, store.asked)
			}
			if tt.want == "" && len(calls[1]) != 1 {
				t.Errorf("the passage was asked for again: %q", calls)
			}
		})
	}
}

func TestErrorsNameTheCallersField(t *testing.T) {
	e := &fakeEmbedder{embed: func(context.Context, []string) ([][]float32, error) {
		return nil, FieldErrorf("texts[0]", "it is too long")
	}}
	s := newService(t, Config{}, book(1, nil, nil), e, nil)
	for _, tt := range []struct {
		want string
		call func() error
	}{
		{"query", func() error {
			_, err := s.Retrieve(t.Context(), "u", Request{Query: "q", Mode: Vector})
			return err
		}},
		{"input[0]", func() error {
			_, err := s.Embed(t.Context(), "u", EmbedRequest{Texts: []string{"a"}})
			return err
		}},
	} {
		var e *Error
		if err := tt.call(); !errors.As(err, &e) || e.Field != tt.want || e.Msg != tt.want+": it is too long" || e.Code != Invalid {
			t.Errorf("%s: %v", tt.want, err)
		}
	}
}

// TestNothingOfACallIsLeft: places, memory and the list of calls, whenever a
// ctx ends, and when a call panics.
func TestNothingOfACallIsLeft(t *testing.T) {
	a := gate(1, 1, 100, 1)
	p, err := a.take(t.Context(), "u", 10)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	// The ctx ends between the look at it and the begin of the work.
	if _, err := stage(lateCtx{ctx, cancel}, p, func() (int, error) { return 1, nil }); err != nil && CodeOf(err) != Canceled {
		t.Error(err)
	}
	p.release()
	for a.look() != 0 { // the work that was begun ends by itself
		if t.Context().Err() != nil {
			t.Fatal("a place is left")
		}
	}
	a.whole(t)

	s := newService(t, Config{}, book(1, nil, nil), &fakeEmbedder{none: true}, nil)
	s.cfg.CountTokens = func(string) int { panic("a bug") }
	func() {
		defer func() { _ = recover() }()
		_, _ = s.Retrieve(t.Context(), "u", Request{Query: string(make([]byte, MaxQueryTokens+1))})
	}()
	if l := s.Load(); l.InFlight != 0 || l.Bytes != 0 || l.OldestAge != 0 || len(s.calls.open) != 0 {
		t.Errorf("left: %+v", l)
	}
}

func (a *admission) look() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.busy
}

// lateCtx ends after the first look at it.
type lateCtx struct {
	context.Context
	end context.CancelFunc
}

func (c lateCtx) Err() error {
	defer c.end()
	return c.Context.Err()
}

// TestASampleThatComesLater: an embedder that was asked before there was
// anything to hold it against is held against it afterwards, and the store is
// not asked with every question until then.
func TestASampleThatComesLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wrong := &fakeEmbedder{embed: func(_ context.Context, texts []string) ([][]float32, error) {
			out := make([][]float32, len(texts))
			for i := range out {
				out[i] = []float32{0, 1}
			}
			return out, nil
		}}
		store := &sampled{fakeStore: *book(1, nil, []Candidate{cos(0, 0.9)})}
		s := newService(t, Config{}, store, wrong, nil)
		if _, err := s.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		ask := func(want Code, looks int) {
			t.Helper()
			if _, err := s.Retrieve(t.Context(), "u", Request{Query: "q", Mode: Vector}); CodeOf(err) != want || store.asked != looks {
				t.Errorf("%v after %d looks, want %q after %d", err, store.asked, want, looks)
			}
		}
		ask("", 1)
		ask("", 1)
		store.vector = []float32{1, 0}
		ask("", 1)
		<-time.NewTimer(sampleEvery).C // virtual
		ask(Unavailable, 2)
		ask(Unavailable, 2)
	})
}
