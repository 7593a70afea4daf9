package chat

import (
	"slices"
	"time"

	"weir/internal/rag"
)

// places are the answers that may be written at a time, and the line of those
// who wait for one. The next place goes to whoever's user has the fewest, of
// these to who came first; no user has more than share. There are fewer while the
// provider says that it is asked too often (429); each good answer brings one
// back. It is a plain value, not safe for concurrent use.
type places struct {
	most, share int
	limit       float64   // of these, now
	cut         time.Time // when limit last fell
	taken       int
	held        map[rag.User]int
	line        []*waiter // in the order of coming
}

// waiter is a caller in the line.
type waiter struct {
	user rag.User
	done bool          // it has its place, or err
	err  *rag.Error    // why it gets none
	told chan struct{} // closed when done
}

func newPlaces(most int, share float64) places {
	return places{most: most, limit: float64(most), share: max(1, int(share*float64(most))), held: map[rag.User]int{}}
}

// take takes a place for u if there is one and nobody waits who could have it.
func (p *places) take(u rag.User) bool {
	if p.taken >= int(p.limit) || p.held[u] >= p.share {
		return false
	}
	p.taken++
	p.held[u]++
	return true
}

// give gives a place of u back, to the next in the line.
func (p *places) give(u rag.User) {
	p.taken--
	if p.held[u]--; p.held[u] == 0 {
		delete(p.held, u)
	}
	p.serve()
}

// serve hands out what is free.
func (p *places) serve() {
	for p.taken < int(p.limit) {
		var next *waiter
		for _, w := range p.line {
			if p.held[w.user] < p.share && (next == nil || p.held[w.user] < p.held[next.user]) {
				next = w
			}
		}
		if next == nil {
			return
		}
		p.taken++
		p.held[next.user]++
		p.tell(next, nil)
	}
}

// wait puts u in the line.
func (p *places) wait(u rag.User) *waiter {
	w := &waiter{user: u, told: make(chan struct{})}
	p.line = append(p.line, w)
	return w
}

// quit takes w out of the line, or gives back the place that it was given at
// the same moment.
func (p *places) quit(w *waiter) {
	switch {
	case !w.done:
		p.leave(w)
	case w.err == nil:
		p.give(w.user)
	}
}

func (p *places) leave(w *waiter) {
	p.line = slices.DeleteFunc(p.line, func(o *waiter) bool { return o == w })
}

func (p *places) tell(w *waiter, err *rag.Error) {
	p.leave(w)
	w.done, w.err = true, err
	close(w.told)
}

// refuse ends the waiting of all.
func (p *places) refuse(err *rag.Error) {
	for len(p.line) > 0 {
		p.tell(p.line[0], err)
	}
}

// shrinkBy is what is left of the limit when the provider has had too much.
const shrinkBy = 0.7

// strained notes that an attempt that began then was one too many. Those that
// were under way together count once.
func (p *places) strained(began, now time.Time) {
	if !began.After(p.cut) {
		return
	}
	p.limit = max(1, p.limit*shrinkBy)
	p.cut = now
}

// answered notes a good answer.
func (p *places) answered() {
	p.limit = min(p.limit+1, float64(p.most))
	p.serve()
}

// waiting counts the line, and those of u in it.
func (p *places) waiting(u rag.User) (all, of int) {
	for _, w := range p.line {
		if w.user == u {
			of++
		}
	}
	return len(p.line), of
}
