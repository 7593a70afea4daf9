package rag

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// shared is a store that several servers work on: of each passage a vector of
// the model in use, and nothing of any other.
type shared struct {
	*fakeQueue
	state     sync.Mutex
	live      Model
	documents bool // there are some with vectors
	readOnly  bool
	used      int // writes of UseModel
	looks     int
	published Model
	put       Model // whose vectors the document in work has
	lease     MoveLease
	leases    int
	renewed   int
}

func newShared(live Model, documents bool) *shared {
	s := &shared{fakeQueue: newQueue("one\ntwo"), live: live, documents: documents}
	s.offered = true
	s.chunks = map[Ref]Chunk{{"d", 0}: {DocID: "d", Content: "text", Tokens: 1}}
	s.counts = map[Status]int{Ready: 1}
	s.candidates = func(_ context.Context, _ User, q Query) (Candidates, error) {
		hit := Candidate{Ref: Ref{"d", 0}, Lexical: 1}
		found := Candidates{Chunks: 1}
		if q.Vector != nil && q.Model == s.model() {
			hit.Cosine, hit.HasCosine = 0.9, true
			found.Vector = []Candidate{hit}
		} else if q.Vector != nil {
			found.NoVector = 1
		}
		if q.Text != "" {
			found.Lexical = []Candidate{hit}
		}
		return found, nil
	}
	return s
}

func (s *shared) model() Model {
	s.state.Lock()
	defer s.state.Unlock()
	return s.live
}

func (s *shared) move(to Model) {
	s.state.Lock()
	defer s.state.Unlock()
	s.live, s.documents = to, true
}

func (s *shared) LiveModel(context.Context) (Model, error) {
	s.state.Lock()
	defer s.state.Unlock()
	s.looks++
	return s.live, nil
}

func (s *shared) UseModel(_ context.Context, m Model) error {
	s.state.Lock()
	defer s.state.Unlock()
	switch {
	case m == s.live:
		return nil
	case s.documents:
		return Errorf(Conflict, "another")
	case s.readOnly:
		return Errorf(Unavailable, "read-only")
	}
	s.used++
	s.live = m
	return nil
}

func (s *shared) Publish(ctx context.Context, job Job, m Model) error {
	if live := s.model(); m != live && m != (Model{}) {
		return Errorf(Conflict, "the model was changed")
	}
	s.state.Lock()
	s.published = m
	s.state.Unlock()
	return s.fakeQueue.Publish(ctx, job, m)
}

func (s *shared) Unembedded(ctx context.Context, job Job, m Model, limit int) ([]Chunk, int, error) {
	if m == s.put {
		return nil, 0, nil
	}
	return s.staged, len(s.staged), nil
}

func (s *shared) PutVectors(_ context.Context, _ Job, m Model, _ []int, _ [][]float32) error {
	s.put = m
	return nil
}

// Nothing of these is to be moved in these tests.

func (s *shared) Outdated(context.Context, Model, int64) (*Outdated, error) { return nil, nil }

func (s *shared) Unmoved(context.Context, Outdated, Model, int) ([]Chunk, error) {
	return nil, nil
}

func (s *shared) PutMoved(context.Context, MoveLease, Outdated, []int, [][]float32) error { return nil }

func (s *shared) Prepare(context.Context, MoveLease, Outdated) error { return nil }

func (s *shared) Moved(context.Context, Model) (Progress, error) { return Progress{}, nil }

func (s *shared) BeginMove(_ context.Context, m Model, _ time.Duration) (MoveLease, error) {
	s.state.Lock()
	defer s.state.Unlock()
	if s.lease.Token != "" {
		return MoveLease{}, MoveUnderWay(s.lease.To, time.Now())
	}
	s.leases++
	s.lease = MoveLease{To: m, Token: strconv.Itoa(s.leases)}
	if s.documents {
		s.lease.From = s.live
	}
	return s.lease, nil
}

