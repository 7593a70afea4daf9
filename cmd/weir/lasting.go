package main

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"weir/internal/rag"
)

// lasting is a library for a command that stays for hours. When the server
// that it goes through has gone, or a server was given the data folder, that is
// opened anew: by this process, or through whoever has it now.
type lasting struct {
	open func() (*opened, error) // takes holdPatience at most, and what opening a folder takes
	turn chan struct{}           // of 1: whoever opens has it
	now  atomic.Pointer[opened]
}

func newLasting(open func() (*opened, error)) (*lasting, error) {
	first, err := open()
	if err != nil {
		return nil, err
	}
	l := &lasting{open: open, turn: make(chan struct{}, 1)}
	l.store(first)
	return l, nil
}

// store puts o in use, which may be closed by whoever hands it over, and at the
// end.
func (l *lasting) store(o *opened) {
	o.close, o.calls = sync.OnceValue(o.close), newVisits()
	l.now.Store(o)
}

// enter returns what is in use, for a call that says when it leaves it.
func (l *lasting) enter(ctx context.Context) (*opened, error) {
	for {
		now := l.now.Load()
		if now.calls.enter() {
			return now, nil
		}
		if _, err := l.renew(ctx, now); err != nil {
			return nil, unreached(err)
		}
	}
}

// close is called when no call is under way any more.
func (l *lasting) close() error { return l.now.Load().close() }

// renew opens anew, unless another call has done so since was.
func (l *lasting) renew(ctx context.Context, was *opened) (*opened, error) {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if now := l.now.Load(); now != was {
		return now, nil
	}
	fresh, err := l.open()
	if err != nil {
		return nil, err
	}
	l.store(fresh)
	return fresh, nil
}

// lastingCall makes a call, and makes it again when it reached no server. All
// calls of a library may be made twice: the same content is stored once.
func lastingCall[T any](ctx context.Context, l *lasting, call func(library) (T, error)) (T, error) {
	now, err := l.enter(ctx)
	if err != nil {
		return *new(T), err
	}
	v, err := call(now)
	now.calls.leave()
	var e *rag.Error
	if now.server == "" || !errors.As(err, &e) || e.Code != rag.Unavailable || e.Phase != "dial" {
		return v, err
	}
	if _, openErr := l.renew(ctx, now); openErr != nil {
		return v, errors.Join(err, openErr)
	}
	fresh, err := l.enter(ctx)
	if err != nil {
		return v, err
	}
	defer fresh.calls.leave()
	return call(fresh)
}

func (l *lasting) Retrieve(ctx context.Context, user rag.User, r rag.Request) (*rag.Response, error) {
	return lastingCall(ctx, l, func(lib library) (*rag.Response, error) { return lib.Retrieve(ctx, user, r) })
}

func (l *lasting) Upload(ctx context.Context, user rag.User, n rag.NewDocument) (doc rag.Document, created bool, err error) {
	doc, err = lastingCall(ctx, l, func(lib library) (d rag.Document, err error) {
		d, created, err = lib.Upload(ctx, user, n)
		return d, err
	})
	return doc, created, err
}

func (l *lasting) Watch(ctx context.Context, user rag.User, id string, fn func(rag.Document) error) error {
	_, err := lastingCall(ctx, l, func(lib library) (struct{}, error) { return struct{}{}, lib.Watch(ctx, user, id, fn) })
	return err
}

func (l *lasting) Document(ctx context.Context, user rag.User, id string) (rag.Document, error) {
	return lastingCall(ctx, l, func(lib library) (rag.Document, error) { return lib.Document(ctx, user, id) })
}

func (l *lasting) Documents(ctx context.Context, user rag.User, p rag.Page) (docs []rag.Document, next string, err error) {
	docs, err = lastingCall(ctx, l, func(lib library) (d []rag.Document, err error) {
		d, next, err = lib.Documents(ctx, user, p)
		return d, err
	})
	return docs, next, err
}

func (l *lasting) Passages(ctx context.Context, user rag.User, id string, first, limit int) (passages []rag.Passage, next int, err error) {
	passages, err = lastingCall(ctx, l, func(lib library) (p []rag.Passage, err error) {
		p, next, err = lib.Passages(ctx, user, id, first, limit)
		return p, err
	})
	return passages, next, err
}
