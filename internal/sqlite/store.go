package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"weir/internal/analysis"
	"weir/internal/crew"
	"weir/internal/rag"
)

const fileName = "weir.db"

// How many connections read besides those of searches: for loading indexes,
// and for ingest and lists.
const (
	loaders = 2
	others  = 4
)

// Store is a rag.Store in one folder.
type Store struct {
	cfg      Config
	analyzer *analysis.Analyzer

	writer *pool // of one
	search *pool
	load   *pool
	other  *pool

	indexes *cache
	crew    *crew.Crew
	wake    chan struct{} // tells the sweeper that there is waste
	lease   lease         // on the move of all documents

	closed  chan struct{}
	closing sync.Once
	outcome error // of Close
}

var _ rag.Store = (*Store)(nil)

// Open opens the store in cfg.Dir, and makes it if there is none. ctx bounds
// the opening only. Errors are [rag.Error] values: Invalid for the Config,
// Unavailable for a folder or file that cannot be used.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.Dir == "" {
		return nil, rag.FieldErrorf("dir", "the store needs a folder")
	}
	cfg = cfg.withDefaults()
	const doing = "open the store"
	if err := ctx.Err(); err != nil {
		return nil, explain(ctx, cfg.Dir, doing, err)
	}
	path, err := filepath.Abs(filepath.Join(cfg.Dir, fileName))
	if err != nil {
		return nil, explain(ctx, cfg.Dir, doing, err)
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, &rag.Error{Code: rag.Unavailable, Phase: phase, Msg: fmt.Sprintf("%s: the folder %s cannot be made", doing, cfg.Dir), Err: err}
	}
	if err := checkRestored(cfg.Dir); err != nil {
		return nil, err
	}
	if err := migrate(ctx, path); err != nil {
		return nil, explain(ctx, cfg.Dir, doing, err)
	}
	reader := func(ctx context.Context) (*conn, error) { return openConn(ctx, path, readerPragmas) }
	s := &Store{
		cfg: cfg, analyzer: analysis.New(),
		writer: newPool(1, func(ctx context.Context) (*conn, error) { return openConn(ctx, path, writerPragmas) }),
		search: newPool(cfg.Searches, reader),
		load:   newPool(loaders, reader),
		other:  newPool(others, reader),
		wake:   make(chan struct{}, 1),
		closed: make(chan struct{}),
	}
	s.indexes = newCache(cfg.IndexMemory, s.loadIndex)
	if err := s.Ready(ctx); err != nil {
		return nil, errors.Join(err, s.other.close())
	}
	s.crew = crew.New(context.WithoutCancel(ctx), errClosed())
	if err := s.crew.Start(s.sweep); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Ready reports whether the store can be read now.
func (s *Store) Ready(ctx context.Context) error {
	return s.read(ctx, s.other, "look at the store", func(c *conn) error {
		_, err := c.number("SELECT count(*) FROM bodies")
		return err
	})
}

// Close waits for calls under way, and refuses new ones.
func (s *Store) Close() error {
	s.closing.Do(func() {
		close(s.closed)
		s.crew.Close()
		// The writer goes last: the last connection to close tidies up the file.
		for _, p := range []*pool{s.search, s.load, s.other, s.writer} {
			s.outcome = errors.Join(s.outcome, p.close())
		}
		s.indexes.close()
	})
	return s.outcome
}
