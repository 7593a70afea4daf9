package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"weir/internal/certs"
	"weir/internal/httpapi"
)

// certificate is where the server's certificate comes from.
type certificate struct {
	tls   *tls.Config // nil: plain HTTP
	names []string    // hosts that it is for
	files *certs.Files
	asked *certs.Authority
}

func openCertificate(c config, log *slog.Logger) (certificate, error) {
	switch {
	case c.TLSCert != "":
		f, err := certs.Open(certs.FilesConfig{Cert: c.TLSCert, Key: c.TLSKey, Log: log})
		if err != nil {
			return certificate{}, err
		}
		return certificate{tls: f.Config(), names: f.Names(), files: f}, nil
	case len(c.ACMEDomains) > 0:
		a, err := certs.NewAuthority(certs.AuthorityConfig{
			Domains: c.ACMEDomains, Cache: filepath.Join(c.Data, "acme"), Directory: c.ACMEDirectory, Email: c.ACMEEmail, Log: log,
		})
		if err != nil {
			return certificate{}, err
		}
		return certificate{tls: a.Config(), names: c.ACMEDomains, asked: a}, nil
	}
	return certificate{}, nil
}

// begin follows the files, where it is of files, until ctx ends and stop is
// called. SIGHUP reads them at once; without files it does what it ever did.
func (c certificate) begin(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	if c.files == nil {
		return func() {
			cancel()
			if c.asked != nil {
				bound, done := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
				defer done()
				c.asked.Wait(bound)
			}
		}
	}
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	var work sync.WaitGroup
	work.Go(func() { c.files.Run(ctx) })
	work.Go(func() {
		for {
			select {
			case <-hangup:
				c.files.Reload()
			case <-ctx.Done():
				return
			}
		}
	})
	return func() { signal.Stop(hangup); cancel(); work.Wait() }
}

// expose adds to the door how it meets the network.
func (c config) expose(d *httpapi.Config, cert certificate) {
	d.TLS, d.Hosts = cert.tls, append(slices.Clone(c.Hosts), lowered(cert.names)...)
	d.Origins, d.Proxies, d.MaxStreams = c.CORSOrigins, c.TrustedProxies, c.MaxStreams
	d.DrainTimeout, d.DrainDelay = c.DrainTimeout, c.DrainDelay
	if c.to != nil {
		d.Tracer = c.to
	}
}

// profile answers profiles, if an address is set for them, until stop is called.
func (a *app) profile(ctx context.Context, c config, log *slog.Logger) (stop func(), err error) {
	if c.PprofListen == "" {
		return func() {}, nil
	}
	p, err := httpapi.ListenProfiles(ctx, c.PprofListen, log)
	if err != nil {
		return nil, portTaken(err, c.PprofListen)
	}
	fmt.Fprintf(a.stderr, "weir: profiles are at http://%s/debug/pprof/\n", p.Addr())
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // also while the server drains
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := p.Serve(ctx); err != nil {
			log.ErrorContext(ctx, "profiles are not answered any more", "error", err)
		}
	}()
	return func() { cancel(); <-served }, nil
}

func lowered(names []string) []string {
	low := make([]string, len(names))
	for i, n := range names {
		low[i] = strings.ToLower(n)
	}
	return low
}

// tellOpen warns of an address that others reach without HTTPS.
func (a *app) tellOpen(c config) {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil || isLocal(host) || c.encrypts() {
		return
	}
	if len(c.TrustedProxies) > 0 {
		return // somebody stands before it
	}
	fmt.Fprintf(a.stderr, "weir: %s can be reached by others, and answers in plain HTTP: keys, questions and documents can be read on their way; set WEIR_TLS_CERT or WEIR_ACME_DOMAINS, or put a proxy that speaks HTTPS before it and name it in WEIR_TRUSTED_PROXIES\n", c.Listen)
}

// tlsNote is how commands on this machine know a server that speaks HTTPS.
type tlsNote struct {
	Name string `json:"name"`           // to call it by
	Cert string `json:"cert,omitempty"` // the file of its certificate; empty: it comes from a public authority
}

// note is what the server leaves of it for other commands; nil: nothing.
func (c certificate) note(cfg config) *tlsNote {
	if c.tls == nil {
		return nil
	}
	n := &tlsNote{Name: "localhost"}
	if len(c.names) > 0 {
		n.Name = c.names[0]
	}
	if c.files != nil {
		n.Cert, _ = filepath.Abs(cfg.TLSCert) // fails where there is no working folder; then as it was given
	}
	return n
}

// reachable is the address for a client on this machine.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return address
}

// url is the server's address for people.
func (n serverNote) url() string {
	if n.TLS != nil {
		return "https://" + n.Address
	}
	return "http://" + n.Address
}

// client is how to speak to the server of the note.
func (n serverNote) client(timeout time.Duration) (httpapi.ClientConfig, error) {
	c := httpapi.ClientConfig{BaseURL: "http://" + n.Address, Timeout: timeout}
	if n.TLS == nil {
		return c, nil
	}
	_, port, err := net.SplitHostPort(n.Address)
	if err != nil {
		return c, fmt.Errorf("the server's note has no address: %w", err)
	}
	c.BaseURL, c.Connect = "https://"+net.JoinHostPort(n.TLS.Name, port), n.Address
	if n.TLS.Cert == "" {
		return c, nil
	}
	content, err := os.ReadFile(n.TLS.Cert)
	if err != nil {
		return c, fmt.Errorf("the certificate of the server that holds the data folder cannot be read: %w", err)
	}
	c.TLS, err = pinned(content)
	return c, err
}

// pinned trusts the certificate in content, and no other: the server on this
// machine is known by it, whoever has signed it and for whatever name.
func pinned(content []byte) (*tls.Config, error) {
	block, _ := pem.Decode(content)
	if block == nil {
		return nil, fmt.Errorf("there is no certificate in the server's file")
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("the server's certificate: %w", err)
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection below is stricter
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 || !s.PeerCertificates[0].Equal(leaf) {
				return fmt.Errorf("what answers is not the server that holds the data folder: its certificate is another")
			}
			return nil
		},
	}, nil
}
