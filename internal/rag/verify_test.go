package rag

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// sampled is a store whose one passage has a vector.
type sampled struct {
	fakeStore
	vector []float32
	asked  int
	others []Sample
	broken error // of Others
}

func (s *sampled) Sample(context.Context, Model) (Sample, error) {
	s.asked++
	return Sample{Chunk{DocID: "first", SectionTitle: "1 Keys", Content: "the spare key"}, s.vector}, nil
}

func (s *sampled) Others(_ context.Context, _ Model, but string, n int) ([]Sample, error) {
	if but != "first" || n != witnesses {
		return nil, Errorf(Internal, "asked for %d but %q", n, but)
	}
	return s.others, s.broken
}

func TestAnEmbedderIsHeldAgainstAStoredPassage(t *testing.T) {
	var calls [][]string
	var mu sync.Mutex
	answer := func(v []float32, refuse string) *fakeEmbedder {
		return &fakeEmbedder{embed: func(_ context.Context, texts []string) ([][]float32, error) {
			mu.Lock()
			calls = append(calls, texts)
			mu.Unlock()
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
		{"the same vector", []float32{1, 0}, answer([]float32{1, 0}, ""), "", 3},
		{"nearly the same", []float32{1, 0}, answer([]float32{0.999, 0.045}, ""), "", 3},
		{"another model's", []float32{1, 0}, answer([]float32{0, 1}, ""), Unavailable, 3},
		{"nothing to compare with", nil, answer(nil, ""), "", 2},
		{"the passage is refused", []float32{1, 0}, answer(nil, "1 Keys\nthe spare key"), Unavailable, 3},
		{"the question is refused", []float32{1, 0}, answer([]float32{1, 0}, "q"), Invalid, 3},
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
			if got := s.Status(t.Context()).Wrong; (got != "") != (tt.want == Unavailable) {
				t.Errorf("the status says %q", got)
			}
			if len(calls) != tt.calls || store.asked != 1 {
				t.Errorf("%d calls: %q; %d samples", len(calls), calls, store.asked)
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

var errDown = &Error{Code: Unavailable, Phase: "connect", Msg: "it is down"}

// fickle answers as it is told to, and keeps what it said.
type fickle struct {
	fakeEmbedder
	mu       sync.Mutex
	says     []float32
	fails    bool
	refuses  error
	kept     map[string][]float32
	compared int
	during   func()    // called while texts are under way
	turns    []*fickle // what it becomes with the next calls
}

func (f *fickle) Embed(_ context.Context, _ User, _ Purpose, texts []string) ([][]float32, error) {
	if f.during != nil {
		f.during()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.remember(texts)
}

func (f *fickle) remember(texts []string) ([][]float32, error) {
	out := make([][]float32, len(texts))
	for i, text := range texts {
		if f.kept[text] == nil {
			if f.fails {
				return nil, errDown
			}
			f.kept[text] = f.says
		}
		out[i] = f.kept[text]
	}
	return out, nil
}

func (f *fickle) EmbedAfresh(_ context.Context, _ User, _ Purpose, texts []string, _ string) (out [][]float32, now []float32, err error) {
	if f.during != nil && len(texts) > 0 {
		f.during()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.turns) > 0 {
		f.says, f.fails, f.refuses, f.turns = f.turns[0].says, f.turns[0].fails, f.turns[0].refuses, f.turns[1:]
	}
	if len(texts) == 0 {
		f.compared++
	}
	switch {
	case f.fails:
		return nil, nil, errDown
	case f.refuses != nil:
		return nil, nil, f.refuses
	}
	out, err = f.remember(texts)
	return out, f.says, err
}

func (f *fickle) Forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kept = map[string][]float32{}
}

func (f *fickle) set(says []float32, fails bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.says, f.fails = says, fails
}

func (f *fickle) comparisons() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.compared
}

// TestAnEmbedderThatChanges: one that begins to give other vectors is found out
// while the server runs, and so is one that is right again; what it had said in
// between is not used.
func TestAnEmbedderThatChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		right, wrong := []float32{1, 0}, []float32{0, 1}
		e := &fickle{says: right, kept: map[string][]float32{}}
		store := &sampled{fakeStore: *book(1, nil, []Candidate{cos(0, 0.9)}), vector: right}
		store.candidates = func(_ context.Context, _ User, q Query) (Candidates, error) {
			if q.Vector[0] != 1 {
				return Candidates{}, Errorf(Internal, "a wrong vector was used")
			}
			return Candidates{Chunks: 1, Vector: []Candidate{cos(0, 0.9)}}, nil
		}
		s := newService(t, Config{}, store, e, nil)
		if _, err := s.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go s.checker(ctx)
		pass := func(d time.Duration) {
			<-time.NewTimer(d).C // virtual
			synctest.Wait()
		}
		ask := func(query string, want Code, compared int) {
			t.Helper()
			_, err := s.Retrieve(t.Context(), "u", Request{Query: query, Mode: Vector})
			if CodeOf(err) != want || e.comparisons() != compared {
				t.Errorf("%q: %v after %d comparisons, want %q after %d", query, err, e.comparisons(), want, compared)
			}
		}
		ask("first", "", 1)
		pass(10 * believedFor) // used once, so compared once more
		ask("second", "", 2)
		e.set(wrong, false)
		ask("first", "", 2) // remembered
		pass(believedFor + 2*lookEvery)
		ask("third", Unavailable, 6) // the checker found out and looked again, and so did the caller
		e.set(right, false)
		ask("third", "", 7)

		e.set(nil, true) // down: what is remembered is of use, and nobody asks for more
		ask("fourth", Unavailable, 7)
		pass(recheckEvery)
		ask("third", "", 7) // answered, it seems
		pass(2 * lookEvery)
		ask("third", "", 8) // it could not be asked; it stays what it was
		e.set(wrong, false) // another one in its place
		pass(recheckEvery + 2*lookEvery)
		ask("third", Unavailable, 10)
		ask("fifth", Unavailable, 11)
		e.set(right, false)
		ask("fifth", "", 12)

		e.set(wrong, false)
		pass(believedFor + 2*lookEvery)
		if s.Status(t.Context()).Wrong == "" {
			t.Error("it was not found out")
		}
		e.set(right, false)
		pass(sampleEvery + 2*lookEvery) // nobody asks
		if got := s.Status(t.Context()).Wrong; got != "" {
			t.Errorf("the status still says %q", got)
		}
	})
}

// TestWhatIsStoredIsComparedFirst: documents get no vectors of an embedder that
// was not held against a stored passage lately, or failed since.
func TestWhatIsStoredIsComparedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		right, wrong := []float32{1, 0}, []float32{0, 1}
		e := &fickle{says: right, kept: map[string][]float32{}}
		s := newService(t, Config{}, &sampled{fakeStore: *book(1, nil, nil), vector: right}, e, nil)
		if _, err := s.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		n := 0
		put := func(want Code, compared int) {
			t.Helper()
			n++
			_, err := s.embedder().Embed(t.Context(), "u", ForIngest, []string{strconv.Itoa(n)})
			if CodeOf(err) != want || e.comparisons() != compared {
				t.Errorf("%d: %v after %d comparisons, want %q after %d", n, err, e.comparisons(), want, compared)
			}
		}
		put("", 1)
		put("", 1)
		<-time.NewTimer(believedFor).C // virtual
		put("", 2)
		e.set(nil, true)
		put(Unavailable, 2)
		e.set(wrong, false)
		put(Unavailable, 3)
		put(Unavailable, 4)
		e.set(right, false)
		put("", 5)
		put("", 5)
	})
}

