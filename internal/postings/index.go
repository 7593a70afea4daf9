package postings

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// Index is the lexical index of one user. Searches never wait; they see the
// documents that were in the index when they began. Add and Remove wait for
// one another.
type Index struct {
	cfg     Config
	current atomic.Pointer[snapshot]
	writer  chan struct{} // holds one token while somebody writes
	scratch sync.Pool     // of *scratch
}

// Document is one document for Load: its key and the bytes that
// Builder.Segment made of it.
type Document struct {
	Key     int64
	Segment []byte
}

// loadChunks is the size of the shards that Load makes: half the greatest, so
// that a large index is built on several cores.
const loadChunks = shardChunks / 2

// New returns an empty index.
func New(cfg Config) *Index {
	ix := &Index{cfg: cfg.withDefaults(), writer: make(chan struct{}, 1)}
	ix.scratch.New = func() any { return new(scratch) }
	ix.current.Store(newSnapshot(nil))
	return ix
}

// Load builds an index of many documents at once, on up to GOMAXPROCS cores.
// It ends with the first error of the sequence, with an error that wraps
// ErrCorrupt and names the document, or with ctx's. Segments must stay
// unchanged until it returns; it keeps none of them.
func Load(ctx context.Context, cfg Config, documents iter.Seq2[Document, error]) (*Index, error) {
	ix := New(cfg)
	l := loader{cfg: ix.cfg, slots: make(chan struct{}, runtime.GOMAXPROCS(0))}
	ctx, l.stop = context.WithCancel(ctx)
	defer l.stop()
	err := l.read(ctx, documents)
	if err != nil {
		l.stop() // what is being built is for nothing
	}
	l.wg.Wait()
	if l.err != nil { // the reason why read was stopped, if it was
		err = l.err
	}
	if err != nil {
		return nil, err
	}
	parts := make([]part, len(l.shards))
	for i, s := range l.shards {
		parts[i] = whole(s)
	}
	ix.current.Store(newSnapshot(parts))
	return ix, nil
}

// loader builds shards while documents are read.
type loader struct {
	cfg   Config
	stop  context.CancelFunc
	slots chan struct{} // one token for every shard being built
	wg    sync.WaitGroup

	mu     sync.Mutex
	shards []*shard // in the order of reading
	err    error    // the first of a build
}

func (l *loader) read(ctx context.Context, documents iter.Seq2[Document, error]) error {
	pack := packer{room: loadChunks, full: func(pieces []piece) error { return l.start(ctx, pieces) }}
	seen := make(map[int64]struct{})
	for doc, err := range documents {
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if _, twice := seen[doc.Key]; twice {
			return fmt.Errorf("document %d given twice", doc.Key)
		}
		seen[doc.Key] = struct{}{}
		sections, err := split(doc.Segment)
		if err != nil {
			return fmt.Errorf("document %d: %w", doc.Key, err)
		}
		if err := pack.add(doc.Key, sections); err != nil {
			return err
		}
	}
	return pack.flush()
}

// start builds one shard in a goroutine of its own.
func (l *loader) start(ctx context.Context, pieces []piece) error {
	select {
	case l.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	l.mu.Lock()
	at := len(l.shards)
	l.shards = append(l.shards, nil)
	l.mu.Unlock()
	l.wg.Go(func() {
		defer func() { <-l.slots }()
		s, err := build(ctx, l.cfg, pieces)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.shards[at] = s
		if err != nil && l.err == nil {
			l.err = err
			l.stop()
		}
	})
	return nil
}

// Add makes a document searchable, whole and at once; one with the same key is
// replaced in the same moment. An error means that nothing has changed: it is
// ctx's, or wraps ErrCorrupt. Merging that falls due is done here, after the
// document is visible; if ctx ends during it, it is left to the next writer.
// The segment is not kept.
func (ix *Index) Add(ctx context.Context, key int64, segment []byte) error {
	sections, err := split(segment)
	if err != nil {
		return fmt.Errorf("document %d: %w", key, err)
	}
	var added []part
	pack := packer{room: shardChunks, full: func(pieces []piece) error {
		s, err := build(ctx, ix.cfg, pieces)
		if err == nil {
			added = append(added, whole(s))
		}
		return err
	}}
	if err := pack.add(key, sections); err != nil {
		return err
	}
	if err := pack.flush(); err != nil {
		return err
	}
	return ix.write(ctx, func(parts []part) []part {
		parts, _ = remove(parts, key)
		return append(parts, added...)
	})
}

// Remove takes a document out of the index, whole and at once. One that is not
// there is no error. An error is ctx's, and nothing has changed.
func (ix *Index) Remove(ctx context.Context, key int64) error {
	return ix.write(ctx, func(parts []part) []part {
		parts, found := remove(parts, key)
		if !found {
			return nil
		}
		return parts
	})
}

func remove(parts []part, key int64) (left []part, found bool) {
	left = slices.Clone(parts)
	for i, p := range left {
		var here bool
		left[i], here = p.without(key)
		found = found || here
	}
	return left, found
}

// write replaces the snapshot by one of the parts that change returns, or
// leaves it if that is nil, and merges what has become due.
func (ix *Index) write(ctx context.Context, change func([]part) []part) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	select {
	case ix.writer <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-ix.writer }()
	parts := change(ix.current.Load().parts)
	if parts == nil {
		return nil
	}
	snap := newSnapshot(parts)
	ix.current.Store(snap)
	for {
		due := mergeable(snap.parts)
		if due == nil {
			return nil
		}
		var from, rest []part
		for i, p := range snap.parts {
			if slices.Contains(due, i) {
				from = append(from, p)
			} else {
				rest = append(rest, p)
			}
		}
		s, err := merge(ctx, from)
		if err != nil {
			return nil // the change is made; only the tidying was cut short
		}
		snap = newSnapshot(append(rest, whole(s)))
		ix.current.Store(snap)
	}
}

// Chunks returns the number of chunks in the index.
func (ix *Index) Chunks() int { return ix.current.Load().chunks }

// Documents returns the number of documents with at least one chunk.
func (ix *Index) Documents() int { return ix.current.Load().docs }

// Bytes returns the memory the index holds, in bytes. During a merge its parts
// and its result exist together, and old snapshots live as long as the searches
// that use them.
func (ix *Index) Bytes() int64 { return ix.current.Load().bytes }

// Langs returns the languages of the documents, as given to Builder.Segment,
// sorted.
func (ix *Index) Langs() []string { return slices.Clone(ix.current.Load().langs) }

// Frequency returns how many chunks hold a term.
func (ix *Index) Frequency(term string) int {
	h, n := hashTerm(term), 0
	for _, p := range ix.current.Load().parts {
		n += p.frequency(p.find(h))
	}
	return n
}
