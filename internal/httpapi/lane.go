package httpapi

import (
	"context"
	"fmt"
	"sync"
	"time"

	"weir/internal/rag"
)

// lane bounds how many there are of one kind of request.
type lane struct {
	what   string
	places chan struct{}
}

func newLane(what string, places int) lane {
	return lane{what: what, places: make(chan struct{}, places)}
}

// enter takes a place, waiting up to patience for one.
func (l lane) enter(ctx context.Context, patience time.Duration) (leave func(), err error) {
	leave = sync.OnceFunc(func() { <-l.places })
	select {
	case l.places <- struct{}{}:
		return leave, nil
	default:
	}
	if patience > 0 {
		t := time.NewTimer(patience)
		defer t.Stop()
		select {
		case l.places <- struct{}{}:
			return leave, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-t.C:
		}
	}
	return nil, &rag.Error{
		Code: rag.Overloaded, Phase: "queue", RetryAfter: time.Second,
		Msg: fmt.Sprintf("all %d places for %s are taken", cap(l.places), l.what),
	}
}

func (l lane) look() Lane { return Lane{Now: len(l.places), Max: cap(l.places)} }