func (s *shared) RenewMove(_ context.Context, l MoveLease, _ time.Duration) error {
	s.state.Lock()
	defer s.state.Unlock()
	s.renewed++
	if l.Token != s.lease.Token {
		return ErrMoveLost
	}
	return nil
}

func (s *shared) EndMove(_ context.Context, l MoveLease) error {
	s.state.Lock()
	defer s.state.Unlock()
	if l.Token == s.lease.Token {
		s.lease = MoveLease{}
	}
	return nil
}

func (s *shared) leased() bool {
	s.state.Lock()
	defer s.state.Unlock()
	return s.lease.Token != ""
}

func (s *shared) renewals() int {
	s.state.Lock()
	defer s.state.Unlock()
	return s.renewed
}

// expire has the lease on the move run out.
func (s *shared) expire() {
	s.state.Lock()
	defer s.state.Unlock()
	s.lease = MoveLease{}
}

func (s *shared) SwitchModel(_ context.Context, l MoveLease) (int, error) {
	s.state.Lock()
	taken := l.Token != s.lease.Token
	s.state.Unlock()
	if taken {
		return 0, ErrMoveLost
	}
	s.move(l.To)
	return 0, nil
}

// modeled is an embedder of any model.
type modeled struct {
	fakeEmbedder
	model Model
}

func (m *modeled) Model() Model { return m.model }

func (*modeled) MaxBatch() int { return 8 }

func modelA() Model { return Model{"a", 2} }
func modelB() Model { return Model{"b", 2} }

// server is a Service whose settings name a model, and that can be given an
// embedder for the models of earlier.
func server(t *testing.T, store Store, named Model, earlier ...Model) *Service {
	t.Helper()
	s := newService(t, Config{Earlier: func(m Model) (Embedder, error) {
		for _, e := range earlier {
			if e == m {
				return &modeled{model: m}, nil
			}
		}
		return nil, ErrNoProvider
	}}, store, &modeled{model: named}, fakeExtractor(byLine))
	if _, err := s.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAQuestionFollowsTheMoveOfAnotherServer(t *testing.T) {
	for _, tt := range []struct {
		name     string
		named    Model
		earlier  []Model
		mode     Mode // asked for
		want     Mode // of the answer; empty: an error
		code     Code
		degraded string
	}{
		{"at its provider", modelA(), []Model{modelB()}, "", Hybrid, "", ""},
		{"at its provider, by vectors alone", modelA(), []Model{modelB()}, Vector, Vector, "", ""},
		{"nobody has it", modelA(), nil, "", Lexical, "", "no_embedder_for_model"},
		{"nobody has it, by vectors alone", modelA(), nil, Vector, "", Unavailable, ""},
		{"nobody has it, by words", modelA(), nil, Lexical, Lexical, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			store := newShared(modelA(), true)
			s := server(t, store, tt.named, tt.earlier...)
			if _, err := s.Retrieve(t.Context(), "u", Request{Query: "q", Mode: Vector}); err != nil {
				t.Fatal(err)
			}
			store.move(modelB())
			r, err := s.Retrieve(t.Context(), "u", Request{Query: "q", Mode: tt.mode})
			if CodeOf(err) != tt.code {
				t.Fatalf("%v, want %q", err, tt.code)
			}
			if err != nil {
				if !errors.Is(err, ErrNoProvider) {
					t.Errorf("%v does not say why", err)
				}
				return
			}
			if r.Mode != tt.want || len(r.Chunks) != 1 {
				t.Errorf("%+v", r)
			}
			if (tt.degraded == "") != (len(r.Degraded) == 0) || len(r.Degraded) > 0 && (len(r.Degraded) != 1 || r.Degraded[0].Reason != tt.degraded) {
				t.Errorf("degraded %+v, want %q", r.Degraded, tt.degraded)
			}
		})
	}
}

