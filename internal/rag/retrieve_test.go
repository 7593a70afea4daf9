package rag

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func ptr[T any](v T) *T { return &v }

func indexes(r *Response) []int {
	var got []int
	for _, c := range r.Chunks {
		got = append(got, c.ChunkIndex)
	}
	return got
}

func TestRequestIsValidated(t *testing.T) {
	tests := []struct {
		name  string
		r     Request
		field string
	}{
		{"nothing", Request{}, "query"},
		{"blank", Request{Query: " \n"}, "query"},
		{"both", Request{Query: "q", Embedding: []float32{1, 0}}, "embedding"},
		{"not UTF-8", Request{Query: "a\xff"}, "query"},
		{"too many bytes", Request{Query: strings.Repeat("a", MaxQueryBytes+1)}, "query"},
		{"too many tokens", Request{Query: strings.Repeat("a ", MaxQueryTokens+1)}, "query"},
		{"threshold zero", Request{Query: "q", SimilarityThreshold: ptr(0.0)}, "similarity_threshold"},
		{"threshold above one", Request{Query: "q", SimilarityThreshold: ptr(1.01)}, "similarity_threshold"},
		{"threshold NaN", Request{Query: "q", SimilarityThreshold: ptr(math.NaN())}, "similarity_threshold"},
		{"no chunks", Request{Query: "q", MaxChunks: ptr(0)}, "max_chunks"},
		{"too many chunks", Request{Query: "q", MaxChunks: ptr(MaxChunks + 1)}, "max_chunks"},
		{"no budget", Request{Query: "q", TokenBudget: ptr(0)}, "token_budget"},
		{"neighbors", Request{Query: "q", Neighbors: -1}, "neighbors"},
		{"document ids", Request{Query: "q", DocumentIDs: make([]string, MaxDocumentIDs+1)}, "document_ids"},
		{"timeout", Request{Query: "q", TimeoutMS: -1}, "timeout_ms"},
		{"a timeout that would overflow to a short one", Request{Query: "q", TimeoutMS: math.MaxInt64/1_000_000 + 2}, "timeout_ms"},
		{"mode", Request{Query: "q", Mode: "magic"}, "mode"},
		{"lexical embedding", Request{Embedding: []float32{1, 0}, Mode: Lexical}, "mode"},
		{"dimension", Request{Embedding: []float32{1}}, "embedding"},
		{"empty embedding", Request{Embedding: []float32{}}, "embedding"},
		{"infinite", Request{Embedding: []float32{float32(math.Inf(1)), 0}}, "embedding"},
		{"zero", Request{Embedding: []float32{0, 0}}, "embedding"},
	}
	s := newService(t, Config{}, book(1, nil, nil), &fakeEmbedder{}, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := s.Retrieve(t.Context(), "u", tt.r)
			var e *Error
			if !errors.As(err, &e) || e.Code != Invalid || e.Field != tt.field {
				t.Errorf("got %v, want invalid %s", err, tt.field)
			}
		})
	}
	for _, u := range []User{"", User(strings.Repeat("u", MaxUserBytes+1)), "\xff"} {
		if _, err := s.Retrieve(t.Context(), u, Request{Query: "q"}); CodeOf(err) != Invalid {
			t.Errorf("user %.10q: got %v", u, err)
		}
	}
}

