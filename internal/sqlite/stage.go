package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"weir/internal/rag"
)

// How much one transaction of Stage writes.
const (
	stageChunks = 2000
	stageBytes  = 4 << 20
)

// Stage implements [rag.Queue]. A large document is written in several
// transactions under a body of its own, which the last of them makes the
// document's.
func (s *Store) Stage(ctx context.Context, job rag.Job, x rag.Extracted) error {
	if len(x.Chunks) > maxChunks {
		return &rag.Error{Code: rag.TooLarge, Phase: phase, Msg: fmt.Sprintf("the document has %d passages; the limit is %d", len(x.Chunks), maxChunks)}
	}
	tokens := 0
	for i, ch := range x.Chunks {
		if ch.Index != i {
			return rag.FieldErrorf("chunks", "chunk %d says that it is number %d", i, ch.Index)
		}
		tokens += ch.Tokens
	}
	const doing = "store the passages"
	var body int64
	var err error
	put := 0
	for staged := false; !staged; {
		// Nothing outside is changed before the transaction has succeeded.
		next, to := body, put
		err = s.write(ctx, doing, func(c *conn) error {
			r, err := s.held(c, job)
			if err != nil {
				return err
			}
			if next, err = s.fill(c, body); err != nil {
				return err
			}
			if to, err = stagePiece(c, next, x.Chunks, put); err != nil || to < len(x.Chunks) {
				return err
			}
			if err := adopt(c, next); err != nil {
				return err
			}
			if err := discard(c, r.body); err != nil {
				return err
			}
			_, err = c.exec(`
UPDATE documents SET body = ?, staged = 1, media_type = ?, title = ?, pages = ?, warning = ?, chunks = ?, tokens = ?, updated_at = ?
WHERE key = ?`, next, valid(x.MediaType), valid(x.Title), x.Pages, valid(x.Warning), len(x.Chunks), tokens, s.cfg.Now().UnixNano(), r.key)
			return err
		})
		if err != nil {
			return err
		}
		body, put, staged = next, to, to == len(x.Chunks)
	}
	s.sweepSoon()
	return nil
}

// stagePiece writes some of the chunks and returns the index of the first it did not.
func stagePiece(c *conn, body int64, chunks []rag.Chunk, from int) (int, error) {
	size := 0
	for i := from; i < len(chunks); i++ {
		if i-from >= stageChunks || size >= stageBytes {
			return i, nil
		}
		ch := &chunks[i]
		var path any
		if ch.SectionPath != nil {
			b, err := json.Marshal(ch.SectionPath)
			if err != nil {
				return 0, fmt.Errorf("section path: %w", err)
			}
			path = string(b)
		}
		if _, err := c.exec(`
INSERT INTO chunks (id, content, section_path, section_title, page_start, page_end, tokens) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			chunkID(body, i), valid(ch.Content), path, valid(ch.SectionTitle), ch.PageStart, ch.PageEnd, ch.Tokens); err != nil {
			return 0, err
		}
		size += len(ch.Content)
	}
	return len(chunks), nil
}

// valid keeps what is not UTF-8 out of columns that are.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
