package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"weir/internal/rag"
)

const (
	// pieceBytes is how much of an upload, a segment or passages one transaction writes.
	pieceBytes = 8 << 20
	// partBytes is how much of a blob is one row.
	partBytes = 1 << 20
	// keepFilling is how long a body that somebody fills is kept without a new piece.
	keepFilling = time.Hour
)

// kind is what a blob is.
type kind int16

const (
	uploadBlob kind = iota
	segmentBlob
)

func newBody(ctx context.Context, tx pgx.Tx) (body int64, err error) {
	err = tx.QueryRow(ctx, "SELECT nextval('keys')").Scan(&body)
	return body, err
}

// fill returns body, or a new one for 0, and puts off its being waste.
func fill(ctx context.Context, tx pgx.Tx, owner uuid.UUID, body int64) (int64, error) {
	if body == 0 {
		var err error
		if body, err = newBody(ctx, tx); err != nil {
			return 0, err
		}
		_, err = tx.Exec(ctx, "INSERT INTO waste (owner, body, keep_until) VALUES ($1, $2, clock_timestamp() + $3 * interval '1 microsecond')",
			owner, body, interval(keepFilling))
		return body, err
	}
	tag, err := tx.Exec(ctx, "UPDATE waste SET keep_until = clock_timestamp() + $3 * interval '1 microsecond' WHERE owner = $1 AND body = $2",
		owner, body, interval(keepFilling))
	if err == nil && tag.RowsAffected() == 0 {
		err = errSwept()
	}
	return body, err
}

func errSwept() error {
	return &rag.Error{Code: rag.Unavailable, Phase: phase, Msg: "what was written so far was swept away, after an hour without more"}
}

// adopt takes a filled body off the waste: a document points to it from now on.
func adopt(ctx context.Context, tx pgx.Tx, owner uuid.UUID, body int64) error {
	tag, err := tx.Exec(ctx, "DELETE FROM waste WHERE owner = $1 AND body = $2", owner, body)
	if err == nil && tag.RowsAffected() == 0 {
		err = errSwept()
	}
	return err
}

// discard makes a body waste.
func discard(ctx context.Context, tx pgx.Tx, owner uuid.UUID, body int64) error {
	_, err := tx.Exec(ctx, `
INSERT INTO waste (owner, body, keep_until) VALUES ($1, $2, clock_timestamp())
ON CONFLICT (owner, body) DO UPDATE SET keep_until = excluded.keep_until`, owner, body)
	return err
}

// putBlob writes data[from:to], where from is a multiple of partBytes.
func putBlob(ctx context.Context, tx pgx.Tx, owner uuid.UUID, body int64, k kind, data []byte, from, to int) error {
	for ; from < to; from += partBytes {
		if _, err := tx.Exec(ctx, "INSERT INTO blobs (owner, body, kind, part, data) VALUES ($1, $2, $3, $4, $5)",
			owner, body, int16(k), from/partBytes, data[from:min(from+partBytes, to)]); err != nil {
			return err
		}
	}
	return nil
}

// blob reads a whole blob, nil where there is none. size, if it is known, saves
// the growing.
func blob(ctx context.Context, tx pgx.Tx, owner uuid.UUID, body int64, k kind, size int64) ([]byte, error) {
	rows, err := tx.Query(ctx, "SELECT part, data FROM blobs WHERE owner = $1 AND body = $2 AND kind = $3 ORDER BY part", owner, body, int16(k))
	if err != nil {
		return nil, err
	}
	data := make([]byte, 0, size)
	want, part := 0, 0
	var piece []byte
	_, err = pgx.ForEachRow(rows, []any{&part, &piece}, func() error {
		if part != want {
			return fmt.Errorf("part %d of a blob is missing", want)
		}
		want++
		data = append(data, piece...)
		return nil
	})
	return data, err
}
