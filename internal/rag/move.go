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

// newMove is the beginning of a move.
func newMove(l MoveLease) Move {
	return Move{From: l.From, To: l.To, Running: true, Began: time.Now().UTC()}
}

// moves is the move that is to be done, and the latest one.
type moves struct {
	begun chan MoveLease // with room for one

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
// returns at once. How it goes is in Status. While this server moves them it
// does nothing; while another does, it is a Conflict error. So it is when the
// model in use has become one that is not Next's since this server was started,
// unless force is set: settings that are behind must not move the documents back.
func (s *Service) StartReembed(ctx context.Context, force bool) (*Move, error) {
	store, err := s.movable(s.cfg.Next)
	if err != nil {
		return nil, err
	}
	ctx, cancel := s.deadline(ctx, 0)
	defer cancel()
	// Whoever leaves does so from a lease that is handed on or not taken.
	return await(ctx, func() (*Move, error) {
		if err := s.look(ctx); err != nil {
			return nil, err
		}
		if err := s.overtaken(); err != nil && !force {
			return nil, err
		}
		if m := s.moves.look(); m != nil && m.Running {
			return m, nil
		}
		lease, err := store.BeginMove(ctx, s.cfg.Next.Model(), s.cfg.Lease)
		if err != nil {
			if m := s.moves.look(); CodeOf(err) == Conflict && m != nil && m.Running {
				return m, nil // another caller of this server was faster
			}
			return nil, err
		}
		return s.moves.begin(lease), nil
	})
}

// begin hands a move to the mover.
func (v *moves) begin(l MoveLease) *Move {
	m := newMove(l)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.latest = &m
	select {
	case <-v.begun: // one that nobody took up, and that has lost its lease
	default:
	}
	v.begun <- l
	shown := m
	return &shown
}

// mover does the moves that were begun.
func (s *Service) mover(ctx context.Context) {
	for {
		var lease MoveLease
		select {
		case lease = <-s.moves.begun:
		case <-ctx.Done():
			return
		}
		store, err := s.movable(s.cfg.Next)
		if err == nil {
			err = s.moveAll(ctx, store, s.cfg.Next, *s.moves.look(), lease, func(now Move) { s.moves.set(func(m *Move) { m.Progress = now.Progress }) })
		}
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
