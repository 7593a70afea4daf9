package embed

import (
	"container/list"
	"slices"
	"time"

	"weir/internal/rag"
)

// queue is what waits for a slot: texts, in a lane for each purpose, and
// batches that are made up already. It is not safe for concurrent use.
type queue struct {
	lanes [2]lane // by purpose
	age   time.Duration
}

// lane is what waits for one purpose, in a line for each user. The users take
// turns, text by text, so that who brings a thousand does not hold up who
// brings one.
type lane struct {
	ready []*batch // before the lines
	users map[rag.User]*line
	turns *list.List // of *line, next first
	items int
	bytes int
	since time.Time // when it was served last, or began to wait
}

// line is the texts of one user, oldest first.
type line struct {
	user    rag.User
	flights *list.List // of *flight
	turn    *list.Element
}

func newQueue(age time.Duration) queue {
	q := queue{age: age}
	for i := range q.lanes {
		q.lanes[i] = lane{users: map[rag.User]*line{}, turns: list.New()}
	}
	return q
}

func (q *queue) lane(p rag.Purpose) *lane {
	if p == rag.ForIngest {
		return &q.lanes[1]
	}
	return &q.lanes[0]
}

func (l *lane) empty() bool { return l.items == 0 && len(l.ready) == 0 }

func (q *queue) empty() bool { return q.lanes[0].empty() && q.lanes[1].empty() }

// push puts f at the end of its user's line.
func (q *queue) push(f *flight, now time.Time) {
	l := q.lane(f.purpose)
	if l.empty() {
		l.since = now
	}
	of := l.users[f.user]
	if of == nil {
		of = &line{user: f.user, flights: list.New()}
		of.turn = l.turns.PushBack(of)
		l.users[f.user] = of
	}
	f.since, f.line, f.elem = now, of, of.flights.PushBack(f)
	l.items++
	l.bytes += len(f.text)
}

// remove takes f, which is in a line, out of it.
func (q *queue) remove(f *flight) {
	l := q.lane(f.purpose)
	f.line.flights.Remove(f.elem)
	if f.line.flights.Len() == 0 {
		l.turns.Remove(f.line.turn)
		delete(l.users, f.line.user)
	}
	f.line, f.elem = nil, nil
	l.items--
	l.bytes -= len(f.text)
}

// first puts a batch before all that waits.
func (q *queue) first(b *batch) {
	l := q.lane(b.purpose)
	b.stage = ready
	l.ready = slices.Insert(l.ready, 0, b)
}

// last puts a batch behind the other batches.
func (q *queue) last(b *batch) {
	l := q.lane(b.purpose)
	b.stage = ready
	l.ready = append(l.ready, b)
}

// forget takes out a batch.
func (q *queue) forget(b *batch) {
	l := q.lane(b.purpose)
	l.ready = slices.DeleteFunc(l.ready, func(o *batch) bool { return o == b })
}

// next tells which lane is served next: the queries, unless ingest was not
// served for age. ok is false when nothing may be.
func (q *queue) next(now time.Time, ingest bool) (p rag.Purpose, ok bool) {
	queries, passages := &q.lanes[0], &q.lanes[1]
	ingest = ingest && !passages.empty()
	switch {
	case queries.empty():
		return rag.ForIngest, ingest
	case ingest && now.Sub(passages.since) >= q.age:
		return rag.ForIngest, true
	default:
		return rag.ForQuery, true
	}
}

// pop takes the next batch of a lane: at most items texts and bytes bytes,
// though always one. Texts nobody has time for any more go to expired, which
// ends them.
func (q *queue) pop(p rag.Purpose, items, bytes int, now time.Time, typical time.Duration, expired func(*flight)) *batch {
	l := q.lane(p)
	l.since = now
	for len(l.ready) > 0 {
		b := l.ready[0]
		for _, f := range b.wanted() {
			if f.expired(now, typical) {
				expired(f)
			}
		}
		if b.live > 0 { // else it was forgotten
			return q.popReady(l, items)
		}
	}
	var taken []*flight
	sum := 0
	for len(taken) < items && l.items > 0 {
		of := l.turns.Front().Value.(*line)     //nolint:errcheck,forcetypeassert // nothing else is put in
		f := of.flights.Front().Value.(*flight) //nolint:errcheck,forcetypeassert // nothing else is put in
		if f.expired(now, typical) {
			expired(f)
			continue
		}
		if len(taken) > 0 && sum+len(f.text) > bytes {
			break
		}
		l.turns.MoveToBack(of.turn)
		q.remove(f)
		taken = append(taken, f)
		sum += len(f.text)
	}
	if len(taken) == 0 {
		return nil
	}
	return newBatch(p, taken)
}

// popReady takes the first batch, or the part of it that is not more than is
// sent by now.
func (q *queue) popReady(l *lane, items int) *batch {
	b := l.ready[0]
	if b.tree.hopeless() {
		items = 1
	}
	flights := b.wanted()
	l.ready = l.ready[1:]
	if len(flights) <= items {
		return b
	}
	part, rest := newBatch(b.purpose, flights[:items]), newBatch(b.purpose, flights[items:])
	for _, o := range []*batch{part, rest} {
		o.tree, o.tries = b.tree, b.tries
	}
	q.first(rest)
	return part
}

// ahead returns how many texts go before the last of n further ones of user u,
// whose lane is p: every user's texts, up to as many as u's own.
func (q *queue) ahead(p rag.Purpose, u rag.User, n int) int {
	l := q.lane(p)
	own := n
	if of := l.users[u]; of != nil {
		own += of.flights.Len()
	}
	sum := own - n
	for v, of := range l.users {
		if v != u {
			sum += min(of.flights.Len(), own)
		}
	}
	for _, b := range l.ready {
		sum += b.live
	}
	return sum
}

// all returns what waits, made up or not.
func (q *queue) all() []*flight {
	var fs []*flight
	for i := range q.lanes {
		for _, b := range q.lanes[i].ready {
			fs = append(fs, b.wanted()...)
		}
		for t := q.lanes[i].turns.Front(); t != nil; t = t.Next() {
			of := t.Value.(*line) //nolint:errcheck,forcetypeassert // nothing else is put in
			for e := of.flights.Front(); e != nil; e = e.Next() {
				fs = append(fs, e.Value.(*flight)) //nolint:errcheck,forcetypeassert // nothing else is put in
			}
		}
	}
	return fs
}
