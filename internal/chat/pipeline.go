package chat

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"weir/internal/openai"
	"weir/internal/provider"
	"weir/internal/rag"
)

// Pipeline is a rag.ChatModel over a provider. It is safe for concurrent use.
// How it works is in the package comment.
type Pipeline struct {
	cfg      Config
	peer     provider.Peer
	endpoint string
	http     *http.Client
	dialer   *provider.Dialer // nil in tests without a network
	cut      func()           // closes all connections
	borne    borne

	closing chan struct{} // closed by Close: everyone leaves
	idle    chan struct{} // closed when closed and running is 0

	mu      sync.Mutex // guards all below; held for moments only, never across a wait
	closed  bool
	running int // calls and attempts
	flying  map[*attempt]struct{}
	places  places
	breaker provider.Breaker
	probed  time.Time // when the probe under way was let through; zero: there is none
	paused  time.Time // until then
	budget  provider.Budget
	first   provider.Pace // until the first word
	whole   provider.Pace
	count   counters
}

var _ rag.ChatModel = (*Pipeline)(nil)

// New checks cfg. Nothing is asked of the provider yet. Close must be called.
func New(cfg Config) (*Pipeline, error) { return newPipeline(cfg, nil) }

// newPipeline takes rt in place of the network, in tests; nil for the network.
func newPipeline(cfg Config, rt http.RoundTripper) (*Pipeline, error) {
	cfg = cfg.WithDefaults()
	endpoint, err := cfg.validate()
	if err != nil {
		return nil, err
	}
	cut := func() {}
	var d *provider.Dialer
	if rt == nil {
		d, cut = provider.NewDialer(cfg.Network)
		rt = provider.NewTransport(cfg.Network, d)
	}
	return &Pipeline{
		cfg: cfg, peer: cfg.peer(), endpoint: endpoint, http: provider.Unredirected(rt), dialer: d, cut: cut,
		closing: make(chan struct{}), idle: make(chan struct{}), flying: map[*attempt]struct{}{},
		places:  newPlaces(cfg.MaxConcurrent, cfg.UserShare),
		breaker: provider.Breaker{OpenFor: cfg.OpenFor, Least: breakerLeast, Age: breakerAge}, budget: provider.NewBudget(),
	}, nil
}

// Name returns the model that is configured.
func (p *Pipeline) Name() string { return p.cfg.Model }

// call is one caller of Chat.
type call struct {
	user     rag.User
	emitted  bool      // the caller has a part of the answer: it is not tried again
	refused  bool      // without asking the provider
	attempts int       //
	fresh    bool      // on a new connection: those that are kept have failed
	entered  time.Time // when it first had a place
	firstBy  time.Time // until then there must be a first word
	firstAt  time.Time // when it was there
	probe    time.Time // when it was let through as the probe; zero: it was not
}

// left returns how long c can still wait.
func (c *call) left(ctx context.Context, now time.Time) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return 0
	}
	left := deadline.Sub(now)
	if !c.firstBy.IsZero() {
		left = min(left, c.firstBy.Sub(now))
	}
	return max(left, 1)
}

var (
	errWhole  = errors.New("the answer took too long as a whole")
	errClosed = errors.New("the chat client is closed")
)

func closedError(p provider.Phase) *rag.Error {
	return &rag.Error{Code: rag.Unavailable, Phase: p.String(), Err: errClosed, Msg: "the server is shutting down"}
}

// Chat has one answer written; see [rag.ChatModel]. Besides what stands there,
// RateLimited is the error of a user with too many calls that wait.
func (p *Pipeline) Chat(ctx context.Context, user rag.User, r rag.ChatRequest, emit func(piece string) error) (rag.ChatEnd, error) {
	began := time.Now()
	c := &call{user: user}
	p.mu.Lock()
	p.count.calls++
	if p.closed {
		p.mu.Unlock()
		return rag.ChatEnd{}, closedError(provider.Queue)
	}
	p.running++
	p.mu.Unlock()
	defer p.over(c)
	out := p.chat(ctx, c, r, emit)
	p.tellEnd(c, out, began)
	switch {
	case out.emit != nil:
		return rag.ChatEnd{}, out.emit
	case out.fault != nil:
		return rag.ChatEnd{}, out.fault.Error
	default:
		return out.end, nil
	}
}

