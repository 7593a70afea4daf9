package sqlite

import (
	"context"

	"github.com/ncruces/go-sqlite3"

	"weir/internal/rag"
)

func errNotStaged() error {
	return &rag.Error{Code: rag.Conflict, Phase: phase, Msg: "no passages of the document have been stored yet"}
}

// modelKey returns 0 for a model that no vector was ever stored of.
func modelKey(c *conn, m rag.Model) (int64, error) {
	return c.number("SELECT key FROM models WHERE name = ? AND dimensions = ?", m.Name, m.Dim)
}

func addModel(c *conn, m rag.Model) (int64, error) {
	key, err := modelKey(c, m)
	if err != nil || key != 0 {
		return key, err
	}
	if key, err = c.number("SELECT count(*) + 1 FROM models"); err != nil {
		return 0, err
	}
	if key > maxModels {
		return 0, &rag.Error{Code: rag.Conflict, Phase: phase, Msg: "this data folder has met 255 embedding models, which is all it can tell apart; begin a new one"}
	}
	_, err = c.exec("INSERT INTO models (key, name, dimensions) VALUES (?, ?, ?)", key, m.Name, m.Dim)
	return key, err
}

const selectUnembedded = `
WHERE id >= ? AND id < ? AND NOT EXISTS (SELECT 1 FROM vectors WHERE vectors.id = (chunks.id << 8 | ?))
ORDER BY id LIMIT ?`

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
	err := s.read(ctx, s.other, "read passages without vectors", func(c *conn) error {
		r, err := s.held(c, job)
		if err != nil {
			return err
		}
		if !r.staged {
			return errNotStaged()
		}
		chunks, left, err = unembedded(c, r, model, limit)
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	return chunks, left, nil
}

// unembedded returns up to limit chunks of a document without a vector of a
// model, and how many there are.
func unembedded(c *conn, r record, model rag.Model, limit int) (chunks []rag.Chunk, left int, err error) {
	m, err := modelKey(c, model)
	if err != nil {
		return nil, 0, err
	}
	vectors, first, err := coverage(c, r.body, m)
	if err != nil {
		return nil, 0, err
	}
	if left = r.Chunks - vectors; left <= 0 {
		return nil, left, nil
	}
	err = c.rows(selectChunk+selectUnembedded, func(row *sqlite3.Stmt) error {
		ch, err := scanChunk(row, r.ID, r.Filename)
		chunks = append(chunks, ch)
		return err
	}, chunkID(r.body, first), chunkID(r.body+1, 0), m, limit)
	return chunks, left, err
}

// coverage tells how many of a body's chunks have a vector of a model, and
// from where on one may have none.
func coverage(c *conn, body, model int64) (vectors, first int, err error) {
	_, err = c.row("SELECT vectors, first FROM coverage WHERE body = ? AND model = ?", func(row *sqlite3.Stmt) {
		vectors, first = row.ColumnInt(0), row.ColumnInt(1)
	}, body, model)
	return vectors, first, err
}

// PutVectors implements [rag.Queue].
func (s *Store) PutVectors(ctx context.Context, job rag.Job, model rag.Model, indexes []int, vectors [][]float32) error {
	if err := model.CheckVectors(indexes, vectors); err != nil {
		return err
	}
	return s.write(ctx, "store vectors", func(c *conn) error {
		r, err := s.held(c, job)
		if err != nil {
			return err
		}
		if !r.staged {
			return errNotStaged()
		}
		return putVectors(c, r, model, indexes, vectors)
	})
}

// putVectors stores vectors of a document and counts them.
func putVectors(c *conn, r record, model rag.Model, indexes []int, vectors [][]float32) error {
	for _, i := range indexes {
		if i < 0 || i >= r.Chunks {
			return rag.FieldErrorf("indexes", "the document has no passage %d", i)
		}
	}
	m, err := addModel(c, model)
	if err != nil {
		return err
	}
	have, first, err := coverage(c, r.body, m)
	if err != nil {
		return err
	}
	var data []byte
	for i, index := range indexes {
		id := vectorID(r.body, index, m)
		data = appendVector(data[:0], vectors[i])
		n, err := c.exec("INSERT INTO vectors (id, data) VALUES (?, ?) ON CONFLICT DO NOTHING", id, data)
		if err != nil {
			return err
		}
		have += int(n)
		if n == 0 {
			if _, err := c.exec("UPDATE vectors SET data = ? WHERE id = ?", data, id); err != nil {
				return err
			}
		}
	}
	for ; first < r.Chunks; first++ {
		n, err := c.number("SELECT count(*) FROM vectors WHERE id = ?", vectorID(r.body, first, m))
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
	}
	_, err = c.exec("INSERT OR REPLACE INTO coverage (body, model, vectors, first) VALUES (?, ?, ?, ?)", r.body, m, have, first)
	return err
}
