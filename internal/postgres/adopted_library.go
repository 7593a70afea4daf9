package postgres

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"weir/internal/rag"
)

const awaited = "the system that keeps these documents has stored no passages of it yet"

// selectAdopted lists documents as they are in the old tables; the condition
// and what follows it come behind.
func (s adoption) selectAdopted() string {
	model, dims := "''", "0"
	if s.old.embedding != "" {
		dims = s.sql("(SELECT {ext}.vector_dims(c.embedding) FROM document_chunks c WHERE c.document_id = d.document_id AND c.embedding IS NOT NULL LIMIT 1)")
		if s.old.model != "" {
			model = fmt.Sprintf("(SELECT %s::text FROM document_chunks c WHERE c.document_id = d.document_id AND c.embedding IS NOT NULL LIMIT 1)", s.old.model)
		}
	}
	return fmt.Sprintf(`
SELECT d.document_id::text, %s, %s, %s, %s, %s, %s, coalesce(%s, ''), coalesce(%s, 0),
  (SELECT count(DISTINCT c.chunk_ord) FROM document_chunks c WHERE c.document_id = d.document_id AND c.text IS NOT NULL AND c.chunk_ord BETWEEN 0 AND %d)
FROM documents d WHERE %s `, s.old.filename, s.old.media, s.old.bytes, s.old.sum, s.old.created, s.old.updated, model, dims, maxChunks-1, s.old.user)
}

func (s adoption) scan(row pgx.Row) (d rag.Document, err error) {
	if err := row.Scan(&d.ID, &d.Filename, &d.MediaType, &d.Bytes, &d.SHA256, &d.CreatedAt, &d.UpdatedAt, &d.Model.Name, &d.Model.Dim, &d.Chunks); err != nil {
		return d, err
	}
	d.CreatedAt, d.UpdatedAt = d.CreatedAt.UTC(), d.UpdatedAt.UTC()
	if d.Model.Dim > 0 && d.Model.Name == "" {
		d.Model.Name = s.cfg.UnnamedModel
	}
	if d.Model.Name == "" || d.Model.Dim == 0 {
		d.Model = rag.Model{}
	}
	d.Progress = rag.Progress{Done: d.Chunks, Total: d.Chunks}
	if d.Status = rag.Ready; d.Chunks == 0 {
		d.Status, d.Waiting = rag.Queued, awaited
	}
	return d, nil
}

// Document implements [rag.Library].
func (p *Adopted) Document(ctx context.Context, user rag.User, id string) (doc rag.Document, err error) {
	s := p.now()
	if err := checkUser(user); err != nil {
		return rag.Document{}, err
	}
	name, ok := s.asked(user)
	err = s.transact(ctx, s.reading(s.other), scope{}, "look up the document", func(ctx context.Context, tx pgx.Tx) error {
		if !ok {
			return notFound(id)
		}
		doc, err = s.scan(tx.QueryRow(ctx, s.selectAdopted()+"AND d.document_id::text = $2", name, stored(id)))
		if noRows(err) {
			return notFound(id)
		}
		return err
	})
	if err != nil {
		return rag.Document{}, err
	}
	return doc, nil
}

