package rag

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// admission bounds the calls that are worked on, those that wait, and what
// they hold in memory; one user has a share of each. What cannot be answered
// in time is refused at once, before it costs anything.
//
// Places are given by users in turn, so that who asks much waits for itself.
type admission struct {
	places  int     // calls worked on side by side
	line    int     // calls that wait for a place
	bytes   int64   // of memory that all of them may need
	share   float64 // of each of the three, that one user may have
	clients map[User]*client

	mu      sync.Mutex
	busy    int
	waiting int
	held    int64     // of bytes
	turns   []*client // who have calls waiting, whose turn it is first
	hold    time.Duration
	refused int64
}

// client is a user who has calls here.
type client struct {
	user    User
	busy    int
	held    int64
	waiting []*ticket
}

// ticket is a call that waits.
type ticket struct {
	place chan *place // with room for one: who gives does not wait
	bytes int64
}

func newAdmission(c Config) *admission {
	return &admission{
		places: c.MaxInFlight, line: c.MaxWaiting, bytes: c.MaxCallBytes, share: c.UserShare,
		clients: map[User]*client{},
	}
}

// part is what one user may have of n, one at least.
func (a *admission) part(n int) int { return max(1, int(a.share*float64(n))) }

// take waits for a place, at most until half of what is left before ctx's
// deadline is over: an answer begun later would not be ready in time. bytes is
// what the call may need in memory.
func (a *admission) take(ctx context.Context, u User, bytes int64) (*place, error) {
	var left time.Duration
	if d, ok := ctx.Deadline(); ok {
		left = time.Until(d)
	}
	p, t, err := a.ask(u, bytes, left)
	if p != nil || err != nil {
		return p, err
	}
	var enough <-chan time.Time
	if left > 0 {
		timer := time.NewTimer(left / 2)
		defer timer.Stop()
		enough = timer.C
	}
	select {
	case p := <-t.place:
		return p, nil
	case <-ctx.Done():
		a.leave(u, t)
		return nil, ended(ctx)
	case <-enough:
		a.leave(u, t)
		return nil, a.late()
	}
}

// ask gives a place, or a ticket to wait with, or says why neither.
func (a *admission) ask(u User, bytes int64, left time.Duration) (*place, *ticket, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.clients[u]
	if c == nil {
		c = &client{user: u}
	}
	mine := int64(a.share * float64(a.bytes))
	switch {
	case bytes > mine:
		return nil, nil, &Error{
			Code: TooLarge, Phase: "queue",
			Msg: fmt.Sprintf("this call may need %d bytes of memory; one user may have %d", bytes, mine),
		}
	case a.held+bytes > a.bytes:
		return nil, nil, a.refuse(Overloaded, a.typical(), "the calls under way hold as much memory as they may")
	case c.held+bytes > mine:
		return nil, nil, a.refuse(RateLimited, a.typical(), "this user's calls under way hold as much memory as one user's may")
	}
	if a.busy < a.places && c.busy < a.part(a.places) && len(c.waiting) == 0 {
		a.hand(c, bytes)
		return a.seat(c, bytes), nil, nil
	}
	wait := a.predict(c)
	switch {
	case a.waiting >= a.line:
		return nil, nil, a.refuse(Overloaded, wait, fmt.Sprintf("all %d places for calls are taken, and %d calls wait for one", a.places, a.waiting))
	case len(c.waiting) >= a.part(a.line):
		return nil, nil, a.refuse(RateLimited, wait, "this user has as many calls waiting as one user may")
	case left > 0 && wait+a.hold > left:
		return nil, nil, a.refuse(Overloaded, wait+a.hold-left, "the calls that wait before this one take longer than the time it has left")
	}
	t := &ticket{place: make(chan *place, 1), bytes: bytes}
	a.hand(c, bytes)
	if c.waiting = append(c.waiting, t); len(c.waiting) == 1 {
		a.turns = append(a.turns, c)
	}
	a.waiting++
	return nil, t, nil
}

// hand notes bytes as held by c.
func (a *admission) hand(c *client, bytes int64) {
	a.clients[c.user] = c
	c.held += bytes
	a.held += bytes
}

