package sqlite

import (
	"context"
	"fmt"

	"github.com/ncruces/go-sqlite3"

	"weir/internal/rag"
)

// publishBytes is how much of what is derived one transaction writes.
const publishBytes = 8 << 20

// Publish implements [rag.Queue]. What search needs is made before the
// transaction; a large part of it is also stored before, where nobody looks
// yet. Replace deletes only older documents: a newer one of the same name
// deletes this one when its own turn comes.
func (s *Store) Publish(ctx context.Context, job rag.Job, model rag.Model) error {
	if model != (rag.Model{}) {
		if err := model.Check(); err != nil {
			return err
		}
	}
	const doing = "publish the document"
	var d derived
	if err := s.read(ctx, s.other, doing, func(c *conn) error {
		r, err := s.held(c, job)
		if err != nil {
			return err
		}
		d, err = s.derive(ctx, c, r, model)
		return err
	}); err != nil {
		return err
	}
	segmentPart, blockPart, err := s.prewrite(ctx, doing, job, d)
	if err != nil {
		return err
	}
	err = s.alter(ctx, job.User, &d, doing, func(c *conn) (o outcome, err error) {
		r, err := s.held(c, job)
		if err != nil {
			return o, err
		}
		if r.body != d.body {
			return o, fmt.Errorf("document %s was staged anew while it was being published", r.ID)
		}
		if err := checkLive(c, d.model); err != nil {
			return o, err
		}
		if err := putDerived(c, d, segmentPart, blockPart); err != nil {
			return o, err
		}
		if d.center != nil {
			if _, err := c.exec("UPDATE centers SET vectors = vectors + ? WHERE id = ?", d.chunks, d.center.ID()); err != nil {
				return o, err
			}
		}
		if o.removed, err = replaceOlder(c, r); err != nil {
			return o, err
		}
		if _, err := c.exec(`
UPDATE documents SET status = 'ready', lease = '', waiting = '', done = chunks, total = chunks, model = ?, updated_at = ?,
  segment_bytes = ?, segment_form = ?, block_bytes = ? WHERE key = ?`,
			orNull(d.model), s.cfg.Now().UnixNano(), len(d.segment), segmentForm, len(d.block), r.key); err != nil {
			return o, err
		}
		o.generation, err = nextGeneration(c, r.user)
		return o, err
	})
	if err == nil {
		s.sweepSoon()
	}
	return err
}

func orNull(key int64) any {
	if key == 0 {
		return nil
	}
	return key
}

// derive makes what search needs of a staged document.
func (s *Store) derive(ctx context.Context, c *conn, r record, model rag.Model) (d derived, err error) {
	if !r.staged {
		return d, errNotStaged()
	}
	d.document, d.kind = document{key: r.key, body: r.body, id: r.ID, chunks: r.Chunks}, r.blockKind
	if d.segment, err = s.makeSegment(c, d.document, r.Filename, r.Title); err != nil || model == (rag.Model{}) {
		return d, err
	}
	v, err := s.vectorsOf(ctx, c, r, model)
	d.model, d.block, d.center = v.model, v.block, v.center
	return d, err
}

// vectorsOf makes what a search of vectors needs of a document, each of whose
// passages must have one of the model.
func (s *Store) vectorsOf(ctx context.Context, c *conn, r record, model rag.Model) (d derived, err error) {
	d.document = document{key: r.key, body: r.body, id: r.ID, chunks: r.Chunks}
	m, err := modelKey(c, model)
	if err != nil {
		return d, err
	}
	have, _, err := coverage(c, r.body, m)
	if err != nil {
		return d, err
	}
	if have < r.Chunks {
		return d, &rag.Error{Code: rag.Conflict, Phase: phase, Msg: fmt.Sprintf("%d of %d passages have no vector of %s", r.Chunks-have, r.Chunks, model.Name)}
	}
	if d.model = m; m == 0 || r.Chunks == 0 {
		d.model = 0
		return d, nil // a document without passages has no vectors
	}
	d.block, d.center, err = s.makeBlock(ctx, c, r.user, d.document, model.Dim)
	return d, err
}

// prewrite stores all but the last few parts of a large segment and block, and
// tells with which parts to go on.
func (s *Store) prewrite(ctx context.Context, doing string, job rag.Job, d derived) (segmentPart, blockPart int, err error) {
	same := func(c *conn) error {
		r, err := s.held(c, job)
		if err == nil && r.body != d.body {
			err = rag.ErrLeaseLost
		}
		return err
	}
	if segmentPart, err = s.prewriteBlob(ctx, doing, d.body, segmentBlob, d.segment, same); err != nil {
		return 0, 0, err
	}
	blockPart, err = s.prewriteBlob(ctx, doing, d.body, d.kind, d.block, same)
	return segmentPart, blockPart, err
}

// prewriteBlob stores all but the last few parts of a large blob in several
// transactions, each of which same may refuse.
func (s *Store) prewriteBlob(ctx context.Context, doing string, body int64, k kind, data []byte, same func(*conn) error) (part int, err error) {
	for len(data)-part*partBytes > publishBytes/2 {
		if err := s.write(ctx, doing, func(c *conn) error {
			if err := same(c); err != nil {
				return err
			}
			part, err = putBlob(c, body, k, data, part, publishBytes/2)
			return err
		}); err != nil {
			return 0, err
		}
	}
	return part, nil
}

const selectOlder = `
WHERE d.user = ?1 AND d.filename = ?2 AND d.key < ?3 AND (SELECT replaces FROM documents WHERE key = ?3)`

// replaceOlder deletes what a document replaces, and returns the keys of those
// that could be found.
func replaceOlder(c *conn, r record) (removed []int64, err error) {
	var old []record
	if err := c.rows(selectDocument+selectOlder, func(row *sqlite3.Stmt) error {
		old = append(old, scanDocument(row))
		return nil
	}, r.user, r.Filename, r.key); err != nil {
		return nil, err
	}
	for _, o := range old {
		if err := remove(c, o); err != nil {
			return nil, err
		}
		if o.Status == rag.Ready {
			removed = append(removed, o.key)
		}
	}
	return removed, nil
}
