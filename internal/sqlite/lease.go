package sqlite

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"weir/internal/rag"
)

// lease is who moves the documents. One process has the folder, so it is kept
// in memory alone, and ends with that process.
type lease struct {
	mu           sync.Mutex
	now          rag.MoveLease // without a token: nobody's
	began, until time.Time
}

// held is nil while l is not another's. What depends on that is done by the
// writer, of which there is one.
func (v *lease) held(l rag.MoveLease) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if l.Token == "" || v.now.Token != l.Token {
		return rag.ErrMoveLost
	}
	return nil
}

func (v *lease) take(l rag.MoveLease, now time.Time, ttl time.Duration) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.now.Token != "" && v.until.After(now) {
		return rag.MoveUnderWay(v.now.To, v.began)
	}
	v.now, v.began, v.until = l, now, now.Add(ttl)
	return nil
}

func (v *lease) renew(l rag.MoveLease, until time.Time) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if l.Token == "" || v.now.Token != l.Token {
		return rag.ErrMoveLost
	}
	v.until = until
	return nil
}

func (v *lease) end(l rag.MoveLease) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.now.Token == l.Token {
		v.now = rag.MoveLease{}
	}
}

// BeginMove implements [rag.Reembedder].
func (s *Store) BeginMove(ctx context.Context, m rag.Model, ttl time.Duration) (rag.MoveLease, error) {
	if err := m.Check(); err != nil {
		return rag.MoveLease{}, err
	}
	l := rag.MoveLease{To: m, Token: uuid.NewString()}
	err := s.write(ctx, "begin to move the documents", func(c *conn) error {
		key, err := addModel(c, m)
		if err != nil {
			return err
		}
		from, err := inUse(c)
		if err != nil {
			return err
		}
		if l.From, err = modelOf(c, from); err != nil {
			return err
		}
		if _, err := c.exec("UPDATE moves SET target = ?", key); err != nil { // which keeps its vectors from being swept away
			return err
		}
		return s.lease.take(l, s.cfg.Now(), ttl)
	})
	if err != nil {
		s.lease.end(l)
		return rag.MoveLease{}, err
	}
	return l, nil
}

// RenewMove implements [rag.Reembedder].
func (s *Store) RenewMove(ctx context.Context, l rag.MoveLease, ttl time.Duration) error {
	if err := ctx.Err(); err != nil {
		return explain(ctx, s.cfg.Dir, "renew the lease on the move", err)
	}
	return s.lease.renew(l, s.cfg.Now().Add(ttl))
}

// EndMove implements [rag.Reembedder].
func (s *Store) EndMove(ctx context.Context, l rag.MoveLease) error {
	if err := ctx.Err(); err != nil {
		return explain(ctx, s.cfg.Dir, "give back the lease on the move", err)
	}
	s.lease.end(l)
	return nil
}
