package sqlite

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"

	"weir/internal/rag"
)

const (
	// addPiece is how much of an upload one transaction writes.
	addPiece = 8 << 20

	sameContent = `WHERE d.user = (SELECT key FROM users WHERE name = ?) AND d.sha256 = ?
  AND d.status IN ('queued', 'parsing', 'embedding', 'ready')`
)

// Add implements [rag.Library].
func (s *Store) Add(ctx context.Context, user rag.User, n rag.NewDocument) (rag.Document, bool, error) {
	if err := checkUser(user); err != nil {
		return rag.Document{}, false, err
	}
	if err := n.Check(); err != nil {
		return rag.Document{}, false, err
	}
	const doing = "store the document"
	// A large upload is written in pieces beforehand, so that others can write in between.
	body, part, err := s.upload(ctx, doing, user, n)
	if err != nil {
		return rag.Document{}, false, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return rag.Document{}, false, s.fail(ctx, doing, err)
	}
	var r record
	created, replaced := false, false
	err = s.write(ctx, doing, func(c *conn) error {
		if _, err := c.exec("INSERT INTO users (name) VALUES (?) ON CONFLICT DO NOTHING", []byte(user)); err != nil {
			return err
		}
		key, err := userKey(c, user)
		if err != nil {
			return err
		}
		var found bool
		r, found, err = find(c, sameContent, []byte(user), n.SHA256)
		if err != nil {
			return err
		}
		if found {
			if replaced, err = s.outlast(c, r, n.Replace && n.Filename == r.Filename); err != nil {
				return err
			}
			return discard(c, body)
		}
		created = true
		if replaced, err = removeEnded(c, key, n); err != nil {
			return err
		}
		if body, err = s.enter(c, key, id.String(), body, part, n); err != nil {
			return err
		}
		r, found, err = find(c, "WHERE d.id = ?", id.String())
		if err == nil && !found {
			err = fmt.Errorf("document %s is not there after it was added", id)
		}
		return err
	})
	if body != 0 && !created || replaced {
		s.sweepSoon()
	}
	if err != nil {
		return rag.Document{}, false, err
	}
	return r.Document, created, nil
}

// enter writes a new document and what is left of its content, and returns its
// body.
func (s *Store) enter(c *conn, user int64, id string, body int64, part int, n rag.NewDocument) (int64, error) {
	var err error
	if body == 0 {
		body, err = newBody(c)
	} else {
		err = adopt(c, body)
	}
	if err != nil {
		return body, err
	}
	if _, err := putBlob(c, body, uploadBlob, n.Content, part, len(n.Content)+1); err != nil {
		return body, err
	}
	seq, err := c.number("UPDATE users SET documents = documents + 1 WHERE key = ? RETURNING documents", user)
	if err != nil {
		return body, err
	}
	_, err = c.exec(`
INSERT INTO documents (user, seq, id, body, filename, folded, status, bytes, sha256, replaces, due_at, created_at, updated_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'queued', ?7, ?8, ?9, ?10, ?10, ?10)`,
		user, seq, id, body, n.Filename, fold(n.Filename), int64(len(n.Content)), n.SHA256, n.Replace, s.cfg.Now().UnixNano())
	return body, err
}

const selectReplacing = `
WHERE d.user = ? AND d.filename = ? AND d.key > ? AND d.status IN ` + pending + ` AND d.replaces`

// outlast makes a document that was asked for again outlast those that were to
// replace it: the last upload is what its user wants. They are canceled when
// that upload is to replace them in turn, else they come to stand beside it.
func (s *Store) outlast(c *conn, r record, replace bool) (any bool, err error) {
	var replacing []record
	if err := c.rows(selectDocument+selectReplacing, func(row *sqlite3.Stmt) error {
		replacing = append(replacing, scanDocument(row))
		return nil
	}, r.user, r.Filename, r.key); err != nil {
		return false, err
	}
	for _, o := range replacing {
		if replace {
			err = s.end(c, o, rag.Cancelled)
		} else {
			_, err = c.exec("UPDATE documents SET replaces = 0 WHERE key = ?", o.key)
		}
		if err != nil {
			return false, err
		}
	}
	return len(replacing) > 0, nil
}

const selectEnded = `
WHERE d.user = ? AND d.filename = ? AND d.sha256 = ? AND d.status IN ('failed', 'canceled')`

// removeEnded deletes what is left of earlier tries with the same file, and
// tells whether there was any.
func removeEnded(c *conn, user int64, n rag.NewDocument) (bool, error) {
	var ended []record
	if err := c.rows(selectDocument+selectEnded, func(row *sqlite3.Stmt) error {
		ended = append(ended, scanDocument(row))
		return nil
	}, user, n.Filename, n.SHA256); err != nil {
		return false, err
	}
	for _, r := range ended {
		if err := remove(c, r); err != nil {
			return false, err
		}
	}
	return len(ended) > 0, nil
}

// upload writes all pieces but the last of a large content under a new body,
// which is waste until a document points to it. It returns body 0 for a small
// content, and for one that the user has already.
func (s *Store) upload(ctx context.Context, doing string, user rag.User, n rag.NewDocument) (body int64, part int, err error) {
	if len(n.Content) <= addPiece {
		return 0, 0, nil
	}
	known := false
	if err := s.read(ctx, s.other, doing, func(c *conn) (err error) {
		_, known, err = find(c, sameContent, []byte(user), n.SHA256)
		return err
	}); err != nil || known {
		return 0, 0, err
	}
	for len(n.Content)-part*partBytes > addPiece {
		if err := s.write(ctx, doing, func(c *conn) (err error) {
			if body, err = s.fill(c, body); err != nil {
				return err
			}
			part, err = putBlob(c, body, uploadBlob, n.Content, part, addPiece)
			return err
		}); err != nil {
			return 0, 0, err
		}
	}
	return body, part, nil
}
