package postgres

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"weir/internal/rag"
)

var _ rag.Sampler = (*Store)(nil)

// Sample implements [rag.Sampler].
func (s *Store) Sample(ctx context.Context, m rag.Model) (one rag.Sample, err error) {
	some, err := s.samples(ctx, m, "LIMIT 1")
	if len(some) > 0 {
		one = some[0]
	}
	return one, err
}

// Others implements [rag.Sampler]. It looks at every document.
func (s *Store) Others(ctx context.Context, m rag.Model, but string, n int) ([]rag.Sample, error) {
	return s.samples(ctx, m, "AND d.id::text <> $2 ORDER BY md5(d.id::text) LIMIT $3", but, n)
}

// samples is the first passages of some of the documents that have vectors of a
// model. rest is the rest of the question, whose parameters begin at $2.
func (s *Store) samples(ctx context.Context, m rag.Model, rest string, args ...any) (some []rag.Sample, err error) {
	const doing = "read a passage with its vector"
	type place struct {
		User []byte
		ID   uuid.UUID
		Body int64
	}
	var key int32
	var places []place
	err = s.transact(ctx, s.reading(s.other), everybody(), doing, func(ctx context.Context, tx pgx.Tx) (err error) {
		if key, err = modelKey(ctx, tx, m); err != nil || key == 0 {
			return err
		}
		rows, err := tx.Query(ctx, `
SELECT (SELECT name FROM owners o WHERE o.owner = d.owner), d.id, d.body FROM documents d
WHERE d.status = 'ready' AND d.chunks > 0 AND (d.model = $1 OR d.next_model = $1) `+rest, append([]any{key}, args...)...)
		if err != nil {
			return err
		}
		places, err = pgx.CollectRows(rows, pgx.RowToStructByPos[place])
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, p := range places {
		owner := rag.User(p.User)
		err := s.read(ctx, owner, doing, func(ctx context.Context, tx pgx.Tx) error {
			var got []float32
			c, err := scanChunk(tx.QueryRow(ctx, "SELECT "+chunkColumns+`, v.v::real[] FROM chunks c
JOIN vectors v ON v.owner = c.owner AND v.body = c.body AND v.idx = c.idx AND v.model = $3
WHERE c.owner = $1 AND c.body = $2 AND c.idx = 0`, ownerOf(owner), p.Body, key), &got)
			if noRows(err) {
				return nil // it was deleted at this moment
			}
			if err == nil {
				c.DocID = p.ID.String()
				some = append(some, rag.Sample{Chunk: c, Vector: got})
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return some, nil
}
