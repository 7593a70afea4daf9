package postgres

import (
	"context"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"weir/internal/rag"
)

var _ rag.Reembedder = (*Store)(nil)

// everybody is the scope in which all documents are seen, and nothing in them.
func everybody() scope { return scope{queue: true} }

// liveModel returns 0 as long as nobody said. lock is what of the row is to be
// held to the end of the transaction.
func liveModel(ctx context.Context, tx pgx.Tx, lock string) (key int32, err error) {
	err = tx.QueryRow(ctx, "SELECT coalesce(live, 0) FROM moves "+lock).Scan(&key)
	return key, err
}

// checkLive refuses to publish vectors of a model that is not the one in use,
// and keeps it in use until the transaction ends.
func checkLive(ctx context.Context, tx pgx.Tx, model *int32) error {
	if model == nil {
		return nil
	}
	live, err := liveModel(ctx, tx, "FOR SHARE")
	if err == nil && live != 0 && live != *model {
		err = &rag.Error{Code: rag.Conflict, Phase: phase, Msg: "the embedding model was changed while the document was in work"}
	}
	return err
}

// LiveModel implements [rag.Reembedder]. Where nobody said, it is the model that
// most documents have. It is looked up every few seconds by every server, so the
// documents are counted only where that is needed: once somebody said, none of
// them has vectors of another.
func (s *Store) LiveModel(ctx context.Context) (m rag.Model, err error) {
	err = s.transact(ctx, s.reading(s.other), everybody(), "look up the model in use", func(ctx context.Context, tx pgx.Tx) error {
		m = rag.Model{}
		key, err := liveModel(ctx, tx, "")
		if err != nil {
			return err
		}
		if key == 0 {
			m, err = embeddedWith(ctx, tx)
		} else {
			m, err = modelOf(ctx, tx, "$1", key)
		}
		return err
	})
	return m, err
}

// embeddedWith is the model that most documents have vectors of; zero: none has any.
func embeddedWith(ctx context.Context, tx pgx.Tx) (rag.Model, error) {
	return modelOf(ctx, tx, `(
SELECT model FROM documents WHERE status = 'ready' AND model IS NOT NULL GROUP BY model ORDER BY count(*) DESC, model DESC LIMIT 1)`)
}

// modelOf is the model of a key; zero: there is none.
func modelOf(ctx context.Context, tx pgx.Tx, key string, args ...any) (m rag.Model, err error) {
	err = tx.QueryRow(ctx, "SELECT name, dimensions FROM models WHERE key = "+key, args...).Scan(&m.Name, &m.Dim)
	if noRows(err) {
		return rag.Model{}, nil
	}
	m.Name = original(m.Name)
	return m, err
}

// UseModel implements [rag.Reembedder]. It looks first, in a transaction that
// writes nothing: a database that takes no writes can be read all the same.
func (s *Store) UseModel(ctx context.Context, m rag.Model) error {
	if err := m.Check(); err != nil {
		return err
	}
	const doing = "set the model in use"
	done := false
	err := s.transact(ctx, s.reading(s.other), everybody(), doing, func(ctx context.Context, tx pgx.Tx) error {
		key, err := modelKey(ctx, tx, m)
		if err != nil {
			return err
		}
		done, err = inUse(ctx, tx, m, key)
		return err
	})
	if err != nil || done {
		return err
	}
	return s.transact(ctx, s.writing(), everybody(), doing, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := liveModel(ctx, tx, "FOR UPDATE"); err != nil {
			return err
		}
		key, err := addModel(ctx, tx, m)
		if err != nil {
			return err
		}
		if done, err := inUse(ctx, tx, m, key); err != nil || done {
			return err
		}
		_, err = tx.Exec(ctx, "UPDATE moves SET live = $1", key)
		return err
	})
}

// inUse reports whether a model is the one in use. Where documents have vectors
// of another it is a Conflict error.
func inUse(ctx context.Context, tx pgx.Tx, m rag.Model, key int32) (bool, error) {
	live, err := liveModel(ctx, tx, "")
	if err != nil || live != 0 && live == key {
		return live != 0 && live == key, err
	}
	var others bool
	if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM documents WHERE status = 'ready' AND model IS NOT NULL AND model <> $1)", key).Scan(&others); err != nil {
		return false, err
	}
	if others {
		return false, &rag.Error{Code: rag.Conflict, Phase: phase, Msg: "the documents have vectors of another model than " + m.Name}
	}
	return false, nil
}

// whereOutdated finds what is not prepared for the model $1.
const whereOutdated = ` FROM documents d WHERE d.status = 'ready' AND d.chunks > 0
  AND d.model IS DISTINCT FROM $1 AND d.next_model IS DISTINCT FROM $1`

