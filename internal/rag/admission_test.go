package rag

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// gate is an admission of few places, for tests.
func gate(places, line int, bytes int64, share float64) *admission {
	return newAdmission(Config{MaxInFlight: places, MaxWaiting: line, MaxCallBytes: bytes, UserShare: share})
}

// whole fails when something is left of the calls that were here.
func (a *admission) whole(t *testing.T) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.busy != 0 || a.waiting != 0 || a.held != 0 || len(a.turns) != 0 || len(a.clients) != 0 {
		t.Errorf("left: %d busy, %d waiting, %d bytes, %d turns, %d clients", a.busy, a.waiting, a.held, len(a.turns), len(a.clients))
	}
}

func TestUsersTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := gate(2, 100, 1<<20, 0.5)
		var mu sync.Mutex
		var order []User
		var wg sync.WaitGroup
		call := func(u User) {
			wg.Go(func() {
				p, err := a.take(t.Context(), u, 1)
				if err != nil {
					t.Errorf("%s: %v", u, err)
					return
				}
				mu.Lock()
				order = append(order, u)
				mu.Unlock()
				<-time.After(time.Second)
				p.release()
			})
			synctest.Wait()
		}
		for range 6 {
			call("many")
		}
		call("few") // its share of two places is one, which is free
		call("few")
		call("third")
		wg.Wait()
		// Two at a time, in any order: many never has more than its one place,
		// and who came last does not wait for all that many has asked.
		for i, want := range [][]User{{"few", "many"}, {"few", "many"}, {"many", "third"}} {
			if got := slices.Sorted(slices.Values(order[2*i : 2*i+2])); !slices.Equal(got, want) {
				t.Errorf("pair %d: %v, want %v", i, got, want)
			}
		}
		a.whole(t)
	})
}

func TestAdmissionRefuses(t *testing.T) {
	type refusal struct {
		code  Code
		after time.Duration // at least
	}
	tests := []struct {
		name  string
		a     *admission
		taken map[User]int // calls that hold a place, or wait for one
		user  User
		bytes int64
		left  time.Duration
		hold  time.Duration
		want  refusal
	}{
		{name: "more memory than a user may have", a: gate(9, 9, 100, 0.5), user: "u", bytes: 51, want: refusal{code: TooLarge}},
		{name: "with what it has", a: gate(9, 9, 100, 0.5), taken: map[User]int{"u": 3}, user: "u", bytes: 30, want: refusal{RateLimited, leastRetryAfter}},
		{name: "with what others have", a: gate(9, 9, 100, 1), taken: map[User]int{"v": 9}, user: "u", bytes: 30, want: refusal{Overloaded, leastRetryAfter}},
		{name: "a user's part of the line", a: gate(2, 4, 1000, 0.5), taken: map[User]int{"u": 3}, user: "u", bytes: 10, want: refusal{RateLimited, leastRetryAfter}},
		{name: "another's is free", a: gate(2, 4, 1000, 0.5), taken: map[User]int{"u": 3}, user: "v", bytes: 10},
		{name: "the whole line", a: gate(2, 2, 1000, 0.5), taken: map[User]int{"u": 2, "v": 2}, user: "w", bytes: 10, want: refusal{Overloaded, leastRetryAfter}},
		{
			name: "what waits takes longer than what is left", a: gate(1, 10, 1000, 1), taken: map[User]int{"u": 4}, user: "u", bytes: 10,
			left: 3 * time.Second, hold: time.Second, want: refusal{Overloaded, 2 * time.Second},
		},
		{
			name: "users in turn: others' lines are not all before", a: gate(1, 10, 1000, 1), taken: map[User]int{"u": 8}, user: "v", bytes: 10,
			left: 4 * time.Second, hold: time.Second,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for u, n := range tt.taken {
				for range n {
					if _, _, err := tt.a.ask(u, 10, 0); err != nil {
						t.Fatal(err)
					}
				}
			}
			tt.a.hold = tt.hold
			_, _, err := tt.a.ask(tt.user, tt.bytes, tt.left)
			var e *Error
			switch {
			case tt.want.code == "" && err != nil:
				t.Errorf("got %v", err)
			case tt.want.code == "":
			case !errors.As(err, &e) || e.Code != tt.want.code || e.RetryAfter < tt.want.after || e.Phase != "queue":
				t.Errorf("got %#v, want %v", err, tt.want)
			}
		})
	}
}

