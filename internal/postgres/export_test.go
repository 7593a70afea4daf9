package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"weir/internal/rag"
)

// Hold locks a user's documents and then falls silent, as a server does that is
// stopped in the middle of a transaction, until release is closed.
func (s *Store) Hold(ctx context.Context, user rag.User, holds chan<- struct{}, release <-chan struct{}) error {
	return s.write(ctx, user, "hold", func(ctx context.Context, tx pgx.Tx) error {
		if _, err := lockOwner(ctx, tx, ownerOf(user)); err != nil {
			return err
		}
		close(holds)
		<-release
		return nil
	})
}

// GraphSearches tells how many searches went through a graph.
func (s *Store) GraphSearches() int64 { return s.graphs.Load() }

// IndexSearches tells how many searches went through an index of the tables.
func (s *Adopted) IndexSearches() int64 { return s.graphs.Load() }

// SweepAll removes all waste.
func (s *Store) SweepAll(ctx context.Context) error {
	for more := true; more; {
		var err error
		if more, err = s.sweepPiece(ctx); err == nil && !more {
			more, err = s.sweepOldVectors(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// OwnerOf is what a user's rows carry.
func OwnerOf(user rag.User) string { return ownerOf(user).String() }
