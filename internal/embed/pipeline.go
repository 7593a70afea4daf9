package embed

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"weir/internal/provider"
	"weir/internal/rag"
)

// Pipeline is a rag.Embedder over a provider. It is safe for concurrent use.
// How it works is in the package comment.
type Pipeline struct {
	cfg    Config
	client *Client
	cache  memory
	items  atomic.Int64 // most texts of a request: MaxBatch, less if the provider bears fewer

	witnesses atomic.Int64 // asked for with texts

	closing chan struct{} // closed by Close: everyone leaves
	wake    chan struct{} // tells the dispatcher to look; with room for one
	idle    chan struct{} // closed when closed and running is 0

	mu        sync.Mutex // guards all below; held for moments only, never across a wait
	closed    bool
	running   int // the dispatcher and the attempts
	table     table
	era       int // counts what Forget has ended
	queue     queue
	asleep    []*batch // to be tried again when due
	flying    map[*batch]struct{}
	users     map[rag.User]load // what the calls of a user wait for
	slots     slots
	breaker   breaker
	paused    [2]time.Time       // until then, by purpose
	budgets   [2]provider.Budget // by purpose
	paces     [2]provider.Pace   // by purpose
	served    time.Time          // when a query was last answered
	cold      bool               // the provider may have to load its model: see warm.go
	pioneer   *batch             // under way, while it is
	landed    time.Time          // when the last attempt ended
	borne     int64              // most texts of a request that was accepted
	tooManyAt time.Time          // when it was
	tooMany   int64              // texts of a request that was refused for their number; 0: not known
	sour      int                // requests that were refused in a row
	count     counters
	deaf      bool // the last attempt to end was not answered
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
		users: map[rag.User]load{}, slots: newSlots(cfg.MaxConcurrent), breaker: newBreaker(cfg), budgets: [2]provider.Budget{provider.NewBudget(), provider.NewBudget()}, cold: true,
	}
	p.items.Store(int64(cfg.MaxBatch))
	go p.dispatch()
	return p, nil
}

// Model returns the model that is configured.
func (p *Pipeline) Model() rag.Model { return p.client.Model() }

// MaxBatch returns how many texts go into one request.
func (p *Pipeline) MaxBatch() int { return int(p.items.Load()) }

// Shortens reports whether vectors of this model may be cut to their first dim
// values and scaled to length 1, and still mean the same, as their maker says.
func (p *Pipeline) Shortens(dim int) bool {
	return shortens(p.cfg.Model) && dim > 0 && dim <= p.cfg.Dimensions
}

// of is the place of a purpose.
func of(u rag.Purpose) int {
	if u == rag.ForIngest {
		return 1
	}
	return 0
}

// pace is how long attempts for u take.
func (p *Pipeline) pace(u rag.Purpose) *provider.Pace { return &p.paces[of(u)] }

// pausedUntil returns until when the provider does not want to be asked for u.
// What it says to a query holds for all; to ingest, for ingest alone.
func (p *Pipeline) pausedUntil(u rag.Purpose) time.Time {
	until := p.paused[of(rag.ForQuery)]
	if t := p.paused[of(u)]; t.After(until) {
		return t
	}
	return until
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
	c := newCall(ctx, user, purpose, texts)
	if err := p.run(ctx, c); err != nil {
		return nil, err
	}
	return c.result(), nil
}

// EmbedAfresh implements [rag.Rememberer].
func (p *Pipeline) EmbedAfresh(ctx context.Context, user rag.User, purpose rag.Purpose, texts []string, witness string) ([][]float32, []float32, error) {
	c := newCall(ctx, user, purpose, append(slices.Clone(texts), witness))
	c.kept = len(texts)
	if err := p.run(ctx, c); err != nil {
		return nil, nil, err
	}
	all := c.result()
	return all[:c.kept], all[c.kept], nil
}

// Forget implements [rag.Rememberer].
func (p *Pipeline) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.era++
	p.cache.clear()
	for _, f := range slices.Collect(maps.Values(p.table.byKey)) {
		p.table.remove(f)
		f.key = f.key.until(p.era) // nobody joins it any more
		p.table.add(f)
	}
}

// run takes c from its beginning to its end.
func (p *Pipeline) run(ctx context.Context, c *call) error {
	began := time.Now()
	if p.cfg.Tracer != nil {
		c.trace = p.cfg.Tracer.Parent(ctx)
	}
	err := p.embed(ctx, c)
	p.embedEnd(c, began, err)
	if err != nil { // not a nil *rag.Error as an error
		return err
	}
	return nil
}

// embed returns when c has its vectors, or with the reason why not.
func (p *Pipeline) embed(ctx context.Context, c *call) *rag.Error {
	if err := p.cfg.valid(c.texts); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ended(ctx, provider.Queue, nil)
	}
	n := int64(0)
	if 0 < c.kept && c.kept < len(c.texts) { // another's witness may have been asked for before these texts
		n = p.witnesses.Add(1)
		// What is kept of these texts, or under way for others, has no witness. Of
		// texts that need many requests a call made again must not begin anew.
		c.own = c.kept <= p.MaxBatch()
	}
	for i, t := range c.texts {
		c.keys[i] = keyOf(p.Model(), t)
		if i >= c.kept || c.own {
			c.keys[i] = c.keys[i].afresh(n)
			continue
		}
		if c.vectors[i] = p.cache.get(c.keys[i]); c.vectors[i] != nil {
			c.hits++
		}
	}
	if err := p.submit(c); err != nil {
		return err
	}
	return p.wait(ctx, c)
}

// result copies what c was answered.
func (c *call) result() [][]float32 {
	out := make([][]float32, len(c.texts))
	for i := range out {
		v := c.vectors[i]
		if v == nil {
			v = c.flights[i].vector
		}
		out[i] = slices.Clone(v) // the cache and other callers have it too
	}
	return out
}

// submit admits c and puts it on its way. A call that the cache answers whole
// is done.
func (p *Pipeline) submit(c *call) *rag.Error {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count.calls++
	p.count.hits += int64(c.hits)
	p.count.misses += int64(len(c.texts) - c.hits)
	if p.closed {
		return closedFault(provider.Queue).Error
	}
	if c.hits == len(c.texts) {
		c.ended = true
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

func closedFault(p provider.Phase) *provider.Fault {
	return &provider.Fault{Error: &rag.Error{
		Code: rag.Unavailable, Phase: p.String(), Err: errClosed, Msg: "the server is shutting down",
	}}
}

func expiredError() *rag.Error {
	return &rag.Error{
		Code: rag.Timeout, Phase: provider.Queue.String(), Err: context.DeadlineExceeded,
		Msg: "the embedding provider did not answer in time (" + provider.Queue.Doing() + ")",
	}
}
