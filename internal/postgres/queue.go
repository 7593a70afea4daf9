package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"weir/internal/rag"
)

// A document is leased while it has a lease whose due_at is yet to come; from
// due_at on it is due, whoever held it. All times are the database's, so that
// the clocks of the servers need not agree.

// selectDue lists the next documents: of the user with the fewest in work, the
// oldest; a document's place among its user's counts as if those before it were
// in work already. It looks at the index of the queue alone.
const selectDue = `
WITH working AS (
  SELECT owner, count(*) AS n FROM documents WHERE status IN ` + pending + ` AND lease <> '' AND due_at > clock_timestamp() GROUP BY owner
), due AS (
  SELECT owner, key, row_number() OVER (PARTITION BY owner ORDER BY key) AS place
  FROM documents WHERE status IN ` + pending + ` AND due_at <= clock_timestamp()
)
SELECT due.owner, due.key FROM due LEFT JOIN working w ON w.owner = due.owner
WHERE due.place <= 32 ORDER BY coalesce(w.n, 0) + due.place, due.key LIMIT 32`

// lockDue takes one of them, if no other server is just taking it or has taken
// it.
const lockDue = `
SELECT id FROM documents WHERE owner = $1 AND key = $2 AND status IN ` + pending + ` AND due_at <= clock_timestamp() FOR UPDATE SKIP LOCKED`

// takeDue locks the next document that nobody else has. found is false where
// there is none.
func takeDue(ctx context.Context, tx pgx.Tx) (owner, id uuid.UUID, found bool, err error) {
	rows, err := tx.Query(ctx, selectDue)
	if err != nil {
		return owner, id, false, err
	}
	type place struct {
		Owner uuid.UUID
		Key   int64
	}
	next, err := pgx.CollectRows(rows, pgx.RowToStructByPos[place])
	if err != nil {
		return owner, id, false, err
	}
	for _, p := range next {
		err := tx.QueryRow(ctx, lockDue, p.Owner, p.Key).Scan(&id)
		if err == nil {
			return p.Owner, id, true, nil
		}
		if !noRows(err) {
			return owner, id, false, err
		}
	}
	return owner, id, false, nil
}

