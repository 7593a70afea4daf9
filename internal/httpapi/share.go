package httpapi

import (
	"context"
	"fmt"
	"sync"
	"time"

	"weir/internal/rag"
)

// shares bounds how many places of a lane one user may have, so that the others
// find some.
type shares struct {
	what string
	most int

	mu    sync.Mutex
	users map[rag.User]*share
}

// share is that of one user who has, or waits for, a place.
type share struct {
	places chan struct{}
	asking int // who have a place or wait for one; guarded by shares.mu
}

func newShares(what string, most int) *shares {
	return &shares{what: what, most: most, users: map[rag.User]*share{}}
}

// enter takes one of user's places, waiting up to patience for one.
func (s *shares) enter(ctx context.Context, user rag.User, patience time.Duration) (leave func(), err error) {
	own := s.join(user)
	leave = sync.OnceFunc(func() { <-own.places; s.part(user) })
	select {
	case own.places <- struct{}{}:
		return leave, nil
	default:
	}
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case own.places <- struct{}{}:
		return leave, nil
	case <-ctx.Done():
		s.part(user)
		return nil, ctx.Err()
	case <-t.C:
		s.part(user)
		return nil, &rag.Error{
			Code: rag.RateLimited, Phase: "queue", RetryAfter: time.Second,
			Msg: fmt.Sprintf("this user has %d %s under way, as many as one user may", s.most, s.what),
		}
	}
}

func (s *shares) join(user rag.User) *share {
	s.mu.Lock()
	defer s.mu.Unlock()
	own := s.users[user]
	if own == nil {
		own = &share{places: make(chan struct{}, s.most)}
		s.users[user] = own
	}
	own.asking++
	return own
}

func (s *shares) part(user rag.User) {
	s.mu.Lock()
	defer s.mu.Unlock()
	own := s.users[user]
	if own.asking--; own.asking == 0 {
		delete(s.users, user)
	}
}
