package sqlite

import (
	"context"

	"github.com/ncruces/go-sqlite3"

	"weir/internal/rag"
)

var _ rag.Reembedder = (*Store)(nil)

// LiveModel implements [rag.Reembedder]. Where nobody said, it is the model that
// most documents have.
func (s *Store) LiveModel(ctx context.Context) (m rag.Model, err error) {
	err = s.read(ctx, s.other, "look up the model in use", func(c *conn) error {
		key, err := liveModel(c)
		if err == nil && key == 0 {
			key, err = inUse(c)
		}
		if err != nil {
			return err
		}
		m, err = modelOf(c, key)
		return err
	})
	return m, err
}

// modelOf is the model of a key; zero: there is none.
func modelOf(c *conn, key int64) (m rag.Model, err error) {
	_, err = c.row("SELECT name, dimensions FROM models WHERE key = ?", func(row *sqlite3.Stmt) {
		m = rag.Model{Name: row.ColumnText(0), Dim: row.ColumnInt(1)}
	}, key)
	return m, err
}

// inUse returns the key of the model whose vectors documents have; 0: none has any.
func inUse(c *conn) (int64, error) {
	return c.number(`
SELECT model FROM documents WHERE status = 'ready' AND model IS NOT NULL
GROUP BY model ORDER BY model = (SELECT live FROM moves) DESC, count(*) DESC, model DESC LIMIT 1`)
}

// liveModel returns 0 as long as nobody said.
func liveModel(c *conn) (int64, error) { return c.number("SELECT coalesce(live, 0) FROM moves") }

// UseModel implements [rag.Reembedder].
func (s *Store) UseModel(ctx context.Context, m rag.Model) error {
	if err := m.Check(); err != nil {
		return err
	}
	const doing = "set the model in use"
	done := false
	if err := s.read(ctx, s.other, doing, func(c *conn) error {
		key, err := modelKey(c, m)
		if err != nil || key == 0 {
			return err
		}
		live, err := liveModel(c)
		done = live == key
		return err
	}); err != nil || done {
		return err
	}
	return s.write(ctx, doing, func(c *conn) error {
		key, err := addModel(c, m)
		if err != nil {
			return err
		}
		live, err := inUse(c)
		if err != nil {
			return err
		}
		if live != 0 && live != key {
			return &rag.Error{Code: rag.Conflict, Phase: phase, Msg: "the documents have vectors of another model than " + m.Name}
		}
		_, err = c.exec("UPDATE moves SET live = ?", key)
		return err
	})
}

// checkLive refuses to publish vectors of a model that is not the one in use.
func checkLive(c *conn, model int64) error {
	if model == 0 {
		return nil
	}
	live, err := liveModel(c)
	if err == nil && live != 0 && live != model {
		err = &rag.Error{Code: rag.Conflict, Phase: phase, Msg: "the embedding model was changed while the document was in work"}
	}
	return err
}

// selectOutdated finds what is not prepared for the model ?1.
const selectOutdated = ` FROM documents d WHERE d.status = 'ready' AND d.chunks > 0
  AND d.model IS NOT ?1 AND d.next_model IS NOT ?1`

// Outdated implements [rag.Reembedder].
func (s *Store) Outdated(ctx context.Context, m rag.Model, after int64) (*rag.Outdated, error) {
	if err := m.Check(); err != nil {
		return nil, err
	}
	var o *rag.Outdated
	err := s.read(ctx, s.other, "look for documents of another model", func(c *conn) error {
		key, err := modelKey(c, m)
		if err != nil {
			return err
		}
		_, err = c.row("SELECT d.key, d.id, (SELECT name FROM users WHERE key = d.user)"+selectOutdated+" AND d.key > ?2 ORDER BY d.key LIMIT 1",
			func(row *sqlite3.Stmt) {
				o = &rag.Outdated{Order: row.ColumnInt64(0), DocID: row.ColumnText(1), User: rag.User(row.ColumnRawBlob(2))}
			}, key, after)
		return err
	})
	return o, err
}

// outdated returns the document, or the NotFound error.
func outdated(c *conn, o rag.Outdated) (record, error) {
	r, err := documentOf(c, o.User, o.DocID)
	if err == nil && r.Status != rag.Ready {
		err = notFound(o.DocID)
	}
	return r, err
}

// Unmoved implements [rag.Reembedder].
func (s *Store) Unmoved(ctx context.Context, o rag.Outdated, m rag.Model, limit int) (chunks []rag.Chunk, err error) {
	err = s.read(ctx, s.other, "read passages without vectors", func(c *conn) error {
		r, err := outdated(c, o)
		if err != nil {
			return err
		}
		chunks, _, err = unembedded(c, r, m, limit)
		return err
	})
	return chunks, err
}

