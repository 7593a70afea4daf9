package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"weir/internal/rag"
)

var _ rag.Sampler = (*Store)(nil)

// Sample implements [rag.Sampler].
func (s *Store) Sample(ctx context.Context, m rag.Model) (ch rag.Chunk, v []float32, err error) {
	const doing = "read a passage with its vector"
	var key int32
	var user []byte
	var body int64
	err = s.transact(ctx, s.reading(s.other), everybody(), doing, func(ctx context.Context, tx pgx.Tx) (err error) {
		if key, err = modelKey(ctx, tx, m); err != nil || key == 0 {
			return err
		}
		err = tx.QueryRow(ctx, `
SELECT (SELECT name FROM owners o WHERE o.owner = d.owner), d.body FROM documents d
WHERE d.status = 'ready' AND d.chunks > 0 AND (d.model = $1 OR d.next_model = $1) LIMIT 1`, key).Scan(&user, &body)
		if noRows(err) {
			return nil
		}
		return err
	})
	if err != nil || user == nil {
		return ch, nil, err
	}
	owner := rag.User(user)
	err = s.read(ctx, owner, doing, func(ctx context.Context, tx pgx.Tx) error {
		var got []float32
		c, err := scanChunk(tx.QueryRow(ctx, "SELECT "+chunkColumns+`, v.v::real[] FROM chunks c
JOIN vectors v ON v.owner = c.owner AND v.body = c.body AND v.idx = c.idx AND v.model = $3
WHERE c.owner = $1 AND c.body = $2 AND c.idx = 0`, ownerOf(owner), body, key), &got)
		if noRows(err) {
			return nil // it was deleted at this moment
		}
		ch, v = c, got
		return err
	})
	return ch, v, err
}
