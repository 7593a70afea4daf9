package sqlite

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/ncruces/go-sqlite3"

	"weir/internal/postings"
	"weir/internal/rag"
	"weir/internal/sqlite/scan"
)

// selectReady lists what a user can find.
const selectReady = `
SELECT d.key, d.body, d.id, d.chunks, coalesce(d.model, 0), d.filename, d.title, coalesce(m.dimensions, 0),
       d.segment_bytes, d.segment_form, d.block_bytes, d.block_kind
FROM documents d LEFT JOIN models m ON m.key = d.model
WHERE d.user = ? AND d.status = 'ready' ORDER BY d.key`

func scanStored(s *sqlite3.Stmt) stored {
	return stored{
		document: document{
			key: s.ColumnInt64(0), body: s.ColumnInt64(1), id: s.ColumnText(2), chunks: s.ColumnInt(3), model: s.ColumnInt64(4),
		},
		filename: s.ColumnText(5), title: s.ColumnText(6), dim: s.ColumnInt(7),
		segmentBytes: s.ColumnInt64(8), segmentForm: s.ColumnInt(9), blockBytes: s.ColumnInt64(10), blockKind: kind(s.ColumnInt64(11)),
	}
}

// generationOf returns a user's key and generation; zeros for one who never
// added anything.
func generationOf(c *conn, user rag.User) (key, generation int64, err error) {
	_, err = c.row("SELECT key, generation FROM users WHERE name = ?", func(row *sqlite3.Stmt) {
		key, generation = row.ColumnInt64(0), row.ColumnInt64(1)
	}, []byte(user))
	return key, generation, err
}

// loadIndex makes a user's index from what is stored, in one snapshot.
func (s *Store) loadIndex(ctx context.Context, user rag.User) (*index, error) {
	const doing = "load the search index"
	var (
		x      *index
		remade []derived
	)
	err := s.read(ctx, s.load, doing, func(c *conn) error {
		key, generation, err := generationOf(c, user)
		if err != nil {
			return err
		}
		var documents []stored
		if err := c.rows(selectReady, func(row *sqlite3.Stmt) error {
			documents = append(documents, scanStored(row))
			return nil
		}, key); err != nil {
			return err
		}
		x = newIndex(s.cfg.IndexMemory / 2)
		l := loading{x: x, blocks: make(map[int64][]scan.Document), centers: make(map[int64]*scan.Center)}
		x.words, err = postings.Load(ctx, postings.Config{}, s.segments(ctx, c, key, documents, &l))
		if err != nil {
			return err
		}
		remade = l.remade
		return l.finish(ctx, generation)
	})
	if err != nil {
		if x != nil {
			x.close()
		}
		if ctx.Err() != nil { // the crew's, which ends when the store is closed
			return nil, errClosed()
		}
		return nil, err
	}
	s.keep(ctx, remade)
	return x, nil
}

// loading gathers what comes by while segments are read.
type loading struct {
	x       *index
	shown   []document
	blocks  map[int64][]scan.Document // by model
	dims    map[int64]int
	centers map[int64]*scan.Center // by id, of all models; nil for one that cannot be used
	used    map[int64][]*scan.Center
	remade  []derived
}

// segments reads what was derived from each document, hands the segment on
// and keeps the rest.
func (s *Store) segments(ctx context.Context, c *conn, user int64, documents []stored, l *loading) iter.Seq2[postings.Document, error] {
	l.dims, l.used = make(map[int64]int), make(map[int64][]*scan.Center)
	return func(yield func(postings.Document, error) bool) {
		for _, d := range documents {
			out, remade, err := s.loadDerived(ctx, c, user, d, l.centers)
			if err != nil {
				yield(postings.Document{}, fmt.Errorf("document %s: %w", d.id, err))
				return
			}
			if remade {
				l.remade = append(l.remade, out)
			}
			l.shown = append(l.shown, d.document)
			if d.model != 0 {
				l.dims[d.model] = d.dim
				l.used[d.model] = append(l.used[d.model], out.center)
				l.blocks[d.model] = append(l.blocks[d.model], scan.Document{Key: d.key, Block: out.block})
			}
			if !yield(postings.Document{Key: d.key, Segment: out.segment}, nil) {
				return
			}
		}
	}
}

func (l *loading) finish(ctx context.Context, generation int64) error {
	for model, blocks := range l.blocks {
		v, err := l.x.vectorsOf(model, l.dims[model])
		if err != nil {
			return err
		}
		known := make(map[int64]bool)
		for _, center := range l.used[model] {
			if known[center.ID()] {
				continue
			}
			known[center.ID()] = true
			if err := v.AddCenter(ctx, center); err != nil {
				return err
			}
		}
		if err := v.AddAll(ctx, blocks); err != nil {
			return err
		}
	}
	for _, d := range l.shown {
		l.x.held[d.key] = holding{document: d, whole: true}
	}
	l.x.show(generation, l.shown, nil)
	return nil
}

// keep stores what had to be made again, so that the next loading need not.
// That it cannot is no reason to fail: the index in memory is right.
func (s *Store) keep(ctx context.Context, remade []derived) {
	for _, d := range remade {
		err := s.write(ctx, "store a rebuilt index", func(c *conn) error { return storeDerived(c, d) })
		s.cfg.Log.WarnContext(ctx, "the stored index of a document was damaged or of another version, and was rebuilt", "document", d.id, "error", err)
	}
}

// errOutdated says that documents were moved to another model: nothing is left
// to be brought up to date.
var errOutdated = errors.New("the index is of another model than the documents")

// catchUp brings an index to the present state of the database, or returns
// errOutdated when it has to be loaded anew. The caller has the turn.
func (s *Store) catchUp(ctx context.Context, user rag.User, x *index) error {
	var remade []derived
	err := s.read(ctx, s.load, "bring the search index up to date", func(c *conn) error {
		key, generation, err := generationOf(c, user)
		if err != nil || generation == x.view.Load().generation {
			return err
		}
		v := x.view.Load()
		gone := make(map[int64]bool)
		for _, d := range v.documents {
			gone[d.key] = true
		}
		var add []document
		var documents []stored
		if err := c.rows(selectReady, func(row *sqlite3.Stmt) error {
			d := scanStored(row)
			if gone[d.key] {
				delete(gone, d.key)
				if v.find(d.key).model != d.model {
					return errOutdated
				}
				return nil
			}
			add = append(add, d.document)
			documents = append(documents, d)
			return nil
		}, key); err != nil {
			return err
		}
		centers := make(map[int64]*scan.Center)
		for _, d := range documents {
			if h := x.held[d.key]; h.whole && h.document == d.document {
				continue
			}
			out, again, err := s.loadDerived(ctx, c, key, d, centers)
			if err != nil {
				return fmt.Errorf("document %s: %w", d.id, err)
			}
			if again {
				remade = append(remade, out)
			}
			if err := x.add(ctx, out); err != nil {
				return errors.Join(err, x.tidy(ctx))
			}
		}
		x.show(generation, add, gone)
		return nil
	})
	if err != nil {
		return err
	}
	s.keep(ctx, remade)
	return x.tidy(ctx)
}
