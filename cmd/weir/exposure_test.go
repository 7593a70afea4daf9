package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// ownCertificate writes a certificate that is signed by itself.
func ownCertificate(t *testing.T, dir string, names ...string) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: names, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return write(t, dir, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))),
		write(t, dir, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))), pool
}

// A server with a certificate, and the commands that go through it, who know it
// by that certificate alone.
func TestServeEncrypted(t *testing.T) {
	data, dir := filepath.Join(t.TempDir(), "data"), t.TempDir()
	cert, key, pool := ownCertificate(t, dir, "weir.example.com")
	note := write(t, t.TempDir(), "note.txt", "The ladder holds 150 kilograms.\n")
	s := serve(t, data, "--tls-cert", cert, "--tls-key", key)
	if !strings.HasPrefix(s.url, "https://127.0.0.1:") {
		t.Fatalf("it is at %s", s.url)
	}
	if r := weir(t, data, "ingest", note); r.code != exitOK {
		t.Fatalf("ingest through the server: %+v", r)
	}
	if r := weir(t, data, "search", "how much does the ladder hold?"); r.code != exitOK || !strings.Contains(r.out, "150") {
		t.Errorf("search through the server: %+v", r)
	}
	if r := weir(t, data, "doctor", "--json"); r.code != exitOK || !strings.Contains(r.out, "https://") {
		t.Errorf("doctor: %+v", r)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "weir.example.com"}}}
	for host, want := range map[string]int{"weir.example.com": 200, "other.example.com": 403} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/v1/documents", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("as %s: %s", host, resp.Status)
		}
	}
	// What answers with another certificate is not spoken to.
	ownCertificate(t, dir, "weir.example.com")
	if r := weir(t, data, "search", "ladder"); r.code != exitFailed || !strings.Contains(r.stderr, "its certificate is another") {
		t.Errorf("an impostor: %+v", r)
	}
	if r := s.stop(); r.code != exitOK {
		t.Errorf("exit %d: %s", r.code, r.stderr)
	}
}

func TestExposureSettings(t *testing.T) {
	data, dir := filepath.Join(t.TempDir(), "data"), t.TempDir()
	cert, key, _ := ownCertificate(t, dir, "localhost")
	for _, tt := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"half a pair", []string{"--tls-cert", cert}, exitUsage, "WEIR_TLS_KEY is not"},
		{"files and an authority", []string{"--tls-cert", cert, "--tls-key", key, "--acme-domains", "a.example.com"}, exitUsage, "both set"},
		{"the wrong way round", []string{"--tls-cert", key, "--tls-key", cert}, exitFailed, "no certificate and its key"},
		{"an address for a name", []string{"--acme-domains", "127.0.0.1"}, exitUsage, "names of hosts"},
		{"a letter for nothing", []string{"--acme-email", "a@example.com"}, exitUsage, "WEIR_ACME_DOMAINS is not"},
		{"a directory in plain HTTP", []string{"--acme-domains", "a.example.com", "--acme-directory", "http://ca.example/dir"}, exitUsage, "must be a URL"},
		{"any origin", []string{"--cors-origins", "*"}, exitUsage, "must be origins"},
		{"origins by pattern", []string{"--cors-origins", "https://*.example.com"}, exitUsage, "must be origins"},
		{"an origin with a path", []string{"--cors-origins", "https://app.example.com/"}, exitUsage, "must be origins"},
		{"an origin with the usual port", []string{"--cors-origins", "https://app.example.com:443"}, exitUsage, "leave it out"},
		{"all are proxies", []string{"--trusted-proxies", "0.0.0.0/0"}, exitUsage, "every address"},
		{"a proxy by name", []string{"--trusted-proxies", "proxy"}, exitUsage, "addresses or networks"},
		{"any host on loopback", []string{"--hosts", "*"}, exitUsage, "DNS rebinding"},
		{"a host with a port", []string{"--hosts", "weir.example.com:80"}, exitUsage, "without port"},
		{"a proxy, and nobody is asked", []string{"--trusted-proxies", "127.0.0.1"}, exitUsage, "say WEIR_AUTH=off"},
		{"a name, and nobody is asked", []string{"--hosts", "weir.example.com"}, exitUsage, "say WEIR_AUTH=off"},
		{"an authority, and nobody is asked", []string{"--acme-domains", "a.example.com"}, exitUsage, "say WEIR_AUTH=off"},
		{"off, because it was said", []string{"--trusted-proxies", "127.0.0.1", "--auth", "off", "--traces", "jaeger"}, exitUsage, "must be off or otlp"},
		{"profiles for all", []string{"--pprof-listen", "0.0.0.0:0"}, exitUsage, "can be reached by others"},
		{"no such traces", []string{"--traces", "jaeger"}, exitUsage, "must be off or otlp"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := weir(t, data, append([]string{"serve", "--listen", "127.0.0.1:0"}, tt.args...)...)
			if r.code != tt.code || !strings.Contains(r.stderr, tt.says) {
				t.Errorf("got %+v, want exit %d and %q", r, tt.code, tt.says)
			}
		})
	}
}

