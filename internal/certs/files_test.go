package certs

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// lines is a log that tests wait for.
type lines struct {
	mu   sync.Mutex
	b    bytes.Buffer
	came chan struct{}
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.Write(p)
	select {
	case l.came <- struct{}{}:
	default:
	}
	return len(p), nil
}

// next returns all that was logged since the last call, waiting for some.
func (l *lines) next(t *testing.T) string {
	t.Helper()
	select {
	case <-l.came:
	case <-t.Context().Done():
		t.Fatal("nothing was logged")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.b.String()
	l.b.Reset()
	return s
}

func TestFiles(t *testing.T) {
	by, dir := newSigner(t), t.TempDir()
	until := time.Now().Add(time.Hour)
	cert, key := by.pair(t, dir, 10, until)
	log := &lines{came: make(chan struct{}, 1)}
	f, err := Open(FilesConfig{Cert: cert, Key: key, Every: time.Millisecond, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); f.Run(ctx) }()
	defer func() { cancel(); <-done }()
	address := listen(t, f.Config())
	client := &tls.Config{RootCAs: by.pool(), ServerName: "weir.example.com", NextProtos: []string{"h2"}}
	serial := func() int64 {
		t.Helper()
		s, err := shake(t, address, client)
		if err != nil {
			t.Fatal(err)
		}
		return s.PeerCertificates[0].SerialNumber.Int64()
	}
	if n := serial(); n != 10 || f.Names()[0] != "weir.example.com" {
		t.Errorf("certificate %d for %v", n, f.Names())
	}
	if _, err := shake(t, address, &tls.Config{RootCAs: by.pool(), ServerName: "weir.example.com", MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}

	// A key that does not fit, half a file, one that is gone: the old one stays.
	whole, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	for _, breaking := range []func(){
		func() { put(t, key, []byte("no key")) },
		func() { put(t, cert, whole[:len(whole)/2]) },
		func() { _ = os.Remove(cert) },
		func() { by.pair(t, dir, 11, time.Now().Add(-time.Minute)) },
	} {
		breaking()
		for !strings.Contains(log.next(t), "cannot be used") {
		}
		if n := serial(); n != 10 {
			t.Errorf("certificate %d", n)
		}
	}
	by.pair(t, dir, 12, until)
	for !strings.Contains(log.next(t), "is in use") {
	}
	if n := serial(); n != 12 {
		t.Errorf("certificate %d", n)
	}
	f.Reload()
	for !strings.Contains(log.next(t), "is in use") {
	}
}

func TestFilesThatAreNone(t *testing.T) {
	by, dir := newSigner(t), t.TempDir()
	cert, key := by.pair(t, dir, 1, time.Now().Add(time.Hour))
	other := t.TempDir()
	_, otherKey := by.pair(t, other, 2, time.Now().Add(time.Hour))
	old := t.TempDir()
	oldCert, oldKey := by.pair(t, old, 3, time.Now().Add(-time.Minute))
	large := filepath.Join(dir, "large")
	put(t, large, make([]byte, maxFile+1))
	for _, tt := range []struct{ name, cert, key, says string }{
		{"no file", filepath.Join(dir, "none"), key, "no such file"},
		{"a folder", dir, key, "is no file"},
		{"too large", large, key, "too large"},
		{"the wrong way round", key, cert, "no certificate and its key"},
		{"another's key", cert, otherKey, "no certificate and its key"},
		{"run out", oldCert, oldKey, "has run out"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Open(FilesConfig{Cert: tt.cert, Key: tt.key}); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want %q", err, tt.says)
			}
		})
	}
	if _, err := Open(FilesConfig{Cert: filepath.Join(dir, "none"), Key: key}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
