package sqlite

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"

	"weir/internal/rag"
)

// A document is leased while it has a lease whose due_at is yet to come; from
// due_at on it is due, whoever held it.

// selectDue finds the next document: of the user with the fewest in work, the
// oldest. ?1 is now.
const selectDue = `
WITH waiting AS (SELECT user, min(key) AS key FROM documents WHERE status IN ` + pending + ` AND due_at <= ?1 GROUP BY user),
     working AS (SELECT user, count(*) AS n FROM documents WHERE status IN ` + pending + ` AND lease <> '' AND due_at > ?1 GROUP BY user)
SELECT waiting.key FROM waiting LEFT JOIN working ON working.user = waiting.user
ORDER BY coalesce(working.n, 0), waiting.key LIMIT 1`

// Lease implements [rag.Queue].
func (s *Store) Lease(ctx context.Context, ttl time.Duration) (*rag.Job, error) {
	const doing = "take a document from the queue"
	// Looking costs the writer nothing; an empty queue is looked at often.
	var due int64
	if err := s.read(ctx, s.other, doing, func(c *conn) (err error) {
		due, err = c.number(selectDue, s.cfg.Now().UnixNano())
		return err
	}); err != nil || due == 0 {
		return nil, err
	}
	var job *rag.Job
	err := s.write(ctx, doing, func(c *conn) error {
		job = nil
		now := s.cfg.Now()
		key, err := c.number(selectDue, now.UnixNano())
		if err != nil || key == 0 {
			return err
		}
		token := uuid.NewString()
		if _, err := c.exec(`
UPDATE documents SET lease = ?2, due_at = ?3, attempt = attempt + 1, waiting = '', updated_at = ?4,
  status = CASE WHEN staged THEN 'embedding' ELSE 'parsing' END
WHERE key = ?1`, key, token, now.Add(ttl).UnixNano(), now.UnixNano()); err != nil {
			return err
		}
		r, found, err := find(c, "WHERE d.key = ?", key)
		if err != nil || !found {
			return err
		}
		job = &rag.Job{Document: r.Document, Lease: token, Attempt: r.attempt, Staged: r.staged}
		_, err = c.row("SELECT name FROM users WHERE key = ?", func(row *sqlite3.Stmt) { job.User = rag.User(row.ColumnRawBlob(0)) }, r.user)
		return err
	})
	if err != nil {
		return nil, err
	}
	return job, nil
}

// Pending implements [rag.Queue].
func (s *Store) Pending(ctx context.Context) (queued, working int, err error) {
	err = s.read(ctx, s.other, "look at the queue", func(c *conn) error {
		_, err := c.row("SELECT count(*), coalesce(sum(lease <> '' AND due_at > ?), 0) FROM documents WHERE status IN "+pending,
			func(row *sqlite3.Stmt) {
				working = row.ColumnInt(1)
				queued = row.ColumnInt(0) - working
			}, s.cfg.Now().UnixNano())
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	return queued, working, nil
}

// held returns the document of a job whose lease is held, or ErrLeaseLost.
func (s *Store) held(c *conn, job rag.Job) (record, error) {
	r, found, err := find(c, `
WHERE d.id = ? AND d.user = (SELECT key FROM users WHERE name = ?) AND d.lease = ? AND d.lease <> '' AND d.due_at > ?
  AND d.status IN `+pending, job.Document.ID, []byte(job.User), job.Lease, s.cfg.Now().UnixNano())
	if err == nil && !found {
		err = rag.ErrLeaseLost
	}
	return r, err
}

// Renew implements [rag.Queue].
func (s *Store) Renew(ctx context.Context, job rag.Job, ttl time.Duration, status rag.Status, p rag.Progress) error {
	if status != rag.Parsing && status != rag.Embedding {
		return rag.FieldErrorf("status", "a document in work is parsing or embedding, not %q", string(status))
	}
	return s.write(ctx, "renew the lease", func(c *conn) error {
		r, err := s.held(c, job)
		if err != nil {
			return err
		}
		now := s.cfg.Now()
		_, err = c.exec("UPDATE documents SET due_at = ?, status = ?, done = ?, total = ?, updated_at = ? WHERE key = ?",
			now.Add(ttl).UnixNano(), string(status), p.Done, p.Total, now.UnixNano(), r.key)
		return err
	})
}

// Content implements [rag.Queue].
func (s *Store) Content(ctx context.Context, job rag.Job) ([]byte, error) {
	var content []byte
	err := s.read(ctx, s.other, "read the uploaded document", func(c *conn) error {
		r, err := s.held(c, job)
		if err != nil {
			return err
		}
		if r.staged {
			return &rag.Error{Code: rag.Conflict, Phase: phase, Msg: "the uploaded bytes were freed when the document was staged"}
		}
		content, err = blob(c, r.body, uploadBlob, r.Bytes)
		if err == nil && int64(len(content)) != r.Bytes {
			err = fmt.Errorf("%w: %d of %d bytes of the upload", sqlite3.CORRUPT, len(content), r.Bytes)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return content, nil
}

// Retry implements [rag.Queue].
func (s *Store) Retry(ctx context.Context, job rag.Job, at time.Time, why string) error {
	return s.write(ctx, "give the document back", func(c *conn) error {
		r, err := s.held(c, job)
		if err != nil {
			return err
		}
		_, err = c.exec("UPDATE documents SET status = 'queued', lease = '', due_at = ?, waiting = ?, updated_at = ? WHERE key = ?",
			at.UnixNano(), strings.ToValidUTF8(why, "\uFFFD"), s.cfg.Now().UnixNano(), r.key)
		return err
	})
}

// Fail implements [rag.Queue].
func (s *Store) Fail(ctx context.Context, job rag.Job, e rag.DocumentError) error {
	if e.Code == "" {
		return rag.FieldErrorf("code", "a failure needs a code")
	}
	err := s.write(ctx, "record the failure", func(c *conn) error {
		r, err := s.held(c, job)
		if err != nil {
			return err
		}
		if err := s.end(c, r, rag.Failed); err != nil {
			return err
		}
		_, err = c.exec("UPDATE documents SET error_code = ?, error_message = ? WHERE key = ?",
			string(e.Code), strings.ToValidUTF8(e.Message, "\uFFFD"), r.key)
		return err
	})
	if err == nil {
		s.sweepSoon()
	}
	return err
}

// end puts a document into a final status in which it holds nothing.
func (s *Store) end(c *conn, r record, status rag.Status) error {
	body, err := newBody(c) // an empty one
	if err != nil {
		return err
	}
	if err := discard(c, r.body); err != nil {
		return err
	}
	_, err = c.exec("UPDATE documents SET status = ?, body = ?, lease = '', waiting = '', warning = '', staged = 0, chunks = 0, tokens = 0, updated_at = ? WHERE key = ?",
		string(status), body, s.cfg.Now().UnixNano(), r.key)
	return err
}
