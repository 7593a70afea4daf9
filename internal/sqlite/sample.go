package sqlite

import (
	"context"
	"fmt"

	"github.com/ncruces/go-sqlite3"

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

// Others implements [rag.Sampler]. It looks at every document. The end of an ID
// is random.
func (s *Store) Others(ctx context.Context, m rag.Model, but string, n int) ([]rag.Sample, error) {
	return s.samples(ctx, m, "AND d.id <> ?2 ORDER BY substr(d.id, -12) LIMIT ?3", but, n)
}

// samples is the first passages of some of the documents that have vectors of a
// model. rest is the rest of the question, whose parameters begin at ?2.
func (s *Store) samples(ctx context.Context, m rag.Model, rest string, args ...any) (some []rag.Sample, err error) {
	err = s.read(ctx, s.other, "read a passage with its vector", func(c *conn) error {
		some = nil
		key, err := modelKey(c, m)
		if err != nil || key == 0 {
			return err
		}
		var bodies []int64
		var of []rag.Chunk
		if err := c.rows("SELECT d.body, d.id, d.filename FROM documents d WHERE d.status = 'ready' AND d.chunks > 0 AND (d.model = ?1 OR d.next_model = ?1) "+rest,
			func(row *sqlite3.Stmt) error {
				bodies = append(bodies, row.ColumnInt64(0))
				of = append(of, rag.Chunk{DocID: row.ColumnText(1), Filename: row.ColumnText(2)})
				return nil
			}, append([]any{key}, args...)...); err != nil {
			return err
		}
		for i, body := range bodies {
			one, err := sampleOf(c, body, of[i], m, key)
			if err != nil {
				return err
			}
			some = append(some, one)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return some, nil
}

// sampleOf is the first passage of a document.
func sampleOf(c *conn, body int64, of rag.Chunk, m rag.Model, key int64) (one rag.Sample, err error) {
	if err := c.rows(selectChunk+"WHERE id = ?", func(row *sqlite3.Stmt) error {
		one.Chunk, err = scanChunk(row, of.DocID, of.Filename)
		return err
	}, chunkID(body, 0)); err != nil {
		return one, err
	}
	one.Vector = make([]float32, m.Dim)
	ok := false
	if _, err := c.row("SELECT data FROM vectors WHERE id = ?", func(row *sqlite3.Stmt) {
		ok = readVector(one.Vector, row.ColumnRawBlob(0))
	}, vectorID(body, 0, key)); err != nil {
		return one, err
	}
	if !ok {
		return one, fmt.Errorf("%w: the vector of passage 0 of %s is missing", sqlite3.CORRUPT, of.DocID)
	}
	return one, nil
}
