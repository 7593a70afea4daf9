package rag

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// Config is what a Service can be told.
type Config struct {
	Timeout         time.Duration    // the deadline of a call, and the longest one a caller may ask for. Defaults to 10 s
	AnswerTimeout   time.Duration    // the same of Ask, where Chat has a model. Defaults to 60 s
	MaxInFlight     int              // calls worked on at the same time. Defaults to 1024
	MaxWaiting      int              // calls that wait until one of those has ended. Defaults to MaxInFlight
	MaxCallBytes    int64            // memory that the calls under way and waiting may need, as far as their requests tell. Defaults to 256 MiB
	UserShare       float64          // part of each of the three that one user may have. Defaults to 0.5
	MaxFileBytes    int64            // the largest upload. Defaults to 64 MiB
	IngestWorkers   int              // documents worked on side by side. Defaults to 2
	Lease           time.Duration    // how long a document in work may go without a sign of life. Defaults to 30 s
	DocumentTimeout time.Duration    // the longest one document may be worked on in one go. Defaults to 30 min
	CountTokens     func(string) int // the extractor's tokenizer; required
	// DecodeTokens is the text of cl100k_base token ids; its errors are for the
	// caller. Defaults to none: lists of tokens are refused.
	DecodeTokens func([]int) (string, error)
	// Calibrate tells what the scale of a model's similarities asks for. Defaults
	// to DefaultCalibration for every model.
	Calibrate func(Model) Calibration
	// Next is what StartReembed moves the documents to. Defaults to the embedder
	// of New, which gives vectors to the documents that have none.
	Next Embedder
	// Earlier opens an embedder for a model that the documents are of and Next
	// is not, or returns ErrNoProvider. It is called once for each model that it
	// opens. Defaults to one that has none.
	Earlier  func(Model) (Embedder, error)
	Chat     ChatModel    // writes answers. Defaults to none: Ask answers with passages
	Observer Observer     // Defaults to none
	Tracer   Tracer       // Defaults to none
	Log      *slog.Logger // Defaults to none
}

