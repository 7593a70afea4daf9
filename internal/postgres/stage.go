package postgres

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"weir/internal/rag"
)

const (
	maxChunks = 1 << 20 // of one document
	// stageChunks is how many passages one transaction writes, stageBatch how
	// many one statement.
	stageChunks = 4000
	stageBatch  = 500
)

// Stage implements [rag.Queue]. A large document is written in several
// transactions under a body of its own, which the last of them makes the
// document's.
func (s *Store) Stage(ctx context.Context, job rag.Job, x rag.Extracted) error {
	if len(x.Chunks) > maxChunks {
		return &rag.Error{Code: rag.TooLarge, Phase: phase, Msg: fmt.Sprintf("the document has %d passages; the limit is %d", len(x.Chunks), maxChunks)}
	}
	tokens := 0
	for i := range x.Chunks {
		if x.Chunks[i].Index != i {
			return rag.FieldErrorf("chunks", "chunk %d says that it is number %d", i, x.Chunks[i].Index)
		}
		tokens += x.Chunks[i].Tokens
	}
	const doing = "store the passages"
	owner := ownerOf(job.User)
	body, put := int64(0), 0
	for staged := false; !staged; {
		// Nothing outside is changed before the transaction has succeeded.
		next, to := body, put
		if err := s.settle(ctx, job, doing, func(ctx context.Context, tx pgx.Tx, r record) (err error) {
			if next, err = fill(ctx, tx, owner, body); err != nil {
				return err
			}
			if to, err = stagePiece(ctx, tx, owner, next, x.Chunks, put); err != nil || to < len(x.Chunks) {
				return err
			}
			if err := adopt(ctx, tx, owner, next); err != nil {
				return err
			}
			if err := discard(ctx, tx, owner, r.body); err != nil {
				return err
			}
			_, err = tx.Exec(ctx, `
UPDATE documents SET body = $3, staged = true, media_type = $4, title = $5, pages = $6, chunks = $7, tokens = $8, warning = $9, updated_at = clock_timestamp()
WHERE owner = $1 AND id = $2`, owner, r.uuid, next, stored(x.MediaType), stored(x.Title), x.Pages, len(x.Chunks), tokens, stored(x.Warning))
			return err
		}); err != nil {
			return err
		}
		body, put, staged = next, to, to == len(x.Chunks)
	}
	s.sweepSoon()
	return nil
}

// stagePiece writes some of the chunks and returns the index of the first it
// did not.
func stagePiece(ctx context.Context, tx pgx.Tx, owner uuid.UUID, body int64, chunks []rag.Chunk, from int) (int, error) {
	size := 0
	for at := from; at < len(chunks); {
		if at-from >= stageChunks || size >= pieceBytes {
			return at, nil
		}
		var b chunkBatch
		for ; at < len(chunks) && len(b.index) < stageBatch && b.size < pieceBytes; at++ {
			if err := b.add(&chunks[at]); err != nil {
				return 0, err
			}
		}
		size += b.size
		if _, err := tx.Exec(ctx, `
INSERT INTO chunks (owner, body, idx, content, section_path, section_title, page_start, page_end, tokens)
SELECT $1, $2, c.* FROM unnest($3::integer[], $4::text[], $5::text[], $6::text[], $7::integer[], $8::integer[], $9::integer[]) c`,
			owner, body, b.index, b.content, b.path, b.title, b.start, b.end, b.tokens); err != nil {
			return 0, err
		}
	}
	return len(chunks), nil
}

// chunkBatch is chunks as columns.
type chunkBatch struct {
	index, start, end, tokens []int32
	content, title            []string
	path                      []*string
	size                      int
}

func (b *chunkBatch) add(ch *rag.Chunk) error {
	var path *string
	if ch.SectionPath != nil {
		text, err := json.Marshal(ch.SectionPath)
		if err != nil {
			return fmt.Errorf("section path: %w", err)
		}
		s := string(text)
		path = &s
	}
	b.index = append(b.index, int32(ch.Index)) //nolint:gosec // at most maxChunks
	b.content = append(b.content, stored(ch.Content))
	b.path = append(b.path, path)
	b.title = append(b.title, stored(ch.SectionTitle))
	b.start = append(b.start, int32(ch.PageStart)) //nolint:gosec // of a document
	b.end = append(b.end, int32(ch.PageEnd))       //nolint:gosec // of a document
	b.tokens = append(b.tokens, int32(ch.Tokens))  //nolint:gosec // of a chunk
	b.size += len(ch.Content)
	return nil
}