// TestWhatIsStoredComesWithAWitness: documents get no vectors that a provider
// made while it was another, though it was right before and after.
func TestWhatIsStoredComesWithAWitness(t *testing.T) {
	right, wrong := []float32{1, 0}, []float32{0, 1}
	invalid := FieldErrorf("texts[1]", "it is too long")
	tests := []struct {
		name    string
		meets   *fickle // what the call meets
		then    *fickle // and what is asked after it
		want    Code
		trouble bool
	}{
		{"it is right", &fickle{says: right}, &fickle{says: right}, "", false},
		{"it is another for a moment", &fickle{says: wrong}, &fickle{says: right}, Unavailable, false},
		{"it is another from now on", &fickle{says: wrong}, &fickle{says: wrong}, Unavailable, true},
		{"a text is refused", &fickle{says: right, refuses: invalid}, &fickle{says: right}, Invalid, false},
		{"the witness is refused for a moment", &fickle{says: right, refuses: FieldErrorf("texts[2]", "it is too long")}, &fickle{says: right}, Unavailable, false},
		{"the witness is refused", &fickle{says: right, refuses: invalid}, &fickle{refuses: invalid}, Unavailable, true},
		{"it is down", &fickle{fails: true}, &fickle{fails: true}, Unavailable, false},
		{"it is another, and down after that", &fickle{says: wrong}, &fickle{fails: true}, Unavailable, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := &fickle{says: right, kept: map[string][]float32{}}
			v := &verified{Embedder: e, sampler: &sampled{vector: right}, log: slog.New(slog.DiscardHandler)}
			if err := v.compare(t.Context(), ""); err != nil {
				t.Fatal(err)
			}
			e.turns = []*fickle{tt.meets, tt.then}
			got, err := v.Embed(t.Context(), "u", ForIngest, []string{"a", "b"})
			if CodeOf(err) != tt.want || (err == nil) != (len(got) == 2) || (v.trouble() != "") != tt.trouble {
				t.Errorf("%v, %v; the trouble is %q", got, err, v.trouble())
			}
			for text, kept := range e.kept {
				if kept[0] != 1 {
					t.Errorf("of %q it still remembers what it said meanwhile", text)
				}
			}
		})
	}
	e := &fickle{fakeEmbedder: fakeEmbedder{batch: 8}}
	if got := (&verified{Embedder: e}).MaxBatch(); got != 7 {
		t.Errorf("%d texts, and the witness, where 8 go into a request", got)
	}
	store := &sampled{} // the first document is being stored
	v := &verified{Embedder: &fickle{says: wrong, kept: map[string][]float32{}}, sampler: store, log: slog.New(slog.DiscardHandler)}
	for _, want := range []Code{"", Unavailable} {
		if _, err := v.Embed(t.Context(), "u", ForIngest, []string{"a"}); CodeOf(err) != want {
			t.Errorf("%v, want %q", err, want)
		}
		store.vector, v.looked = right, v.looked.Add(-sampleSoon)
	}
	if e.batch = 1; (&verified{Embedder: e}).MaxBatch() != 1 {
		t.Error("no text at all")
	}
}

