package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"weir/internal/rag"
)

const chunkColumns = "c.idx, c.content, c.section_path, c.section_title, c.page_start, c.page_end, c.tokens"

func scanChunk(row pgx.Row, more ...any) (ch rag.Chunk, err error) {
	var path *string
	dest := []any{&ch.Index, &ch.Content, &path, &ch.SectionTitle, &ch.PageStart, &ch.PageEnd, &ch.Tokens}
	if err := row.Scan(append(dest, more...)...); err != nil {
		return ch, err
	}
	ch.Content, ch.SectionTitle = original(ch.Content), original(ch.SectionTitle)
	if path != nil {
		if err := json.Unmarshal([]byte(*path), &ch.SectionPath); err != nil {
			return ch, fmt.Errorf("section path: %w", err)
		}
	}
	return ch, nil
}

// OFFSET 0 keeps the planner from joining in another order than by whole keys,
// whatever it believes about sizes.
const selectChunks = "SELECT " + chunkColumns + `, d.id, d.filename
FROM unnest($2::uuid[], $3::integer[]) WITH ORDINALITY r (id, idx, place)
CROSS JOIN LATERAL (SELECT d.id, d.body, d.filename FROM documents d WHERE d.owner = $1 AND d.id = r.id AND d.status = 'ready' OFFSET 0) d
CROSS JOIN LATERAL (SELECT * FROM chunks c WHERE c.owner = $1 AND c.body = d.body AND c.idx = r.idx OFFSET 0) c
ORDER BY r.place`

// Chunks implements [rag.Searcher].
func (s *Store) Chunks(ctx context.Context, user rag.User, refs []rag.Ref) ([]rag.Chunk, error) {
	if err := checkUser(user); err != nil {
		return nil, err
	}
	const doing = "read passages"
	ids, indexes := make([]uuid.UUID, 0, len(refs)), make([]int32, 0, len(refs))
	for _, ref := range refs {
		if id, ok := parseID(ref.DocID); ok && ref.Index >= 0 && ref.Index <= math.MaxInt32 {
			ids, indexes = append(ids, id), append(indexes, int32(ref.Index))
		}
	}
	if len(ids) == 0 && ctx.Err() == nil {
		return nil, nil
	}
	var chunks []rag.Chunk
	err := s.transact(ctx, s.reading(s.search), own(user), doing, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, selectChunks, ownerOf(user), ids, indexes)
		if err != nil {
			return err
		}
		chunks, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (rag.Chunk, error) {
			var id uuid.UUID
			var filename string
			ch, err := scanChunk(row, &id, &filename)
			ch.DocID, ch.Filename = id.String(), original(filename)
			ch.ID = ch.DocID + ":" + strconv.Itoa(ch.Index)
			return ch, err
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	return chunks, nil
}
