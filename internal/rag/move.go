package rag

import (
	"context"
	"sync"
	"time"
)

// Move is how a move of all documents to another model stands.
type Move struct {
	From     Model          `json:"from,omitzero"` // zero: the documents had no vectors
	To       Model          `json:"to"`
	Running  bool           `json:"running"`
	Progress Progress       `json:"progress"`        // passages that have a vector of To
	Error    *DocumentError `json:"error,omitempty"` // why it ended before its end; what was made is kept
	Began    time.Time      `json:"began_at"`
}

// moves is the wish for a move, and the latest one.
type moves struct {
	wanted chan struct{} // with room for one

	mu     sync.Mutex
	latest *Move
}

func (v *moves) look() *Move {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.latest == nil {
		return nil
	}
	m := *v.latest
	return &m
}

func (v *moves) set(f func(*Move)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	f(v.latest)
}

// StartReembed has Run move all documents to the model of Config.Next, and
// returns at once. How it goes is in Status. While a move is under way it does
// nothing. When another server has moved the documents to a model that is not
// Next's since this one was started, that is a Conflict error, unless force is
// set: settings that are behind must not move the documents back.
func (s *Service) StartReembed(ctx context.Context, force bool) (*Move, error) {
	next := s.cfg.Next
	switch _, ok := s.store.(Reembedder); {
	case !ok:
		return nil, Errorf(Invalid, "this store cannot move its documents to another model")
	case next.Model() == (Model{}):
		return nil, Errorf(Invalid, "there is no embedder to move the documents to (WEIR_EMBEDDER=none)")
	}
	ctx, cancel := s.deadline(ctx, 0)
	defer cancel()
	if _, err := await(ctx, func() (struct{}, error) { return struct{}{}, s.look(ctx) }); err != nil {
		return nil, err
	}
	if err := s.overtaken(); err != nil && !force {
		return nil, err
	}
	s.moves.mu.Lock()
	defer s.moves.mu.Unlock()
	if m := s.moves.latest; m == nil || !m.Running {
		s.moves.latest = &Move{From: s.Model(), To: next.Model(), Running: true, Began: time.Now().UTC()}
		select {
		case s.moves.wanted <- struct{}{}:
		default: // cannot be: one is taken out for each that runs
		}
	}
	m := *s.moves.latest
	return &m, nil
}

// mover does the moves that are asked for.
func (s *Service) mover(ctx context.Context) {
	for {
		select {
		case <-s.moves.wanted:
		case <-ctx.Done():
			return
		}
		err := s.Reembed(ctx, s.cfg.Next, func(p Progress) { s.moves.set(func(m *Move) { m.Progress = p }) })
		if err != nil {
			s.cfg.Log.ErrorContext(ctx, "moving the documents to another model ended before its end", "error", err)
		}
		s.moves.set(func(m *Move) {
			m.Running = false
			if err != nil {
				m.Error = &DocumentError{Code: CodeOf(err), Message: message(err)}
			}
		})
	}
}
