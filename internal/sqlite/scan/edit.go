package scan

import (
	"context"
	"errors"
	"fmt"
)

// errUnchanged ends an edit that found nothing to do.
var errUnchanged = errors.New("scan: nothing to change")

// Document is a document's key, which the caller chooses, and its block as Encode made it.
type Document struct {
	Key   int64
	Block []byte
}

// AddCenter makes a center known; blocks that were encoded against it can be added from then on. Adding it again changes
// nothing; another center of the same id is refused with ErrCenter.
func (x *Index) AddCenter(ctx context.Context, c *Center) error {
	if c.Dim() != x.dim {
		return fmt.Errorf("%w: %d dimensions, want %d", ErrCenter, c.Dim(), x.dim)
	}
	return x.edit(ctx, func(d *draft) error { return d.addCenter(c) })
}

// Add adds one document: a search sees all of it or nothing. The bytes are copied. Errors wrap ErrCorrupt, ErrVector (the
// block's dimension), ErrCenter (unknown, or not the one the block was encoded against), ErrExists, ErrTooLarge, ErrClosed,
// or are ctx's; after any of them the index is what it was.
func (x *Index) Add(ctx context.Context, doc int64, block []byte) error {
	return x.AddAll(ctx, []Document{{Key: doc, Block: block}})
}

// AddAll adds many documents at once, all or none; it is the way to load a user. The errors are Add's.
func (x *Index) AddAll(ctx context.Context, docs []Document) error {
	if len(docs) == 0 {
		return ctx.Err()
	}
	return x.edit(ctx, func(d *draft) error {
		in := make([]arrival, len(docs))
		for i, doc := range docs {
			if err := ctx.Err(); err != nil {
				return err
			}
			var err error
			if in[i], err = d.arrive(doc.Key, doc.Block, x.dim); err != nil {
				return err
			}
		}
		return d.add(ctx, in)
	})
}

// Remove takes a document out and reports whether it was there. A search that began before may still return it.
func (x *Index) Remove(ctx context.Context, doc int64) (bool, error) {
	err := x.edit(ctx, func(d *draft) error {
		if !d.remove(doc) {
			return errUnchanged
		}
		return nil
	})
	if errors.Is(err, errUnchanged) {
		return false, nil
	}
	return err == nil, err
}
