package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"weir/internal/builtin"
	"weir/internal/chaos"
	"weir/internal/chat"
	"weir/internal/drill"
	"weir/internal/embed"
	"weir/internal/extract"
	"weir/internal/httpapi"
	"weir/internal/mcpapi"
	"weir/internal/provider"
	"weir/internal/rag"
	"weir/internal/sqlite"
)

// site is where the Weirs of a drill are: each fault has one, with a data
// folder that begins as a copy of the same.
type site struct {
	dir   string
	cache string
	flags drillFlags
	opens atomic.Int64
}

// newSite indexes the drill's documents once, with a provider that is well.
func newSite(ctx context.Context, dir, cache string, f drillFlags, dim int) (_ *site, err error) {
	s := &site{dir: dir, cache: cache, flags: f}
	p, err := chaos.Start(ctx, chaos.Config{Dim: dim, Model: drill.Model})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	first, err := s.engine(ctx, s.original(), drill.Place{URL: p.URL(), Model: drill.Model, Dim: dim})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, first.close(ctx)) }()
	for _, d := range drillDocuments() {
		doc, _, err := first.Upload(ctx, d.user, rag.NewDocument{Filename: d.filename, Content: []byte(d.text)})
		if err != nil {
			return nil, err
		}
		if doc, err = first.Wait(ctx, d.user, doc.ID); err != nil {
			return nil, err
		}
		if doc.Status != rag.Ready || doc.Chunks != 1 {
			return nil, fmt.Errorf("the drill's own document %s became %s, of %d passages", d.filename, doc.Status, doc.Chunks)
		}
	}
	return s, nil
}

func (s *site) original() string { return filepath.Join(s.dir, "original") }

// rooms are those of Weir, joined as openEngine joins them, but that no
// setting leads to the provider of a drill.
type rooms struct {
	*rag.Service
	pipeline  *embed.Pipeline // nil: the model inside the program
	chat      *chat.Pipeline  // nil: none
	extractor *extract.Extractor
	store     *sqlite.Store

	stopWork context.CancelFunc
	worked   chan struct{}
}

// engine opens the rooms with the provider of at, and begins the work on
// documents.
func (s *site) engine(ctx context.Context, dir string, at drill.Place) (_ *rooms, err error) {
	r := &rooms{worked: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close(ctx))
		}
	}()
	cfg := rag.Config{Timeout: s.timeout()}
	embedder, err := r.providers(s.flags.chat(), at, &cfg) //nolint:contextcheck // they live until their Close, not as long as this ctx
	if err != nil {
		return nil, err
	}
	if r.extractor, err = extract.New(extract.Config{CacheDir: s.cache}); err != nil {
		return nil, err
	}
	if r.store, err = sqlite.Open(ctx, sqlite.Config{Dir: dir}); err != nil {
		return nil, err
	}
	cfg.CountTokens = r.extractor.CountTokens
	if r.Service, err = rag.New(cfg, r.store, embedder, r.extractor); err != nil {
		return nil, err
	}
	if _, err := r.Settle(ctx); err != nil { // from here on the embedder is held against a stored passage
		return nil, err
	}
	var working context.Context
	working, r.stopWork = context.WithCancel(ctx)
	go func() {
		defer close(r.worked)
		r.Run(working)
	}()
	return r, nil
}

// providers opens what asks the provider of at, for answers or for vectors.
func (r *rooms) providers(answers bool, at drill.Place, cfg *rag.Config) (rag.Embedder, error) {
	var err error
	if !answers {
		r.pipeline, err = embed.New(embed.Config{BaseURL: at.URL, Model: at.Model, Dimensions: at.Dim, Network: provider.Network{RootCAs: at.Roots, Resolver: at.Resolver}})
		return r.pipeline, err
	}
	if r.chat, err = chat.New(chat.Config{BaseURL: at.URL, Model: at.Model, Network: provider.Network{RootCAs: at.Roots, Resolver: at.Resolver}}); err != nil {
		return nil, err
	}
	cfg.Chat = r.chat
	return builtin.New()
}