// Lease implements [rag.Queue]. Where all that is due is just being taken by
// others it returns nil, although they may yet not take it.
func (s *Store) Lease(ctx context.Context, ttl time.Duration) (*rag.Job, error) {
	var job *rag.Job
	err := s.transact(ctx, s.writing(), scope{queue: true}, "take a document from the queue", func(ctx context.Context, tx pgx.Tx) error {
		job = nil
		owner, id, found, err := takeDue(ctx, tx)
		if err != nil || !found {
			return err
		}
		token := uuid.NewString()
		if _, err := tx.Exec(ctx, `
UPDATE documents SET lease = $3, due_at = clock_timestamp() + $4 * interval '1 microsecond', attempt = attempt + 1, waiting = '',
  updated_at = clock_timestamp(), status = CASE WHEN staged THEN 'embedding' ELSE 'parsing' END
WHERE owner = $1 AND id = $2`, owner, id, token, interval(ttl)); err != nil {
			return err
		}
		var name []byte
		row := tx.QueryRow(ctx, "SELECT "+documentColumns+`, o.name
FROM documents d JOIN owners o ON o.owner = d.owner LEFT JOIN models m ON m.key = d.model WHERE d.owner = $1 AND d.id = $2`, owner, id)
		r, err := scanDocument(row, &name)
		if err != nil {
			return err
		}
		job = &rag.Job{User: rag.User(name), Document: r.Document, Lease: token, Attempt: r.attempt, Staged: r.staged}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return job, nil
}

// Pending implements [rag.Queue].
func (s *Store) Pending(ctx context.Context) (queued, working int, err error) {
	err = s.transact(ctx, s.reading(s.other), scope{queue: true}, "look at the queue", func(ctx context.Context, tx pgx.Tx) error {
		all := 0
		err := tx.QueryRow(ctx, "SELECT count(*), count(*) FILTER (WHERE lease <> '' AND due_at > clock_timestamp()) FROM documents WHERE status IN "+pending).
			Scan(&all, &working)
		queued = all - working
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	return queued, working, nil
}

// held returns the document of a job whose lease is held, or ErrLeaseLost.
// lock is "" or FOR UPDATE: with it nobody else changes the document before the
// transaction ends.
func held(ctx context.Context, tx pgx.Tx, job rag.Job, lock string) (record, error) {
	id, ok := parseID(job.Document.ID)
	if !ok || job.Lease == "" {
		return record{}, rag.ErrLeaseLost
	}
	r, found, err := find(ctx, tx, `
WHERE d.owner = $1 AND d.id = $2 AND d.lease = $3 AND d.due_at > clock_timestamp() AND d.status IN `+pending+lock, ownerOf(job.User), id, stored(job.Lease))
	if err == nil && !found {
		err = rag.ErrLeaseLost
	}
	return r, err
}

const forUpdate = " FOR UPDATE OF d"

// settle runs a transaction on the document of a job, while the lease is held.
func (s *Store) settle(ctx context.Context, job rag.Job, doing string, f func(ctx context.Context, tx pgx.Tx, r record) error) error {
	return s.write(ctx, job.User, doing, func(ctx context.Context, tx pgx.Tx) error {
		r, err := held(ctx, tx, job, forUpdate)
		if err != nil {
			return err
		}
		return f(ctx, tx, r)
	})
}

// Renew implements [rag.Queue].
func (s *Store) Renew(ctx context.Context, job rag.Job, ttl time.Duration, status rag.Status, p rag.Progress) error {
	if status != rag.Parsing && status != rag.Embedding {
		return rag.FieldErrorf("status", "a document in work is parsing or embedding, not %q", string(status))
	}
	return s.settle(ctx, job, "renew the lease", func(ctx context.Context, tx pgx.Tx, r record) error {
		_, err := tx.Exec(ctx, `
UPDATE documents SET due_at = clock_timestamp() + $3 * interval '1 microsecond', status = $4, done = $5, total = $6, updated_at = clock_timestamp()
WHERE owner = $1 AND id = $2`, ownerOf(job.User), r.uuid, interval(ttl), string(status), p.Done, p.Total)
		return err
	})
}

// Content implements [rag.Queue].
func (s *Store) Content(ctx context.Context, job rag.Job) ([]byte, error) {
	var content []byte
	err := s.read(ctx, job.User, "read the uploaded document", func(ctx context.Context, tx pgx.Tx) error {
		r, err := held(ctx, tx, job, "")
		if err != nil {
			return err
		}
		if r.staged {
			return &rag.Error{Code: rag.Conflict, Phase: phase, Msg: "the uploaded bytes were freed when the document was staged"}
		}
		content, err = blob(ctx, tx, ownerOf(job.User), r.body, uploadBlob, r.Bytes)
		if err == nil && int64(len(content)) != r.Bytes {
			err = fmt.Errorf("%d of %d bytes of the upload are there", len(content), r.Bytes)
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
	return s.settle(ctx, job, "give the document back", func(ctx context.Context, tx pgx.Tx, r record) error {
		_, err := tx.Exec(ctx, `
UPDATE documents SET status = 'queued', lease = '', due_at = clock_timestamp() + $3 * interval '1 microsecond', waiting = $4, updated_at = clock_timestamp()
WHERE owner = $1 AND id = $2`, ownerOf(job.User), r.uuid, interval(max(time.Until(at), 0))+1, stored(why))
		return err
	})
}

// Fail implements [rag.Queue].
func (s *Store) Fail(ctx context.Context, job rag.Job, e rag.DocumentError) error {
	if e.Code == "" {
		return rag.FieldErrorf("code", "a failure needs a code")
	}
	err := s.settle(ctx, job, "record the failure", func(ctx context.Context, tx pgx.Tx, r record) error {
		if err := end(ctx, tx, ownerOf(job.User), r, rag.Failed); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "UPDATE documents SET error_code = $3, error_message = $4 WHERE owner = $1 AND id = $2",
			ownerOf(job.User), r.uuid, stored(string(e.Code)), stored(e.Message))
		return err
	})
	if err == nil {
		s.sweepSoon()
	}
	return err
}

func errNotStaged() error {
	return &rag.Error{Code: rag.Conflict, Phase: phase, Msg: "no passages of the document have been stored yet"}
}
