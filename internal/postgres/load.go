package postgres

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"weir/internal/postings"
	"weir/internal/rag"
)

const (
	// loadTime bounds the loading of one user's index, which goes on when those
	// who wait for it have left.
	loadTime = 5 * time.Minute
	// segmentsAtOnce is how many segments are read with one question.
	segmentsAtOnce = 64
)

// warm loads the index of a user, and not too many at once. It goes on when the
// caller leaves, so that the next one finds more done.
func (d *database) warm(ctx context.Context, doing string, e *entry, load func(ctx context.Context) error) error {
	f, err := d.indexes.load(e, func(f *flight) error {
		return d.crew.Start(func(ctx context.Context) {
			ctx, cancel := context.WithTimeout(ctx, loadTime)
			defer cancel()
			select {
			case d.loads <- struct{}{}:
				defer func() { <-d.loads }()
				d.indexes.landed(e, f, load(ctx))
			case <-ctx.Done():
				d.indexes.landed(e, f, ended(ctx, doing))
			}
		})
	})
	if err != nil {
		return err
	}
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return ended(ctx, doing)
	}
}

func (s *Store) loadIndex(ctx context.Context, doing string, user rag.User, x *index) error {
	owner := ownerOf(user)
	if x.take(ctx) != nil {
		return ended(ctx, doing)
	}
	defer x.leave()
	return s.transact(ctx, s.reading(s.search), own(user), doing, func(ctx context.Context, tx pgx.Tx) error {
		var generation int64
		err := tx.QueryRow(ctx, "SELECT generation FROM owners WHERE owner = $1", owner).Scan(&generation)
		if noRows(err) {
			return nil // the user is gone, as the search will see
		}
		if err != nil {
			return err
		}
		return s.catchUp(ctx, tx, owner, x, generation)
	})
}

// catchUp brings an index to a snapshot of the database. The caller has the
// turn.
func (s *Store) catchUp(ctx context.Context, tx pgx.Tx, owner uuid.UUID, x *index, generation int64) error {
	rows, err := tx.Query(ctx, "SELECT key, id, body, chunks, coalesce(model, 0) FROM documents WHERE owner = $1 AND status = 'ready' ORDER BY key", owner)
	if err != nil {
		return err
	}
	members, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (m member, err error) {
		var id uuid.UUID
		err = row.Scan(&m.key, &id, &m.body, &m.chunks, &m.model)
		m.id = id.String()
		return m, err
	})
	if err != nil {
		return err
	}
	return x.change(ctx, newView(generation, members), func(ctx context.Context, of []member) iter.Seq2[postings.Document, error] {
		return func(yield func(postings.Document, error) bool) {
			for some := range slices.Chunk(of, segmentsAtOnce) {
				got, err := s.segmentsOf(ctx, tx, owner, some)
				for _, m := range some {
					if !yield(postings.Document{Key: m.key, Segment: got[m.key]}, err) || err != nil {
						return
					}
				}
			}
		}
	})
}

// segmentsOf reads the segments of some documents, by key. What is missing,
// damaged or of another form is made from the passages.
func (s *Store) segmentsOf(ctx context.Context, tx pgx.Tx, owner uuid.UUID, of []member) (map[int64][]byte, error) {
	bodies := make([]int64, len(of))
	for i, m := range of {
		bodies[i] = m.body
	}
	rows, err := tx.Query(ctx, `
SELECT d.key, b.data FROM unnest($2::bigint[]) r (body)
CROSS JOIN LATERAL (SELECT key FROM documents WHERE owner = $1 AND body = r.body AND status = 'ready' AND segment_form = $4 OFFSET 0) d
CROSS JOIN LATERAL (SELECT part, data FROM blobs WHERE owner = $1 AND body = r.body AND kind = $3 OFFSET 0) b
ORDER BY d.key, b.part`, owner, bodies, int16(segmentBlob), segmentForm)
	if err != nil {
		return nil, err
	}
	got := make(map[int64][]byte, len(of))
	var key int64
	var data []byte
	if _, err := pgx.ForEachRow(rows, []any{&key, &data}, func() error {
		got[key] = append(got[key], data...)
		return nil
	}); err != nil {
		return nil, err
	}
	for _, m := range of {
		if postings.Verify(got[m.key]) == nil {
			continue
		}
		filename, title := "", ""
		if err := tx.QueryRow(ctx, "SELECT filename, title FROM documents WHERE owner = $1 AND key = $2", owner, m.key).Scan(&filename, &title); err != nil {
			return nil, err
		}
		if got[m.key], err = s.makeSegment(ctx, tx, owner, m.body, m.chunks, original(filename), original(title)); err != nil {
			return nil, err
		}
	}
	return got, nil
}
