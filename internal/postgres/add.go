package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"weir/internal/rag"
)

const sameContent = `WHERE d.owner = $1 AND d.sha256 = $2 AND d.status IN ('queued', 'parsing', 'embedding', 'ready')`

// Add implements [rag.Library]. The bytes are written first, in transactions of
// their own where they are many, under a body that is waste until a document
// points to it; so the user's row is locked only for a moment.
func (s *Store) Add(ctx context.Context, user rag.User, n rag.NewDocument) (rag.Document, bool, error) {
	if err := checkUser(user); err != nil {
		return rag.Document{}, false, err
	}
	if err := n.Check(); err != nil {
		return rag.Document{}, false, err
	}
	const doing = "store the document"
	owner := ownerOf(user)
	body, err := s.upload(ctx, doing, user, n)
	if err != nil {
		return rag.Document{}, false, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return rag.Document{}, false, s.explain(ctx, doing, err)
	}
	var r record
	created := false
	err = s.write(ctx, user, doing, func(ctx context.Context, tx pgx.Tx) error {
		created = false
		if _, err := tx.Exec(ctx, "INSERT INTO owners (owner, name) VALUES ($1, $2) ON CONFLICT DO NOTHING", owner, []byte(user)); err != nil {
			return err
		}
		if _, err := lockOwner(ctx, tx, owner); err != nil {
			return err
		}
		var found bool
		var err error
		if r, found, err = find(ctx, tx, sameContent, owner, n.SHA256); err != nil {
			return err
		}
		if found {
			return s.outlast(ctx, tx, owner, r, n.Replace && n.Filename == r.Filename) // the body stays waste
		}
		created = true
		ended, err := collect(ctx, tx, "WHERE d.owner = $1 AND d.filename = $2 AND d.sha256 = $3 AND d.status IN ('failed', 'canceled')",
			owner, stored(n.Filename), n.SHA256)
		if err != nil {
			return err
		}
		for _, e := range ended {
			if err := remove(ctx, tx, owner, e); err != nil {
				return err
			}
		}
		r, err = insert(ctx, tx, owner, id, body, n)
		return err
	})
	if err != nil {
		return rag.Document{}, false, err
	}
	if !created {
		s.sweepSoon()
	}
	return r.Document, created, nil
}

// lockOwner makes everybody else wait who changes the list of the user's
// documents, and returns the generation.
func lockOwner(ctx context.Context, tx pgx.Tx, owner uuid.UUID) (generation int64, err error) {
	err = tx.QueryRow(ctx, "SELECT generation FROM owners WHERE owner = $1 FOR NO KEY UPDATE", owner).Scan(&generation)
	if noRows(err) {
		return 0, nil
	}
	return generation, err
}

// insert writes the row of a new document.
func insert(ctx context.Context, tx pgx.Tx, owner, id uuid.UUID, body int64, n rag.NewDocument) (record, error) {
	if body == 0 {
		var err error
		if body, err = newBody(ctx, tx); err != nil {
			return record{}, err
		}
		if err := putBlob(ctx, tx, owner, body, uploadBlob, n.Content, 0, len(n.Content)); err != nil {
			return record{}, err
		}
	} else if err := adopt(ctx, tx, owner, body); err != nil {
		return record{}, err
	}
	if _, err := tx.Exec(ctx, `
INSERT INTO documents (owner, id, body, filename, folded, status, bytes, sha256, replaces, due_at, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, 'queued', $6, $7, $8, clock_timestamp(), now(), now())`,
		owner, id, body, stored(n.Filename), stored(fold(n.Filename)), len(n.Content), n.SHA256, n.Replace); err != nil {
		return record{}, err
	}
	r, found, err := find(ctx, tx, "WHERE d.owner = $1 AND d.id = $2", owner, id)
	if err == nil && !found {
		err = fmt.Errorf("document %s is not there after it was added", id)
	}
	return r, err
}

// outlast makes a document that was asked for again outlast those that were to
// replace it: the last upload is what its user wants. They are canceled when
// that upload is to replace them in turn, else they come to stand beside it.
func (s *Store) outlast(ctx context.Context, tx pgx.Tx, owner uuid.UUID, r record, replace bool) error {
	replacing, err := collect(ctx, tx, "WHERE d.owner = $1 AND d.filename = $2 AND d.key > $3 AND d.status IN "+pending+" AND d.replaces FOR UPDATE OF d",
		owner, stored(r.Filename), r.key)
	if err != nil {
		return err
	}
	for _, o := range replacing {
		if replace {
			err = end(ctx, tx, owner, o, rag.Cancelled)
		} else {
			_, err = tx.Exec(ctx, "UPDATE documents SET replaces = false WHERE owner = $1 AND id = $2", owner, o.uuid)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// upload writes a large content under a new body. It returns body 0 for a small
// content, and for one that the user has already.
func (s *Store) upload(ctx context.Context, doing string, user rag.User, n rag.NewDocument) (body int64, err error) {
	if len(n.Content) <= pieceBytes {
		return 0, nil
	}
	owner := ownerOf(user)
	known := false
	if err := s.read(ctx, user, doing, func(ctx context.Context, tx pgx.Tx) (err error) {
		_, known, err = find(ctx, tx, sameContent, owner, n.SHA256)
		return err
	}); err != nil || known {
		return 0, err
	}
	for from := 0; from < len(n.Content); from += pieceBytes {
		next := body
		if err := s.write(ctx, user, doing, func(ctx context.Context, tx pgx.Tx) (err error) {
			if next, err = fill(ctx, tx, owner, body); err != nil {
				return err
			}
			return putBlob(ctx, tx, owner, next, uploadBlob, n.Content, from, min(from+pieceBytes, len(n.Content)))
		}); err != nil {
			return 0, err
		}
		body = next
	}
	return body, nil
}
