package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof" // which registers itself too, where nothing is served from
	"time"
)

// Profiles answers Go's profiles of the process on a listener of its own, so that
// no way leads to them from the door. It has no authentication: the address is
// loopback.
type Profiles struct {
	listener net.Listener
	log      *slog.Logger
}

// ListenProfiles opens address, which must be a loopback one.
func ListenProfiles(ctx context.Context, address string, log *slog.Logger) (*Profiles, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s for profiles: %w", address, err)
	}
	if a, ok := l.Addr().(*net.TCPAddr); !ok || !a.IP.IsLoopback() {
		_ = l.Close() // nothing was accepted
		return nil, fmt.Errorf("will not answer profiles on %s: they tell what is in memory; use a loopback address such as 127.0.0.1:6060", address)
	}
	return &Profiles{listener: l, log: log}, nil
}

// Addr is the address that was opened.
func (p *Profiles) Addr() string { return p.listener.Addr().String() }

// longestProfile bounds the writing of one: go tool pprof asks for 30 s, and for
// 5 min at most here.
const longestProfile = 5*time.Minute + 30*time.Second

// Serve answers until ctx ends; profiles under way are then broken off.
func (p *Profiles) Serve(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	srv := &http.Server{
		Handler: local(mux), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: longestProfile, IdleTimeout: time.Minute, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog: slog.NewLogLogger(p.log.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(p.listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("serving profiles on %s: %w", p.Addr(), err)
	case <-ctx.Done():
	}
	err := srv.Close()
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}

// local refuses what a web page in a browser on this machine sends; see guard.go.
func local(next http.Handler) http.Handler {
	d := &door{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if err := d.guard(r); err != nil {
			http.Error(w, "forbidden", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}
