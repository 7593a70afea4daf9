package postgres

import (
	"context"
	"math"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"weir/internal/rag"
)

// modelKey returns 0 for a model that no vector was ever stored of.
func modelKey(ctx context.Context, tx pgx.Tx, m rag.Model) (key int32, err error) {
	err = tx.QueryRow(ctx, "SELECT key FROM models WHERE name = $1 AND dimensions = $2", stored(m.Name), m.Dim).Scan(&key)
	if noRows(err) {
		return 0, nil
	}
	return key, err
}

func addModel(ctx context.Context, tx pgx.Tx, m rag.Model) (int32, error) {
	if key, err := modelKey(ctx, tx, m); err != nil || key != 0 {
		return key, err
	}
	if _, err := tx.Exec(ctx, "INSERT INTO models (name, dimensions) VALUES ($1, $2) ON CONFLICT DO NOTHING", stored(m.Name), m.Dim); err != nil {
		return 0, err
	}
	return modelKey(ctx, tx, m)
}

// The inner SELECT is one look-up by the whole key for each chunk. As NOT EXISTS
// the planner makes of it, where it does not know the sizes yet, a join that
// compares every chunk with every vector.
const selectUnembedded = "SELECT " + chunkColumns + ` FROM chunks c
WHERE c.owner = $1 AND c.body = $2
  AND (SELECT true FROM vectors v WHERE v.owner = $1 AND v.body = $2 AND v.model = $3 AND v.idx = c.idx) IS NULL
ORDER BY c.idx LIMIT $4`

// Unembedded implements [rag.Queue].
func (s *Store) Unembedded(ctx context.Context, job rag.Job, model rag.Model, limit int) ([]rag.Chunk, int, error) {
	if err := model.Check(); err != nil {
		return nil, 0, err
	}
	if limit < 0 {
		return nil, 0, rag.FieldErrorf("limit", "must not be negative")
	}
	var chunks []rag.Chunk
	left := 0
	err := s.read(ctx, job.User, "read passages without vectors", func(ctx context.Context, tx pgx.Tx) error {
		chunks = nil
		r, err := held(ctx, tx, job, "")
		if err != nil {
			return err
		}
		if !r.staged {
			return errNotStaged()
		}
		chunks, left, err = unembedded(ctx, tx, job.User, r, model, limit)
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	return chunks, left, nil
}

// unembedded returns up to limit chunks of a document without a vector of a
// model, and how many there are.
func unembedded(ctx context.Context, tx pgx.Tx, user rag.User, r record, model rag.Model, limit int) (chunks []rag.Chunk, left int, err error) {
	m, err := modelKey(ctx, tx, model)
	if err != nil {
		return nil, 0, err
	}
	have, err := coverage(ctx, tx, r, user, m)
	if err != nil {
		return nil, 0, err
	}
	if left = r.Chunks - have; left <= 0 {
		return nil, left, nil
	}
	rows, err := tx.Query(ctx, selectUnembedded, ownerOf(user), r.body, m, limit)
	if err != nil {
		return nil, 0, err
	}
	chunks, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (rag.Chunk, error) {
		ch, err := scanChunk(row)
		ch.DocID, ch.Filename = r.ID, r.Filename
		return ch, err
	})
	return chunks, left, err
}

// coverage tells how many of a document's chunks have a vector of a model.
func coverage(ctx context.Context, tx pgx.Tx, r record, user rag.User, model int32) (n int, err error) {
	err = tx.QueryRow(ctx, "SELECT count(*) FROM vectors WHERE owner = $1 AND body = $2 AND model = $3", ownerOf(user), r.body, model).Scan(&n)
	return n, err
}

func squared(v []float32) (sum float64) {
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return sum
}

// unit returns v at a length of 1, as near as can be, so that an inner product
// is a cosine.
func unit(v []float32) []float32 {
	by := 1 / math.Sqrt(squared(v))
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(float64(x) * by)
	}
	return out
}

const putVector = `
INSERT INTO vectors (owner, model, body, idx, v) VALUES ($1, $2, $3, $4, $5::real[]::{ext}.vector)
ON CONFLICT (owner, body, model, idx) DO UPDATE SET v = excluded.v`

// PutVectors implements [rag.Queue].
func (s *Store) PutVectors(ctx context.Context, job rag.Job, model rag.Model, indexes []int, vectors [][]float32) error {
	if err := model.CheckVectors(indexes, vectors); err != nil {
		return err
	}
	return s.settle(ctx, job, "store vectors", func(ctx context.Context, tx pgx.Tx, r record) error {
		if !r.staged {
			return errNotStaged()
		}
		return s.putVectors(ctx, tx, ownerOf(job.User), r, model, indexes, vectors)
	})
}

func (s *Store) putVectors(ctx context.Context, tx pgx.Tx, owner uuid.UUID, r record, model rag.Model, indexes []int, vectors [][]float32) error {
	for _, i := range indexes {
		if i < 0 || i >= r.Chunks {
			return rag.FieldErrorf("indexes", "the document has no passage %d", i)
		}
	}
	m, err := addModel(ctx, tx, model)
	if err != nil {
		return err
	}
	insert := s.sql(putVector)
	var batch pgx.Batch
	for i, index := range indexes {
		batch.Queue(insert, owner, m, r.body, index, unit(vectors[i]))
	}
	return tx.SendBatch(ctx, &batch).Close()
}
