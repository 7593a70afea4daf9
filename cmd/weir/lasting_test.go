package main

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/rag"
)

// asked is a library that keeps what it was asked.
type asked struct {
	library
	last rag.Request
}

func (a *asked) Retrieve(_ context.Context, _ rag.User, r rag.Request) (*rag.Response, error) {
	a.last = r
	return &rag.Response{}, nil
}

// TestCallsWhileTheFolderChangesHands: they end by their deadline, however long
// that takes, and what they waited is taken off it.
func TestCallsWhileTheFolderChangesHands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var opens atomic.Int64
		first, second := &asked{}, &asked{}
		closed := 0
		took := 4 * time.Second
		l, err := newLasting(func() (*opened, error) {
			o := &opened{library: first, timeout: 10 * time.Second, close: func() error { closed++; return nil }}
			if opens.Add(1) > 1 {
				<-time.NewTimer(took).C // virtual
				o.library, o.server = second, "127.0.0.1:1"
			}
			return o, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			l.handOver(ctx, func() bool { return true })
		}()
		held := l.now.Load()
		if !held.calls.enter() {
			t.Fatal("nobody is let in")
		}
		<-time.NewTimer(time.Second).C
		if closed != 0 {
			t.Error("it was closed under a call")
		}
		held.calls.leave()
		synctest.Wait()
		if closed != 1 {
			t.Errorf("closed %d times", closed)
		}
		if _, err := l.Retrieve(t.Context(), "u", rag.Request{}); err != nil || second.last.TimeoutMS != 6000 || opens.Load() != 2 {
			t.Errorf("%v, %+v, opened %d times", err, second.last, opens.Load())
		}
		if _, err := l.Retrieve(t.Context(), "u", rag.Request{TimeoutMS: 5000}); err != nil || second.last.TimeoutMS != 5000 {
			t.Errorf("%v, %+v", err, second.last)
		}

		took = time.Minute
		l.now.Load().calls.end()
		began := time.Now()
		var e *rag.Error
		if _, err := l.Retrieve(t.Context(), "u", rag.Request{}); !errors.As(err, &e) || e.Code != rag.Unavailable || time.Since(began) != 10*time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		cancel()
		<-gone
		if err := l.close(); err != nil || time.Since(began) != time.Minute {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}
