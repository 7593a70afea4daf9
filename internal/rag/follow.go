package rag

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// lookEvery is how often a server looks which model the documents are of, give
// or take a quarter: another server on the same store may have moved them.
const lookEvery = 2 * time.Second

// ErrNoProvider says that nobody is set who has the vectors of a model.
var ErrNoProvider = errors.New("no provider is set for the model")

// absent stands for the documents' model where nobody is set who has it:
// questions are answered by words, and documents wait for another server.
type absent struct{ model Model }

func (a absent) Model() Model { return a.model }

func (absent) MaxBatch() int { return 1 }

func (a absent) Embed(context.Context, User, Purpose, []string) ([][]float32, error) {
	return nil, &Error{Code: Unavailable, Phase: "validate", Msg: "no provider is set for " + a.model.Name, Err: ErrNoProvider}
}

// following is what a Service knows of the model that its store's documents are
// of, whoever moved them.
type following struct {
	turn  chan struct{} // held by the one who looks
	begun atomic.Int64  // looks
	done  atomic.Int64  // the number of the latest look that told something

	mu      sync.Mutex
	settled Model              // the model that was in use when this server settled, or that it moved the documents to
	opened  map[Model]Embedder // for models that are not the one of the settings
}

func newFollowing() following {
	return following{turn: make(chan struct{}, 1), opened: map[Model]Embedder{}}
}

func (f *following) settle(m Model) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.settled = m
}

func (f *following) since() Model {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.settled
}

// Settle finds out which model the documents' vectors are of, and has questions
// asked and uploads embedded with it until Reembed has moved the documents; it
// returns that model. When there are no vectors, the embedder of New decides. A
// store that cannot tell is taken as it is. From then on an embedder is held
// against a stored passage before its first vector is used, and Run follows the
// moves of other servers on the same store.
func (s *Service) Settle(ctx context.Context) (live Model, err error) {
	in := s.current.get()
	m := in.Model()
	s.current.replace(s.held(in))
	store, ok := s.store.(Reembedder)
	if !ok {
		return m, nil
	}
	defer func() { s.following.settle(live) }()
	if live, err = store.LiveModel(ctx); err != nil || m == (Model{}) || live == m {
		return live, err
	}
	switch err := store.UseModel(ctx, m); {
	case err == nil:
		return m, nil
	case CodeOf(err) == Conflict:
		if live, err = store.LiveModel(ctx); err != nil { // anew: another server may have been faster
			return live, err
		}
	case CodeOf(err) != Unavailable:
		return live, err
	default: // it takes no writes now, and can be read
		s.cfg.Log.WarnContext(ctx, "the model in use could not be written down", "error", err)
	}
	if live == (Model{}) {
		return m, nil
	}
	s.follow(ctx, live)
	return live, nil
}

// held is an embedder that is held against a stored passage before it is
// believed, where the store can show one.
func (s *Service) held(in Embedder) Embedder {
	sampler, ok := s.store.(Sampler)
	if _, already := in.(*verified); !ok || already || in.Model() == (Model{}) {
		return in
	}
	return &verified{Embedder: in, sampler: sampler, log: s.cfg.Log}
}

// follow puts an embedder for live in the place of the one in use: the one that
// the settings name where it has that model, else one of Config.Earlier.
func (s *Service) follow(ctx context.Context, live Model) {
	was := s.embedder().Model()
	if was == live {
		return
	}
	next := s.embedderOf(ctx, live)
	s.current.replace(next)
	_, none := next.(absent)
	s.cfg.Log.InfoContext(ctx, "the documents are of another model now, and so are questions", "from", was.Name, "to", live.Name, "provider", !none)
}

func (s *Service) embedderOf(ctx context.Context, m Model) Embedder {
	if s.cfg.Next.Model() == m {
		return s.held(s.cfg.Next)
	}
	s.following.mu.Lock()
	defer s.following.mu.Unlock()
	if in, ok := s.following.opened[m]; ok {
		return in
	}
	if s.cfg.Earlier == nil {
		return absent{m}
	}
	in, err := s.cfg.Earlier(m)
	if err != nil {
		if !errors.Is(err, ErrNoProvider) {
			s.cfg.Log.ErrorContext(ctx, "there is no embedder for the model of the documents", "model", m.Name, "error", err)
		}
		return absent{m}
	}
	in = s.held(in)
	s.following.opened[m] = in
	return in
}

// look asks the store which model its documents are of, and follows. Those who
// want to know at the same moment share one look, which began after each of
// them had asked.
func (s *Service) look(ctx context.Context) error {
	store, ok := s.store.(Reembedder)
	if !ok || s.cfg.Next.Model() == (Model{}) { // one without an embedder has nothing to follow with
		return nil
	}
	f := &s.following
	asked := f.begun.Load()
	select {
	case f.turn <- struct{}{}:
		defer func() { <-f.turn }()
	case <-ctx.Done():
		return ended(ctx)
	}
	if f.done.Load() > asked {
		return nil
	}
	number := f.begun.Add(1)
	live, err := store.LiveModel(ctx)
	if err == nil && live == (Model{}) { // the store was emptied, or took no writes when this server settled
		live = s.embedder().Model()
		err = store.UseModel(ctx, live)
	}
	if err != nil {
		return err
	}
	s.follow(ctx, live)
	f.done.Store(number)
	return nil
}

// follower looks now and then, until ctx ends. A store that does not answer is
// no reason to say so here: whoever asks it is told.
func (s *Service) follower(ctx context.Context) {
	for {
		t := time.NewTimer(lookEvery*3/4 + rand.N(lookEvery/2))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		}
		bounded, cancel := context.WithTimeoutCause(ctx, s.cfg.Timeout, errDeadline)
		_, err := await(bounded, func() (struct{}, error) { return struct{}{}, s.look(bounded) })
		cancel()
		if err != nil && ctx.Err() == nil {
			s.cfg.Log.DebugContext(ctx, "which model the documents are of could not be looked up", "error", err)
		}
	}
}

// overtaken is the error of a move to the model of the settings that nobody can
// want who knows what another server did; nil when it is in order. The other one
// has moved the documents, or was started beside this one when there were none.
func (s *Service) overtaken() error {
	live, named := s.Model(), s.cfg.Next.Model()
	if live == named || live == s.following.since() {
		return nil
	}
	return Errorf(Conflict, "another server has made %s the model in use since this one was started, whose settings name %s; "+
		"restart this one with the settings that are right, or ask with force", live.Name, named.Name)
}

// HasProvider reports whether somebody is set who has vectors of the model in
// use. Without, questions are answered by words.
func (s *Service) HasProvider() bool {
	in := s.embedder()
	_, none := in.(absent)
	return !none && in.Model() != (Model{})
}
