package rag

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"
)

// MaxFilenameBytes is the longest filename.
const MaxFilenameBytes = 1024

// MaxPage is the most documents one page of a list holds.
const MaxPage = 200

// Upload stores a document durably and queues it. created is false when the
// user has a document of the same content already, which is then returned.
func (s *Service) Upload(ctx context.Context, user User, n NewDocument) (doc Document, created bool, err error) {
	if err := checkUser(user); err != nil {
		return Document{}, false, err
	}
	if err := permit(ctx, MayWrite); err != nil {
		return Document{}, false, err
	}
	n.Filename = strings.TrimSpace(n.Filename)
	switch {
	case n.Filename == "":
		return Document{}, false, FieldErrorf("filename", "must not be empty")
	case len(n.Filename) > MaxFilenameBytes:
		return Document{}, false, FieldErrorf("filename", "is %d bytes long; the limit is %d", len(n.Filename), MaxFilenameBytes)
	case !utf8.ValidString(n.Filename) || strings.ContainsFunc(n.Filename, unprintable):
		return Document{}, false, FieldErrorf("filename", "must be valid UTF-8 without control characters")
	case len(n.Content) == 0:
		return Document{}, false, FieldErrorf("file", "%s is empty (0 bytes)", n.Filename)
	case int64(len(n.Content)) > s.cfg.MaxFileBytes:
		return Document{}, false, &Error{
			Code: TooLarge, Field: "file",
			Msg: Errorf(TooLarge, "%s is %d bytes long; the limit is %d", n.Filename, len(n.Content), s.cfg.MaxFileBytes).Msg,
		}
	}
	sum := sha256.Sum256(n.Content)
	n.SHA256 = hex.EncodeToString(sum[:])
	type added struct {
		doc     Document
		created bool
	}
	a, err := call1(ctx, s, "upload", func(ctx context.Context) (added, error) {
		doc, created, err := s.store.Add(ctx, user, n)
		return added{doc, created}, err
	})
	if err == nil && a.created {
		s.knock()
	}
	return a.doc, a.created, err
}

// unprintable tells what has no business in a name: controls, line ends, and
// what turns the direction of writing, so that a name is not what it seems.
func unprintable(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}

// Document returns one document.
func (s *Service) Document(ctx context.Context, user User, id string) (Document, error) {
	if err := checkUser(user); err != nil {
		return Document{}, err
	}
	return call1(ctx, s, "document", func(ctx context.Context) (Document, error) { return s.store.Document(ctx, user, id) })
}

// Documents lists the user's documents, newest first.
func (s *Service) Documents(ctx context.Context, user User, p Page) (docs []Document, next string, err error) {
	if err := checkUser(user); err != nil {
		return nil, "", err
	}
	if p.Limit == 0 {
		p.Limit = 50
	}
	if p.Limit < 1 || p.Limit > MaxPage {
		return nil, "", FieldErrorf("limit", "must be from 1 to %d, not %d", MaxPage, p.Limit)
	}
	switch p.Status {
	case "", Queued, Parsing, Embedding, Ready, Failed, Cancelled:
	default:
		return nil, "", FieldErrorf("status", "must be queued, parsing, embedding, ready, failed or canceled, not %q", string(p.Status))
	}
	type page struct {
		docs []Document
		next string
	}
	l, err := call1(ctx, s, "documents", func(ctx context.Context) (page, error) {
		docs, next, err := s.store.Documents(ctx, user, p)
		return page{docs, next}, err
	})
	return l.docs, l.next, err
}

// MaxPassages is the most passages one call of Passages returns.
const MaxPassages = 100

// Passages returns up to limit passages of one document in their order, those
// from index first on; neighbouring ones may overlap. next is where to go on, 0
// after the last. A document that is not Ready has none. limit 0 stands for 50.
func (s *Service) Passages(ctx context.Context, user User, id string, first, limit int) (passages []Passage, next int, err error) {
	if limit == 0 {
		limit = MaxPassages / 2
	}
	switch err := checkUser(user); {
	case err != nil:
		return nil, 0, err
	case first < 0 || first > math.MaxInt32:
		return nil, 0, FieldErrorf("first", "must be from 0 to %d, not %d", math.MaxInt32, first)
	case limit < 1 || limit > MaxPassages:
		return nil, 0, FieldErrorf("limit", "must be from 1 to %d, not %d", MaxPassages, limit)
	}
	type part struct {
		chunks []Chunk
		next   int
	}
	p, err := call1(ctx, s, "passages", func(ctx context.Context) (part, error) {
		doc, err := s.store.Document(ctx, user, id)
		if err != nil || doc.Status != Ready {
			return part{}, err
		}
		chunks, next, err := s.chunksFrom(ctx, user, doc, first, limit)
		return part{chunks, next}, err
	})
	if err != nil {
		return nil, 0, err
	}
	passages = make([]Passage, len(p.chunks))
	for i, c := range p.chunks {
		passages[i] = passage(c)
	}
	return passages, p.next, nil
}

