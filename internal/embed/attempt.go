package embed

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"weir/internal/provider"
	"weir/internal/rag"
)

// begin makes an attempt for b in a goroutine of its own. ctx is the
// pipeline's; the attempt ends with it, with its own time limit, or when all
// callers left.
func (p *Pipeline) begin(ctx context.Context, b *batch, now time.Time) {
	b.flights = b.wanted()
	b.live = len(b.flights)
	texts := make([]string, b.live)
	for i, f := range b.flights {
		texts[i] = f.text
		f.attempts++
	}
	b.stage, b.began, b.where = flying, now, new(provider.Tracker)
	ctx, b.cancel = context.WithCancelCause(ctx)
	if b.tries++; b.tries == 1 && b.tree == nil && !b.flights[0].alone {
		p.budgets[of(b.purpose)].First()
	}
	if p.breaker.State == provider.HalfOpen {
		p.breaker.probe = b
	}
	p.slots.take(b.purpose)
	p.flying[b] = struct{}{}
	p.count.attempts++
	p.count.texts += int64(len(texts))
	p.running++
	may := terms{limit: p.cfg.AttemptTimeout, fresh: b.given || p.deaf}
	if b.tries == 1 {
		may.replays = provider.MaxReplays
	}
	if p.leads(b, now) {
		may.limit = max(p.cfg.ColdTimeout, may.limit)
	}
	go p.fly(ctx, b, texts, may, attemptEnd(b, now), p.parents(b))
}

// fly makes the attempt and takes in how it ended.
func (p *Pipeline) fly(ctx context.Context, b *batch, texts []string, may terms, end AttemptEnd, parents []string) {
	defer p.leave()
	defer b.cancel(nil)
	ctx, traced := p.trace(ctx, parents, end)
	got, fault := p.guarded(ctx, texts, b.where, may)
	p.mu.Lock()
	now := time.Now()
	end.outcome(fault, b.late, now.Sub(b.began))
	p.land(b, got, fault, now)
	p.mu.Unlock()
	p.rouse()
	traced(end.Code, end.Phase)
	if p.cfg.Observer != nil {
		p.cfg.Observer.AttemptEnded(end)
	}
}

// guarded turns a panic, which would end the whole program here, into a Fault.
func (p *Pipeline) guarded(ctx context.Context, texts []string, where *provider.Tracker, may terms) (got []Outcome, fault *provider.Fault) {
	defer func() {
		if r := recover(); r != nil {
			fault = newFault(where.Phase(), fmt.Errorf("panic: %v\n%s", r, debug.Stack()), "could not be asked") //nolint:err113 // for the log
			fault.Code = rag.Internal
		}
	}()
	return p.client.attempt(ctx, texts, where, may)
}

// land takes in how an attempt ended: for the slots, the breaker and the
// pause first, then for each of its texts.
func (p *Pipeline) land(b *batch, got []Outcome, fault *provider.Fault, now time.Time) {
	delete(p.flying, b)
	orphaned := b.live == 0
	b.stage = landed
	blamed := !orphaned && p.blames(b, fault)
	p.learn(b, fault, orphaned, blamed, now)
	if p.closed && fault != nil {
		fault = closedFault(b.where.Phase())
	}
	b.where = nil
	switch {
	case fault == nil:
		p.accepted(b)
		p.deliver(b, got)
	case orphaned, p.giveBack(b):
	case fault.Split, blamed:
		p.refused(b)
		if len(b.flights) > 1 {
			p.halve(b, fault.Split)
			return
		}
		p.fail(b, fault)
	case fault.Retry:
		p.again(b, fault, now)
	default:
		p.fail(b, fault)
	}
}

// learn tells slots, breaker, pause and pace how an attempt ended.
func (p *Pipeline) learn(b *batch, fault *provider.Fault, orphaned, blamed bool, now time.Time) {
	took, typical := now.Sub(b.began), p.pace(b.purpose).Typical()
	cut := orphaned && fault != nil && !b.spared // the end of it is our own doing
	busy := fault != nil && provider.IsBusy(fault.Status)
	timeout := fault != nil && !cut && fault.Code == rag.Timeout
	// Who began too late to be answered says nothing of the provider.
	// Nor does one who is not answered in time while others are.
	late := cut && b.late && min(took, now.Sub(p.breaker.Good)) > max(typical+typical/2, lateLeast)
	cool := now
	if cut || timeout {
		cool = now.Add(min(max(typical, leastCooling), mostCooling))
	}
	p.slots.release(b.purpose, now, cool)
	switch {
	case fault == nil:
		if b != p.pioneer || took < 2*p.cfg.StallAfter { // loading a model is not what is usual
			p.pace(b.purpose).Learn(took)
		}
		p.slots.answered(b.purpose)
	case busy, timeout, late:
		p.slots.strained(b.purpose, b.began, now)
	}
	// A refusal, or being asked too often, is an answer; so is nonsense not.
	alive := fault == nil || !fault.Retry || fault.Status == http.StatusTooManyRequests
	if cut {
		alive = false
	}
	// A connection that was opened while nothing was answered may never answer.
	if alive {
		p.deaf = false
	} else if cut || timeout {
		p.deaf = p.deaf || b.where.Phase() <= provider.Headers
	}
	p.thaw(b, alive, timeout, now)
	told := (!cut || late) && !blamed
	if alive && b.purpose == rag.ForQuery {
		p.served = now
	}
	if b.purpose == rag.ForIngest && !alive && now.Sub(p.served) < servedFor {
		told = false // it is ingest alone that fails
	}
	if fault != nil {
		p.count.failed++
	}
	probe := p.breaker.probe == b
	if told {
		p.breaker.Note(now, alive, b.purpose == rag.ForQuery && took > p.cfg.SlowAfter && !b.spared)
	}
	if probe {
		p.breaker.probed(now, alive, told)
	}
	if busy && fault.RetryAfter > 0 {
		p.pause(b.purpose, fault.RetryAfter, now)
	}
}

