package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/ncruces/go-sqlite3"

	"weir/internal/rag"
)

const selectChunk = "SELECT id, content, section_path, section_title, page_start, page_end, tokens FROM chunks "

func scanChunk(s *sqlite3.Stmt, document, filename string) (rag.Chunk, error) {
	ch := rag.Chunk{
		DocID: document, Filename: filename, Index: chunkIndex(s.ColumnInt64(0)),
		Content: s.ColumnText(1), SectionTitle: s.ColumnText(3),
		PageStart: s.ColumnInt(4), PageEnd: s.ColumnInt(5), Tokens: s.ColumnInt(6),
	}
	ch.ID = document + ":" + strconv.Itoa(ch.Index)
	if path := s.ColumnRawText(2); path != nil {
		if err := json.Unmarshal(path, &ch.SectionPath); err != nil {
			return ch, fmt.Errorf("%w: section path of %s: %w", sqlite3.CORRUPT, ch.ID, err)
		}
	}
	return ch, nil
}

// Chunks implements [rag.Searcher].
func (s *Store) Chunks(ctx context.Context, user rag.User, refs []rag.Ref) ([]rag.Chunk, error) {
	if err := checkUser(user); err != nil {
		return nil, err
	}
	var chunks []rag.Chunk
	err := s.read(ctx, s.search, "read passages", func(c *conn) error {
		chunks = make([]rag.Chunk, 0, len(refs))
		key, err := userKey(c, user)
		if err != nil {
			return err
		}
		type owner struct {
			body     int64
			chunks   int
			filename string
		}
		documents := make(map[string]owner)
		for _, ref := range refs {
			o, known := documents[ref.DocID]
			if !known {
				if _, err := c.row("SELECT body, chunks, filename FROM documents WHERE id = ? AND user = ? AND status = 'ready'",
					func(row *sqlite3.Stmt) { o = owner{row.ColumnInt64(0), row.ColumnInt(1), row.ColumnText(2)} }, ref.DocID, key); err != nil {
					return err
				}
				documents[ref.DocID] = o
			}
			if ref.Index < 0 || ref.Index >= o.chunks {
				continue
			}
			if err := c.rows(selectChunk+"WHERE id = ?", func(row *sqlite3.Stmt) error {
				ch, err := scanChunk(row, ref.DocID, o.filename)
				chunks = append(chunks, ch)
				return err
			}, chunkID(o.body, ref.Index)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return chunks, nil
}