func TestRetrieveRanksThresholdsAndBudgets(t *testing.T) {
	lexical := []Candidate{{Ref: Ref{"d", 0}, Lexical: 9, Cosine: .1, HasCosine: true}, lex(1, 5), {Ref: Ref{"d", 2}, Lexical: 4, Cosine: .8, HasCosine: true}}
	vector := []Candidate{cos(2, .8), cos(3, .5), cos(4, .2)}
	tests := []struct {
		name      string
		r         Request
		want      []int
		truncated bool
	}{
		{"both halves first; below the threshold out; unknown similarity stays", Request{}, []int{2, 3, 1}, false},
		{"threshold", Request{SimilarityThreshold: ptr(.6)}, []int{2, 1}, false},
		{"all", Request{SimilarityThreshold: ptr(.01)}, []int{2, 0, 3, 1, 4}, false},
		{"limit", Request{MaxChunks: ptr(1)}, []int{2}, false},
		{"budget exactly met", Request{TokenBudget: ptr(20), MaxChunks: ptr(2)}, []int{2, 3}, false},
		{"budget ends the list", Request{TokenBudget: ptr(29)}, []int{2, 3}, true},
		{"lexical", Request{Mode: Lexical}, []int{0, 1, 2}, false},
		{"vector", Request{Mode: Vector}, []int{2, 3}, false},
		{"neighbors around the hit", Request{MaxChunks: ptr(1), Neighbors: 2}, []int{0, 1, 2, 3, 4}, false},
		{"neighbors, nearest first, inside the budget", Request{MaxChunks: ptr(1), Neighbors: 2, TokenBudget: ptr(35)}, []int{1, 2, 3}, true},
		{"a hit is no neighbor", Request{Neighbors: 1}, []int{2, 3, 4, 0, 1}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			store := book(6, lexical, vector)
			if tt.r.Mode == Lexical { // without a vector no cosine
				store = book(6, []Candidate{lex(0, 9), lex(1, 5), lex(2, 4)}, nil)
			}
			s := newService(t, Config{}, store, &fakeEmbedder{}, nil)
			tt.r.Query = "q"
			got, err := s.Retrieve(t.Context(), "u", tt.r)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(indexes(got), tt.want) || got.Truncated != tt.truncated {
				t.Errorf("got %v truncated %v, want %v %v", indexes(got), got.Truncated, tt.want, tt.truncated)
			}
			if got.Tokens != 10*len(tt.want) || len(got.Degraded) > 0 || got.EmptyReason != nil {
				t.Errorf("got %+v", got)
			}
			if n := tt.r.MaxChunks; n != nil && tt.r.Neighbors > 0 {
				primaries := 0
				for _, c := range got.Chunks {
					if c.Primary {
						primaries++
					}
				}
				if primaries != *n {
					t.Errorf("%d primaries, want %d", primaries, *n)
				}
			}
		})
	}
}

func TestDeletedPassagesAreReplacedByTheNextBest(t *testing.T) {
	store := book(5, []Candidate{lex(0, 9), lex(1, 8), lex(2, 7), lex(3, 6)}, nil)
	delete(store.chunks, Ref{"d", 0})
	delete(store.chunks, Ref{"d", 2})
	s := newService(t, Config{}, store, &fakeEmbedder{none: true}, nil)
	got, err := s.Retrieve(t.Context(), "u", Request{Query: "q", MaxChunks: ptr(2)})
	if err != nil || !slices.Equal(indexes(got), []int{1, 3}) {
		t.Errorf("got %v, %v", indexes(got), err)
	}
}

func TestEmptyAnswersSayWhy(t *testing.T) {
	tests := []struct {
		name   string
		store  *fakeStore
		counts map[Status]int
		r      Request
		want   EmptyReason
	}{
		{"nothing there", book(0, nil, nil), nil, Request{}, NoDocuments},
		{"only failed ones", book(0, nil, nil), map[Status]int{Failed: 2, Cancelled: 1}, Request{}, NoDocuments},
		{"queued", book(0, nil, nil), map[Status]int{Queued: 1}, Request{}, StillIndexing},
		{"embedding", book(0, nil, nil), map[Status]int{Embedding: 1, Failed: 1}, Request{}, StillIndexing},
		{"no match, and more to come", book(3, nil, nil), map[Status]int{Ready: 1, Queued: 1}, Request{}, NoMatch},
		{"no match", book(3, nil, nil), map[Status]int{Ready: 1}, Request{}, NoMatch},
		{"below", book(3, nil, []Candidate{cos(1, .2)}), map[Status]int{Ready: 1}, Request{}, BelowThreshold},
		{"budget", book(3, []Candidate{lex(1, 2)}, nil), map[Status]int{Ready: 1}, Request{TokenBudget: ptr(9)}, OverBudget},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.store.counts = tt.counts
			s := newService(t, Config{}, tt.store, &fakeEmbedder{}, nil)
			tt.r.Query = "q"
			got, err := s.Retrieve(t.Context(), "u", tt.r)
			if err != nil {
				t.Fatal(err)
			}
			if got.EmptyReason == nil || *got.EmptyReason != tt.want || got.Chunks == nil {
				t.Errorf("got %+v, want %s", got, tt.want)
			}
			if got.Truncated != (tt.want == OverBudget) {
				t.Errorf("truncated is %v", got.Truncated)
			}
		})
	}
}

