package postgres

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"weir/internal/rag"
)

// The lease on the move of all documents is one row. It is held by whoever
// knows its token; until says only from when on another may take it. Its times
// are the database's, so that the clocks of the servers need not agree.

// moving is the error of a move beside one that is under way; nil: there is none.
// lock is what of the row is to be held to the end of the transaction.
func moving(ctx context.Context, tx pgx.Tx, lock string) error {
	var to rag.Model
	var since time.Time
	var under bool
	if err := tx.QueryRow(ctx, `
SELECT l.token <> '' AND l.until > clock_timestamp(), coalesce(l.began_at, now()), coalesce(m.name, ''), coalesce(m.dimensions, 0)
FROM move_lease l LEFT JOIN models m ON m.key = l.target `+lock).Scan(&under, &since, &to.Name, &to.Dim); err != nil || !under {
		return err
	}
	to.Name = original(to.Name)
	return rag.MoveUnderWay(to, since)
}

// BeginMove implements [rag.Reembedder]. It looks first, in a transaction that
// waits for nobody: whoever has the lease may be changing the documents over,
// and nobody need wait for that to be told so.
func (s *Store) BeginMove(ctx context.Context, m rag.Model, ttl time.Duration) (rag.MoveLease, error) {
	if err := m.Check(); err != nil {
		return rag.MoveLease{}, err
	}
	const doing = "begin to move the documents"
	if err := s.transact(ctx, s.reading(s.other), everybody(), doing, func(ctx context.Context, tx pgx.Tx) error {
		return moving(ctx, tx, "")
	}); err != nil {
		return rag.MoveLease{}, err
	}
	l := rag.MoveLease{To: m, Token: uuid.NewString()}
	err := s.transact(ctx, s.writing(), everybody(), doing, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := liveModel(ctx, tx, "FOR UPDATE"); err != nil {
			return err
		}
		if err := moving(ctx, tx, "FOR UPDATE OF l"); err != nil {
			return err
		}
		key, err := addModel(ctx, tx, m)
		if err != nil {
			return err
		}
		if l.From, err = embeddedWith(ctx, tx); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "UPDATE move_lease SET token = $1, target = $2, began_at = clock_timestamp(), until = clock_timestamp() + $3 * interval '1 microsecond'",
			l.Token, key, interval(ttl)); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "UPDATE moves SET target = $1", key) // which keeps its vectors from being swept away
		return err
	})
	if err != nil {
		return rag.MoveLease{}, err
	}
	return l, nil
}

// RenewMove implements [rag.Reembedder].
func (s *Store) RenewMove(ctx context.Context, l rag.MoveLease, ttl time.Duration) error {
	return s.transact(ctx, s.writing(), scope{}, "renew the lease on the move", func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, "UPDATE move_lease SET until = clock_timestamp() + $2 * interval '1 microsecond' WHERE token = $1 AND token <> ''", l.Token, interval(ttl))
		if err == nil && tag.RowsAffected() == 0 {
			err = rag.ErrMoveLost
		}
		return err
	})
}

// EndMove implements [rag.Reembedder].
func (s *Store) EndMove(ctx context.Context, l rag.MoveLease) error {
	return s.transact(ctx, s.writing(), scope{}, "give back the lease on the move", func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE move_lease SET token = '', until = '-infinity' WHERE token = $1", l.Token)
		return err
	})
}

// keepMove keeps the lease from being taken until the transaction ends.
func keepMove(ctx context.Context, tx pgx.Tx, l rag.MoveLease) error {
	var kept bool
	err := tx.QueryRow(ctx, "SELECT true FROM move_lease WHERE token = $1 AND token <> '' FOR KEY SHARE", l.Token).Scan(&kept)
	if noRows(err) {
		return rag.ErrMoveLost
	}
	return err
}
