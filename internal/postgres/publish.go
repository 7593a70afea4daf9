package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"weir/internal/rag"
)

// Publish implements [rag.Queue]. The document's segment is made and stored
// before, in transactions of its own: nobody looks there yet. Replace deletes
// only older documents: a newer one of the same name deletes this one when its
// own turn comes.
func (s *Store) Publish(ctx context.Context, job rag.Job, model rag.Model) error {
	if model != (rag.Model{}) {
		if err := model.Check(); err != nil {
			return err
		}
	}
	const doing = "publish the document"
	owner := ownerOf(job.User)
	var body int64
	var key *int32
	var segment []byte
	if err := s.read(ctx, job.User, doing, func(ctx context.Context, tx pgx.Tx) error {
		r, err := held(ctx, tx, job, "")
		if err != nil {
			return err
		}
		if key, err = publishable(ctx, tx, job.User, r, model); err != nil {
			return err
		}
		body = r.body
		segment, err = s.makeSegment(ctx, tx, owner, r.body, r.Chunks, r.Filename, r.Title)
		return err
	}); err != nil {
		return err
	}
	if err := s.putSegment(ctx, doing, job, body, segment); err != nil {
		return err
	}
	err := s.write(ctx, job.User, doing, func(ctx context.Context, tx pgx.Tx) error {
		if err := checkLive(ctx, tx, key); err != nil {
			return err
		}
		if _, err := lockOwner(ctx, tx, owner); err != nil {
			return err
		}
		r, err := held(ctx, tx, job, forUpdate)
		if err != nil {
			return err
		}
		if r.body != body {
			return fmt.Errorf("document %s was staged anew while it was being published", r.ID)
		}
		old, err := collect(ctx, tx, `
WHERE d.owner = $1 AND d.filename = $2 AND d.key < $3 AND (SELECT replaces FROM documents WHERE owner = $1 AND id = $4) FOR UPDATE OF d`,
			owner, stored(r.Filename), r.key, r.uuid)
		if err != nil {
			return err
		}
		for _, o := range old {
			if err := remove(ctx, tx, owner, o); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, `
UPDATE documents SET status = 'ready', lease = '', waiting = '', done = chunks, total = chunks, model = $3, segment_form = $4, updated_at = clock_timestamp()
WHERE owner = $1 AND id = $2`, owner, r.uuid, key, segmentForm); err != nil {
			return err
		}
		return nextGeneration(ctx, tx, owner)
	})
	if err == nil {
		s.sweepSoon()
	}
	return err
}

// publishable says whether all is there that the document needs, and which
// model it gets; nil for none.
func publishable(ctx context.Context, tx pgx.Tx, user rag.User, r record, model rag.Model) (*int32, error) {
	if !r.staged {
		return nil, errNotStaged()
	}
	if model == (rag.Model{}) {
		return nil, nil
	}
	key, err := modelKey(ctx, tx, model)
	if err != nil {
		return nil, err
	}
	have, err := coverage(ctx, tx, r, user, key)
	if err != nil {
		return nil, err
	}
	if have < r.Chunks {
		return nil, &rag.Error{Code: rag.Conflict, Phase: phase, Msg: fmt.Sprintf("%d of %d passages have no vector of %s", r.Chunks-have, r.Chunks, model.Name)}
	}
	if key == 0 || r.Chunks == 0 {
		return nil, nil // a document without passages has no vectors
	}
	return &key, nil
}

// putSegment stores the segment of a body in place of any that was there.
func (s *Store) putSegment(ctx context.Context, doing string, job rag.Job, body int64, segment []byte) error {
	owner := ownerOf(job.User)
	for from := 0; from < len(segment); from += pieceBytes {
		if err := s.settle(ctx, job, doing, func(ctx context.Context, tx pgx.Tx, r record) error {
			if r.body != body {
				return rag.ErrLeaseLost
			}
			if from == 0 {
				if _, err := tx.Exec(ctx, "DELETE FROM blobs WHERE owner = $1 AND body = $2 AND kind = $3", owner, body, int16(segmentBlob)); err != nil {
					return err
				}
			}
			return putBlob(ctx, tx, owner, body, segmentBlob, segment, from, min(from+pieceBytes, len(segment)))
		}); err != nil {
			return err
		}
	}
	return nil
}