// lateLeast is how long an attempt has to have been under way that its callers
// ran out of time says anything of the provider.
const lateLeast = 500 * time.Millisecond

// blames reports whether a failure is to be blamed on a text: the provider
// fails at this request while it answers others. Some say 500 where 400 is
// meant. Finding out which it is costs requests, which the budget for retries
// has to allow; else it is a failure like any other.
func (p *Pipeline) blames(b *batch, fault *provider.Fault) bool {
	if fault == nil || fault.Status != http.StatusInternalServerError || p.breaker.State != provider.Closed {
		return false
	}
	if b.tree != nil && len(b.flights) == 1 {
		return b.tree.blamed
	}
	return len(b.flights) > 1 && (b.tree != nil || (b.tries == 1 && p.breaker.Good.After(b.began.Add(-blameFor)))) &&
		p.budgets[of(b.purpose)].Take()
}

// blameFor is how long before a failure there must have been an answer.
const blameFor = 500 * time.Millisecond

// servedFor is how long an answer to a query shows that the provider is there,
// whatever becomes of ingest.
const servedFor = 10 * time.Second

// A slot whose attempt was given up is taken a little longer, for about as
// long as the provider goes on with it.
const (
	leastCooling = 50 * time.Millisecond
	mostCooling  = time.Second
)

// deliver ends the flights that have a vector, and has a few ill ones asked
// for once more, alone.
func (p *Pipeline) deliver(b *batch, got []Outcome) {
	ill := 0
	for _, o := range got {
		if o.Err != nil {
			ill++
		}
	}
	for i, f := range b.flights {
		o := got[i]
		if o.Err == nil {
			if f.era == p.era {
				p.cache.put(f.purpose, f.key, o.Vector)
			}
			if f.batch == b || (b.twin != nil && f.batch == b.twin) {
				p.settle(f, o.Vector, nil, false)
			}
			continue
		}
		if f.over || f.batch != b {
			continue
		}
		if ill > maxAlone || f.alone || !p.budgets[of(b.purpose)].Take() { // of many ill ones it is not the texts
			p.settle(f, nil, o.Err, true)
			continue
		}
		f.alone, f.last = true, o.Err
		again := newBatch(b.purpose, []*flight{f})
		p.count.retries++
		p.queue.first(again)
	}
}

// maxAlone is how many texts of a batch are asked for again by themselves.
const maxAlone = 4

// fail ends all flights of b with fault.
func (p *Pipeline) fail(b *batch, fault *provider.Fault) {
	for _, f := range b.wanted() {
		p.settle(f, nil, fault.Error, f.alone || fault.Code == rag.Invalid)
	}
}

// again lets b sleep until it is tried again, without a slot. Callers who
// cannot wait that long are told now.
func (p *Pipeline) again(b *batch, fault *provider.Fault, now time.Time) {
	wait := p.cfg.backoff(b.tries+1, fault.RetryAfter)
	if b.tries == 1 && errors.Is(fault.Err, provider.ErrReplayed) {
		b.tries++ // it was asked twice
	}
	if b.tries >= p.cfg.MaxAttempts || p.breaker.State != provider.Closed {
		p.fail(b, fault)
		return
	}
	for _, f := range b.wanted() {
		f.last = fault.Error
		p.endWhoCannotWait(f, wait, fault.Error, now)
	}
	flights := b.wanted()
	if len(flights) == 0 {
		return
	}
	if !p.budgets[of(b.purpose)].Take() {
		p.fail(b, fault)
		return
	}
	next := newBatch(b.purpose, flights)
	next.tries, next.tree, next.half = b.tries, b.tree, b.half
	next.stage, next.due, next.given = sleeping, now.Add(wait), errors.Is(fault.Err, provider.ErrReplayed)
	p.count.retries++
	p.asleep = append(p.asleep, next)
}
