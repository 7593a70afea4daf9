package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"
	"runtime"
	"time"

	"weir/internal/embed"
	"weir/internal/extract"
	"weir/internal/rag"
	"weir/internal/sqlite"
)

// leaseTime is how long a document in work may go without a sign of life.
const leaseTime = 30 * time.Second

// engine is the rooms joined: what a command works with when it holds the
// data folder itself.
type engine struct {
	*rag.Service
	store     *sqlite.Store
	extractor *extract.Extractor

	embedder rag.Embedder

	stopWork context.CancelFunc // nil while work was not begun
	worked   chan struct{}
}

// openEngine opens the store in dir and joins the rooms.
//
// The store is opened under the hold on dir. cache is a folder for what can be
// made again.
func openEngine(ctx context.Context, c config, dir, cache string, log *slog.Logger) (*engine, error) {
	embedder, err := newEmbedder(c) //nolint:contextcheck // it lives until its Close, not as long as this ctx
	if err != nil {
		return nil, err
	}
	x, err := newExtractor(c, cache)
	if err != nil {
		return nil, errors.Join(err, closeEmbedder(ctx, embedder))
	}
	store, err := sqlite.Open(ctx, sqlite.Config{Dir: dir, IndexMemory: c.IndexMemory, Log: log})
	if err != nil {
		return nil, errors.Join(err, x.Close(), closeEmbedder(ctx, embedder))
	}
	// Nobody else has the folder: what is in work now was in work when a
	// process was killed.
	if err := store.Reclaim(ctx); err != nil {
		return nil, errors.Join(err, store.Close(), x.Close(), closeEmbedder(ctx, embedder))
	}
	svc, err := rag.New(rag.Config{
		Timeout: c.Timeout, MaxInFlight: c.MaxInFlight, MaxCallBytes: c.MaxCallMemory, UserShare: c.UserShare, MaxFileBytes: c.MaxFileBytes,
		IngestWorkers: c.IngestWorkers, Lease: leaseTime, DocumentTimeout: c.DocumentTimeout,
		CountTokens: x.CountTokens, DecodeTokens: x.DecodeTokens, Log: log,
	}, store, embedder, x)
	if err != nil {
		return nil, errors.Join(err, store.Close(), x.Close(), closeEmbedder(ctx, embedder))
	}
	return &engine{Service: svc, store: store, extractor: x, embedder: embedder}, nil
}

func newExtractor(c config, cache string) (*extract.Extractor, error) {
	return extract.New(extract.Config{
		MaxBytes: c.MaxFileBytes, ChunkTokens: c.ChunkTokens, Overlap: c.ChunkOverlap,
		Workers: c.IngestWorkers, CacheDir: cache, Timeout: min(c.DocumentTimeout, readTime),
	})
}

// readTime is the longest the reading of one document may take.
const readTime = 2 * time.Minute

func newEmbedder(c config) (rag.Embedder, error) {
	if c.Embedder == "none" {
		return embed.None{}, nil
	}
	return embed.New(embed.Config{
		BaseURL: c.OpenAIBaseURL, APIKey: c.OpenAIAPIKey, Model: c.EmbeddingModel, Dimensions: c.Dimensions,
		MaxConcurrent: c.MaxConcurrent, MaxBatch: c.MaxBatch, UserShare: c.UserShare,
		Proxy: http.ProxyFromEnvironment, UserAgent: "weir/" + thisBuild().Version,
	})
}

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
	return errors.Join(e.store.Close(), e.extractor.Close(), closeEmbedder(ctx, e.embedder))
}
