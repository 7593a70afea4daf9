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

// engine opens the rooms with the provider of at, to which no setting leads, and
// begins the work on documents.
func (s *site) engine(ctx context.Context, dir string, at drill.Place) (*engine, error) {
	x, err := extract.New(extract.Config{CacheDir: s.cache})
	if err != nil {
		return nil, err
	}
	store, err := sqlite.Open(ctx, sqlite.Config{Dir: dir})
	if err != nil {
		return nil, errors.Join(err, x.Close())
	}
	e := &engine{store: store, extractor: x, chat: chat.None{}}
	err = s.connect(e, at) //nolint:contextcheck // they live until their Close, not as long as this ctx
	if err == nil {
		err = e.join(ctx, rag.Config{Timeout: s.timeout()}) // from here on the embedder is held against a stored passage
	}
	if err != nil {
		return nil, errors.Join(err, e.close(ctx))
	}
	e.begin(ctx)
	return e, nil
}

// connect opens what asks the provider of at, for answers or for vectors.
func (s *site) connect(e *engine, at drill.Place) (err error) {
	network := provider.Network{RootCAs: at.Roots, Resolver: at.Resolver}
	if !s.flags.chat() {
		p, err := embed.New(embed.Config{BaseURL: at.URL, Model: at.Model, Dimensions: at.Dim, Network: network})
		if err != nil {
			return err
		}
		e.next = p
		return nil
	}
	p, err := chat.New(chat.Config{BaseURL: at.URL, Model: at.Model, Network: network})
	if err != nil {
		return err
	}
	e.chat = p
	e.next, err = builtin.New()
	return err
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
	if w.engine, err = s.engine(ctx, w.dir, at); err != nil {
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
	*engine
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

// Requests counts the attempts that the pipeline of the faults made.
func (w *drilled) Requests() int64 {
	if p, ok := w.chat.(*chat.Pipeline); ok {
		return p.Stats().Attempts
	}
	return w.pipeline().Stats().Attempts
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
