package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"weir/internal/postings"
	"weir/internal/sqlite/scan"
)

// index is what one user's searches run on.
type index struct {
	words *postings.Index
	view  atomic.Pointer[view]
	// hidden is how many documents are, or may be, in words and vectors but not in the view.
	hidden atomic.Int64

	// turn holds one element while somebody changes the index. A search takes it only to catch up.
	turn chan struct{}
	// held is what words and vectors hold, or may hold; only whoever has the turn touches it.
	held map[int64]holding

	vectorLimit int64
}

// holding is a document in words and vectors.
type holding struct {
	document
	whole bool // it is in both; else putting it in failed somewhere
}

func newIndex(vectorLimit int64) *index {
	x := &index{words: postings.New(postings.Config{}), turn: make(chan struct{}, 1), held: make(map[int64]holding), vectorLimit: vectorLimit}
	x.view.Store(&view{replaced: make(chan struct{})})
	return x
}

// take waits for the turn, or until the view is no longer v.
func (x *index) take(ctx context.Context, v *view) (bool, error) {
	select {
	case x.turn <- struct{}{}:
		return true, nil
	case <-v.replaced:
		return false, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

func (x *index) leave() { <-x.turn }

// show replaces the view by one with some documents more and some less.
func (x *index) show(generation int64, add []document, remove map[int64]bool) {
	old := x.view.Load()
	next := &view{generation: generation, removals: old.removals, vectors: old.vectors, replaced: make(chan struct{})}
	next.documents = make([]document, 0, len(old.documents)+len(add))
	for _, d := range old.documents {
		for len(add) > 0 && add[0].key < d.key {
			next.documents, add = append(next.documents, add[0]), add[1:]
		}
		if remove[d.key] {
			next.removals++
			continue
		}
		next.documents = append(next.documents, d)
	}
	next.documents = append(next.documents, add...)
	for _, d := range next.documents {
		next.chunks += d.chunks
	}
	// Before the view, so that a search that still has documents of the old view in its index knows that it must choose.
	x.hidden.Store(int64(len(x.held) - len(next.documents)))
	x.view.Store(next)
	close(old.replaced)
}

// add puts a document into words and vectors, where it stays hidden. After an
// error the document may be in one of them, which tidy puts right.
func (x *index) add(ctx context.Context, d derived) error {
	if h, there := x.held[d.key]; there {
		if h.whole && h.document == d.document {
			return nil
		}
		// What an earlier, failed attempt left behind: it may be a part, and it may be of other passages.
		if err := x.remove(ctx, h.document); err != nil {
			return err
		}
	}
	x.held[d.key] = holding{document: d.document}
	x.hidden.Add(1)
	if d.model != 0 {
		v, err := x.vectorsOf(d.model, d.center.Dim())
		if err != nil {
			return err
		}
		if err := v.AddCenter(ctx, d.center); err != nil {
			return err
		}
		if err := v.Add(ctx, d.key, d.block); err != nil {
			return err
		}
	}
	if err := x.words.Add(ctx, d.key, d.segment); err != nil {
		return err
	}
	x.held[d.key] = holding{document: d.document, whole: true}
	return nil
}

// remove takes a hidden document out of words and vectors; after an error it
// may still be in either.
func (x *index) remove(ctx context.Context, d document) error {
	x.held[d.key] = holding{document: d}
	err := x.words.Remove(ctx, d.key)
	if v := x.view.Load().vectors[d.model]; err == nil && v != nil {
		_, err = v.Remove(ctx, d.key)
	}
	if err != nil {
		return err
	}
	delete(x.held, d.key)
	x.hidden.Add(-1)
	return nil
}

// vectorsOf returns the scan of a model, making it if there is none.
func (x *index) vectorsOf(model int64, dim int) (*scan.Index, error) {
	old := x.view.Load()
	if v := old.vectors[model]; v != nil {
		return v, nil
	}
	kept, err := scan.NewVectors(dim, x.vectorLimit)
	if err != nil {
		return nil, fmt.Errorf("room for vectors: %w", err)
	}
	v, err := scan.New(scan.Config{Dim: dim, Vectors: kept})
	if err != nil {
		return nil, err
	}
	next := *old
	next.vectors = map[int64]*scan.Index{model: v}
	for m, v := range old.vectors {
		next.vectors[m] = v
	}
	x.view.Store(&next) // the same view but for a scan that holds nothing visible yet
	return v, nil
}

// tidy takes out what is not visible. What cannot be taken out now stays
// hidden and is tried again the next time.
func (x *index) tidy(ctx context.Context) error {
	v := x.view.Load()
	var errs []error
	for key, h := range x.held {
		if v.find(key) == nil {
			errs = append(errs, x.remove(ctx, h.document))
		}
	}
	return errors.Join(errs...)
}

// hides reports whether tidy has anything to do.
func (x *index) hides() bool { return x.hidden.Load() > 0 }

// bytes is the memory of the index.
func (x *index) bytes() int64 {
	const each, perDocument = 4 << 10, 256
	v := x.view.Load()
	n := each + int64(len(v.documents))*perDocument + x.words.Bytes()
	for _, s := range v.vectors {
		n += s.Bytes()
	}
	return n
}

// close returns memory that is not the garbage collector's.
func (x *index) close() {
	for _, s := range x.view.Load().vectors {
		s.Close()
	}
}