func (s *Service) chunksFrom(ctx context.Context, user User, doc Document, first, limit int) (chunks []Chunk, next int, err error) {
	if sparse, ok := s.store.(Sparse); ok {
		chunks, err = sparse.ChunksFrom(ctx, user, doc.ID, first, limit+1)
		if len(chunks) > limit { // the one too many is where to go on
			next, chunks = chunks[limit].Index, chunks[:limit]
		}
		return chunks, next, err
	}
	refs := make([]Ref, limit)
	for i := range refs {
		refs[i] = Ref{doc.ID, first + i}
	}
	if first+limit < doc.Chunks {
		next = first + limit
	}
	chunks, err = s.store.Chunks(ctx, user, refs)
	return chunks, next, err
}

// Delete removes a document and all that belongs to it.
func (s *Service) Delete(ctx context.Context, user User, id string) error {
	if err := checkUser(user); err != nil {
		return err
	}
	if err := permit(ctx, MayWrite); err != nil {
		return err
	}
	_, err := call1(ctx, s, "delete", func(ctx context.Context) (struct{}, error) {
		return struct{}{}, s.store.Delete(ctx, user, id)
	})
	s.changes.tell(id)
	return err
}

// Cancel stops the work on a document for good.
func (s *Service) Cancel(ctx context.Context, user User, id string) (Document, error) {
	if err := checkUser(user); err != nil {
		return Document{}, err
	}
	if err := permit(ctx, MayWrite); err != nil {
		return Document{}, err
	}
	doc, err := call1(ctx, s, "cancel", func(ctx context.Context) (Document, error) { return s.store.Cancel(ctx, user, id) })
	s.changes.tell(id)
	return doc, err
}

// Watch calls fn with the document as it is, and again whenever it changed,
// until it is in a final status (then it returns nil), fn returns an error, or
// ctx ends. It has no deadline of its own.
func (s *Service) Watch(ctx context.Context, user User, id string, fn func(Document) error) error {
	// A change made by another server on the same store reaches us by the tick.
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var last Document
	for first := true; ; first = false {
		changed, stop := s.changes.of(id) // before the look, so that no change falls between
		doc, err := s.Document(unseen(ctx), user, id)
		if err == nil && (first || doc.changedSince(last)) {
			last = doc
			err = fn(doc)
		}
		if err != nil || doc.Status.Final() {
			stop()
			return err
		}
		select {
		case <-changed:
		case <-tick.C:
		case <-ctx.Done():
			stop()
			return ended(ctx)
		}
		stop()
	}
}

// Wait returns the document once it is in a final status.
func (s *Service) Wait(ctx context.Context, user User, id string) (Document, error) {
	var doc Document
	err := s.Watch(ctx, user, id, func(d Document) error { doc = d; return nil })
	return doc, err
}

func (d Document) changedSince(o Document) bool {
	return d.Status != o.Status || d.Progress != o.Progress || d.Waiting != o.Waiting
}

// call1 runs one short store operation under the call's deadline, seen in
// Status.
func call1[T any](ctx context.Context, s *Service, operation string, f func(context.Context) (T, error)) (T, error) {
	ctx, cancel := s.deadline(ctx, 0)
	defer cancel()
	var got T
	err := s.observed(ctx, operation, func(ctx context.Context, c *call, _ *CallEnd) (err error) {
		c.enter("store")
		got, err = await(ctx, func() (T, error) { return f(ctx) })
		return err
	})
	return got, err
}

// changes tells watchers of a document that it moved.
type changes struct {
	mu       sync.Mutex
	watchers map[string]map[chan struct{}]struct{}
}

func (c *changes) of(id string) (<-chan struct{}, func()) {
	ch := make(chan struct{}, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.watchers == nil {
		c.watchers = map[string]map[chan struct{}]struct{}{}
	}
	if c.watchers[id] == nil {
		c.watchers[id] = map[chan struct{}]struct{}{}
	}
	c.watchers[id][ch] = struct{}{}
	return ch, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.watchers[id], ch)
		if len(c.watchers[id]) == 0 {
			delete(c.watchers, id)
		}
	}
}

func (c *changes) tell(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for ch := range c.watchers[id] {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}
