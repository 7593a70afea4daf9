package postgres

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"

	"weir/internal/postings"
)

// index is one user's words in memory, derived from the database, and the view
// that says what it holds. Whoever changes it has the turn. A search does not
// wait for a change: it looks at the version before and after, and begins anew
// when there was one.
type index struct {
	turn    chan struct{} // holds one
	version atomic.Int64  // odd while the words are being changed
	words   atomic.Pointer[postings.Index]
	view    atomic.Pointer[view] // nil: not loaded
}

func newIndex() *index { return &index{turn: make(chan struct{}, 1)} }

// take waits for the turn.
func (x *index) take(ctx context.Context) error {
	select {
	case x.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (x *index) leave() { <-x.turn }

func (x *index) bytes() int64 {
	var n int64 = 1 << 10
	if w := x.words.Load(); w != nil {
		n += w.Bytes()
	}
	if v := x.view.Load(); v != nil {
		n += v.bytes()
	}
	return n
}

// segments yields the segment of each of some members, in order.
type segments func(ctx context.Context, of []member) iter.Seq2[postings.Document, error]

// change brings the index to another view. The caller has the turn.
func (x *index) change(ctx context.Context, to *view, read segments) error {
	old := x.view.Load()
	if old == nil {
		words, err := postings.Load(ctx, postings.Config{}, read(ctx, to.members))
		if err != nil {
			return err
		}
		x.version.Add(1)
		x.words.Store(words)
		x.view.Store(to)
		x.version.Add(1)
		return nil
	}
	var added []member
	var removed []int64
	for _, m := range to.members {
		if have := old.find(m.key); have == nil || have.body != m.body {
			added = append(added, m)
		}
	}
	for _, m := range old.members {
		if still := to.find(m.key); still == nil || still.body != m.body {
			removed = append(removed, m.key)
		}
	}
	// All is read before anything is changed; from then on it is done to its end.
	var fetched []postings.Document
	for d, err := range read(ctx, added) {
		if err != nil {
			return err
		}
		fetched = append(fetched, d)
	}
	words := x.words.Load()
	lasting := context.WithoutCancel(ctx)
	x.version.Add(1)
	defer x.version.Add(1)
	var failed error
	for _, key := range removed {
		failed = errors.Join(failed, words.Remove(lasting, key))
	}
	for _, d := range fetched {
		failed = errors.Join(failed, words.Add(lasting, d.Key, d.Segment))
	}
	if failed != nil { // half changed: it is to be loaded again
		x.view.Store(nil)
		x.words.Store(nil)
		return failed
	}
	x.view.Store(to)
	return nil
}