func (p *Pipeline) chat(ctx context.Context, c *call, r rag.ChatRequest, emit func(string) error) outcome {
	if err := p.cfg.valid(r); err != nil {
		return outcome{fault: &provider.Fault{Error: err}, left: true}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, p.cfg.Timeout, errWhole)
	defer cancel()
	if ctx.Err() != nil {
		return outcome{fault: &provider.Fault{Error: p.peer.Ended(ctx, provider.Queue, nil)}, left: true}
	}
	ask := openai.ChatRequest{Model: p.cfg.Model, Stream: true, MaxTokens: r.MaxTokens, Temperature: r.Temperature}
	for _, m := range r.Messages {
		ask.Messages = append(ask.Messages, openai.ChatMessage{Role: m.Role, Content: m.Content})
	}
	var last *provider.Fault
	for try := 1; ; try++ {
		if err := p.enter(ctx, c); err != nil {
			return outcome{fault: afterLast(err, last), left: true}
		}
		c.fresh = last != nil && errors.Is(last.Err, provider.ErrReplayed)
		out := p.try(ctx, c, ask, try, emit)
		if out.fault != nil && errors.Is(out.fault.Err, provider.ErrReplayed) {
			try++ // it was asked twice
		}
		wait, again := p.again(ctx, c, out, try)
		if !again {
			return out
		}
		last = out.fault
		if err := p.sleep(ctx, wait); err != nil {
			return outcome{fault: afterLast(err, last), left: true}
		}
	}
}

// try makes an attempt in the place that c has.
func (p *Pipeline) try(ctx context.Context, c *call, ask openai.ChatRequest, try int, emit func(string) error) outcome {
	now := time.Now()
	if c.entered.IsZero() {
		c.entered, c.firstBy = now, now.Add(p.cfg.FirstToken)
		p.mu.Lock()
		p.budget.First()
		p.mu.Unlock()
	}
	c.attempts++
	traceparent, traced := p.trace(ctx, try)
	a := p.begin(ctx, c, ask, try, traceparent)
	out := outcome{left: true, emit: errLeft} // if emit panics
	defer func() {
		traced(out.words(a.where.Phase()))
		if !out.clean {
			a.end(errLeft)
		}
	}()
	out = p.follow(ctx, c, a, emit)
	if !a.firstAt.IsZero() {
		c.firstAt = a.firstAt
	}
	if a.where.Phase() <= provider.Headers && out.fault != nil && out.fault.Code == rag.Timeout {
		p.http.CloseIdleConnections() // they may be dead, and nobody was told
	}
	p.learn(c, a, out.fault, out.left)
	p.tellAttempt(a, out)
	return out
}

// leave counts an attempt out and gives its place back.
func (p *Pipeline) leave(u rag.User, a *attempt) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.flying, a)
	p.places.give(u)
	p.less()
}

// over counts a call out.
func (p *Pipeline) over(c *call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unprobe(c)
	if c.refused {
		p.count.refused++
	}
	p.less()
}

// less counts a call or an attempt out. Attempts begin in calls, so that the
// last to leave after Close is the end.
func (p *Pipeline) less() {
	if p.running--; p.running == 0 && p.closed {
		close(p.idle)
	}
}

// Close makes all calls return an Unavailable error, ends their attempts and
// waits for them until ctx ends; then it returns an error. It may be called more
// than once.
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
	defer p.http.CloseIdleConnections()
	defer p.cut()
	select {
	case <-p.idle:
		return nil
	case <-ctx.Done():
		p.mu.Lock()
		defer p.mu.Unlock()
		return fmt.Errorf("close the chat client: %d answers are still under way: %w", len(p.flying), context.Cause(ctx))
	}
}