// TestTheFirstQuestionDoesNotWaitTwice: what an embedder is held against is asked
// for beside the first question.
func TestTheFirstQuestionDoesNotWaitTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &fakeEmbedder{embed: func(ctx context.Context, texts []string) ([][]float32, error) {
			select {
			case <-time.NewTimer(time.Second).C:
				return [][]float32{{1, 0}}, nil
			case <-ctx.Done():
				return nil, ended(ctx)
			}
		}}
		s := newService(t, Config{}, &sampled{fakeStore: *book(1, nil, []Candidate{cos(0, 0.9)}), vector: []float32{1, 0}}, slow, nil)
		if _, err := s.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			began := time.Now()
			if _, err := s.Retrieve(t.Context(), "u", Request{Query: "q", Mode: Vector}); err != nil || time.Since(began) != time.Second {
				t.Errorf("%v after %s", err, time.Since(began))
			}
		}
	})
}

// TestAComparisonMeanwhile: what an embedder said while it was found to be wrong
// is not used; what it said until it was right again is forgotten; and a
// comparison that took long does not undo what a later one has shown.
func TestAComparisonMeanwhile(t *testing.T) {
	right, wrong := []float32{1, 0}, []float32{0, 1}
	held := func(e *fickle) *verified {
		return &verified{Embedder: e, sampler: &sampled{vector: right}, log: slog.New(slog.DiscardHandler)}
	}
	compare := func(v *verified, want Code) {
		t.Helper()
		if err := v.compare(t.Context(), "u"); CodeOf(err) != want {
			t.Errorf("%v, want %q", err, want)
		}
	}
	for _, p := range []Purpose{ForQuery, ForIngest} {
		e := &fickle{says: right, kept: map[string][]float32{}}
		v := held(e)
		compare(v, "")
		e.during = func() {
			e.set(wrong, false)
			compare(v, Unavailable)
		}
		if got, err := v.Embed(t.Context(), "u", p, []string{"a"}); !errors.Is(err, errOtherModel) {
			t.Errorf("%v: %v, %v", p, got, err)
		}
		e.kept = map[string][]float32{"b": wrong} // by who had begun before
		e.during = nil
		e.set(right, false)
		compare(v, "")
		if got, err := v.Embed(t.Context(), "u", p, []string{"b"}); err != nil || got[0][0] != 1 {
			t.Errorf("%v: %v, %v", p, got, err)
		}
	}

	e := &fickle{says: right, kept: map[string][]float32{}}
	v := held(e)
	began := time.Now().Add(-time.Second)
	e.set(wrong, false)
	compare(v, Unavailable)
	v.judge(t.Context(), began, nil)
	if v.right || v.wrong == nil {
		t.Error("the earlier comparison was believed")
	}
	v.sampler, v.looked = &sampled{}, time.Time{} // its documents were deleted
	if _, err := v.Embed(t.Context(), "u", ForIngest, []string{"a"}); err != nil {
		t.Error(err)
	}
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
