package scan

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// What an Index refuses.
var (
	ErrClosed   = errors.New("scan: index is closed")
	ErrExists   = errors.New("scan: document is there already")
	ErrCenter   = errors.New("scan: center does not fit")
	ErrTooLarge = errors.New("scan: too many vectors in one index")
)

// smallRows: up to here, if all vectors are kept, comparing them all takes less time than looking at the codes first
// (measured, hot, 384 and 1536 dimensions: half at 200 rows, the same at 300 to 400, twice as much at 1,000).
const smallRows = 256

// maxRows bounds an index, so that a row's number fits where it is packed.
const maxRows = 1 << 30

// Config says what an Index is made of.
type Config struct {
	// Dim is the number of dimensions, 1 to MaxDim. It has no default.
	Dim int
	// Vectors keeps full-precision vectors that were read. It must be new, of the same Dim, and belongs to the Index from
	// then on. Defaults to nil: every vector that a search needs is read through its Fetcher.
	Vectors *Vectors
}

// Index holds the codes of one user's documents. Searches see a snapshot and never wait; writers take turns. All methods
// may be called by many at once.
type Index struct {
	dim     int
	rot     rotation
	use     isa
	small   int // smallRows, but for tests: a search of at most so many rows, all of them kept, compares them all
	vectors *Vectors
	cur     atomic.Pointer[snapshot] // nil once closed
	writing chan struct{}            // holds one element while somebody writes
	pool    sync.Pool                // of *search
}

// New makes an empty Index. Its memory lies outside the garbage collector's reach: it must be closed.
func New(cfg Config) (*Index, error) {
	if err := checkDim(cfg.Dim); err != nil {
		return nil, err
	}
	if v := cfg.Vectors; v != nil {
		if v.dim != cfg.Dim {
			return nil, fmt.Errorf("%w: Vectors of %d dimensions, want %d", ErrVector, v.dim, cfg.Dim)
		}
		if v.owned.Swap(true) {
			return nil, errors.New("scan: Vectors belongs to another index")
		}
	}
	x := &Index{dim: cfg.Dim, rot: newRotation(cfg.Dim), use: detect(), small: smallRows, vectors: cfg.Vectors, writing: make(chan struct{}, 1)}
	s := &snapshot{}
	s.refs.Store(1)
	x.cur.Store(s)
	return x, nil
}

// Close makes every later call fail with ErrClosed and returns the memory as soon as the searches that are under way have
// ended. It does not wait for them, and may be called more than once.
func (x *Index) Close() {
	if s := x.cur.Swap(nil); s != nil {
		s.release()
		if x.vectors != nil {
			x.vectors.release()
		}
	}
}

// acquire takes part in the present snapshot; the caller releases it.
func (x *Index) acquire() (*snapshot, error) {
	for {
		s := x.cur.Load()
		if s == nil {
			return nil, ErrClosed
		}
		if s.retain() {
			return s, nil
		}
	}
}

// Dim is the number of dimensions.
func (x *Index) Dim() int { return x.dim }

// Len is the number of vectors that a search now would see; 0 once closed.
func (x *Index) Len() int {
	s, err := x.acquire()
	if err != nil {
		return 0
	}
	defer s.release()
	return s.rows
}

// Docs is the number of documents that a search now would see; 0 once closed.
func (x *Index) Docs() int {
	s, err := x.acquire()
	if err != nil {
		return 0
	}
	defer s.release()
	return len(s.docs)
}

// Has reports whether a document is there.
func (x *Index) Has(doc int64) bool {
	s, err := x.acquire()
	if err != nil {
		return false
	}
	defer s.release()
	_, found := s.find(doc)
	return found
}

// Bytes is the memory in use: codes, descriptors, centers, and kept Vectors; 0 once closed. Memory that only a search
// under way still looks at is not in it.
func (x *Index) Bytes() int64 {
	s, err := x.acquire()
	if err != nil {
		return 0
	}
	defer s.release()
	n := s.bytes() + int64(8*len(x.rot.signs))
	if x.vectors != nil {
		n += x.vectors.Bytes()
	}
	return n
}

// edit runs change on a draft of the next state, one writer at a time, and publishes it. Waiting for a turn ends with ctx.
// When change fails or nothing was changed the state stays what it was.
func (x *Index) edit(ctx context.Context, change func(d *draft) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case x.writing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-x.writing }()
	base, err := x.acquire()
	if err != nil {
		return err
	}
	defer base.release()
	d := newDraft(base, x.rot.padded/wordBits, x.vectors)
	if err := change(d); err != nil {
		d.drop()
		return err
	}
	next := d.finish()
	if !x.cur.CompareAndSwap(base, next) { // only Close can have come between
		next.release()
		return ErrClosed
	}
	base.release() // the index's own part in it
	return nil
}
