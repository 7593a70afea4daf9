package embed

import (
	"context"
	"time"

	"weir/internal/provider"
	"weir/internal/rag"
)

// call is one caller waiting in Embed. Its fields but the first block are
// under the pipeline's mutex until done is closed.
type call struct {
	user     rag.User
	purpose  rag.Purpose
	deadline time.Time // zero: none
	trace    string    // what the call is a part of; "": nothing
	texts    []string
	kept     int  // so many of the texts, from the first: of the others what is kept is of no use, nor is the answer kept
	own      bool // the answer to none of them is kept, nor another's taken
	hits     int  // texts that the cache has
	keys     []digest
	vectors  [][]float32 // from the cache; nil: to be waited for

	flights  []*flight // by text; nil where vectors has it
	load     load      // counted against the user's share
	pending  int       // flights that are not over
	attempts int       // that its texts took part in, most of any text; set at the end
	err      *rag.Error
	ended    bool
	done     chan struct{} // closed when ended
}

// load is a number of different texts, and their bytes.
type load struct{ items, bytes int }

// unique returns the flights of a call, each once, without nil.
func unique(flights []*flight) map[*flight]struct{} {
	set := make(map[*flight]struct{}, len(flights))
	for _, f := range flights {
		if f != nil {
			set[f] = struct{}{}
		}
	}
	return set
}

func newCall(ctx context.Context, u rag.User, p rag.Purpose, texts []string) *call {
	c := &call{
		user: u, purpose: p, texts: texts, kept: len(texts), done: make(chan struct{}),
		keys: make([]digest, len(texts)), vectors: make([][]float32, len(texts)),
	}
	c.deadline, _ = ctx.Deadline()
	return c
}

// left returns how long c can still wait; 0: for ever. Who has no time left
// has a nanosecond.
func (c *call) left(now time.Time) time.Duration {
	if c.deadline.IsZero() {
		return 0
	}
	return max(c.deadline.Sub(now), 1)
}

// indexOf returns the first text of c that f is of.
func (c *call) indexOf(f *flight) int {
	for i := range c.flights {
		if c.flights[i] == f {
			return i
		}
	}
	return 0
}

// phase tells what a call that was not answered was waiting for, and how that
// failed the last time, if it did.
func (c *call) phase() (provider.Phase, *rag.Error) {
	where, last := provider.Queue, (*rag.Error)(nil)
	for _, f := range c.flights {
		if f == nil || f.over {
			continue
		}
		if f.batch != nil && f.batch.where != nil {
			where = max(where, f.batch.where.Phase())
		}
		if last == nil {
			last = f.last
		}
	}
	return where, last
}

// join makes c a member of the flights of its texts, and begins those that
// there are not.
func (p *Pipeline) join(c *call, now time.Time) {
	c.flights = make([]*flight, len(c.texts))
	for i, k := range c.keys {
		if c.vectors[i] != nil {
			continue
		}
		f := p.table.byKey[k]
		if f == nil {
			f = &flight{key: k, text: c.texts[i], user: c.user, purpose: c.purpose, members: map[*call]struct{}{}, era: p.era}
			if i >= c.kept || c.own {
				f.era = never
			}
			p.table.add(f)
			p.queue.push(f, now)
		} else if c.purpose == rag.ForQuery && f.purpose == rag.ForIngest {
			p.table.remove(f)
			waits := f.line != nil
			if waits {
				p.queue.remove(f)
			}
			if b := f.batch; b != nil && b.stage != flying {
				f.batch, waits = nil, true // it does not wait as its batch-mates do
				p.orphan(b, false)
			}
			f.purpose = rag.ForQuery // it goes with the queries now
			p.table.add(f)
			if waits {
				f.user = c.user
				p.queue.push(f, now)
			}
		}
		c.flights[i] = f
		if _, ok := f.members[c]; !ok {
			f.members[c] = struct{}{}
			c.pending++
		}
	}
	for f := range unique(c.flights[:c.kept]) { // the others are not the user's
		c.load.items++
		c.load.bytes += len(f.text)
	}
	all := p.users[c.user]
	p.users[c.user] = load{all.items + c.load.items, all.bytes + c.load.bytes}
}

// end takes c out of everything and tells it so. It never waits for c. Ending
// twice does nothing.
func (p *Pipeline) end(c *call, err *rag.Error) {
	if c.ended {
		return
	}
	c.ended, c.err = true, err
	all := p.users[c.user]
	if all = (load{all.items - c.load.items, all.bytes - c.load.bytes}); all.items > 0 {
		p.users[c.user] = all
	} else {
		delete(p.users, c.user)
	}
	late := err != nil && err.Code == rag.Timeout
	for _, f := range c.flights {
		if f != nil {
			c.attempts = max(c.attempts, f.attempts)
		}
		if f == nil || f.over {
			continue
		}
		if delete(f.members, c); len(f.members) == 0 {
			p.drop(f, late)
		}
	}
	close(c.done)
}

// drop ends a flight that nobody wants. It leaves the table first, so that
// nobody can join what is about to be cancelled. late: the last who wanted it
// ran out of time.
func (p *Pipeline) drop(f *flight, late bool) {
	f.over = true
	p.table.remove(f)
	if f.line != nil {
		p.queue.remove(f)
	}
	if b := f.batch; b != nil {
		f.batch = nil
		p.orphan(b, late)
	}
}

// settle ends a flight with its vector or its error. named: the error is
// about this text.
func (p *Pipeline) settle(f *flight, vector []float32, err *rag.Error, named bool) {
	if f.over {
		return
	}
	f.over, f.vector = true, vector
	p.table.remove(f)
	if f.line != nil {
		p.queue.remove(f)
	}
	if b := f.batch; b != nil {
		f.batch = nil
		p.orphan(b, false)
	}
	for c := range f.members {
		switch c.pending--; {
		case err != nil && named:
			p.end(c, at(err, c.indexOf(f)))
		case err != nil:
			p.end(c, err)
		case c.pending == 0:
			p.end(c, nil)
		}
	}
	f.members = nil
}