// TestAServerFollowsUnasked: within seconds, and to the model of its settings too.
func TestAServerFollowsUnasked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newShared(modelA(), true)
		s := server(t, store, modelB(), modelA())
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { s.Run(ctx); close(done) }()
		if s.Model() != modelA() || !s.HasProvider() {
			t.Fatalf("begins with %v", s.Model())
		}
		for _, to := range []Model{modelB(), modelA(), {"c", 2}, modelB()} {
			store.move(to)
			<-time.NewTimer(lookEvery * 5 / 4).C // virtual
			synctest.Wait()
			if s.Model() != to || s.HasProvider() == (to.Name == "c") {
				t.Errorf("%v after the move to %v, provider %t", s.Model(), to, s.HasProvider())
			}
		}
		stop()
		<-done
	})
}

func TestAnUploadFollows(t *testing.T) {
	for _, tt := range []struct {
		name    string
		earlier []Model
		want    string
	}{
		{"at its provider", []Model{modelB()}, "ready"},
		{"nobody has it", nil, "retry: no provider is set for b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newShared(modelA(), true)
				s := server(t, store, modelA(), tt.earlier...)
				store.offered = false
				store.move(modelB())
				ctx, stop := context.WithCancel(t.Context())
				done := make(chan struct{})
				go func() { s.Run(ctx); close(done) }()
				<-store.settled
				stop()
				<-done
				if store.outcome != tt.want {
					t.Errorf("%s, want %s", store.outcome, tt.want)
				}
				if tt.want == "ready" && store.published != modelB() {
					t.Errorf("published with %v", store.published)
				}
				if wait := time.Until(store.retryAt); wait > absentBackoff {
					t.Errorf("another server gets it after %v", wait)
				}
			})
		})
	}
}

// TestSettle: who decides which model is in use.
func TestSettle(t *testing.T) {
	for _, tt := range []struct {
		name      string
		live      Model
		documents bool
		readOnly  bool
		named     Model
		want      Model
		used      int
	}{
		{"nobody said", Model{}, false, false, modelA(), modelA(), 1},
		{"the same", modelA(), true, false, modelA(), modelA(), 0},
		{"the same, read-only", modelA(), true, true, modelA(), modelA(), 0},
		{"another", modelB(), true, false, modelA(), modelB(), 0},
		{"another, read-only", modelB(), true, true, modelA(), modelB(), 0},
		{"another, and no documents", modelB(), false, false, modelA(), modelA(), 1},
		{"another, no documents, read-only", modelB(), false, true, modelA(), modelB(), 0},
		{"nobody said, read-only", Model{}, false, true, modelA(), modelA(), 0},
		{"no embedder", modelA(), true, false, Model{}, Model{}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			store := newShared(tt.live, tt.documents)
			store.readOnly = tt.readOnly
			s := server(t, store, tt.named, modelB())
			if s.Model() != tt.want || store.used != tt.used {
				t.Errorf("%v and %d writes, want %v and %d", s.Model(), store.used, tt.want, tt.used)
			}
		})
	}
}

// TestServersThatBeginTogether: without documents the last to be started
// decides, and the one before follows.
func TestServersThatBeginTogether(t *testing.T) {
	store := newShared(Model{}, false)
	a := server(t, store, modelA())
	server(t, store, modelB())
	if err := a.look(t.Context()); err != nil || a.Model() != modelB() || store.model() != modelB() || store.used != 2 {
		t.Errorf("%v, %v, %d writes", a.Model(), store.model(), store.used)
	}
}

