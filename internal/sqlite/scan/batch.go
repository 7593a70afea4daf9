package scan

import (
	"context"
	"fmt"
	"slices"
)

// batch is one call of a Fetcher.
type batch struct {
	items []item // by ref
	refs  []Ref
	dst   [][]float32
	found []bool
	buf   []float32
}

// item is a vector to read and the caller's number for it.
type item struct {
	ref  Ref
	from int
}

func (b *batch) start() { b.items = b.items[:0] }

func (b *batch) add(r Ref, from int) { b.items = append(b.items, item{r, from}) }

// read fills dst and found, which go with items, now in ascending order of their refs. Refs must differ.
func (b *batch) read(ctx context.Context, dim int, fetch Fetcher) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	n := len(b.items)
	if n == 0 {
		return nil
	}
	slices.SortFunc(b.items, func(p, q item) int { return p.ref.Compare(q.ref) })
	b.refs, b.dst, b.found, b.buf = resize(b.refs, n), resize(b.dst, n), resize(b.found, n), resize(b.buf, n*dim)
	for i, it := range b.items {
		b.refs[i] = it.ref
		b.dst[i] = b.buf[i*dim : (i+1)*dim : (i+1)*dim]
		b.found[i] = false
	}
	err := fetch.Fetch(ctx, b.refs, b.dst, b.found)
	if cause := ctx.Err(); cause != nil {
		return cause
	}
	if err != nil {
		return fmt.Errorf("scan: read %d vectors: %w", n, err)
	}
	return nil
}

// forget lets go of what a Fetcher may have put into dst.
func (b *batch) forget() { clear(b.dst[:cap(b.dst)]) }