// close puts down what is open, whether ctx has ended or not.
func (r *rooms) close(ctx context.Context) error {
	var errs []error
	if r.stopWork != nil {
		r.stopWork()
		<-r.worked
	}
	if r.store != nil {
		errs = append(errs, r.store.Close())
	}
	if r.extractor != nil {
		errs = append(errs, r.extractor.Close())
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), partingTime)
	defer cancel()
	if r.pipeline != nil {
		errs = append(errs, r.pipeline.Close(ctx))
	}
	if r.chat != nil {
		errs = append(errs, r.chat.Close(ctx))
	}
	return errors.Join(errs...)
}

// timeout is the server's. A call brings its own deadline.
func (s *site) timeout() time.Duration {
	return max(rag.Config{}.WithDefaults().Timeout, s.flags.deadline)
}

// open starts a Weir for one fault.
func (s *site) open(ctx context.Context, at drill.Place) (_ drill.Target, err error) {
	w := &drilled{dir: filepath.Join(s.dir, fmt.Sprint(s.opens.Add(1))), ended: make(chan error, 1), flags: s.flags}
	if err := os.CopyFS(w.dir, os.DirFS(s.original())); err != nil {
		return nil, err
	}
	if w.rooms, err = s.engine(ctx, w.dir, at); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil && w.hold != nil {
			err = errors.Join(err, w.hold.release())
		}
	}()
	server, err := w.listen(ctx, s.timeout())
	if err != nil {
		return nil, errors.Join(err, w.close(ctx))
	}
	w.url = server.URL()
	serving, stop := context.WithCancel(ctx)
	w.stop = stop
	go func() { w.ended <- server.Serve(serving) }()
	w.client = &http.Client{Transport: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: time.Second}).DialContext,
		MaxIdleConnsPerHost: s.flags.callers, MaxIdleConns: s.flags.callers,
	}}
	return w, nil
}

// listen opens the doors: HTTP, MCP, and that of commands on the data folder.
func (w *drilled) listen(ctx context.Context, timeout time.Duration) (*httpapi.Server, error) {
	agents, err := mcpapi.New(mcpapi.Config{Version: thisBuild().Version, Timeout: timeout}, w.Service)
	if err != nil {
		return nil, err
	}
	server, err := httpapi.Listen(ctx, "127.0.0.1:0", httpapi.Config{
		Version: thisBuild().Version, Timeout: timeout, DrainTimeout: time.Second, MCP: agents.ServeUser,
	}, w.Service)
	if err != nil {
		return nil, err
	}
	if w.hold, err = takeHold(w.dir, "drill"); err == nil {
		err = w.hold.announce(server.Addr(), "")
	}
	if err != nil {
		return nil, errors.Join(err, server.Close())
	}
	return server, nil
}

// drilled is one Weir, with its callers' connections to it.
type drilled struct {
	*rooms
	dir    string
	hold   *hold // nil: not yet
	url    string
	flags  drillFlags
	client *http.Client
	stop   context.CancelFunc // ends the server
	ended  chan error         // of the server
}

var (
	_ drill.Target = (*drilled)(nil)
	_ drill.Asker  = (*drilled)(nil)
)

// Requests counts the attempts that the pipeline made.
func (w *drilled) Requests() int64 {
	if w.chat != nil {
		return w.chat.Stats().Attempts
	}
	return w.pipeline.Stats().Attempts
}

// Close ends it as serve does: the server first, then what it stands on.
func (w *drilled) Close(ctx context.Context) error {
	// First: a server waits for a while for connections that were never used.
	w.client.CloseIdleConnections()
	w.stop()
	var err error
	select {
	case err = <-w.ended:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	return errors.Join(err, w.close(ctx), w.hold.release())
}
