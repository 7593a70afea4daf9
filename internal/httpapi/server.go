package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"weir/internal/rag"
)

// maxHeaderBytes bounds a request's line and headers.
const maxHeaderBytes = 32 << 10

// Server is a door with a socket.
type Server struct {
	cfg      Config
	door     *door
	listener net.Listener
}

// Listen opens address, which without a Config.Gate must be a loopback one such
// as 127.0.0.1:8080; port 0 takes any free port. Requests are answered from
// Serve on.
func Listen(ctx context.Context, address string, cfg Config, svc *rag.Service) (*Server, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", address, err)
	}
	if a, ok := l.Addr().(*net.TCPAddr); cfg.Gate == nil && (!ok || !a.IP.IsLoopback()) {
		_ = l.Close() // nothing was accepted
		return nil, fmt.Errorf("will not listen on %s: without authentication anybody who reaches it can read every user's documents; use a loopback address such as 127.0.0.1:8080", address)
	}
	return &Server{cfg: cfg, door: newDoor(cfg, svc), listener: l}, nil
}

// Addr is the address that was opened, with the port that was taken.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// URL is the address as a client needs it.
func (s *Server) URL() string {
	if s.cfg.TLS != nil {
		return "https://" + s.Addr()
	}
	return "http://" + s.Addr()
}

// Close gives up the address without serving. After Serve it does nothing.
func (s *Server) Close() error {
	if err := s.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

var errStopped = errors.New("the server stopped before the call was done")

// Serve answers requests until ctx ends. Then /readyz says so for
// Config.DrainDelay, in which all else goes on; after it the server takes no new
// requests, ends the streams, gives calls under way Config.DrainTimeout to finish, breaks off
// what is left, and returns nil when nothing was.
func (s *Server) Serve(ctx context.Context) error {
	// Calls under way outlive ctx, for as long as the drain.
	calls, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(errStopped)
	srv := &http.Server{
		Handler:           s.door,
		BaseContext:       func(net.Listener) context.Context { return calls },
		ReadHeaderTimeout: s.cfg.HeaderTimeout,
		// No ReadTimeout: how long a body may take depends on the route, and
		// body.go sets it.
		//
		// The deadline of an answer is set before it is written, too. This one,
		// never shorter than the whole of any call, is for what net/http
		// writes by itself.
		WriteTimeout:   s.cfg.UploadTimeout + 2*s.cfg.Timeout + s.cfg.AnswerTimeout + s.cfg.WriteTimeout,
		IdleTimeout:    s.cfg.IdleTimeout,
		MaxHeaderBytes: maxHeaderBytes,
		TLSConfig:      s.cfg.TLS,
		HTTP2:          s.http2(),
		ErrorLog:       slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() { served <- s.accept(srv) }()
	select {
	case err := <-served:
		return fmt.Errorf("serving on %s: %w", s.Addr(), err)
	case <-ctx.Done():
	}
	s.door.leave()
	if err := s.delay(served); err != nil {
		return err
	}
	s.door.drain()
	bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.DrainTimeout)
	defer cancel()
	err := srv.Shutdown(bound)
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	if err != nil {
		stop(errStopped)
		s.part(ctx, srv)
		return errors.Join(fmt.Errorf("calls were broken off after %v: %w", s.cfg.DrainTimeout, err), srv.Close())
	}
	return nil
}

// parting is how long calls that are broken off have to say so to their callers.
const parting = time.Second

// part waits until they have, but not for callers who do not listen.
func (s *Server) part(ctx context.Context, srv *http.Server) {
	bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), parting)
	defer cancel()
	_ = srv.Shutdown(bound) // who is left is cut off
}

// accept serves what comes to the listener.
func (s *Server) accept(srv *http.Server) error {
	if s.cfg.TLS != nil {
		return srv.ServeTLS(s.listener, "", "") //nolint:wrapcheck // Serve wraps it
	}
	return srv.Serve(s.listener) //nolint:wrapcheck // Serve wraps it
}

// delay goes on for DrainDelay.
func (s *Server) delay(served <-chan error) error {
	if s.cfg.DrainDelay == 0 {
		return nil
	}
	t := time.NewTimer(s.cfg.DrainDelay)
	defer t.Stop()
	select {
	case err := <-served:
		return fmt.Errorf("serving on %s: %w", s.Addr(), err)
	case <-t.C:
		return nil
	}
}

const (
	// maxH2Streams is how many requests one HTTP/2 connection may have open.
	// net/http answers no more than that many side by side for one connection,
	// also when they are given up as fast as they are made, and closes one that
	// has four times as many waiting.
	maxH2Streams = 100
	// An HTTP/2 connection on which nothing comes is asked whether it still
	// lives, and closed when it does not say so.
	h2PingAfter   = 30 * time.Second
	h2PingTimeout = 15 * time.Second
)

// http2 is the bounds of HTTP/2, which there is with TLS only.
func (s *Server) http2() *http.HTTP2Config {
	return &http.HTTP2Config{
		MaxConcurrentStreams: maxH2Streams,
		SendPingTimeout:      h2PingAfter,
		PingTimeout:          h2PingTimeout,
		WriteByteTimeout:     s.cfg.WriteTimeout,
	}
}
