package sqlite

import (
	"context"
	"errors"

	"weir/internal/rag"
)

// outcome is what a transaction changed of what a user can find.
type outcome struct {
	generation int64   // 0: nothing
	removed    []int64 // keys of documents that can no longer be found
}

// alter runs a transaction that may change what a user can find, and brings
// the user's index along if it is in memory: a new document goes into it
// beforehand, hidden, so that after the commit only the view is to be replaced.
// When alter returns, a search sees the change.
func (s *Store) alter(ctx context.Context, user rag.User, add *derived, doing string, f func(c *conn) (outcome, error)) error {
	var o outcome
	transaction := func(c *conn) (err error) {
		o, err = f(c)
		return err
	}
	e := s.indexes.peek(user)
	if e == nil {
		return s.write(ctx, doing, transaction)
	}
	defer s.indexes.release(e)
	x := e.index
	select {
	case x.turn <- struct{}{}:
	case <-ctx.Done():
		return s.fail(ctx, doing, ctx.Err())
	}
	defer x.leave()

	ready := true
	if add != nil {
		if err := x.add(ctx, *add); err != nil {
			// Nothing is lost: whoever searches next reads the document from the database.
			ready = false
			if ctx.Err() == nil {
				s.cfg.Log.WarnContext(ctx, "a document could not be put into the index in memory", "document", add.id, "error", err)
			}
			s.tidy(ctx, x)
		}
	}
	if err := s.write(ctx, doing, transaction); err != nil {
		s.tidy(ctx, x)
		return err
	}
	// The change is on disk: from here the answer is nil.
	switch v := x.view.Load(); {
	case o.generation == 0:
	case o.generation == v.generation+1 && ready:
		removed := make(map[int64]bool, len(o.removed))
		for _, key := range o.removed {
			removed[key] = true
		}
		var added []document
		if add != nil {
			added = append(added, add.document)
		}
		x.show(o.generation, added, removed)
	default:
		if err := s.catchUp(ctx, user, x); errors.Is(err, errOutdated) {
			s.indexes.drop(e)
		} else if err != nil && ctx.Err() == nil {
			s.cfg.Log.WarnContext(ctx, "the index in memory could not be brought up to date", "error", err)
		}
	}
	s.tidy(ctx, x)
	return nil
}

// tidy takes hidden documents out of an index, as far as ctx allows; the rest
// waits for the next change.
func (s *Store) tidy(ctx context.Context, x *index) {
	if !x.hides() {
		return
	}
	if err := x.tidy(ctx); err != nil && ctx.Err() == nil {
		s.cfg.Log.WarnContext(ctx, "a removed document could not be taken out of the index in memory", "error", err)
	}
}
