package httpapi

import (
	"sync"
	"time"

	"weir/internal/rag"
)

// budget bounds the bytes that requests hold in memory: JSON bodies are read
// before anything knows what they ask for, and an answer with many vectors is a
// thousand times longer than its question. One user has half of it, or what one
// request may need if that is more.
type budget struct {
	max int64

	mu    sync.Mutex
	held  int64
	users map[rag.User]int64
}

// take notes n bytes as held by u, or refuses them. It never waits.
func (b *budget) take(u rag.User, n int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.users[u]+n > max(b.max/2, maxEmbeddings) && b.users[u] > 0 {
		return &rag.Error{
			Code: rag.RateLimited, Phase: "queue", RetryAfter: time.Second,
			Msg: "this user's requests under way hold as much memory as one user's may",
		}
	}
	if n > b.max-b.held {
		return &rag.Error{
			Code: rag.Overloaded, Phase: "queue", RetryAfter: time.Second,
			Msg: "the requests under way hold as much memory as they may (" + size(b.max) + ")",
		}
	}
	b.held += n
	if b.users == nil {
		b.users = map[rag.User]int64{}
	}
	b.users[u] += n
	return nil
}

func (b *budget) give(u rag.User, n int64) {
	if n == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held -= n
	if b.users[u] -= n; b.users[u] <= 0 {
		delete(b.users, u)
	}
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
	if err := d.bodies.take(x.user, n); err != nil {
		return err
	}
	x.holds += n
	return nil
}

// holdAnswer has x hold what its answer needs beyond what it holds: one who reads
// slowly, or not at all, has it in memory until WriteTimeout. Of short ones there
// are no more than requests.
func (d *door) holdAnswer(x *exchange, n int) error {
	if more := int64(n) - x.holds; more > 0 && n > firstHold && !x.always {
		return d.hold(x, more)
	}
	return nil
}

// firstHold is what is held for a body before any of it has come. The rest is
// taken as it comes, twice as much each time: a length that is only declared
// keeps nobody out.
const firstHold = 64 << 10

// holdBody takes what the body of rt needs, as it is read. One that is too long
// is left to limit, which says so.
func (d *door) holdBody(x *exchange, rt route) error {
	need := x.r.ContentLength
	if need > rt.most {
		return nil
	}
	if need < 0 {
		need = rt.most
	}
	first := min(need, firstHold)
	if err := d.hold(x, first); err != nil {
		return err
	}
	x.body.room = first
	x.body.more = func() error {
		n := min(max(x.body.room, 1), need-x.body.room)
		if n <= 0 {
			return nil // it is as long as it may be
		}
		if err := d.hold(x, n); err != nil {
			return err
		}
		x.body.room += n
		return nil
	}
	return nil
}

// letGo gives back all that x holds.
func (d *door) letGo(x *exchange) {
	d.bodies.give(x.user, x.holds)
	x.holds = 0
}
