package sqlite

import (
	"context"
	"fmt"

	"weir/internal/rag"
)

// Cancel implements [rag.Library].
func (s *Store) Cancel(ctx context.Context, user rag.User, id string) (rag.Document, error) {
	if err := checkUser(user); err != nil {
		return rag.Document{}, err
	}
	var r record
	err := s.write(ctx, "cancel the document", func(c *conn) (err error) {
		r, err = documentOf(c, user, id)
		if err != nil || r.Status == rag.Cancelled {
			return err
		}
		if r.Status.Final() {
			return &rag.Error{Code: rag.Conflict, Phase: phase, Msg: fmt.Sprintf("the document is %s and cannot be canceled any more", r.Status)}
		}
		if err := s.end(c, r, rag.Cancelled); err != nil {
			return err
		}
		r, err = documentOf(c, user, id)
		return err
	})
	if err != nil {
		return rag.Document{}, err
	}
	s.sweepSoon()
	return r.Document, nil
}

// Delete implements [rag.Library].
func (s *Store) Delete(ctx context.Context, user rag.User, id string) error {
	if err := checkUser(user); err != nil {
		return err
	}
	err := s.alter(ctx, user, nil, "delete the document", func(c *conn) (o outcome, err error) {
		r, err := documentOf(c, user, id)
		if err != nil {
			return o, err
		}
		if err := remove(c, r); err != nil {
			return o, err
		}
		if r.Status != rag.Ready {
			return o, nil
		}
		o.removed = []int64{r.key}
		o.generation, err = nextGeneration(c, r.user)
		return o, err
	})
	if err == nil {
		s.sweepSoon()
	}
	return err
}

// remove deletes the row of a document and leaves what it held to the sweeper.
func remove(c *conn, r record) error {
	if err := discard(c, r.body); err != nil {
		return err
	}
	_, err := c.exec("DELETE FROM documents WHERE key = ?", r.key)
	return err
}

// nextGeneration is called in every transaction that changes what a user can find.
func nextGeneration(c *conn, user int64) (int64, error) {
	return c.number("UPDATE users SET generation = generation + 1 WHERE key = ? RETURNING generation", user)
}
