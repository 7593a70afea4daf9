package httpapi

import (
	"sync"
	"time"

	"weir/internal/rag"
)

// budget bounds the bytes that requests hold in memory: JSON bodies are read
// before anything knows what they ask for, and an answer with many vectors is a
// thousand times longer than its question.
type budget struct {
	max int64

	mu   sync.Mutex
	held int64
}

// take notes n bytes as held, or refuses them. It never waits.
func (b *budget) take(n int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n > b.max-b.held {
		return &rag.Error{
			Code: rag.Overloaded, Phase: "queue", RetryAfter: time.Second,
			Msg: "the requests under way hold as much memory as they may (" + size(b.max) + ")",
		}
	}
	b.held += n
	return nil
}

func (b *budget) give(n int64) {
	b.mu.Lock()
	b.held -= n
	b.mu.Unlock()
}

func (b *budget) look() Lane {
	b.mu.Lock()
	defer b.mu.Unlock()
	return Lane{Now: int(b.held), Max: int(b.max)}
}

// hold has x hold n bytes more, until its answer is written.
func (d *door) hold(x *exchange, n int64) error {
	if n > d.bodies.max {
		return &rag.Error{Code: rag.TooLarge, Phase: "queue", Msg: "this call alone needs more memory than all may hold (" + size(d.bodies.max) + "); ask for less at a time"}
	}
	if err := d.bodies.take(n); err != nil {
		return err
	}
	x.holds += n
	return nil
}

// holdBody takes what the body of rt is going to need, before any of it is
// read. One that is too long is left to limit, which says so.
func (d *door) holdBody(x *exchange, rt route) error {
	switch declared := x.r.ContentLength; {
	case declared > rt.most:
		return nil
	case declared < 0:
		return d.hold(x, rt.most)
	default:
		return d.hold(x, declared)
	}
}

// letGo gives back all that x holds.
func (d *door) letGo(x *exchange) {
	d.bodies.give(x.holds)
	x.holds = 0
}
