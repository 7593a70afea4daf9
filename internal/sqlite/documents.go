package sqlite

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/ncruces/go-sqlite3"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"weir/internal/rag"
)

// record is a row of documents.
type record struct {
	rag.Document
	key, user, body, seq int64
	staged               bool
	attempt              int
	lease                string
	blockKind            kind
}

const (
	selectDocument = `
SELECT d.key, d.user, d.body, d.seq, d.staged, d.attempt, d.lease,
       d.id, d.filename, d.media_type, d.title, d.status, d.done, d.total, d.error_code, d.error_message, d.waiting,
       d.bytes, d.sha256, d.pages, d.chunks, d.tokens, d.created_at, d.updated_at, m.name, m.dimensions, d.block_kind, d.warning
FROM documents d LEFT JOIN models m ON m.key = d.model `

	// pending are the statuses of a document that is not Final.
	pending = `('queued', 'parsing', 'embedding')`
)

func scanDocument(s *sqlite3.Stmt) record {
	r := record{
		key: s.ColumnInt64(0), user: s.ColumnInt64(1), body: s.ColumnInt64(2), seq: s.ColumnInt64(3),
		staged: s.ColumnBool(4), attempt: s.ColumnInt(5), lease: s.ColumnText(6), blockKind: kind(s.ColumnInt64(26)),
		Document: rag.Document{
			ID: s.ColumnText(7), Filename: s.ColumnText(8), MediaType: s.ColumnText(9), Title: s.ColumnText(10),
			Status: rag.Status(s.ColumnText(11)), Progress: rag.Progress{Done: s.ColumnInt(12), Total: s.ColumnInt(13)},
			Waiting: s.ColumnText(16), Warning: s.ColumnText(27), Bytes: s.ColumnInt64(17), SHA256: s.ColumnText(18),
			Pages: s.ColumnInt(19), Chunks: s.ColumnInt(20), Tokens: s.ColumnInt(21),
			CreatedAt: time.Unix(0, s.ColumnInt64(22)).UTC(), UpdatedAt: time.Unix(0, s.ColumnInt64(23)).UTC(),
			Model: rag.Model{Name: s.ColumnText(24), Dim: s.ColumnInt(25)},
		},
	}
	if code := s.ColumnText(14); code != "" {
		r.Error = &rag.DocumentError{Code: rag.Code(code), Message: s.ColumnText(15)}
	}
	return r
}

// find returns one row of documents by a condition that names at most one.
func find(c *conn, where string, args ...any) (r record, found bool, err error) {
	found, err = c.row(selectDocument+where, func(s *sqlite3.Stmt) { r = scanDocument(s) }, args...)
	return r, found, err
}

func notFound(id string) error {
	if len(id) > 64 { // not to write back whatever was sent
		id = strings.ToValidUTF8(id[:64], "") + "…"
	}
	return &rag.Error{Code: rag.NotFound, Phase: phase, Msg: "there is no document " + strconv.Quote(id)}
}

// documentOf returns a user's document, or the NotFound error.
func documentOf(c *conn, user rag.User, id string) (record, error) {
	r, found, err := find(c, "WHERE d.id = ? AND d.user = (SELECT key FROM users WHERE name = ?)", id, []byte(user))
	if err == nil && !found {
		err = notFound(id)
	}
	return r, err
}

// Document implements [rag.Library].
func (s *Store) Document(ctx context.Context, user rag.User, id string) (rag.Document, error) {
	if err := checkUser(user); err != nil {
		return rag.Document{}, err
	}
	var r record
	err := s.read(ctx, s.other, "look up the document", func(c *conn) (err error) {
		r, err = documentOf(c, user, id)
		return err
	})
	if err != nil {
		return rag.Document{}, err
	}
	return r.Document, nil
}

const selectPage = `
WHERE d.user = (SELECT key FROM users WHERE name = ?1) AND d.seq < ?2
  AND (?3 = '' OR d.status = ?3) AND (length(?4) = 0 OR instr(d.folded, ?4) > 0)
ORDER BY d.seq DESC LIMIT ?5`

// Documents implements [rag.Library].
func (s *Store) Documents(ctx context.Context, user rag.User, p rag.Page) ([]rag.Document, string, error) {
	if err := checkUser(user); err != nil {
		return nil, "", err
	}
	if err := p.Check(); err != nil {
		return nil, "", err
	}
	before := int64(1) << 62
	var docs []rag.Document
	next := ""
	err := s.read(ctx, s.other, "list documents", func(c *conn) error {
		docs, next = nil, ""
		cursors, err := cursorsOf(c, user)
		if err != nil {
			return err
		}
		if p.Cursor != "" {
			if before, err = cursors.Read(p.Cursor); err != nil {
				return err
			}
		}
		last := int64(0)
		return c.rows(selectDocument+selectPage, func(row *sqlite3.Stmt) error {
			if len(docs) == p.Limit { // the one too many says that there is a next page
				next = cursors.Write(last)
				return nil
			}
			r := scanDocument(row)
			last = r.seq
			docs = append(docs, r.Document)
			return nil
		}, []byte(user), before, string(p.Status), fold(p.Filename), p.Limit+1)
	})
	if err != nil {
		return nil, "", err
	}
	return docs, next, nil
}

// fold makes filenames comparable without regard to case, and to whether an
// accent is a character of its own (as file systems of macOS have it).
func fold(name string) []byte {
	return norm.NFC.Bytes([]byte(cases.Fold().String(norm.NFC.String(name))))
}

// Counts implements [rag.Library].
func (s *Store) Counts(ctx context.Context, user rag.User, ids []string) (map[rag.Status]int, error) {
	if err := checkUser(user); err != nil {
		return nil, err
	}
	counts := make(map[rag.Status]int)
	err := s.read(ctx, s.other, "count documents", func(c *conn) error {
		clear(counts)
		if len(ids) == 0 {
			return c.rows("SELECT status, count(*) FROM documents WHERE user = (SELECT key FROM users WHERE name = ?) GROUP BY status",
				func(row *sqlite3.Stmt) error {
					counts[rag.Status(row.ColumnText(0))] = row.ColumnInt(1)
					return nil
				}, []byte(user))
		}
		key, err := userKey(c, user)
		if err != nil {
			return err
		}
		seen := make(map[string]bool, len(ids))
		for _, id := range ids {
			if seen[id] {
				continue
			}
			seen[id] = true
			if _, err := c.row("SELECT status FROM documents WHERE id = ? AND user = ?", func(row *sqlite3.Stmt) {
				counts[rag.Status(row.ColumnText(0))]++
			}, id, key); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return counts, nil
}
