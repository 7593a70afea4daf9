package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"weir/internal/rag"
)

// Cancel implements [rag.Library].
func (s *Store) Cancel(ctx context.Context, user rag.User, id string) (rag.Document, error) {
	if err := checkUser(user); err != nil {
		return rag.Document{}, err
	}
	owner := ownerOf(user)
	var r record
	err := s.write(ctx, user, "cancel the document", func(ctx context.Context, tx pgx.Tx) (err error) {
		r, err = documentOf(ctx, tx, owner, id, "FOR UPDATE OF d")
		if err != nil || r.Status == rag.Cancelled {
			return err
		}
		if r.Status.Final() {
			return &rag.Error{Code: rag.Conflict, Phase: phase, Msg: fmt.Sprintf("the document is %s and cannot be canceled any more", r.Status)}
		}
		if err := end(ctx, tx, owner, r, rag.Cancelled); err != nil {
			return err
		}
		r, err = documentOf(ctx, tx, owner, id, "")
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
	owner := ownerOf(user)
	err := s.write(ctx, user, "delete the document", func(ctx context.Context, tx pgx.Tx) error {
		if _, err := lockOwner(ctx, tx, owner); err != nil {
			return err
		}
		r, err := documentOf(ctx, tx, owner, id, "FOR UPDATE OF d")
		if err != nil {
			return err
		}
		if err := remove(ctx, tx, owner, r); err != nil || r.Status != rag.Ready {
			return err
		}
		return nextGeneration(ctx, tx, owner)
	})
	if err == nil {
		s.sweepSoon()
	}
	return err
}

// remove deletes the row of a document and leaves what it held to the sweeper.
func remove(ctx context.Context, tx pgx.Tx, owner uuid.UUID, r record) error {
	if err := discard(ctx, tx, owner, r.body); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "DELETE FROM documents WHERE owner = $1 AND id = $2", owner, r.uuid)
	return err
}

// end puts a document into a final status in which it holds nothing.
func end(ctx context.Context, tx pgx.Tx, owner uuid.UUID, r record, status rag.Status) error {
	body, err := newBody(ctx, tx) // an empty one
	if err != nil {
		return err
	}
	if err := discard(ctx, tx, owner, r.body); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
UPDATE documents SET status = $3, body = $4, lease = '', waiting = '', warning = '', staged = false, chunks = 0, tokens = 0, updated_at = clock_timestamp()
WHERE owner = $1 AND id = $2`, owner, r.uuid, string(status), body)
	return err
}

// nextGeneration is called in every transaction that changes what a user can
// find.
func nextGeneration(ctx context.Context, tx pgx.Tx, owner uuid.UUID) error {
	_, err := tx.Exec(ctx, "UPDATE owners SET generation = generation + 1 WHERE owner = $1", owner)
	return err
}
