package embed

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"weir/internal/rag"
)

// Pipeline is a rag.Embedder over a provider. It is safe for concurrent use.
type Pipeline struct {
	cfg     Config
	client  *Client
	slots   chan struct{} // one for each attempt under way
	items   atomic.Int64  // most texts of a request: MaxBatch, less if the provider bears fewer
	borne   atomic.Int64  // most texts of a request that was accepted
	typical atomic.Int64  // how long an attempt that succeeds takes, in ns; 0: not known

	closing chan struct{} // closed by Close: everyone leaves
	mu      sync.Mutex
	closed  bool
	running int           // attempts
	idle    chan struct{} // closed when closed and running is 0
}

var _ rag.Embedder = (*Pipeline)(nil)

// New checks cfg. Nothing is asked of the provider yet. Close must be called.
func New(cfg Config) (*Pipeline, error) {
	return newPipeline(cfg, nil)
}

func newPipeline(cfg Config, rt http.RoundTripper) (*Pipeline, error) {
	client, err := newClient(cfg, rt)
	if err != nil {
		return nil, err
	}
	p := &Pipeline{
		cfg: client.cfg, client: client,
		slots:   make(chan struct{}, client.cfg.MaxConcurrent),
		closing: make(chan struct{}), idle: make(chan struct{}),
	}
	p.items.Store(int64(client.cfg.MaxBatch))
	return p, nil
}

// Model returns the model that is configured.
func (p *Pipeline) Model() rag.Model { return p.client.Model() }

// MaxBatch returns how many texts go into one request.
func (p *Pipeline) MaxBatch() int { return int(p.items.Load()) }

// Close makes all calls return an Unavailable error, cancels their attempts
// and waits for them until ctx ends; then it returns an error. It may be
// called more than once.
func (p *Pipeline) Close(ctx context.Context) error {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		close(p.closing)
		if p.running == 0 {
			close(p.idle)
		}
	}
	p.mu.Unlock()
	defer p.client.Close()
	select {
	case <-p.idle:
		return nil
	case <-ctx.Done():
		p.mu.Lock()
		defer p.mu.Unlock()
		return fmt.Errorf("close the embedding client: %d attempts are still under way: %w", p.running, context.Cause(ctx))
	}
}

// enter counts an attempt in, unless the pipeline is closed.
func (p *Pipeline) enter() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.running++
	return true
}

func (p *Pipeline) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running--; p.running == 0 && p.closed {
		close(p.idle)
	}
}

// Embed returns the vectors of texts in order, or an error and none. Texts
// beyond one request are cut into several, of which MaxConcurrent at most are
// under way; the first that fails for good cancels the others. user and
// purpose do not matter yet.
func (p *Pipeline) Embed(ctx context.Context, _ rag.User, _ rag.Purpose, texts []string) ([][]float32, error) {
	if err := p.cfg.valid(texts); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, ended(ctx, Queue, nil)
	}
	out := make([][]float32, len(texts))
	spans := split(texts, p.MaxBatch(), p.cfg.MaxBatchBytes)
	if len(spans) <= 1 {
		for _, s := range spans {
			if err := p.batch(ctx, texts, s, out); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	if err := p.sideBySide(ctx, texts, spans, out); err != nil {
		return nil, err
	}
	return out, nil
}

// sideBySide runs the spans on a few workers and waits for these: whatever a
// worker waits for, it leaves when ctx ends.
func (p *Pipeline) sideBySide(ctx context.Context, texts []string, spans []span, out [][]float32) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		workers sync.WaitGroup
		next    atomic.Int64
		once    sync.Once
		first   *rag.Error
	)
	for range min(len(spans), p.cfg.MaxConcurrent) {
		workers.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(spans) {
					return
				}
				if err := p.batch(ctx, texts, spans[i], out); err != nil {
					once.Do(func() { first = err })
					cancel()
					return
				}
			}
		})
	}
	workers.Wait()
	if first == nil {
		return nil
	}
	return first
}

// batch fills out[s.from:s.to]. It tries again what may pass, halves what is
// refused as a whole, and asks once more, alone, for single texts that came
// back ill.
func (p *Pipeline) batch(ctx context.Context, texts []string, s span, out [][]float32) *rag.Error {
	got, fault := p.try(ctx, texts[s.from:s.to])
	if fault != nil {
		if n := s.to - s.from; fault.Split && n > 1 {
			return p.halves(ctx, texts, s, out)
		}
		if fault.Code == rag.Invalid {
			fault.Field = field(s.from)
			fault.Msg = fault.Field + ": " + fault.Msg
		}
		return fault.Error
	}
	var bad []int
	for i, o := range got {
		out[s.from+i] = o.Vector
		if o.Err != nil {
			bad = append(bad, i)
		}
	}
	if len(bad) == 0 {
		return nil
	}
	if len(bad) > maxAlone { // it is not the texts
		return at(got[bad[0]].Err, s.from+bad[0])
	}
	for _, i := range bad {
		k := s.from + i
		again, fault := p.try(ctx, texts[k:k+1])
		switch {
		case fault != nil:
			return at(fault.Error, k)
		case again[0].Err != nil:
			return at(again[0].Err, k)
		}
		out[k] = again[0].Vector
	}
	return nil
}

