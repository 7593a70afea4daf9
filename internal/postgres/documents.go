package postgres

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"weir/internal/rag"
)

// record is a row of documents.
type record struct {
	rag.Document
	uuid      uuid.UUID
	key, body int64
	staged    bool
	attempt   int
}

const (
	documentColumns = `d.id, d.key, d.body, d.staged, d.attempt,
  d.filename, d.media_type, d.title, d.status, d.done, d.total, d.error_code, d.error_message, d.waiting,
  d.bytes, d.sha256, d.pages, d.chunks, d.tokens, d.created_at, d.updated_at, coalesce(m.name, ''), coalesce(m.dimensions, 0), d.warning`
	selectDocument = "SELECT " + documentColumns + " FROM documents d LEFT JOIN models m ON m.key = d.model "

	// pending are the statuses of a document that is not Final.
	pending = `('queued', 'parsing', 'embedding')`
)

func scanDocument(row pgx.Row, more ...any) (r record, err error) {
	var status, code, message string
	dest := []any{
		&r.uuid, &r.key, &r.body, &r.staged, &r.attempt,
		&r.Filename, &r.MediaType, &r.Title, &status, &r.Progress.Done, &r.Progress.Total, &code, &message, &r.Waiting,
		&r.Bytes, &r.SHA256, &r.Pages, &r.Chunks, &r.Tokens, &r.CreatedAt, &r.UpdatedAt, &r.Model.Name, &r.Model.Dim, &r.Warning,
	}
	if err := row.Scan(append(dest, more...)...); err != nil {
		return r, err
	}
	r.ID, r.Status = r.uuid.String(), rag.Status(status)
	r.CreatedAt, r.UpdatedAt = r.CreatedAt.UTC(), r.UpdatedAt.UTC()
	for _, s := range []*string{&r.Filename, &r.MediaType, &r.Title, &r.Waiting, &r.Warning, &message} {
		*s = original(*s)
	}
	if code != "" {
		r.Error = &rag.DocumentError{Code: rag.Code(code), Message: message}
	}
	return r, nil
}

// find returns one row of documents by a condition that names at most one.
func find(ctx context.Context, tx pgx.Tx, where string, args ...any) (r record, found bool, err error) {
	r, err = scanDocument(tx.QueryRow(ctx, selectDocument+where, args...))
	if noRows(err) {
		return r, false, nil
	}
	return r, err == nil, err
}

func collect(ctx context.Context, tx pgx.Tx, where string, args ...any) ([]record, error) {
	rows, err := tx.Query(ctx, selectDocument+where, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (record, error) { return scanDocument(row) })
}

func notFound(id string) error {
	if len(id) > 64 { // not to write back whatever was sent
		id = strings.ToValidUTF8(id[:64], "") + "…"
	}
	return &rag.Error{Code: rag.NotFound, Phase: phase, Msg: "there is no document " + strconv.Quote(id)}
}

// parseID reads an id as this store writes it, and only so.
func parseID(id string) (uuid.UUID, bool) {
	u, err := uuid.Parse(id)
	return u, err == nil && u.String() == id
}

func validIDs(ids []string) []uuid.UUID {
	out := make([]uuid.UUID, 0, len(ids))
	for _, id := range ids {
		if u, ok := parseID(id); ok {
			out = append(out, u)
		}
	}
	return out
}

// documentOf returns a user's document, or the NotFound error.
func documentOf(ctx context.Context, tx pgx.Tx, owner uuid.UUID, id, lock string) (record, error) {
	u, ok := parseID(id)
	if !ok {
		return record{}, notFound(id)
	}
	r, found, err := find(ctx, tx, "WHERE d.owner = $1 AND d.id = $2 "+lock, owner, u)
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
	err := s.read(ctx, user, "look up the document", func(ctx context.Context, tx pgx.Tx) (err error) {
		r, err = documentOf(ctx, tx, ownerOf(user), id, "")
		return err
	})
	if err != nil {
		return rag.Document{}, err
	}
	return r.Document, nil
}

const selectPage = `
WHERE d.owner = $1 AND d.key < $2 AND ($3 = '' OR d.status = $3) AND ($4 = '' OR strpos(d.folded, $4) > 0)
ORDER BY d.key DESC LIMIT $5`

// Documents implements [rag.Library].
func (s *Store) Documents(ctx context.Context, user rag.User, p rag.Page) ([]rag.Document, string, error) {
	if err := checkUser(user); err != nil {
		return nil, "", err
	}
	if err := p.Check(); err != nil {
		return nil, "", err
	}
	owner := ownerOf(user)
	var docs []rag.Document
	next := ""
	err := s.read(ctx, user, "list documents", func(ctx context.Context, tx pgx.Tx) error {
		docs, next = nil, ""
		cursors, err := cursorsOf(ctx, tx, owner)
		if err != nil {
			return err
		}
		before := int64(1) << 62
		if p.Cursor != "" {
			if before, err = cursors.Read(p.Cursor); err != nil {
				return err
			}
		}
		records, err := collect(ctx, tx, selectPage, owner, before, string(p.Status), stored(fold(p.Filename)), p.Limit+1)
		if err != nil {
			return err
		}
		if len(records) > p.Limit { // the one too many says that there is a next page
			records = records[:p.Limit]
			next = cursors.Write(records[p.Limit-1].key)
		}
		for _, r := range records {
			docs = append(docs, r.Document)
		}
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	return docs, next, nil
}

// Counts implements [rag.Library].
func (s *Store) Counts(ctx context.Context, user rag.User, ids []string) (map[rag.Status]int, error) {
	if err := checkUser(user); err != nil {
		return nil, err
	}
	counts := make(map[rag.Status]int)
	err := s.read(ctx, user, "count documents", func(ctx context.Context, tx pgx.Tx) error {
		clear(counts)
		rows, err := tx.Query(ctx, "SELECT status, count(*) FROM documents WHERE owner = $1 AND ($2 OR id = ANY($3)) GROUP BY status",
			ownerOf(user), len(ids) == 0, validIDs(ids))
		if err != nil {
			return err
		}
		var status string
		var n int
		_, err = pgx.ForEachRow(rows, []any{&status, &n}, func() error {
			counts[rag.Status(status)] = n
			return nil
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	return counts, nil
}

// interval is a duration as Postgres counts it.
func interval(d time.Duration) int64 { return d.Microseconds() }
