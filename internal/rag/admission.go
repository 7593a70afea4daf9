package rag

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// slots bounds the calls in flight: one element per taken place.
type slots chan struct{}

// take waits for a place, at most until half of what is left before ctx's
// deadline is over: an answer begun later would not be ready in time.
func (s slots) take(ctx context.Context) (*place, error) {
	select {
	case s <- struct{}{}:
		return newPlace(s), nil
	default:
	}
	var enough <-chan time.Time
	if d, ok := ctx.Deadline(); ok {
		t := time.NewTimer(time.Until(d) / 2)
		defer t.Stop()
		enough = t.C
	}
	select {
	case s <- struct{}{}:
		return newPlace(s), nil
	case <-ctx.Done():
		return nil, ended(ctx)
	case <-enough:
		return nil, &Error{
			Code: Overloaded, Phase: "queue", RetryAfter: time.Second,
			Msg: fmt.Sprintf("all %d places for calls are taken", cap(s)),
		}
	}
}

// place is one taken slot. The call holds it, and so does each piece of work
// begun for the call: a caller who leaves at the deadline does not free the
// place of work that still runs.
type place struct {
	slots   slots
	holders atomic.Int32
}

func newPlace(s slots) *place {
	p := &place{slots: s}
	p.holders.Store(1)
	return p
}

func (p *place) hold() { p.holders.Add(1) }

func (p *place) release() {
	if p.holders.Add(-1) == 0 {
		<-p.slots
	}
}

// stage runs f as a piece of the call's work: the caller leaves when ctx ends,
// the place stays taken until f has returned.
func stage[T any](ctx context.Context, p *place, f func() (T, error)) (T, error) {
	p.hold()
	if ctx.Err() != nil {
		p.release()
		var zero T
		return zero, ended(ctx)
	}
	return await(ctx, func() (T, error) {
		defer p.release()
		return f()
	})
}
