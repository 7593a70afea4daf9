package embed

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"weir/internal/rag"
)

// Pipeline is a rag.Embedder over a provider. It is safe for concurrent use.
// How it works is in the package comment.
type Pipeline struct {
	cfg    Config
	client *Client
	cache  memory
	items  atomic.Int64 // most texts of a request: MaxBatch, less if the provider bears fewer

	closing chan struct{} // closed by Close: everyone leaves
	wake    chan struct{} // tells the dispatcher to look; with room for one
	idle    chan struct{} // closed when closed and running is 0

	mu          sync.Mutex // guards all below; held for moments only, never across a wait
	closed      bool
	running     int // the dispatcher and the attempts
	table       table
	queue       queue
	asleep      []*batch // to be tried again when due
	flying      map[*batch]struct{}
	users       map[rag.User]load // what the calls of a user wait for
	slots       slots
	breaker     breaker
	pausedUntil time.Time
	budget      budget
	paces       [2]pace // by purpose
	borne       int64   // most texts of a request that was accepted
	count       counters
}

var _ rag.Embedder = (*Pipeline)(nil)

// New checks cfg and starts the dispatcher. Nothing is asked of the provider
// yet. Close must be called.
func New(cfg Config) (*Pipeline, error) {
	return newPipeline(cfg, nil)
}

func newPipeline(cfg Config, rt http.RoundTripper) (*Pipeline, error) {
	client, err := newClient(cfg, rt)
	if err != nil {
		return nil, err
	}
	cfg = client.cfg
	p := &Pipeline{
		cfg: cfg, client: client, cache: newMemory(cfg.CacheBytes),
		closing: make(chan struct{}), wake: make(chan struct{}, 1), idle: make(chan struct{}),
		running: 1, table: newTable(), queue: newQueue(cfg.IngestAge), flying: map[*batch]struct{}{},
		users: map[rag.User]load{}, slots: newSlots(cfg.MaxConcurrent), breaker: breaker{cfg: cfg}, budget: newBudget(),
	}
	p.items.Store(int64(cfg.MaxBatch))
	go p.dispatch()
	return p, nil
}

// Model returns the model that is configured.
func (p *Pipeline) Model() rag.Model { return p.client.Model() }

// MaxBatch returns how many texts go into one request.
func (p *Pipeline) MaxBatch() int { return int(p.items.Load()) }

// pace is how long attempts for u take.
func (p *Pipeline) pace(u rag.Purpose) *pace {
	if u == rag.ForIngest {
		return &p.paces[1]
	}
	return &p.paces[0]
}

// Close makes all calls return an Unavailable error, cancels their attempts
// and waits for them until ctx ends; then it returns an error. It may be
// called more than once.
func (p *Pipeline) Close(ctx context.Context) error {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		close(p.closing)
	}
	p.mu.Unlock()
	defer p.client.Close()
	select {
	case <-p.idle:
		return nil
	case <-ctx.Done():
		p.mu.Lock()
		defer p.mu.Unlock()
		return fmt.Errorf("close the embedding client: %d attempts are still under way: %w", len(p.flying), context.Cause(ctx))
	}
}

// leave counts out the dispatcher or an attempt. The dispatcher stays until
// Close, so that the last to leave is the end.
func (p *Pipeline) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running--; p.running == 0 {
		close(p.idle)
	}
}

// Embed returns the vectors of texts in order, or an error and none. It
// returns when ctx ends, whatever the provider does. The errors, beside those
// of rag.Embedder: TooLarge when one call wants more than one user may have,
// RateLimited when the user's calls together do, Overloaded when there is no
// room or the call would not be answered in time.
func (p *Pipeline) Embed(ctx context.Context, user rag.User, purpose rag.Purpose, texts []string) ([][]float32, error) {
	if err := p.cfg.valid(texts); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, ended(ctx, Queue, nil)
	}
	c := newCall(ctx, user, purpose, texts)
	hits := 0
	for i, t := range texts {
		c.keys[i] = keyOf(p.Model(), t)
		if c.vectors[i] = p.cache.get(c.keys[i]); c.vectors[i] != nil {
			hits++
		}
	}
	if err := p.submit(c, hits); err != nil {
		return nil, err
	}
	if err := p.wait(ctx, c); err != nil {
		return nil, err
	}
	out := make([][]float32, len(texts))
	for i := range texts {
		v := c.vectors[i]
		if v == nil {
			v = c.flights[i].vector
		}
		out[i] = slices.Clone(v) // the cache and other callers have it too
	}
	return out, nil
}

// submit admits c and puts it on its way. A call that the cache answers whole
// is done.
func (p *Pipeline) submit(c *call, hits int) *rag.Error {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count.calls++
	p.count.hits += int64(hits)
	p.count.misses += int64(len(c.texts) - hits)
	if p.closed {
		return closedFault(Queue).Error
	}
	if hits == len(c.texts) {
		close(c.done)
		return nil
	}
	if err := p.admit(c, now); err != nil {
		return err
	}
	p.join(c, now)
	p.rouse()
	return nil
}

// wait returns when c is done, ctx ends or the pipeline is closed.
func (p *Pipeline) wait(ctx context.Context, c *call) *rag.Error {
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
	case <-p.closing:
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.ended { // at the same moment
		return c.err
	}
	where, last := c.phase()
	err := closedFault(where).Error
	if ctx.Err() != nil {
		err = afterLast(ended(ctx, where, nil), last)
	}
	p.end(c, err)
	return err
}

// afterLast adds to err what went wrong before it.
func afterLast(err, last *rag.Error) *rag.Error {
	if last == nil {
		return err
	}
	both := *err
	both.Err = last
	if err.Err != nil {
		both.Err = fmt.Errorf("%w, after: %w", err.Err, last)
	}
	return &both
}

var (
	errClosed = errors.New("the embedding client is closed")
	errOpen   = errors.New("the breaker is open")
	errStuck  = errors.New("nothing was answered for too long")
)

func closedFault(p Phase) *Fault {
	return &Fault{Error: &rag.Error{
		Code: rag.Unavailable, Phase: p.String(), Err: errClosed, Msg: "the server is shutting down",
	}}
}

func expiredError() *rag.Error {
	return &rag.Error{
		Code: rag.Timeout, Phase: Queue.String(), Err: context.DeadlineExceeded,
		Msg: "the embedding provider did not answer in time (" + doing(Queue) + ")",
	}
}