// WithDefaults returns c with its zeros filled in.
func (c Config) WithDefaults() Config {
	c.Timeout = orDefault(c.Timeout, 10*time.Second)
	c.AnswerTimeout = orDefault(c.AnswerTimeout, time.Minute)
	c.MaxInFlight = orDefault(c.MaxInFlight, 1024)
	c.MaxWaiting = orDefault(c.MaxWaiting, c.MaxInFlight)
	c.MaxCallBytes = orDefault(c.MaxCallBytes, 256<<20)
	c.UserShare = orDefault(c.UserShare, 0.5)
	c.MaxFileBytes = orDefault(c.MaxFileBytes, 64<<20)
	c.IngestWorkers = orDefault(c.IngestWorkers, 2)
	c.Lease = orDefault(c.Lease, 30*time.Second)
	c.DocumentTimeout = orDefault(c.DocumentTimeout, 30*time.Minute)
	if c.Calibrate == nil {
		c.Calibrate = func(Model) Calibration { return DefaultCalibration() }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c Config) validate() error {
	switch {
	case c.CountTokens == nil:
		return errors.New("rag.Config: CountTokens is required")
	case min(c.Timeout, c.AnswerTimeout, c.Lease, c.DocumentTimeout) < 0 || min(c.MaxInFlight, c.MaxWaiting, c.IngestWorkers) < 0 || min(c.MaxCallBytes, c.MaxFileBytes) < 0:
		return errors.New("rag.Config: a limit is negative")
	case !(c.UserShare > 0 && c.UserShare <= 1): // catches NaN too
		return fmt.Errorf("rag.Config: UserShare (%v) must be above 0 and at most 1", c.UserShare)
	case c.Timeout < 10*time.Millisecond:
		return fmt.Errorf("rag.Config: Timeout %v is too short to answer in; the least is 10ms", c.Timeout)
	case c.AnswerTimeout < 10*time.Millisecond:
		return fmt.Errorf("rag.Config: AnswerTimeout %v is too short to answer in; the least is 10ms", c.AnswerTimeout)
	case c.Lease < time.Second:
		return fmt.Errorf("rag.Config: Lease %v is too short to be renewed in time; the least is 1s", c.Lease)
	case c.DocumentTimeout < c.Lease:
		return fmt.Errorf("rag.Config: DocumentTimeout %v is shorter than Lease %v", c.DocumentTimeout, c.Lease)
	}
	return nil
}

// Service is what the doors speak to.
type Service struct {
	cfg       Config
	store     Store
	current   current // the embedder in use
	extract   Extractor
	admission *admission
	calls     calls
	recent    recent
	dumps     dumps
	changes   changes       // documents that moved, for Watch
	wake      chan struct{} // a document was queued in this process

	reembedding sync.Mutex // held by the one Reembed
	moves       moves
	following   following

	queued, working atomic.Int64 // documents, as counter found them
}

// New makes a Service. Run must be running for uploads to be worked on.
func New(cfg Config, store Store, embedder Embedder, x Extractor) (*Service, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg.Next = orDefault(cfg.Next, embedder)
	return &Service{
		cfg: cfg, store: store, current: current{in: embedder}, extract: x,
		admission: newAdmission(cfg),
		wake:      make(chan struct{}, 1),
		moves:     moves{begun: make(chan MoveLease, 1)},
		following: newFollowing(),
	}, nil
}

// Ready reports whether the store can serve now, retrieval and ingest.
func (s *Service) Ready(ctx context.Context) error {
	ctx, cancel := s.deadline(ctx, 0)
	defer cancel()
	_, err := await(ctx, func() (struct{}, error) { return struct{}{}, s.store.Ready(ctx) })
	return err
}

// ReadyToRetrieve reports whether retrieval can be answered now, whether or not
// anything can be stored.
func (s *Service) ReadyToRetrieve(ctx context.Context) error {
	halves, ok := s.store.(Halves)
	if !ok {
		return s.Ready(ctx)
	}
	ctx, cancel := s.deadline(ctx, 0)
	defer cancel()
	_, err := await(ctx, func() (struct{}, error) { return struct{}{}, halves.Readable(ctx) })
	return err
}

// embedder is the one in use. It may change from one call of this to the next.
func (s *Service) embedder() Embedder { return s.current.get() }

func (s *Service) defaultMode() Mode {
	if s.embedder().Model() == (Model{}) {
		return Lexical
	}
	return Hybrid
}

// errDeadline is the cause of a ctx that ended by Weir's own deadline.
var errDeadline = errors.New("the call's deadline has passed")

// deadline gives ctx the call's one deadline: what the caller asked for, never
// more than the server's, never more than ctx already had.
func (s *Service) deadline(ctx context.Context, asked time.Duration) (context.Context, context.CancelFunc) {
	return within(ctx, s.cfg.Timeout, asked)
}

func within(ctx context.Context, most, asked time.Duration) (context.Context, context.CancelFunc) {
	if asked > 0 {
		most = min(most, asked)
	}
	return context.WithTimeoutCause(ctx, most, errDeadline)
}

// await runs f beside the caller and leaves when ctx ends, whatever f does.
// f must be bound to ctx too: it ends by itself soon after. A panic of f is an
// Internal error of this call, not the end of everybody's.
func await[T any](ctx context.Context, f func() (T, error)) (T, error) {
	if ctx.Err() != nil {
		var zero T
		return zero, ended(ctx)
	}
	return begin(ctx, f)
}

// begin is await that runs f in any case.
func begin[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	var zero T
	done := make(chan outcome, 1) // f never waits for a caller that left
	go func() {
		var o outcome
		defer func() {
			if p := recover(); p != nil {
				o.err = &Error{Code: Internal, Msg: "an internal error", Err: fmt.Errorf("panic: %v\n%s", p, debug.Stack())}
			}
			done <- o
		}()
		o.value, o.err = f()
	}()
	select {
	case o := <-done:
		if o.err != nil && ctx.Err() != nil && CodeOf(o.err) != NotFound {
			return zero, ended(ctx)
		}
		return o.value, o.err
	case <-ctx.Done():
		return zero, ended(ctx)
	}
}

// ended makes the Error of a ctx that is over: Timeout or Canceled.
func ended(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return &Error{Code: Canceled, Msg: "the caller left before the answer was ready", Err: ctx.Err()}
	}
	cause := context.Cause(ctx)
	switch {
	case errors.Is(cause, errEmbedBudget):
		return &Error{Code: Timeout, Phase: "embed", Msg: "the embedder did not answer in its part of the deadline", Err: cause}
	case errors.Is(cause, errRetrieveBudget):
		return &Error{Code: Timeout, Phase: "search", Msg: "the passages were not found in their part of the deadline", Err: cause}
	case errors.Is(cause, errAnswerBudget):
		return &Error{Code: Timeout, Phase: "answer", Msg: "the chat model did not answer by the deadline", Err: cause}
	}
	return &Error{Code: Timeout, Msg: "no answer was ready by the deadline", Err: cause}
}

func checkUser(u User) error {
	switch {
	case u == "":
		return FieldErrorf("user", "must not be empty")
	case len(u) > MaxUserBytes:
		return FieldErrorf("user", "is %d bytes long; the limit is %d", len(u), MaxUserBytes)
	case !utf8.ValidString(string(u)):
		return FieldErrorf("user", "is not valid UTF-8")
	}
	return nil
}

type operationKey struct{}

// WithOperation gives the call made with ctx its operation id, a new random
// UUID, so that a door and Service speak of it by the same name. Without it
// Service makes one.
func WithOperation(ctx context.Context) (with context.Context, id string) {
	id = newID()
	return context.WithValue(ctx, operationKey{}, id), id
}

// Operation is the id that WithOperation gave the calls of ctx; "" without.
func Operation(ctx context.Context) string {
	id, _ := ctx.Value(operationKey{}).(string)
	return id
}

func operationOf(ctx context.Context) string {
	if id := Operation(ctx); id != "" {
		return id
	}
	return newID()
}

// newID returns a random UUID (RFC 9562, version 4).
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, says crypto/rand
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func ms(d time.Duration) float64 {
	return float64(d.Round(time.Microsecond)) / float64(time.Millisecond)
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}