// maxAlone is how many texts of a batch are asked for again by themselves.
const maxAlone = 4

// halves embeds the two halves of s one after the other. Where both are
// accepted it was the size that was refused, and further batches are smaller.
func (p *Pipeline) halves(ctx context.Context, texts []string, s span, out [][]float32) *rag.Error {
	mid := s.from + (s.to-s.from+1)/2
	if err := p.batch(ctx, texts, span{s.from, mid}, out); err != nil {
		return err
	}
	if err := p.batch(ctx, texts, span{mid, s.to}, out); err != nil {
		return err
	}
	// As many as were accepted before are no proof: it was something else.
	lower(&p.items, max(int64(mid-s.from), p.borne.Load()))
	return nil
}

func lower(v *atomic.Int64, to int64) {
	for now := v.Load(); now > to && !v.CompareAndSwap(now, to); now = v.Load() {
	}
}

func raise(v *atomic.Int64, to int64) {
	for now := v.Load(); now < to && !v.CompareAndSwap(now, to); now = v.Load() {
	}
}

// at says which text an error is about.
func at(e *rag.Error, i int) *rag.Error {
	named := *e
	named.Msg = field(i) + ": " + e.Msg
	if e.Code == rag.Invalid {
		named.Field = field(i)
	}
	return &named
}

func field(i int) string { return "texts[" + strconv.Itoa(i) + "]" }

// try makes attempts until one succeeds, or fails for good, or the next would
// not fit. The slot is free while it waits.
func (p *Pipeline) try(ctx context.Context, texts []string) ([]Outcome, *Fault) {
	for n := 1; ; n++ {
		got, fault := p.attempt(ctx, texts)
		if fault == nil || !fault.Retry || n >= p.cfg.MaxAttempts {
			return got, fault
		}
		wait := p.cfg.backoff(n+1, fault.RetryAfter)
		if !p.cfg.fits(ctx, wait, time.Duration(p.typical.Load())) {
			return nil, fault
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, &Fault{Error: ended(ctx, Queue, fault.Error)}
		case <-p.closing:
			timer.Stop()
			return nil, closedFault(Queue)
		}
	}
}

// attempt makes one attempt elsewhere and waits for it, for ctx or for Close.
// Leaving cancels it; it keeps its slot until it has ended.
func (p *Pipeline) attempt(ctx context.Context, texts []string) ([]Outcome, *Fault) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		f := &Fault{Error: ended(ctx, Queue, nil)}
		return nil, f
	case <-p.closing:
		return nil, closedFault(Queue)
	}
	if !p.enter() {
		<-p.slots
		return nil, closedFault(Queue)
	}
	work, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		got   []Outcome
		fault *Fault
	}
	done := make(chan result, 1) // with room: nobody may be there to take it
	where := new(Tracker)
	go func() {
		defer p.leave()
		defer func() { <-p.slots }()
		start := time.Now()
		got, fault := p.guarded(work, texts, where)
		if fault == nil {
			p.learn(time.Since(start))
			raise(&p.borne, int64(len(texts)))
		}
		done <- result{got, fault}
	}()
	select {
	case r := <-done:
		return r.got, r.fault
	case <-ctx.Done():
		return nil, &Fault{Error: ended(ctx, where.Phase(), nil)}
	case <-p.closing:
		return nil, closedFault(where.Phase())
	}
}

// guarded turns a panic, which would end the whole program here, into a Fault.
func (p *Pipeline) guarded(ctx context.Context, texts []string, where *Tracker) (got []Outcome, fault *Fault) {
	defer func() {
		if r := recover(); r != nil {
			fault = newFault(where.Phase(), fmt.Errorf("panic: %v\n%s", r, debug.Stack()), "could not be asked") //nolint:err113 // for the log
			fault.Code = rag.Internal
		}
	}()
	return p.client.Attempt(ctx, texts, where)
}

// learn moves the typical duration an eighth of the way to d.
func (p *Pipeline) learn(d time.Duration) {
	for {
		old := p.typical.Load()
		now := old + (int64(d)-old)/8
		if old == 0 {
			now = int64(d)
		}
		if p.typical.CompareAndSwap(old, now) {
			return
		}
	}
}

var errClosed = errors.New("the embedding client is closed")

func closedFault(p Phase) *Fault {
	return &Fault{Error: &rag.Error{
		Code: rag.Unavailable, Phase: p.String(), Err: errClosed, Msg: "the server is shutting down",
	}}
}
