package embed

import (
	"context"
	"errors"
	"slices"
	"time"

	"weir/internal/provider"
	"weir/internal/rag"
)

// batch is flights that are asked for together. Its flights are in the order
// they are asked in; one whose batch is no longer this is not its business.
type batch struct {
	purpose rag.Purpose
	flights []*flight
	live    int // flights that somebody wants
	tries   int // attempts that were made
	due     time.Time
	tree    *tree // the refused batch it is a part of, if any
	half    *half // set on the two halves of a refused batch

	stage  stage
	began  time.Time
	where  *provider.Tracker // while flying
	cancel context.CancelCauseFunc
	late   bool   // it was cancelled because callers ran out of time
	given  bool   // the last try was given back: see provider.Replays
	spared bool   // it goes on though nobody waits for it: see warm.go
	twin   *batch // asked for beside it: see hedge.go
}

// stage is where a batch stands.
type stage int

const (
	ready    stage = iota // made up, and waits for a slot
	sleeping              // waits to be tried again
	flying                // an attempt is under way
	landed                // it has ended
)

// errOrphans is the cause of the end of an attempt nobody waits for.
var errOrphans = errors.New("no caller waits for it any more")

// half is what the two halves of a batch learn together: where both are
// accepted it was the size that was refused.
type half struct {
	size   int // of the larger one
	whole  int // of both together
	left   int // halves that were not accepted yet
	broken bool
}

// tree is a batch that was refused as a whole and all that it is cut into.
type tree struct {
	refused, accepted int  // texts asked for singly; parts
	blamed            bool // it was not refused, but failed
}

// maxSour is how many requests are refused in a row before texts are asked for
// one by one: where all is refused, halving only doubles the requests. Finding
// one bad text among 64 needs seven.
const maxSour = 8

// together returns how many texts are asked for in one request now.
func (p *Pipeline) together() int {
	if p.sour >= maxSour {
		return 1
	}
	return int(p.items.Load())
}

// hopeless reports whether halving further only doubles the number of
// requests: nothing of the tree was accepted, and single texts were refused.
func (t *tree) hopeless() bool { return t != nil && t.refused >= 2 && t.accepted == 0 }

func newBatch(purpose rag.Purpose, flights []*flight) *batch {
	b := &batch{purpose: purpose, flights: flights, live: len(flights)}
	for _, f := range flights {
		f.batch = b
	}
	return b
}

// wanted returns the flights that somebody wants.
func (b *batch) wanted() []*flight {
	return slices.DeleteFunc(slices.Clone(b.flights), func(f *flight) bool { return f.over || f.batch != b })
}

// orphan notes that one flight of b is wanted by nobody. A batch of which
// none is wanted is cancelled, or not begun.
func (p *Pipeline) orphan(b *batch, late bool) {
	if b.live--; b.live > 0 {
		return
	}
	if t := b.twin; t != nil && t.stage == flying && t.live <= 0 {
		t.cancel(errOrphans)
	}
	switch b.stage {
	case ready:
		p.queue.forget(b)
	case sleeping:
		p.asleep = slices.DeleteFunc(p.asleep, func(o *batch) bool { return o == b })
	case flying:
		b.late = late
		if b.spared = b.spared || (late && b == p.pioneer); !b.spared {
			b.cancel(errOrphans)
		}
	case landed:
	}
}

// halve puts the two halves of a refused batch in front of the queue. A half
// that was refused itself says nothing about the size of its sibling. One
// that is left of many is asked for alone: it may have been another that was
// refused, whose caller left.
// size says that it may be their number that was refused.
func (p *Pipeline) halve(b *batch, size bool) {
	flights := b.wanted()
	t := b.tree
	if t == nil {
		t = &tree{}
	}
	t.blamed = t.blamed || !size
	mid := (len(flights) + 1) / 2
	h := &half{size: mid, whole: len(flights), left: 2, broken: !size}
	first, second := newBatch(b.purpose, flights[:mid]), newBatch(b.purpose, flights[mid:])
	for _, part := range []*batch{second, first} {
		part.tree, part.half = t, h
		if part.live > 0 {
			p.queue.first(part)
		}
	}
}

// accepted learns from a batch that was not refused.
func (p *Pipeline) accepted(b *batch) {
	n := int64(len(b.flights))
	p.borne, p.sour = max(p.borne, n), 0
	if b.tree != nil {
		b.tree.accepted++
	}
	if p.tooMany != 0 && time.Since(p.tooManyAt) > tooManyFor {
		p.tooMany = int64(p.cfg.MaxBatch) + 1
	}
	if items := p.items.Load(); n == items && n+1 < p.tooMany {
		p.items.Store(n + 1) // what was concluded from halves may be less than it bears
	}
	h := b.half
	if h == nil {
		return
	}
	if h.left--; h.left == 0 && !h.broken {
		// As many as were accepted before are no proof: it was something else.
		if size := max(int64(h.size), p.borne); size < min(p.items.Load(), int64(h.whole)) {
			p.items.Store(size)
			p.tooMany, p.tooManyAt = int64(h.whole), time.Now()
		}
	}
}

// tooManyFor is how long a number of texts that was refused is not tried again:
// what looked like the size may have been something else.
const tooManyFor = time.Minute

// refused learns from a batch that was.
func (p *Pipeline) refused(b *batch) {
	p.sour++
	if b.half != nil {
		b.half.broken = true
	}
	if b.tree != nil && len(b.flights) == 1 {
		b.tree.refused++
	}
}