// TestAdmissionUnderAllSorts has callers come, wait, leave and end at random,
// and looks at the bounds all the while.
func TestAdmissionUnderAllSorts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const places, line, share = 8, 30, 0.5
		a := gate(places, line, 2000, share)
		var wg sync.WaitGroup
		count := map[Code]int{}
		var mu sync.Mutex
		for i := range 3000 {
			u := User("abcdefgh"[i%3 : i%3+1])
			r := rand.New(rand.NewPCG(uint64(i), 1))
			wg.Go(func() {
				<-time.After(time.Duration(r.IntN(10_000)) * time.Millisecond)
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(20+r.IntN(500))*time.Millisecond)
				defer cancel()
				p, err := a.take(ctx, u, int64(1+r.IntN(60)))
				mu.Lock()
				count[CodeOf(err)]++
				mu.Unlock()
				a.mu.Lock()
				if c := a.clients[u]; a.busy > places || a.waiting > line || a.held > a.bytes || c != nil && c.busy > places*share {
					t.Errorf("beyond the bounds: %d busy, %d waiting, %d bytes", a.busy, a.waiting, a.held)
				}
				a.mu.Unlock()
				if err != nil {
					return
				}
				if r.IntN(4) == 0 { // work that outlives its caller
					p.keep()
					longer := time.Duration(r.IntN(200)) * time.Millisecond
					wg.Go(func() {
						<-time.After(longer)
						p.release()
					})
				}
				<-time.After(time.Duration(r.IntN(60)) * time.Millisecond)
				p.release()
			})
		}
		wg.Wait()
		a.whole(t)
		if count[""] < 1000 || count[Overloaded]+count[RateLimited] < 100 {
			t.Errorf("not much of a test: %v", count)
		}
	})
}

func TestALateCallIsCountedAndItsStacksAreWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		told := &ends{}
		cfg := Config{Log: slog.New(slog.NewTextHandler(&log, nil)), Observer: told}
		release := make(chan struct{})
		s := newService(t, cfg, book(1, nil, nil), &fakeEmbedder{none: true}, nil)
		s.cfg.CountTokens = func(string) int { <-release; return 1 } // deaf to its ctx, in the caller's own goroutine
		done := make(chan error, 1)
		go func() {
			_, err := s.Retrieve(t.Context(), "u", Request{Query: strings.Repeat("q ", MaxQueryTokens), TimeoutMS: 500})
			done <- err
		}()
		<-time.After(1400 * time.Millisecond)
		if log.Len() != 0 || s.Load().Overruns != 0 {
			t.Errorf("before its second was over: %d overruns, log %s", s.Load().Overruns, log.String())
		}
		<-time.After(200 * time.Millisecond)
		synctest.Wait()
		if got := log.String(); !strings.Contains(got, "a call has outlived its deadline") ||
			!strings.Contains(got, "TestALateCallIsCounted") || !strings.Contains(got, "operation=retrieve") {
			t.Errorf("log: %s", got)
		}
		close(release)
		if err := <-done; CodeOf(err) != Timeout {
			t.Errorf("got %v", err)
		}
		if n := s.Load().Overruns; n != 1 {
			t.Errorf("%d overruns", n)
		}
		if e := told.all[0]; e.Operation != "retrieve" || e.Late < 1000*time.Millisecond {
			t.Errorf("told %+v", e)
		}
	})
}

// ends keeps what an observer is told.
type ends struct {
	mu  sync.Mutex
	all []CallEnd
}

func (e *ends) CallEnded(c CallEnd) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, c)
}

func TestTheObserverIsToldOfEachCall(t *testing.T) {
	o := &ends{}
	s := newService(t, Config{Observer: o}, book(1, []Candidate{lex(0, 1)}, nil), &fakeEmbedder{
		embed: func(context.Context, []string) ([][]float32, error) {
			return nil, &Error{Code: Unavailable, Phase: "dial", Msg: "no"}
		},
	}, nil)
	for _, m := range []Mode{Hybrid, Vector} {
		_, _ = s.Retrieve(t.Context(), "u", Request{Query: "q", Mode: m})
	}
	_, _ = s.Embed(t.Context(), "u", EmbedRequest{Texts: []string{"q"}})
	if len(o.all) != 3 {
		t.Fatalf("told %+v", o.all)
	}
	if e := o.all[0]; e.Code != "" || e.Mode != Lexical || len(e.Degraded) != 1 || e.Timings.Total <= 0 {
		t.Errorf("told %+v", e)
	}
	if e := o.all[1]; e.Code != Unavailable || e.Phase != "dial" {
		t.Errorf("told %+v", e)
	}
	if e := o.all[2]; e.Operation != "embed" || e.Code != Unavailable {
		t.Errorf("told %+v", e)
	}
}

func BenchmarkRefusal(b *testing.B) {
	a := gate(64, 64, 1<<30, 0.5)
	for _, u := range []User{"a", "b"} {
		for range 64 {
			if _, _, err := a.ask(u, 1, 0); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, _, err := a.ask("c", 1, time.Second); err == nil {
				b.Fatal("not refused")
			}
		}
	})
}