// Outdated implements [rag.Reembedder].
func (s *Store) Outdated(ctx context.Context, m rag.Model, after int64) (o *rag.Outdated, err error) {
	if err := m.Check(); err != nil {
		return nil, err
	}
	err = s.transact(ctx, s.reading(s.other), everybody(), "look for documents of another model", func(ctx context.Context, tx pgx.Tx) error {
		key, err := modelKey(ctx, tx, m)
		if err != nil {
			return err
		}
		if o = s.ahead.next(key, after); o != nil {
			return nil
		}
		rows, err := tx.Query(ctx, "SELECT d.key, d.id, (SELECT name FROM owners o WHERE o.owner = d.owner)"+whereOutdated+" AND d.key > $2 ORDER BY d.key LIMIT $3",
			key, after, outdatedAtOnce)
		if err != nil {
			return err
		}
		found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (o rag.Outdated, err error) {
			var id uuid.UUID
			var name []byte
			err = row.Scan(&o.Order, &id, &name)
			o.User, o.DocID = rag.User(name), id.String()
			return o, err
		})
		if err == nil && len(found) > 0 {
			s.ahead.keep(key, found)
			o = &rag.Outdated{}
			*o = found[0]
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return o, nil
}

// outdated returns the document, or the NotFound error.
func outdated(ctx context.Context, tx pgx.Tx, o rag.Outdated, lock string) (record, error) {
	r, err := documentOf(ctx, tx, ownerOf(o.User), o.DocID, lock)
	if err == nil && r.Status != rag.Ready {
		err = notFound(o.DocID)
	}
	return r, err
}

// Unmoved implements [rag.Reembedder].
func (s *Store) Unmoved(ctx context.Context, o rag.Outdated, m rag.Model, limit int) (chunks []rag.Chunk, err error) {
	if err := m.Check(); err != nil {
		return nil, err
	}
	err = s.read(ctx, o.User, "read passages without vectors", func(ctx context.Context, tx pgx.Tx) error {
		r, err := outdated(ctx, tx, o, "")
		if err != nil {
			return err
		}
		chunks, _, err = unembedded(ctx, tx, o.User, r, m, max(limit, 0))
		return err
	})
	return chunks, err
}

// PutMoved implements [rag.Reembedder].
func (s *Store) PutMoved(ctx context.Context, l rag.MoveLease, o rag.Outdated, indexes []int, vectors [][]float32) error {
	if err := l.To.CheckVectors(indexes, vectors); err != nil {
		return err
	}
	return s.write(ctx, o.User, "store vectors", func(ctx context.Context, tx pgx.Tx) error {
		if err := keepMove(ctx, tx, l); err != nil {
			return err
		}
		r, err := outdated(ctx, tx, o, forUpdate)
		if err != nil {
			return err
		}
		return s.putVectors(ctx, tx, ownerOf(o.User), r, l.To, indexes, vectors)
	})
}

// Prepare implements [rag.Reembedder].
func (s *Store) Prepare(ctx context.Context, l rag.MoveLease, o rag.Outdated) error {
	return s.write(ctx, o.User, "prepare the document for another model", func(ctx context.Context, tx pgx.Tx) error {
		if err := keepMove(ctx, tx, l); err != nil {
			return err
		}
		r, err := outdated(ctx, tx, o, forUpdate)
		if err != nil {
			return err
		}
		key, err := publishable(ctx, tx, o.User, r, l.To)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "UPDATE documents SET next_model = $3 WHERE owner = $1 AND id = $2", ownerOf(o.User), r.uuid, key)
		return err
	})
}

// Moved implements [rag.Reembedder]. A document counts when it is prepared, with
// all its passages.
func (s *Store) Moved(ctx context.Context, m rag.Model) (p rag.Progress, err error) {
	err = s.transact(ctx, s.reading(s.other), everybody(), "count vectors", func(ctx context.Context, tx pgx.Tx) error {
		key, err := modelKey(ctx, tx, m)
		if err != nil {
			return err
		}
		return tx.QueryRow(ctx, `
SELECT coalesce(sum(chunks), 0), coalesce(sum(chunks) FILTER (WHERE model = $1 OR next_model = $1), 0) FROM documents WHERE status = 'ready'`, key).
			Scan(&p.Total, &p.Done)
	})
	return p, err
}

// switchTime is how long SwitchModel may take where its caller does not say: it
// writes a row for each document, 60,000 in a second where that was measured.
const switchTime = 30 * time.Minute

// switchIdle is how long the database lets pass between two statements of that:
// nobody can publish meanwhile, nor begin a move, also where the server that
// changes over is stopped or out of reach.
const switchIdle = 30 * time.Second

// SwitchModel implements [rag.Reembedder].
func (s *Store) SwitchModel(ctx context.Context, l rag.MoveLease) (left int, err error) {
	ctx, cancel := context.WithTimeout(ctx, switchTime)
	defer cancel()
	err = s.transact(ctx, s.writing(), everybody(), "change the model in use", func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT set_config('idle_in_transaction_session_timeout', $1, true)", strconv.FormatInt(switchIdle.Milliseconds(), 10)); err != nil {
			return err
		}
		if _, err := liveModel(ctx, tx, "FOR UPDATE"); err != nil {
			return err
		}
		if err := keepMove(ctx, tx, l); err != nil {
			return err
		}
		key, err := addModel(ctx, tx, l.To)
		if err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, "SELECT count(*)"+whereOutdated, key).Scan(&left); err != nil || left > 0 {
			return err
		}
		// Users first, as whoever changes the list of one does.
		if _, err := tx.Exec(ctx, "UPDATE owners SET generation = generation + 1"); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `
UPDATE documents SET model = CASE WHEN next_model = $1 THEN next_model ELSE model END, next_model = NULL, old_vectors = true
WHERE status = 'ready' AND chunks > 0`, key); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "UPDATE moves SET live = $1, target = NULL", key)
		return err
	})
	if err == nil {
		s.sweepSoon()
	}
	return left, err
}
