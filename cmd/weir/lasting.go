package main

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

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
func (l *lasting) close() error {
	l.turn <- struct{}{} // who opens has ended, whether or not somebody still waits for it
	return l.now.Load().close()
}

// renew opens anew, unless another call has done so since was. A call waits for
// it as long as it may take itself; what was begun goes on, for the next.
func (l *lasting) renew(ctx context.Context, was *opened) (*opened, error) {
	ctx, cancel := context.WithTimeout(ctx, was.timeout)
	defer cancel()
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if now := l.now.Load(); now != was {
		<-l.turn
		return now, nil
	}
	type outcome struct {
		fresh *opened
		err   error
	}
	done := make(chan outcome, 1)
	go func() {
		defer func() { <-l.turn }()
		fresh, err := l.open()
		if err == nil {
			l.store(fresh)
		}
		done <- outcome{fresh, err}
	}()
	select {
	case o := <-done:
		return o.fresh, o.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// lastingCall makes a call, and makes it again when it reached no server. All
// calls of a library may be made twice: the same content is stored once.
func lastingCall[T any](ctx context.Context, l *lasting, call func(*opened) (T, error)) (T, error) {
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
	began := time.Now()
	return lastingCall(ctx, l, func(lib *opened) (*rag.Response, error) {
		if waited := time.Since(began); waited > waitedLittle { // for the folder: the deadline is one for all of it
			r.TimeoutMS = max(cmp.Or(r.TimeoutMS, int(lib.timeout.Milliseconds()))-int(waited.Milliseconds()), 1)
			began = time.Now()
		}
		return lib.Retrieve(ctx, user, r)
	})
}

// waitedLittle is not taken off a deadline.
const waitedLittle = 50 * time.Millisecond

func (l *lasting) Upload(ctx context.Context, user rag.User, n rag.NewDocument) (doc rag.Document, created bool, err error) {
	doc, err = lastingCall(ctx, l, func(lib *opened) (d rag.Document, err error) {
		d, created, err = lib.Upload(ctx, user, n)
		return d, err
	})
	return doc, created, err
}

func (l *lasting) Watch(ctx context.Context, user rag.User, id string, fn func(rag.Document) error) error {
	_, err := lastingCall(ctx, l, func(lib *opened) (struct{}, error) { return struct{}{}, lib.Watch(ctx, user, id, fn) })
	return err
}

func (l *lasting) Document(ctx context.Context, user rag.User, id string) (rag.Document, error) {
	return lastingCall(ctx, l, func(lib *opened) (rag.Document, error) { return lib.Document(ctx, user, id) })
}

func (l *lasting) Documents(ctx context.Context, user rag.User, p rag.Page) (docs []rag.Document, next string, err error) {
	docs, err = lastingCall(ctx, l, func(lib *opened) (d []rag.Document, err error) {
		d, next, err = lib.Documents(ctx, user, p)
		return d, err
	})
	return docs, next, err
}

func (l *lasting) Passages(ctx context.Context, user rag.User, id string, first, limit int) (passages []rag.Passage, next int, err error) {
	passages, err = lastingCall(ctx, l, func(lib *opened) (p []rag.Passage, err error) {
		p, next, err = lib.Passages(ctx, user, id, first, limit)
		return p, err
	})
	return passages, next, err
}
