package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"weir/internal/embed"
	"weir/internal/extract"
	"weir/internal/metrics"
	"weir/internal/postgres"
	"weir/internal/rag"
	"weir/internal/sqlite"
)

// leaseTime is how long a document in work may go without a sign of life.
const leaseTime = 30 * time.Second

// engine is the rooms joined: what a command works with when it holds the
// data folder itself.
type engine struct {
	*rag.Service
	store     rag.Store
	extractor *extract.Extractor
	metrics   *metrics.Metrics // nil: nobody looks

	opened    sync.Mutex     // guards embedders
	embedders []rag.Embedder // to be closed
	chat      rag.ChatModel  // never nil once joined
	next      rag.Embedder   // what the settings name; it is in use but for the time until weir reembed has been run

	stopWork context.CancelFunc // nil while work was not begun
	worked   chan struct{}
}

// openEngine opens the store in dir and joins the rooms.
//
// The store is opened under the hold on dir. cache is a folder for what can be
// made again. m may be nil.
func openEngine(ctx context.Context, c config, dir, cache string, m *metrics.Metrics, log *slog.Logger) (*engine, error) {
	x, err := newExtractor(c, cache)
	if err != nil {
		return nil, err
	}
	store, err := openStore(ctx, c, dir, x.CountTokens, log)
	if err != nil {
		return nil, errors.Join(err, x.Close())
	}
	e := &engine{store: store, extractor: x, metrics: m}
	if err := e.connect(c); err != nil { //nolint:contextcheck // they live until their Close, not as long as this ctx
		return nil, errors.Join(err, e.close(ctx))
	}
	if err := e.join(ctx, e.settings(c, log)); err != nil { //nolint:contextcheck // what the settings open lives until its Close
		return nil, errors.Join(err, e.close(ctx))
	}
	return e, nil
}