func TestAFailingEmbedderIsNeverNothingFound(t *testing.T) {
	refused := &Error{Code: Unavailable, Msg: "the provider is down", RetryAfter: 1200 * time.Millisecond}
	e := &fakeEmbedder{embed: func(context.Context, []string) ([][]float32, error) { return nil, refused }}
	s := newService(t, Config{}, book(2, []Candidate{lex(0, 1)}, []Candidate{cos(1, .9)}), e, nil)

	got, err := s.Retrieve(t.Context(), "u", Request{Query: "q"})
	if err != nil {
		t.Fatal(err)
	}
	want := Degraded{Stage: "embed", Reason: "unavailable", Message: "the provider is down", RetryAfterMS: 1200}
	if got.Mode != Lexical || !slices.Equal(got.Degraded, []Degraded{want}) || !slices.Equal(indexes(got), []int{0}) {
		t.Errorf("hybrid: got %+v", got)
	}
	if got.Chunks[0].Similarity != nil {
		t.Error("a similarity without a vector")
	}
	if _, err := s.Retrieve(t.Context(), "u", Request{Query: "q", Mode: Vector}); !errors.Is(err, refused) {
		t.Errorf("vector: got %v", err)
	}
	if got, err := s.Retrieve(t.Context(), "u", Request{Embedding: []float32{2, 0}}); err != nil || got.Mode != Vector || !slices.Equal(indexes(got), []int{1}) {
		t.Errorf("embedding: got %+v, %v", got, err)
	}
}

func TestWithoutAnEmbedder(t *testing.T) {
	s := newService(t, Config{}, book(2, []Candidate{lex(0, 1)}, nil), &fakeEmbedder{none: true}, nil)
	got, err := s.Retrieve(t.Context(), "u", Request{Query: "q"})
	if err != nil || got.Mode != Lexical || got.Degraded != nil {
		t.Errorf("default: got %+v, %v", got, err)
	}
	got, err = s.Retrieve(t.Context(), "u", Request{Query: "q", Mode: Hybrid})
	if err != nil || got.Mode != Lexical || len(got.Degraded) != 1 || got.Degraded[0].Reason != "no_embedder" {
		t.Errorf("hybrid: got %+v, %v", got, err)
	}
	for _, r := range []Request{{Query: "q", Mode: Vector}, {Embedding: []float32{1, 0}}} {
		if _, err := s.Retrieve(t.Context(), "u", r); CodeOf(err) != Invalid {
			t.Errorf("%+v: got %v", r, err)
		}
	}
}

func TestPassagesWithoutVectorsAreDeclared(t *testing.T) {
	store := book(2, []Candidate{lex(0, 1)}, nil)
	inner := store.candidates
	store.candidates = func(ctx context.Context, u User, q Query) (Candidates, error) {
		c, err := inner(ctx, u, q)
		c.NoVector, c.Note = 2, "3 words were left out"
		return c, err
	}
	s := newService(t, Config{}, store, &fakeEmbedder{}, nil)
	got, err := s.Retrieve(t.Context(), "u", Request{Query: "q"})
	if err != nil || len(got.Degraded) != 2 || got.Degraded[0].Reason != "no_vectors" || got.Degraded[1].Reason != "query_cut" {
		t.Errorf("got %+v, %v", got, err)
	}
}

// hang never looks at its ctx; release frees it at the test's end.
func hang(t *testing.T) (wait func()) {
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	return func() { <-release }
}

func TestEveryCallEndsByItsDeadline(t *testing.T) {
	good := book(2, []Candidate{lex(0, 1)}, []Candidate{cos(1, .9)})
	tests := []struct {
		name  string
		mode  Mode
		embed bool // the embedder hangs
		store bool // the store hangs
		want  Code
	}{
		{"embedder hangs, hybrid", Hybrid, true, false, ""},
		{"embedder hangs, vector", Vector, true, false, Timeout},
		{"store hangs, lexical", Lexical, false, true, Timeout},
		{"both hang", Hybrid, true, true, Timeout},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				wait := hang(t)
				e := &fakeEmbedder{}
				if tt.embed {
					e.embed = func(context.Context, []string) ([][]float32, error) { wait(); return nil, nil }
				}
				store := *good
				if tt.store {
					store.candidates = func(context.Context, User, Query) (Candidates, error) { wait(); return Candidates{}, nil }
				}
				s := newService(t, Config{}, &store, e, nil)
				began := time.Now()
				got, err := s.Retrieve(t.Context(), "u", Request{Query: "q", Mode: tt.mode, TimeoutMS: 3000})
				if took := time.Since(began); took > 3*time.Second {
					t.Errorf("took %v", took)
				}
				if CodeOf(err) != tt.want {
					t.Fatalf("got %v", err)
				}
				if tt.embed && !tt.store && err != nil && !strings.Contains(err.Error(), "the embedder") {
					t.Errorf("got %v, which does not name the embedder", err)
				}
				if err == nil && (len(got.Degraded) != 1 || got.Degraded[0].Reason != "timeout") {
					t.Errorf("got %+v", got)
				}
			})
		})
	}
}

func TestADeadlineIsNeverMoreThanTheServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wait := hang(t)
		store := book(1, nil, nil)
		store.candidates = func(context.Context, User, Query) (Candidates, error) { wait(); return Candidates{}, nil }
		s := newService(t, Config{Timeout: time.Second}, store, &fakeEmbedder{none: true}, nil)
		began := time.Now()
		_, err := s.Retrieve(t.Context(), "u", Request{Query: "q", TimeoutMS: 60_000})
		if CodeOf(err) != Timeout || time.Since(began) != time.Second {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
	})
}

func TestACallerWhoLeavesIsLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := book(1, nil, nil)
		saw := make(chan error, 1)
		store.candidates = func(ctx context.Context, _ User, _ Query) (Candidates, error) {
			<-ctx.Done()
			saw <- ctx.Err()
			return Candidates{}, ctx.Err()
		}
		s := newService(t, Config{}, store, &fakeEmbedder{none: true}, nil)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { _, err := s.Retrieve(ctx, "u", Request{Query: "q"}); done <- err }()
		synctest.Wait()
		if got := s.Status(t.Context()).InFlight; len(got) != 1 || got[0].Stage != "search" || got[0].LeftMS != 10_000 {
			t.Errorf("in flight: %+v", got)
		}
		cancel()
		if err := <-done; CodeOf(err) != Canceled {
			t.Errorf("got %v", err)
		}
		if err := <-saw; !errors.Is(err, context.Canceled) {
			t.Errorf("the store saw %v", err)
		}
		synctest.Wait()
		if got := s.Status(t.Context()).Recent; len(got) != 1 || got[0].Operation != "retrieve" || got[0].Calls != 1 {
			t.Errorf("of the last minute: %+v, want one retrieval", got)
		}
		if got := s.Status(t.Context()).InFlight; len(got) != 0 {
			t.Errorf("in flight: %+v", got)
		}
	})
}

func TestCallsInFlightAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wait := hang(t)
		store := book(1, nil, nil)
		var working atomic.Int32
		store.candidates = func(context.Context, User, Query) (Candidates, error) {
			working.Add(1)
			wait()
			return Candidates{}, nil
		}
		s := newService(t, Config{MaxInFlight: 3, UserShare: 1}, store, &fakeEmbedder{none: true}, nil)
		codes := make(chan Code, 10)
		began := time.Now()
		for range 10 {
			go func() { _, err := s.Retrieve(t.Context(), "u", Request{Query: "q"}); codes <- CodeOf(err) }()
		}
		count := map[Code]int{}
		for range 10 {
			count[<-codes]++
		}
		if count[Timeout] != 3 || count[Overloaded] != 7 || time.Since(began) != 10*time.Second {
			t.Errorf("got %v after %v", count, time.Since(began))
		}
		// The three that hang in the store still hold their places: what they
		// use up is not given out a second time.
		if _, err := s.Retrieve(t.Context(), "u", Request{Query: "q"}); CodeOf(err) != Overloaded || working.Load() != 3 {
			t.Errorf("got %v with %d working", err, working.Load())
		}
	})
}

func TestAPanicOfADependencyIsAnErrorOfItsCallAlone(t *testing.T) {
	store := book(1, nil, nil)
	store.candidates = func(context.Context, User, Query) (Candidates, error) { panic("a bug") }
	s := newService(t, Config{MaxInFlight: 1}, store, &fakeEmbedder{none: true}, nil)
	for range 2 { // the second finds the place free again
		_, err := s.Retrieve(t.Context(), "u", Request{Query: "q"})
		if CodeOf(err) != Internal || !strings.Contains(err.Error(), "a bug") {
			t.Errorf("got %v", err)
		}
	}
}

func TestADoorNamesItsOperation(t *testing.T) {
	s := newService(t, Config{}, book(1, nil, nil), &fakeEmbedder{none: true}, nil)
	ctx, id := WithOperation(t.Context())
	got, err := s.Retrieve(ctx, "u", Request{Query: "q"})
	if err != nil || got.OperationID != id {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestNamesThatAreNotWhatTheySeem(t *testing.T) {
	s := newService(t, Config{}, &fakeStore{}, &fakeEmbedder{none: true}, nil)
	for _, name := range []string{"", " ", "a\x00b", "a\nb", "a\u0085b", "a\u202egpj.exe", "a\u2028b", "a\xff", strings.Repeat("n", MaxFilenameBytes+1)} {
		_, _, err := s.Upload(t.Context(), "u", NewDocument{Filename: name, Content: []byte("x")})
		var e *Error
		if !errors.As(err, &e) || e.Field != "filename" {
			t.Errorf("%.20q: got %v", name, err)
		}
	}
}
