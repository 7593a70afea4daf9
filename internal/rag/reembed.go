package rag

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Reembedder is a Store whose documents can be moved to another model while
// searches go on with the one in use.
//
// The vectors of the new model are made beside those in use, document by
// document, and are kept if the work is broken off; SwitchModel then changes
// all documents over in one step. Of all who work on the store one at a time
// does so: the one who has the lease. PutMoved, Prepare, SwitchModel and
// RenewMove return ErrMoveLost, and change nothing, once another has it.
type Reembedder interface {
	// LiveModel is the model that questions are to be asked with, and that
	// Publish takes; zero: nobody said, and there are no vectors.
	LiveModel(ctx context.Context) (Model, error)
	// UseModel makes m the model in use, unless a Ready document has vectors of
	// another: that is a Conflict error. From then on Publish refuses vectors of
	// any other model, with a Conflict error too. Nothing is written when m is
	// in use already.
	UseModel(ctx context.Context, m Model) error
	// BeginMove takes the lease for ttl, and goes on with what was made for m
	// before. While another has it, whatever model they move to, it is the error
	// of [MoveUnderWay]. One that has run out can be taken by anybody; until
	// somebody does, its holder may go on.
	BeginMove(ctx context.Context, m Model, ttl time.Duration) (MoveLease, error)
	// RenewMove has the lease run for ttl from now on.
	RenewMove(ctx context.Context, l MoveLease, ttl time.Duration) error
	// EndMove gives the lease back. It does nothing when that is lost.
	EndMove(ctx context.Context, l MoveLease) error
	// Outdated returns the next Ready document, over all users, that is not
	// prepared for m, in the order of Outdated.Order and beyond after; nil: there is none.
	Outdated(ctx context.Context, m Model, after int64) (*Outdated, error)
	// Unmoved returns up to limit chunks of a document without a vector of m.
	Unmoved(ctx context.Context, o Outdated, m Model, limit int) ([]Chunk, error)
	// PutMoved stores vectors of l.To, like Queue.PutVectors.
	PutMoved(ctx context.Context, l MoveLease, o Outdated, indexes []int, vectors [][]float32) error
	// Prepare makes what SwitchModel needs of a document all of whose chunks
	// have a vector of l.To; else it is a Conflict error.
	Prepare(ctx context.Context, l MoveLease, o Outdated) error
	// Moved counts the chunks of Ready documents that have a vector of m.
	Moved(ctx context.Context, m Model) (Progress, error)
	// SwitchModel makes l.To the model in use and of all Ready documents, or,
	// when some are not prepared for it, does nothing and returns how many.
	SwitchModel(ctx context.Context, l MoveLease) (left int, err error)
}

// Outdated is a document that is to be moved to another model. When it is
// deleted meanwhile, the operations on it return a NotFound error.
type Outdated struct {
	User  User
	DocID string
	Order int64
}

// current is the embedder in use. It changes at the end of a move, of this server
// or another.
type current struct {
	mu     sync.Mutex
	in     Embedder
	moving chan struct{} // closed when the change is over; nil: there is none
}

func (c *current) get() Embedder {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.in
}

func (c *current) replace(in Embedder) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.in = in
}

// settled waits until no change is under way, and returns the embedder in use.
func (c *current) settled(ctx context.Context) (Embedder, error) {
	c.mu.Lock()
	moving := c.moving
	c.mu.Unlock()
	if moving != nil {
		select {
		case <-moving:
		case <-ctx.Done():
			return nil, ended(ctx)
		}
	}
	return c.get(), nil
}

// change runs f, which changes the store over, and puts next in place if f
// says that it did. A search that met the store in between waits in settled.
func (c *current) change(next Embedder, f func() (bool, error)) error {
	c.mu.Lock()
	c.moving = make(chan struct{})
	c.mu.Unlock()
	done, err := f()
	c.mu.Lock()
	defer c.mu.Unlock()
	if done {
		c.in = next
	}
	close(c.moving)
	c.moving = nil
	return err
}

// errMoved says that the model in use changed under a search.
var errMoved = errors.New("the model in use has changed")

// Reembed moves all documents to the model of next, which is in use from then
// on, and tells report how far it is. Until then questions are answered from
// the vectors there are. What is done is kept when it returns an error: it
// goes on there the next time. While another move is under way, of this server
// or another, it is a Conflict error.
func (s *Service) Reembed(ctx context.Context, next Embedder, report func(Move)) error {
	store, err := s.movable(next)
	if err != nil {
		return err
	}
	lease, err := store.BeginMove(ctx, next.Model(), s.cfg.Lease)
	if err != nil {
		return err
	}
	return s.moveAll(ctx, store, next, newMove(lease), lease, report)
}

