package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"weir/internal/rag"
)

var _ rag.Offers = (*Store)(nil)

// vectorsOffered is the chore of giving documents vectors, which any number of
// servers have at once.
const vectorsOffered = "vectors"

// OfferVectors implements [rag.Offers].
func (s *Store) OfferVectors(ctx context.Context, ttl time.Duration) error {
	return s.transact(ctx, s.writing(), scope{}, "say that documents are given vectors", func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
INSERT INTO chores AS c (name, until) VALUES ($1, clock_timestamp() + $2 * interval '1 microsecond')
ON CONFLICT (name) DO UPDATE SET until = greatest(c.until, excluded.until)`, vectorsOffered, interval(ttl))
		return err
	})
}

// VectorsOffered implements [rag.Offers].
func (s *Store) VectorsOffered(ctx context.Context) (offered bool, err error) {
	err = s.transact(ctx, s.reading(s.other), scope{}, "look whether others give documents vectors", func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM chores WHERE name = $1 AND until > clock_timestamp())", vectorsOffered).Scan(&offered)
	})
	return offered, err
}