func TestSettingsThatAreBehindMoveNothingBack(t *testing.T) {
	store := newShared(modelA(), true)
	old, asked := server(t, store, modelA(), modelB()), server(t, store, modelB(), modelA())
	if m, err := asked.StartReembed(t.Context(), false); err != nil || m.To != modelB() {
		t.Fatalf("asked by the settings: %+v, %v", m, err)
	}
	store.expire() // nobody runs these servers
	store.move(modelB())
	_, err := old.StartReembed(t.Context(), false)
	if CodeOf(err) != Conflict || !strings.Contains(err.Error(), "made b the model in use") || !strings.Contains(err.Error(), "settings name a") {
		t.Errorf("by settings that are behind: %v", err)
	}
	if m, err := old.StartReembed(t.Context(), true); err != nil || m.To != modelA() {
		t.Errorf("by force: %+v, %v", m, err)
	}
	store.expire()
	if m, err := server(t, store, modelA(), modelB()).StartReembed(t.Context(), false); err != nil || m.To != modelA() {
		t.Errorf("started again: %+v, %v", m, err)
	}
	store.expire()
	own := server(t, store, modelA(), modelB())
	if err := own.Reembed(t.Context(), own.cfg.Next, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := own.StartReembed(t.Context(), false); err != nil {
		t.Errorf("after its own move: %v", err)
	}
}

// TestOneLookForMany: callers who want to know at the same moment share a look.
func TestOneLookForMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newShared(modelA(), true)
		s := server(t, store, modelA(), modelB())
		store.move(modelB())
		store.looks = 0
		s.following.turn <- struct{}{} // somebody looks
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if err := s.look(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		<-s.following.turn
		wg.Wait()
		if s.Model() != modelB() || store.looks != 1 {
			t.Errorf("%v after %d looks", s.Model(), store.looks)
		}
	})
}

// undone is a store on which another server's move takes away what this one's
// has made, some times.
type undone struct {
	*shared
	times, made int
	offered     bool
}

func (u *undone) Outdated(context.Context, Model, int64) (*Outdated, error) {
	if u.offered {
		return nil, nil
	}
	u.offered = true
	return &Outdated{User: "u", DocID: "d", Order: 1}, nil
}

func (u *undone) Unmoved(context.Context, Outdated, Model, int) ([]Chunk, error) {
	if u.made > 0 {
		return nil, nil
	}
	return []Chunk{{DocID: "d", Content: "text"}}, nil
}

func (u *undone) PutMoved(_ context.Context, l MoveLease, _ Outdated, _ []int, _ [][]float32) error {
	u.state.Lock()
	defer u.state.Unlock()
	if l.Token != u.lease.Token {
		return ErrMoveLost
	}
	u.made++
	return nil
}

func (u *undone) Prepare(context.Context, MoveLease, Outdated) error {
	if u.times == 0 {
		return nil
	}
	u.times--
	u.made = 0
	return Errorf(Conflict, "1 of 1 passages have no vector")
}

// TestAMoveMakesAgainWhatAnotherTook: not for ever.
func TestAMoveMakesAgainWhatAnotherTook(t *testing.T) {
	for times, want := range map[int]Code{0: "", 1: "", maxFollowed - 1: "", maxFollowed: Conflict, 1000: Conflict} {
		store := &undone{shared: newShared(modelA(), true), times: times}
		err := server(t, store, modelB(), modelA()).Reembed(t.Context(), &modeled{model: modelB()}, nil)
		if CodeOf(err) != want {
			t.Errorf("taken %d times: %v, want %q", times, err, want)
		}
	}
}

// TestNoVectorsOfTheModel: what is to be done about it is said where it can be done.
func TestNoVectorsOfTheModel(t *testing.T) {
	none := func(context.Context, User, Query) (Candidates, error) {
		return Candidates{Chunks: 3, NoVector: 3}, nil
	}
	moving, fixed := newShared(modelA(), true), book(3, nil, nil)
	moving.candidates, fixed.candidates = none, none
	for _, tt := range []struct {
		name  string
		store Store
		want  string
	}{
		{"a store that can be moved", moving, "weir reembed"},
		{"tables of another system", fixed, "embedded with?"},
	} {
		_, err := server(t, tt.store, modelA()).Retrieve(t.Context(), "u", Request{Query: "q", Mode: Vector})
		if CodeOf(err) != Unavailable || !strings.Contains(err.Error(), "none of the 3") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}