// PutMoved implements [rag.Reembedder].
func (s *Store) PutMoved(ctx context.Context, l rag.MoveLease, o rag.Outdated, indexes []int, vectors [][]float32) error {
	if err := l.To.CheckVectors(indexes, vectors); err != nil {
		return err
	}
	return s.write(ctx, "store vectors", func(c *conn) error {
		if err := s.lease.held(l); err != nil {
			return err
		}
		r, err := outdated(c, o)
		if err != nil {
			return err
		}
		return putVectors(c, r, l.To, indexes, vectors)
	})
}

// Prepare implements [rag.Reembedder].
func (s *Store) Prepare(ctx context.Context, l rag.MoveLease, o rag.Outdated) error {
	const doing = "prepare the document for another model"
	var d derived
	if err := s.read(ctx, s.other, doing, func(c *conn) error {
		if err := s.lease.held(l); err != nil {
			return err
		}
		r, err := outdated(c, o)
		if err != nil {
			return err
		}
		d, err = s.vectorsOf(ctx, c, r, l.To)
		d.kind = spare(r.blockKind)
		return err
	}); err != nil {
		return err
	}
	same := func(c *conn) error {
		if err := s.lease.held(l); err != nil {
			return err
		}
		r, err := outdated(c, o)
		if err == nil && (r.body != d.body || spare(r.blockKind) != d.kind) {
			err = notFound(o.DocID)
		}
		return err
	}
	part, err := s.prewriteBlob(ctx, doing, d.body, d.kind, d.block, same)
	if err != nil {
		return err
	}
	return s.write(ctx, doing, func(c *conn) error {
		if err := same(c); err != nil {
			return err
		}
		if _, err := putBlob(c, d.body, d.kind, d.block, part, len(d.block)+1); err != nil {
			return err
		}
		if d.center != nil {
			if _, err := c.exec("UPDATE centers SET vectors = vectors + ? WHERE id = ?", d.chunks, d.center.ID()); err != nil {
				return err
			}
		}
		_, err := c.exec("UPDATE documents SET next_model = ?, next_block_bytes = ? WHERE key = ?", orNull(d.model), len(d.block), d.key)
		return err
	})
}

// Moved implements [rag.Reembedder].
func (s *Store) Moved(ctx context.Context, m rag.Model) (p rag.Progress, err error) {
	err = s.read(ctx, s.other, "count vectors", func(c *conn) error {
		key, err := modelKey(c, m)
		if err != nil {
			return err
		}
		_, err = c.row(`
SELECT coalesce(sum(d.chunks), 0), coalesce(sum((SELECT vectors FROM coverage WHERE body = d.body AND model = ?)), 0)
FROM documents d WHERE d.status = 'ready'`, func(row *sqlite3.Stmt) {
			p = rag.Progress{Total: row.ColumnInt(0), Done: row.ColumnInt(1)}
		}, key)
		return err
	})
	return p, err
}

// SwitchModel implements [rag.Reembedder].
func (s *Store) SwitchModel(ctx context.Context, l rag.MoveLease) (left int, err error) {
	err = s.write(ctx, "change the model in use", func(c *conn) error {
		if err := s.lease.held(l); err != nil {
			return err
		}
		key, err := addModel(c, l.To)
		if err != nil {
			return err
		}
		n, err := c.number("SELECT count(*)"+selectOutdated, key)
		if left = int(n); err != nil || n > 0 {
			return err
		}
		for _, sql := range []string{
			`UPDATE documents SET model = next_model, block_bytes = next_block_bytes, block_kind = 5 - block_kind,
  next_model = NULL, next_block_bytes = 0 WHERE status = 'ready' AND next_model = ?1`,
			// What was prepared for yet another model is swept away, so that it has to be made anew.
			`UPDATE documents SET next_model = NULL, next_block_bytes = 0 WHERE next_model IS NOT NULL AND ?1 <> 0`,
			`UPDATE moves SET live = ?1, target = NULL`,
			`UPDATE users SET generation = generation + 1 WHERE ?1 <> 0`, // of all: their indexes have to be loaded anew
		} {
			if _, err := c.exec(sql, key); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		s.sweepSoon()
	}
	return left, err
}

// spare is the other kind of blob that a block may be under.
func spare(k kind) kind { return blockBlob + otherBlockBlob - k }
