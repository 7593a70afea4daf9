package postgres

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

const (
	sweepEvery = 30 * time.Second // for what other servers left behind
	sweepTime  = 20 * time.Second // for one piece
	// sweepRows is how many rows of each table one piece takes away.
	sweepRows = 1000
)

// sweepSoon tells the sweeper that there is waste.
func (s *Store) sweepSoon() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// sweep removes waste, in small pieces, until ctx ends. Any number of servers
// may do so at once.
func (s *Store) sweep(ctx context.Context) {
	t := time.NewTicker(sweepEvery)
	defer t.Stop()
	told := "" // a database that takes no writes says the same every time
	for {
		for more := true; more && ctx.Err() == nil; {
			var err error
			if more, err = s.sweepPiece(ctx); err == nil && !more {
				more, err = s.sweepOldVectors(ctx)
			}
			if err != nil {
				if ctx.Err() == nil && err.Error() != told {
					told = err.Error()
					s.log.WarnContext(ctx, "waste could not be removed; it will be tried again", "error", err)
				}
				break
			}
		}
		select {
		case <-s.wake:
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

// sweepPiece removes some rows of one body, and tells whether there may be more
// to do.
func (s *Store) sweepPiece(ctx context.Context) (more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, sweepTime)
	defer cancel()
	err = s.transact(ctx, s.writing(), scope{queue: true}, "remove waste", func(ctx context.Context, tx pgx.Tx) error {
		var owner uuid.UUID
		var body int64
		more = true
		err := tx.QueryRow(ctx, `
SELECT owner, body FROM waste WHERE keep_until <= clock_timestamp() ORDER BY keep_until LIMIT 1 FOR UPDATE SKIP LOCKED`).Scan(&owner, &body)
		if noRows(err) {
			more = false
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "SELECT set_config('weir.owner', $1, true)", owner.String()); err != nil {
			return err
		}
		left := false
		for _, table := range []string{"vectors", "chunks", "blobs"} {
			rows := sweepRows
			if table == "blobs" {
				rows = 32
			}
			tag, err := tx.Exec(ctx, "DELETE FROM "+table+" WHERE owner = $1 AND body = $2 AND ctid = ANY(ARRAY(SELECT ctid FROM "+
				table+" WHERE owner = $1 AND body = $2 LIMIT $3))", owner, body, rows)
			if err != nil {
				return err
			}
			left = left || tag.RowsAffected() == int64(rows)
		}
		if left {
			return nil
		}
		_, err = tx.Exec(ctx, "DELETE FROM waste WHERE owner = $1 AND body = $2", owner, body)
		return err
	})
	return more, err
}

// sweepOldVectors removes some vectors of a document that are of a model no
// longer in use, unless a new move has begun. What a document is prepared with
// stays: the move to it may have lost its target to a server of an older Weir,
// which knows no lease. more tells that there may be more.
func (s *Store) sweepOldVectors(ctx context.Context) (more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, sweepTime)
	defer cancel()
	err = s.transact(ctx, s.writing(), everybody(), "remove old vectors", func(ctx context.Context, tx pgx.Tx) error {
		more = false
		var target bool
		if err := tx.QueryRow(ctx, "SELECT target IS NOT NULL FROM moves FOR SHARE").Scan(&target); err != nil || target {
			return err
		}
		var owner, id uuid.UUID
		var body int64
		var model, next int32
		err := tx.QueryRow(ctx, `
SELECT owner, id, body, coalesce(model, 0), coalesce(next_model, 0) FROM documents
WHERE old_vectors AND status = 'ready' LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED`).Scan(&owner, &id, &body, &model, &next)
		if noRows(err) {
			return nil
		}
		if err != nil {
			return err
		}
		more = true
		if _, err := tx.Exec(ctx, "SELECT set_config('weir.owner', $1, true)", owner.String()); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `
DELETE FROM vectors WHERE owner = $1 AND body = $2 AND model NOT IN ($3, $4)
  AND ctid = ANY(ARRAY(SELECT ctid FROM vectors WHERE owner = $1 AND body = $2 AND model NOT IN ($3, $4) LIMIT $5))`, owner, body, model, next, sweepRows)
		if err != nil || tag.RowsAffected() == sweepRows {
			return err
		}
		_, err = tx.Exec(ctx, "UPDATE documents SET old_vectors = false WHERE owner = $1 AND id = $2", owner, id)
		return err
	})
	return more, err
}
