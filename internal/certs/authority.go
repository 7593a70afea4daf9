package certs

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

// AuthorityConfig says which authority to ask, and for what.
type AuthorityConfig struct {
	Domains   []string      // names that certificates are asked for, one each; required
	Cache     string        // folder for account and certificates; required
	Directory string        // address of the authority. Defaults to Let's Encrypt's
	Email     string        // for its messages about certificates that run out. Defaults to none
	Patience  time.Duration // how long a handshake waits for a certificate. Defaults to 10 s
	Client    *http.Client  // that speaks to the authority; it must have a timeout. Defaults to one with 30 s a request
	Log       *slog.Logger  // Defaults to none
}

// Authority asks for certificates.
type Authority struct {
	cfg     AuthorityConfig
	manager *autocert.Manager

	mu     sync.Mutex
	asking map[string]*asking // by domain and kind of key
}

// asking is a certificate on its way.
type asking struct {
	done chan struct{}
	cert *tls.Certificate
	err  error
}

// NewAuthority makes one. Nothing is asked yet.
func NewAuthority(cfg AuthorityConfig) (*Authority, error) {
	if len(cfg.Domains) == 0 || cfg.Cache == "" {
		return nil, errors.New("certs.AuthorityConfig: Domains and Cache are required")
	}
	if cfg.Directory == "" {
		cfg.Directory = autocert.DefaultACMEDirectory
	}
	if cfg.Patience <= 0 {
		cfg.Patience = 10 * time.Second
	}
	if cfg.Client == nil {
		cfg.Client = &http.Client{Timeout: 30 * time.Second}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Authority{
		cfg: cfg, asking: map[string]*asking{},
		manager: &autocert.Manager{
			Prompt: autocert.AcceptTOS, Cache: autocert.DirCache(cfg.Cache), Email: cfg.Email,
			HostPolicy: autocert.HostWhitelist(cfg.Domains...),
			Client:     &acme.Client{DirectoryURL: cfg.Directory, HTTPClient: cfg.Client, UserAgent: "weir"},
		},
	}, nil
}

// Config is how a server uses it.
func (a *Authority) Config() *tls.Config {
	c := base()
	c.NextProtos = append(c.NextProtos, acme.ALPNProto)
	c.GetCertificate = a.certificate
	return c
}

// Wait returns when nothing is asked any more of what was when it was called, or
// ctx ends.
func (a *Authority) Wait(ctx context.Context) {
	a.mu.Lock()
	ways := slices.Collect(maps.Values(a.asking))
	a.mu.Unlock()
	for _, way := range ways {
		select {
		case <-way.done:
		case <-ctx.Done():
			return
		}
	}
}

// certificate waits for autocert, not long: it gives an authority five minutes.
func (a *Authority) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
	if !slices.Contains(a.cfg.Domains, name) {
		return nil, errors.New("no certificate is asked for this name") // and nothing is begun for it
	}
	if slices.Equal(hello.SupportedProtos, []string{acme.ALPNProto}) { // the authority's own look; it is in memory
		return a.manager.GetCertificate(hello) //nolint:wrapcheck // ends the handshake
	}
	way := a.ask(name, hello)
	t := time.NewTimer(a.cfg.Patience)
	defer t.Stop()
	select {
	case <-way.done:
		return way.cert, way.err
	case <-t.C:
		return nil, fmt.Errorf("the authority has not given a certificate for %s within %v", name, a.cfg.Patience)
	case <-hello.Context().Done():
		return nil, hello.Context().Err() //nolint:wrapcheck // ends the handshake
	}
}

// ask joins those who wait for this certificate, or begins to ask for it.
func (a *Authority) ask(name string, hello *tls.ClientHelloInfo) *asking {
	key := fmt.Sprint(name, supportsECDSA(hello))
	a.mu.Lock()
	defer a.mu.Unlock()
	way := a.asking[key]
	if way != nil {
		return way
	}
	way = &asking{done: make(chan struct{})}
	a.asking[key] = way
	go func() {
		way.cert, way.err = a.manager.GetCertificate(hello)
		if way.err != nil {
			a.cfg.Log.Warn("no certificate was given", "domain", name, "error", way.err)
		}
		a.mu.Lock()
		delete(a.asking, key)
		a.mu.Unlock()
		close(way.done)
	}()
	return way
}

// supportsECDSA tells clients whose certificate has one kind of key from the
// others', which autocert keeps apart.
func supportsECDSA(hello *tls.ClientHelloInfo) bool {
	return slices.ContainsFunc(hello.SignatureSchemes, func(s tls.SignatureScheme) bool {
		return s == tls.ECDSAWithP256AndSHA256
	})
}
