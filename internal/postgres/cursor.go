package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"weir/internal/rag"
)

// cursorsOf makes and reads the cursors of a user's lists; the place is a key.
func cursorsOf(ctx context.Context, tx pgx.Tx, owner uuid.UUID) (rag.Cursors, error) {
	var key []byte
	if err := tx.QueryRow(ctx, "SELECT cursors FROM secrets").Scan(&key); err != nil {
		return rag.Cursors{}, fmt.Errorf("read the key for cursors: %w", err)
	}
	return rag.NewCursors(key, [8]byte(owner[8:]))
}
