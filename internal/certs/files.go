package certs

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

// FilesConfig names the files of a certificate.
type FilesConfig struct {
	Cert  string        // PEM: the certificate, then those between it and the authority; required
	Key   string        // PEM: its key; required
	Every time.Duration // how often the files are looked at. Defaults to 10 s
	Log   *slog.Logger  // Defaults to none
}

// Files is a certificate in two files.
type Files struct {
	cfg  FilesConfig
	now  atomic.Pointer[tls.Certificate]
	seen pair          // what the files were when they were last read; Run's alone after Open
	ask  chan struct{} // read them now
}

// pair tells two files from other ones of the same names.
type pair struct{ cert, key file }

type file struct {
	size    int64
	changed time.Time
}

// Open reads the files, which must hold a certificate and its key.
func Open(cfg FilesConfig) (*Files, error) {
	if cfg.Every <= 0 {
		cfg.Every = 10 * time.Second
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	f := &Files{cfg: cfg, ask: make(chan struct{}, 1)}
	f.seen = f.look()
	return f, f.read()
}

// Config is how a server uses them.
func (f *Files) Config() *tls.Config {
	c := base()
	c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return f.now.Load(), nil }
	return c
}

// Names are the host names that the certificate is for.
func (f *Files) Names() []string { return f.now.Load().Leaf.DNSNames }

// Reload has Run read the files now, changed or not. It does not wait.
func (f *Files) Reload() {
	select {
	case f.ask <- struct{}{}:
	default:
	}
}

// Run reads the files again when they have changed, until ctx ends.
func (f *Files) Run(ctx context.Context) {
	tick := time.NewTicker(f.cfg.Every)
	defer tick.Stop()
	for {
		asked := false
		select {
		case <-tick.C:
		case <-f.ask:
			asked = true
		case <-ctx.Done():
			return
		}
		now := f.look()
		if now == f.seen && !asked {
			continue
		}
		// One of the two may be new and the other not yet: then they do not fit,
		// and the next look finds them changed once more.
		f.seen = now
		if err := f.read(); err != nil {
			f.cfg.Log.ErrorContext(ctx, "the new certificate cannot be used; the one before it stays", "error", err)
			continue
		}
		f.cfg.Log.InfoContext(ctx, "a new certificate is in use", "not_after", f.now.Load().Leaf.NotAfter)
	}
}

// look is what the files are now; one that is not there is the zero file.
func (f *Files) look() pair { return pair{stat(f.cfg.Cert), stat(f.cfg.Key)} }

func stat(name string) file {
	info, err := os.Stat(name)
	if err != nil {
		return file{}
	}
	return file{info.Size(), info.ModTime()}
}

// maxFile is the longest a file may be.
const maxFile = 1 << 20

func (f *Files) read() error {
	cert, err := readFile(f.cfg.Cert)
	if err != nil {
		return fmt.Errorf("the certificate: %w", err)
	}
	key, err := readFile(f.cfg.Key)
	if err != nil {
		return fmt.Errorf("the certificate's key: %w", err)
	}
	c, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("%s and %s are no certificate and its key: %w", f.cfg.Cert, f.cfg.Key, err)
	}
	if now := time.Now(); now.After(c.Leaf.NotAfter) {
		return fmt.Errorf("the certificate in %s has run out on %s", f.cfg.Cert, c.Leaf.NotAfter.Format(time.DateOnly))
	}
	f.now.Store(&c)
	return nil
}

func readFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular(): // a pipe would be waited for
		return nil, fmt.Errorf("%s is no file", name)
	case info.Size() > maxFile:
		return nil, errors.New(name + " is too large to be one")
	}
	return os.ReadFile(name) //nolint:gosec // the administrator names it
}