func TestTraceVariables(t *testing.T) {
	const to = "OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318/"
	for _, tt := range []struct {
		name     string
		env      []string
		traces   string
		on       bool
		endpoint string
		says     string
	}{
		{"nothing", nil, "", false, "", ""},
		{"by its endpoint", []string{to}, "", true, "http://localhost:4318/v1/traces", ""},
		{"by that of traces", []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://c/x", to}, "", true, "http://c/x", ""},
		{"off", []string{to}, "off", false, "", ""},
		{"disabled", []string{to, "OTEL_SDK_DISABLED=true"}, "", false, "", ""},
		{"no exporter", []string{to, "OTEL_TRACES_EXPORTER=none"}, "", false, "", ""},
		{"on, and nothing said", nil, "otlp", true, "http://localhost:4318/v1/traces", ""},
		{"gRPC", []string{to, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"}, "", false, "", "http/protobuf"},
		{"sampler", []string{to, "OTEL_TRACES_SAMPLER=often"}, "", false, "", "no sampler"},
		{"ratio", []string{to, "OTEL_TRACES_SAMPLER_ARG=2"}, "", false, "", "at most 1"},
		{"timeout", []string{to, "OTEL_EXPORTER_OTLP_TIMEOUT=0"}, "", false, "", "whole number"},
		{"headers", []string{to, "OTEL_EXPORTER_OTLP_HEADERS=secret"}, "", false, "", "name=value"},
		{"authorities", []string{to, "OTEL_EXPORTER_OTLP_CERTIFICATE=/none"}, "", false, "", "OTEL_EXPORTER_OTLP_CERTIFICATE"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := &app{env: tt.env}
			got, on, err := a.tracesConfig(config{tracesConfig: tracesConfig{Traces: tt.traces}})
			if tt.says != "" {
				if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "secret") {
					t.Errorf("got %v, want %q", err, tt.says)
				}
				return
			}
			if err != nil || on != tt.on || got.Endpoint != tt.endpoint {
				t.Errorf("got %v %q %v", on, got.Endpoint, err)
			}
		})
	}
}

// The server's secret goes into no file that somebody else laid out for it.
func TestSecretsIntoFilesOfOthers(t *testing.T) {
	dir, victim := t.TempDir(), filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("precious"), 0o666); err != nil {
		t.Fatal(err)
	}
	h := &hold{dir: dir}
	lay := map[string]func(string) error{
		"a link":            func(at string) error { return os.Symlink(victim, at) },
		"a link to nowhere": func(at string) error { return os.Symlink(victim+"2", at) },
		"a file for all": func(at string) error {
			return errors.Join(os.WriteFile(at, nil, 0o600), os.Chmod(at, 0o666))
		},
	}
	for name, trap := range lay {
		if err := trap(filepath.Join(dir, serverFile+".new")); err != nil {
			t.Fatal(err)
		}
		if err := h.write(serverFile, serverNote{PID: 1, Address: "x", Secret: "s"}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		info, err := os.Lstat(filepath.Join(dir, serverFile))
		if err != nil || !info.Mode().IsRegular() || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	if content, err := os.ReadFile(victim); err != nil || string(content) != "precious" {
		t.Errorf("the victim is %q, %v", content, err)
	}
	if _, err := os.Stat(victim + "2"); err == nil {
		t.Error("a file was made where the link leads")
	}
}
