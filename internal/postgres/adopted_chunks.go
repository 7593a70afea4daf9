package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"weir/internal/rag"
)

var _ rag.Sparse = (*Adopted)(nil)

// ChunksFrom implements [rag.Sparse]: the numbers are chunk_ord, as the other
// system gave them.
func (p *Adopted) ChunksFrom(ctx context.Context, user rag.User, docID string, first, limit int) (chunks []rag.Chunk, err error) {
	s := p.now()
	if err := checkUser(user); err != nil {
		return nil, err
	}
	const doing = "read passages"
	name, ok := s.asked(user)
	switch {
	case ctx.Err() != nil:
		return nil, ended(ctx, doing)
	case !ok || first >= maxChunks || limit < 1:
		return nil, nil
	}
	err = s.transact(ctx, s.reading(s.other), scope{}, doing, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, fmt.Sprintf(`
WITH mine AS MATERIALIZED (SELECT d.document_id, %s AS filename FROM documents d WHERE %s AND d.document_id::text = $2)
SELECT DISTINCT ON (c.chunk_ord) coalesce(%s, ''), m.document_id::text, m.filename, c.chunk_ord, c.text
FROM mine m JOIN document_chunks c ON c.document_id = m.document_id
WHERE c.text IS NOT NULL AND c.chunk_ord BETWEEN $3 AND %d ORDER BY c.chunk_ord, 1 LIMIT $4`,
			s.old.filename, s.old.user, s.old.chunkID, maxChunks-1), name, stored(docID), max(0, first), limit)
		if err != nil {
			return err
		}
		chunks, err = pgx.CollectRows(rows, s.chunk)
		return err
	})
	if err != nil {
		return nil, err
	}
	return chunks, nil
}

// chunk reads a row of chunk_id, document_id, filename, chunk_ord and text.
func (s adoption) chunk(row pgx.CollectableRow) (ch rag.Chunk, err error) {
	err = row.Scan(&ch.ID, &ch.DocID, &ch.Filename, &ch.Index, &ch.Content)
	if ch.ID == "" {
		ch.ID = fmt.Sprintf("%s:%d", ch.DocID, ch.Index)
	}
	ch.Tokens = s.cfg.CountTokens(ch.Content)
	return ch, err
}