// movable is the store, where its documents can be moved to the model of next.
func (s *Service) movable(next Embedder) (Reembedder, error) {
	store, ok := s.store.(Reembedder)
	switch {
	case !ok:
		return nil, Errorf(Invalid, "this store cannot move its documents to another model")
	case next.Model() == (Model{}):
		return nil, Errorf(Invalid, "there is no embedder to move the documents to (WEIR_EMBEDDER=none)")
	}
	return store, nil
}

// move is one way of all documents from model to model.
type move struct {
	s      *Service
	store  Reembedder
	next   Embedder
	lease  MoveLease
	now    Move // as it was last told
	report func(Move)
	told   time.Time

	refused int   // documents that next will never embed, of the latest round
	last    error // why the last of them
}

// run prepares all documents and changes them over.
func (v *move) run(ctx context.Context) error {
	for {
		if err := v.all(ctx); err != nil {
			return err
		}
		left := 0
		err := v.s.current.change(v.next, func() (done bool, err error) {
			left, err = v.store.SwitchModel(ctx, v.lease)
			return err == nil && left == 0, err
		})
		if err != nil {
			return err
		}
		if left == 0 {
			v.s.following.settle(v.lease.To)
			return v.tell(ctx)
		}
		if v.refused > 0 {
			return &Error{
				Code: Conflict, Err: v.last,
				Msg: fmt.Sprintf("%d documents have a passage that %s refuses, and nothing was changed over; the log names them: delete them and go on. The last refusal: %s",
					v.refused, v.lease.To.Name, message(v.last)),
			}
		}
		// Documents came in meanwhile.
	}
}

// all prepares every document that is there.
func (v *move) all(ctx context.Context) error {
	after := int64(0)
	v.refused = 0
	for {
		if time.Since(v.told) > time.Second {
			if err := v.tell(ctx); err != nil {
				return err
			}
		}
		o, err := v.store.Outdated(ctx, v.lease.To, after)
		if err != nil || o == nil {
			return err
		}
		after = o.Order
		switch err := v.document(ctx, *o); {
		case err == nil, CodeOf(err) == NotFound: // it was deleted
		case permanent(err) && ctx.Err() == nil:
			v.refused++
			v.last = err
			v.s.cfg.Log.ErrorContext(ctx, "a document cannot be moved to another model", append(forLog(err), "document", o.DocID)...)
		default:
			return err
		}
	}
}

func (v *move) tell(ctx context.Context) error {
	v.told = time.Now()
	p, err := v.store.Moved(ctx, v.lease.To)
	if err == nil && v.report != nil {
		v.now.Progress = p
		v.report(v.now)
	}
	return err
}

// movePatience is how often a batch is tried; between tries it waits as ingest does.
const movePatience = 8

func (v *move) document(ctx context.Context, o Outdated) error {
	again := 0
	for {
		chunks, err := v.store.Unmoved(ctx, o, v.lease.To, v.next.MaxBatch())
		if err != nil {
			return err
		}
		if len(chunks) == 0 {
			err := v.store.Prepare(ctx, v.lease, o)
			if again++; CodeOf(err) == Conflict && again < maxFollowed {
				continue // a server of an older Weir, which knows no lease, ended a move of its own, and with it went what was made
			}
			return err
		}
		indexes, texts := make([]int, len(chunks)), make([]string, len(chunks))
		for i, c := range chunks {
			indexes[i], texts[i] = c.Index, embeddedText(c)
		}
		vectors, err := v.embed(ctx, o.User, texts)
		if err != nil {
			return err
		}
		if err := v.store.PutMoved(ctx, v.lease, o, indexes, vectors); err != nil {
			return err
		}
		if time.Since(v.told) > time.Second {
			if err := v.tell(ctx); err != nil {
				return err
			}
		}
	}
}

// embed bears with a provider that is in trouble for some minutes.
func (v *move) embed(ctx context.Context, user User, texts []string) ([][]float32, error) {
	for try := 1; ; try++ {
		vectors, err := await(ctx, func() ([][]float32, error) { return v.next.Embed(ctx, user, ForIngest, texts) })
		if err == nil && len(vectors) != len(texts) {
			return nil, Errorf(Internal, "the embedder answered %d vectors for %d texts", len(vectors), len(texts))
		}
		if err == nil || permanent(err) || try == movePatience || ctx.Err() != nil {
			return vectors, err
		}
		wait := backoff(try, err)
		v.s.cfg.Log.WarnContext(ctx, "moving documents to another model waits for the embedder", "attempt", try, "wait", wait, "error", err)
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return nil, ended(ctx)
		}
	}
}