// Documents implements [rag.Library].
func (o *Adopted) Documents(ctx context.Context, user rag.User, p rag.Page) (docs []rag.Document, next string, err error) {
	s := o.now()
	if err := checkUser(user); err != nil {
		return nil, "", err
	}
	if err := p.Check(); err != nil {
		return nil, "", err
	}
	after, id := time.Time{}, ""
	if p.Cursor != "" {
		if after, id, err = s.readCursor(user, p.Cursor); err != nil {
			return nil, "", err
		}
	}
	name, ok := s.asked(user)
	part := fold(p.Filename)
	err = s.transact(ctx, s.reading(s.other), scope{}, "list documents", func(ctx context.Context, tx pgx.Tx) error {
		if docs, next = nil, ""; !ok {
			return nil
		}
		rows, err := tx.Query(ctx, s.selectAdopted()+fmt.Sprintf(
			"AND ($2 OR (%s, d.document_id::text) < ($3::timestamptz, $4::text)) ORDER BY %[1]s DESC, d.document_id::text DESC", s.old.created),
			name, p.Cursor == "", after, stored(id))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			d, err := s.scan(rows)
			if err != nil {
				return err
			}
			if (p.Status != "" && d.Status != p.Status) || !strings.Contains(fold(d.Filename), part) {
				continue
			}
			if len(docs) == p.Limit { // the one too many says that there is a next page
				last := docs[len(docs)-1]
				next, err = s.writeCursor(user, last.CreatedAt, last.ID)
				return err
			}
			docs = append(docs, d)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, "", err
	}
	return docs, next, nil
}

// aead enciphers the cursors of one user's lists.
func (s *Adopted) aead() (cipher.AEAD, error) {
	block, err := aes.NewCipher(s.secret)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// writeCursor makes the cursor of a place. Its nonce is made of the place
// itself, so that the same place has the same cursor.
func (s *Adopted) writeCursor(user rag.User, at time.Time, id string) (string, error) {
	g, err := s.aead()
	if err != nil {
		return "", err
	}
	place := binary.BigEndian.AppendUint64(nil, uint64(at.UnixMicro()))
	place = append(place, id...)
	mac := hmac.New(sha256.New, s.secret)
	mac.Write([]byte(user))
	mac.Write(place)
	nonce := mac.Sum(nil)[:g.NonceSize()]
	return base64.RawURLEncoding.EncodeToString(g.Seal(nonce, nonce, place, []byte(user))), nil
}

func (s *Adopted) readCursor(user rag.User, cursor string) (at time.Time, id string, err error) {
	g, err := s.aead()
	if err != nil {
		return at, "", err
	}
	bad := rag.FieldErrorf("cursor", "is not one that this server gave out")
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(b) < g.NonceSize() {
		return at, "", bad
	}
	place, err := g.Open(nil, b[:g.NonceSize()], b[g.NonceSize():], []byte(user))
	if err != nil || len(place) < 8 {
		return at, "", bad
	}
	return time.UnixMicro(int64(binary.BigEndian.Uint64(place))), string(place[8:]), nil //nolint:gosec // its bits
}

// Counts implements [rag.Library].
func (p *Adopted) Counts(ctx context.Context, user rag.User, ids []string) (map[rag.Status]int, error) {
	s := p.now()
	if err := checkUser(user); err != nil {
		return nil, err
	}
	name, ok := s.asked(user)
	counts := make(map[rag.Status]int)
	wanted := make([]string, len(ids))
	for i := range ids {
		wanted[i] = stored(ids[i])
	}
	err := s.transact(ctx, s.reading(s.other), scope{}, "count documents", func(ctx context.Context, tx pgx.Tx) error {
		if clear(counts); !ok {
			return nil
		}
		var ready, waiting int
		err := tx.QueryRow(ctx, fmt.Sprintf(`
SELECT count(*) FILTER (WHERE has), count(*) FILTER (WHERE NOT has)
FROM (SELECT EXISTS (SELECT 1 FROM document_chunks c WHERE c.document_id = d.document_id AND c.text IS NOT NULL AND c.chunk_ord BETWEEN 0 AND %d) AS has
      FROM documents d WHERE %s AND ($2 OR d.document_id::text = ANY($3))) d`, maxChunks-1, s.old.user), name, len(ids) == 0, wanted).Scan(&ready, &waiting)
		if ready > 0 {
			counts[rag.Ready] = ready
		}
		if waiting > 0 {
			counts[rag.Queued] = waiting
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return counts, nil
}

func (s *Adopted) refuse(ctx context.Context, doing string) error {
	if ctx.Err() != nil {
		return ended(ctx, doing)
	}
	return &rag.Error{Code: rag.Forbidden, Phase: phase, Msg: doing + ": the documents are kept by another system; this server only reads them"}
}

// Add refuses.
func (s *Adopted) Add(ctx context.Context, _ rag.User, _ rag.NewDocument) (rag.Document, bool, error) {
	return rag.Document{}, false, s.refuse(ctx, "store the document")
}

// Delete refuses.
func (s *Adopted) Delete(ctx context.Context, _ rag.User, _ string) error {
	return s.refuse(ctx, "delete the document")
}

// Cancel refuses.
func (s *Adopted) Cancel(ctx context.Context, _ rag.User, _ string) (rag.Document, error) {
	return rag.Document{}, s.refuse(ctx, "cancel the document")
}

// Lease finds nothing to do.
func (s *Adopted) Lease(ctx context.Context, _ time.Duration) (*rag.Job, error) {
	if ctx.Err() != nil {
		return nil, ended(ctx, "take a document from the queue")
	}
	return nil, nil //nolint:nilnil // as rag.Queue says
}

// Pending is always 0: the old system has a queue of its own.
func (s *Adopted) Pending(ctx context.Context) (queued, working int, err error) {
	if ctx.Err() != nil {
		return 0, 0, ended(ctx, "look at the queue")
	}
	return 0, 0, nil
}

// No job was ever leased, so none is held.

// Renew implements [rag.Queue].
func (s *Adopted) Renew(context.Context, rag.Job, time.Duration, rag.Status, rag.Progress) error {
	return rag.ErrLeaseLost
}

// Content implements [rag.Queue].
func (s *Adopted) Content(context.Context, rag.Job) ([]byte, error) { return nil, rag.ErrLeaseLost }

// Stage implements [rag.Queue].
func (s *Adopted) Stage(context.Context, rag.Job, rag.Extracted) error { return rag.ErrLeaseLost }

// Unembedded implements [rag.Queue].
func (s *Adopted) Unembedded(context.Context, rag.Job, rag.Model, int) ([]rag.Chunk, int, error) {
	return nil, 0, rag.ErrLeaseLost
}

// PutVectors implements [rag.Queue].
func (s *Adopted) PutVectors(context.Context, rag.Job, rag.Model, []int, [][]float32) error {
	return rag.ErrLeaseLost
}

// Publish implements [rag.Queue].
func (s *Adopted) Publish(context.Context, rag.Job, rag.Model) error { return rag.ErrLeaseLost }

// Retry implements [rag.Queue].
func (s *Adopted) Retry(context.Context, rag.Job, time.Time, string) error { return rag.ErrLeaseLost }

// Fail implements [rag.Queue].
func (s *Adopted) Fail(context.Context, rag.Job, rag.DocumentError) error { return rag.ErrLeaseLost }
