package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/ncruces/go-sqlite3"

	"weir/internal/rag"
)

const (
	// keepUnfinished is how long a body that is filled in several transactions is kept after the latest of them.
	keepUnfinished = 10 * time.Minute
	// sweepEvery is how often the sweeper looks by itself.
	sweepEvery = time.Minute
	// sweepRows bounds what one transaction of the sweeper removes, so that nobody waits long for it: some 3 MB of chunks
	// or vectors. sweepParts is the same for blobs.
	sweepRows  = 500
	sweepParts = 8
)

// newBody takes the next number for what a document holds.
func newBody(c *conn) (int64, error) {
	return c.number("UPDATE bodies SET last = last + 1 RETURNING last")
}

// fill begins, or goes on with, a body that takes several transactions.
func (s *Store) fill(c *conn, body int64) (int64, error) {
	until := s.cfg.Now().Add(keepUnfinished).UnixNano()
	if body == 0 {
		body, err := newBody(c)
		if err != nil {
			return 0, err
		}
		_, err = c.exec("INSERT INTO waste (body, keep_until) VALUES (?, ?)", body, until)
		return body, err
	}
	n, err := c.exec("UPDATE waste SET keep_until = ? WHERE body = ?", until, body)
	if err == nil && n == 0 {
		err = stalled()
	}
	return body, err
}

// adopt ends the filling: a document will point to the body from now on.
func adopt(c *conn, body int64) error {
	n, err := c.exec("DELETE FROM waste WHERE body = ?", body)
	if err == nil && n == 0 {
		err = stalled()
	}
	return err
}

func stalled() error {
	return &rag.Error{Code: rag.Unavailable, Phase: phase, Msg: fmt.Sprintf("writing a large document made no progress for %v", keepUnfinished)}
}

// discard leaves a body to the sweeper; no document may point to it any more.
func discard(c *conn, body int64) error {
	if body == 0 {
		return nil
	}
	_, err := c.exec("INSERT INTO waste (body, keep_until) VALUES (?, 0) ON CONFLICT (body) DO UPDATE SET keep_until = 0", body)
	return err
}

// sweepSoon wakes the sweeper.
func (s *Store) sweepSoon() {
	select {
	case s.wake <- struct{}{}:
	default: // it is about to look anyway
	}
}

// sweep removes waste until ctx ends.
func (s *Store) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if err := s.sweepAll(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Log.WarnContext(ctx, "removing what deleted documents held failed; it is tried again", "error", err)
		}
		select {
		case <-s.wake:
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (s *Store) sweepAll(ctx context.Context) error {
	const doing = "sweep"
	for {
		var body int64
		if err := s.read(ctx, s.other, doing, func(c *conn) (err error) {
			body, err = c.number("SELECT body FROM waste WHERE keep_until <= ? LIMIT 1", s.cfg.Now().UnixNano())
			return err
		}); err != nil {
			return err
		}
		if body == 0 {
			return s.sweepModels(ctx)
		}
		for more := true; more; {
			if err := s.write(ctx, doing, func(c *conn) (err error) {
				more, err = sweepPiece(c, body)
				return err
			}); err != nil {
				return err
			}
		}
	}
}

// sweepPiece removes some of what a body holds, and tells whether there may be more.
func sweepPiece(c *conn, body int64) (more bool, err error) {
	for _, p := range []struct {
		sql      string
		from, to int64
		most     int64
	}{
		{"DELETE FROM blobs WHERE id IN (SELECT id FROM blobs WHERE id >= ? AND id < ? LIMIT ?)", blobID(body, 0, 0), blobID(body+1, 0, 0), sweepParts},
		{"DELETE FROM vectors WHERE id IN (SELECT id FROM vectors WHERE id >= ? AND id < ? LIMIT ?)", vectorID(body, 0, 0), vectorID(body+1, 0, 0), sweepRows},
		{"DELETE FROM chunks WHERE id IN (SELECT id FROM chunks WHERE id >= ? AND id < ? LIMIT ?)", chunkID(body, 0), chunkID(body+1, 0), sweepRows},
	} {
		n, err := c.exec(p.sql, p.from, p.to, p.most)
		if err != nil {
			return false, err
		}
		if n == p.most {
			return true, nil
		}
	}
	if _, err := c.exec("DELETE FROM coverage WHERE body = ?", body); err != nil {
		return false, err
	}
	_, err = c.exec("DELETE FROM waste WHERE body = ?", body)
	return false, err
}

// sweepModels removes vectors and blocks of models that are no longer in use.
func (s *Store) sweepModels(ctx context.Context) error {
	const doing = "sweep"
	for {
		var body, model int64
		if err := s.read(ctx, s.other, doing, func(c *conn) error {
			_, err := c.row(`
SELECT o.body, o.model FROM moves m CROSS JOIN coverage o JOIN documents d ON d.body = o.body
WHERE m.live IS NOT NULL AND m.target IS NULL AND d.status = 'ready' AND d.model = m.live AND o.model <> m.live LIMIT 1`,
				func(row *sqlite3.Stmt) { body, model = row.ColumnInt64(0), row.ColumnInt64(1) })
			return err
		}); err != nil || body == 0 {
			return err
		}
		for more := true; more; {
			if err := s.write(ctx, doing, func(c *conn) (err error) {
				more, err = sweepModel(c, body, model)
				return err
			}); err != nil {
				return err
			}
		}
	}
}

// sweepModel removes some of what a body holds of a model, and tells whether
// there may be more. It leaves all as it is when a new move has begun.
func sweepModel(c *conn, body, model int64) (more bool, err error) {
	block, err := c.number(`
SELECT block_kind FROM documents WHERE body = ?1 AND status = 'ready' AND model <> ?2
  AND (SELECT live IS NOT NULL AND live <> ?2 AND target IS NULL FROM moves)`, body, model)
	if err != nil || block == 0 {
		return false, err
	}
	n, err := c.exec("DELETE FROM vectors WHERE id IN (SELECT id FROM vectors WHERE id >= ? AND id < ? AND id & ? = ? LIMIT ?)",
		vectorID(body, 0, 0), vectorID(body+1, 0, 0), maxModels, model, sweepRows)
	if err != nil || n == sweepRows {
		return err == nil, err
	}
	old := spare(kind(block))
	n, err = c.exec("DELETE FROM blobs WHERE id IN (SELECT id FROM blobs WHERE id >= ? AND id < ? LIMIT ?)",
		blobID(body, old, 0), blobID(body, old, 0)+1<<partBits, sweepParts)
	if err != nil || n == sweepParts {
		return err == nil, err
	}
	_, err = c.exec("DELETE FROM coverage WHERE body = ? AND model = ?", body, model)
	return false, err
}