// seat takes a place for c, whose bytes are noted.
func (a *admission) seat(c *client, bytes int64) *place {
	a.busy++
	c.busy++
	p := &place{of: a, client: c, bytes: bytes, since: time.Now()}
	p.holders.Store(1)
	return p
}

// leave takes t out of the line.
func (a *admission) leave(u User, t *ticket) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.clients[u]
	i := -1
	if c != nil {
		i = slices.Index(c.waiting, t)
	}
	if i < 0 { // it got its place at this moment
		a.free(<-t.place)
		return
	}
	c.waiting = slices.Delete(c.waiting, i, i+1)
	a.waiting--
	if len(c.waiting) == 0 {
		a.turns = slices.DeleteFunc(a.turns, func(o *client) bool { return o == c })
	}
	a.back(c, t.bytes)
}

func (a *admission) late() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.refuse(Overloaded, a.typical(), fmt.Sprintf("all %d places for calls are taken", a.places))
}

// back gives bytes back, and forgets a client that has nothing here.
func (a *admission) back(c *client, bytes int64) {
	c.held -= bytes
	a.held -= bytes
	if c.busy == 0 && len(c.waiting) == 0 {
		delete(a.clients, c.user)
	}
}

// free gives p back and its room to whose turn it is. Its caller holds a.mu.
func (a *admission) free(p *place) {
	took := time.Since(p.since)
	if a.hold == 0 {
		a.hold = took
	}
	a.hold += (took - a.hold) / 16 // follows within some tens of calls
	a.busy--
	p.client.busy--
	a.back(p.client, p.bytes)
	for i := 0; i < len(a.turns) && a.busy < a.places; {
		c := a.turns[i]
		if c.busy >= a.part(a.places) {
			i++ // it has its share; the turn stays with it
			continue
		}
		t := c.waiting[0]
		c.waiting = slices.Delete(c.waiting, 0, 1)
		a.waiting--
		a.turns = slices.Delete(a.turns, i, i+1)
		if len(c.waiting) > 0 {
			a.turns = append(a.turns, c)
		}
		t.place <- a.seat(c, t.bytes)
	}
}

// predict is how long one more call of c is going to wait: as long as it takes
// until enough places are given back, each held for as long as usual. Users take
// turns, so before it go its own calls and as many of each other who waits.
// Zero: not known, or not long.
func (a *admission) predict(c *client) time.Duration {
	before := 1
	for _, o := range a.turns {
		if o != c {
			before += min(len(o.waiting), len(c.waiting)+1)
		}
	}
	before += len(c.waiting)
	wait := a.hold * time.Duration(before) / time.Duration(a.places)
	if part := a.part(a.places); c.busy >= part {
		wait = max(wait, a.hold*time.Duration(len(c.waiting)+1)/time.Duration(part))
	}
	return wait
}

func (a *admission) typical() time.Duration { return a.hold / 2 }

// Retry-After is never less, so that nobody is told to try in a busy loop.
const leastRetryAfter = 100 * time.Millisecond

func (a *admission) refuse(code Code, after time.Duration, msg string) error {
	a.refused++
	return &Error{Code: code, Phase: "queue", RetryAfter: max(after, leastRetryAfter), Msg: msg}
}

// place is one taken place. The call holds it, and so does each piece of work
// begun for the call: a caller who leaves at the deadline does not free the
// place of work that still runs.
type place struct {
	of      *admission
	client  *client
	bytes   int64
	since   time.Time
	holders atomic.Int32
}

func (p *place) keep() { p.holders.Add(1) }

func (p *place) release() {
	if p.holders.Add(-1) == 0 {
		p.of.mu.Lock()
		p.of.free(p)
		p.of.mu.Unlock()
	}
}

// stage runs f as a piece of the call's work: the caller leaves when ctx ends,
// the place stays taken until f has returned.
func stage[T any](ctx context.Context, p *place, f func() (T, error)) (T, error) {
	if ctx.Err() != nil {
		var zero T
		return zero, ended(ctx)
	}
	p.keep()
	return begin(ctx, func() (T, error) { // which begins it, whatever has become of ctx
		defer p.release()
		return f()
	})
}