// openStore opens the store that the settings name.
func openStore(ctx context.Context, c config, dir string, tokens func(string) int, log *slog.Logger) (rag.Store, error) {
	if c.Store == "postgres" {
		return openPostgres(ctx, c, tokens, log)
	}
	s, err := sqlite.Open(ctx, sqlite.Config{Dir: dir, IndexMemory: c.IndexMemory, Log: log})
	if err != nil {
		return nil, err
	}
	// Nobody else has the folder: what is in work now was in work when a
	// process was killed.
	if err := s.Reclaim(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func openPostgres(ctx context.Context, c config, tokens func(string) int, log *slog.Logger) (rag.Store, error) {
	cfg := postgres.Config{
		Address: c.DatabaseURL, Schema: c.DatabaseSchema, IndexMemory: c.IndexMemory, CountTokens: tokens, Log: log,
	}
	if c.DatabaseLayout == "adopted" {
		if c.Embedder == "openai" {
			cfg.UnnamedModel = c.EmbeddingModel
		}
		return postgres.Adopt(ctx, cfg)
	}
	return postgres.Open(ctx, cfg)
}

// connect opens the far ends that the settings name.
func (e *engine) connect(c config) error {
	answers, err := newChat(c, e.metrics)
	if err != nil {
		return err
	}
	e.chat = answers // not before: a pipeline that could not be made is not to be closed
	vectors, err := newEmbedder(c, e.metrics)
	if err != nil {
		return err
	}
	e.next = vectors
	return nil
}

// settings are those of the Service.
func (e *engine) settings(c config, log *slog.Logger) rag.Config {
	cfg := rag.Config{
		Timeout: c.Timeout, AnswerTimeout: c.ChatTimeout, MaxInFlight: c.MaxInFlight, MaxCallBytes: c.MaxCallMemory, UserShare: c.UserShare, MaxFileBytes: c.MaxFileBytes,
		IngestWorkers: c.IngestWorkers, Lease: leaseTime, DocumentTimeout: c.DocumentTimeout,
		Calibrate: calibration, Log: log,
		Earlier: func(live rag.Model) (rag.Embedder, error) { return e.openEarlier(c, live) },
	}
	if e.metrics != nil {
		cfg.Observer = e.metrics
	}
	if c.to != nil {
		cfg.Tracer = c.to
	}
	return cfg
}

// join makes the Service of the rooms that are open.
func (e *engine) join(ctx context.Context, cfg rag.Config) (err error) {
	e.embedders = append(e.embedders, e.next)
	x := e.extractor
	cfg.CountTokens, cfg.DecodeTokens, cfg.Chat = x.CountTokens, x.DecodeTokens, e.chat
	if e.Service, err = rag.New(cfg, e.store, e.next, x); err != nil {
		return err
	}
	_, err = e.Settle(ctx)
	return err
}

// openEarlier opens an embedder for the model that the documents' vectors are
// of, which is not the one of the settings.
func (e *engine) openEarlier(c config, live rag.Model) (rag.Embedder, error) {
	in, err := earlierEmbedder(c, live, e.metrics)
	if err != nil {
		return nil, err
	}
	e.opened.Lock()
	defer e.opened.Unlock()
	e.embedders = append(e.embedders, in)
	return in, nil
}

// pipeline is what asks the provider in use, or nil.
func (e *engine) pipeline() *embed.Pipeline {
	e.opened.Lock()
	defer e.opened.Unlock()
	for _, in := range e.embedders {
		if p, ok := in.(*embed.Pipeline); ok && p.Model() == e.Model() {
			return p
		}
	}
	return nil
}

// tellMoved says what to do when the documents' vectors are not of the model
// that the settings name, or some have none.
func (a *app) tellMoved(ctx context.Context, e *engine) {
	live, named := e.Model(), e.next.Model()
	if live != named {
		fmt.Fprintf(a.stderr, "weir: the documents' vectors are of %s (%d values), the settings name %s (%d); questions are asked with the first until \"weir reembed\" has moved the documents\n",
			live.Name, live.Dim, named.Name, named.Dim)
		return
	}
	store, ok := e.store.(rag.Reembedder)
	if !ok || live == (rag.Model{}) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, countTime)
	defer cancel()
	if p, err := store.Moved(ctx, live); err == nil && p.Done < p.Total { // a store in trouble has told so itself
		fmt.Fprintf(a.stderr, "weir: %d of %d passages have no vector of %s and are found by their words alone; \"weir reembed\" gives them vectors\n", p.Total-p.Done, p.Total, live.Name)
	}
}

// countTime is how long it may take to find out that there is nothing to say.
const countTime = 2 * time.Second

func newExtractor(c config, cache string) (*extract.Extractor, error) {
	overlap := c.ChunkOverlap
	if overlap == 0 { // which would be the default there
		overlap = -1
	}
	return extract.New(extract.Config{
		MaxBytes: c.MaxFileBytes, ChunkTokens: c.ChunkTokens, Overlap: overlap,
		Workers: c.IngestWorkers, CacheDir: cache, Timeout: min(c.DocumentTimeout, readTime),
	})
}

// readTime is the longest the reading of one document may take.
const readTime = 2 * time.Minute

// closeEmbedder waits for its attempts, not long: they were told to end.
func closeEmbedder(ctx context.Context, e rag.Embedder) error {
	c, ok := e.(interface{ Close(context.Context) error })
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), partingTime)
	defer cancel()
	return c.Close(ctx)
}

const partingTime = 5 * time.Second

// cacheDir is the folder for what can be made again, such as the compiled
// PDFium: the user's own if there is one, else one in the data folder.
func (a *app) cacheDir(c config) string {
	parts := map[string][]string{
		"windows": {a.variable("LocalAppData")},
		"darwin":  {a.variable("HOME"), "Library", "Caches"},
	}[runtime.GOOS]
	if parts == nil {
		parts = []string{a.variable("HOME"), ".cache"}
		if xdg := a.variable("XDG_CACHE_HOME"); filepath.IsAbs(xdg) {
			parts = []string{xdg}
		}
	}
	if !filepath.IsAbs(parts[0]) {
		return filepath.Join(c.Data, "cache")
	}
	return filepath.Join(append(parts, "weir")...)
}

// begin starts the work on queued documents.
func (e *engine) begin(ctx context.Context) {
	ctx, e.stopWork = context.WithCancel(ctx)
	e.worked = make(chan struct{})
	go func() {
		defer close(e.worked)
		e.Run(ctx)
	}()
}

// close stops the work, waits for it, and closes the store. It does so whether
// ctx has ended or not.
func (e *engine) close(ctx context.Context) error {
	if e.stopWork != nil {
		e.stopWork()
		<-e.worked
	}
	errs := []error{e.store.Close(), e.extractor.Close()}
	for _, in := range e.embedders {
		errs = append(errs, closeEmbedder(ctx, in))
	}
	errs = append(errs, closeChat(ctx, e.chat))
	return errors.Join(errs...)
}
