package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"weir/internal/rag"
)

// sampled is among how many rows a passage with its vector is looked for: there
// need not be an index that leads to one. One with an empty text, or one so long
// that the other system may have cut it, says nothing of an embedder.
const (
	sampled     = 10_000
	sampledText = 6_000 // letters
)

var _ rag.Sampler = (*Adopted)(nil)

// Sample implements [rag.Sampler]. It looks at some of the rows only.
func (p *Adopted) Sample(ctx context.Context, m rag.Model) (one rag.Sample, err error) {
	some, err := p.samples(ctx, m, "%s LIMIT 1")
	if len(some) > 0 {
		one = some[0]
	}
	return one, err
}

// Others implements [rag.Sampler]. It looks at the same rows.
func (p *Adopted) Others(ctx context.Context, m rag.Model, but string, n int) ([]rag.Sample, error) {
	return p.samples(ctx, m, `SELECT * FROM (SELECT DISTINCT ON (1) * FROM (%s AND c.document_id::text <> $2) c ORDER BY 1, 2) c
ORDER BY md5(c.document_id) LIMIT $3`, but, n)
}

// samples asks for passages with vectors. of is the question around the look-up,
// whose parameters begin at $2.
func (p *Adopted) samples(ctx context.Context, m rag.Model, of string, args ...any) (some []rag.Sample, err error) {
	if err := m.Check(); err != nil {
		return nil, err
	}
	s := p.now()
	if s.old.embedding == "" {
		return nil, nil
	}
	columns := []string{"document_id", "chunk_ord", "text", "embedding"}
	if s.old.model != "" {
		columns = append(columns, strings.TrimPrefix(s.old.model, "c."))
	}
	sql := fmt.Sprintf(of, fmt.Sprintf(`
SELECT c.document_id::text, c.chunk_ord, c.text, c.embedding::real[] FROM (SELECT %s FROM document_chunks LIMIT %d) c
WHERE length(btrim(c.text, E' \t\r\n')) BETWEEN 1 AND %d AND c.chunk_ord BETWEEN 0 AND %d AND CASE WHEN %s THEN %s > 0 ELSE false END`,
		strings.Join(columns, ", "), sampled, sampledText, maxChunks-1, s.hasVector(m, "$1"), s.sql("{ext}.vector_norm(c.embedding)")))
	err = s.transact(ctx, s.reading(s.other), scope{}, "read a passage with its vector", func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, sql, append([]any{stored(m.Name)}, args...)...)
		if err != nil {
			return err
		}
		some, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (one rag.Sample, err error) {
			err = row.Scan(&one.Chunk.DocID, &one.Chunk.Index, &one.Chunk.Content, &one.Vector)
			return one, err
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	usable := some[:0]
	for _, one := range some {
		if squared(one.Vector) != 0 {
			one.Vector = unit(one.Vector)
			usable = append(usable, one)
		}
	}
	return usable, nil
}

// Likeness is what a stored vector and a new one of the same passage have in
// common at least. The other system may have embedded a passage with its
// headings, or without its line ends; vectors of another model have next to
// nothing in common.
func (*Adopted) Likeness() float64 { return 0.5 }
