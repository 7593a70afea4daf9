package load

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// HTTPConfig says what is asked of which server. A zero means the default.
type HTTPConfig struct {
	// URL is asked, http or https, without user and password. There is no
	// default.
	URL string
	// Kind is what it answers. Defaults to Any.
	Kind Kind
	// Method defaults to POST where there is a Body, else to GET.
	Method string
	// Header is sent with each request. Content-Type defaults to
	// application/json where there is a Body.
	Header http.Header
	// Body is that of call n. Defaults to none.
	Body func(n int64) []byte
	// User is sent as X-User-ID with call n. Defaults to nothing being sent.
	User func(n int64) string
	// MaxAnswer is how many bytes of an answer are read; a longer one has failed.
	// Defaults to 8 MiB.
	MaxAnswer int64
	// MaxIdle is how many connections are kept for the next calls. Defaults to
	// 4096. How many there are is for [Config] to bound.
	MaxIdle int
	// DialTimeout bounds connecting, which else takes as long as the deadline.
	// Defaults to 10 s.
	DialTimeout time.Duration
	// RootCAs are the authorities the server's certificate may come from.
	// Defaults to those of the system.
	RootCAs *x509.CertPool
}

// HTTP is a Caller that asks a server. It keeps connections, follows no
// redirect, tries nothing twice, and goes through no proxy.
type HTTP struct {
	cfg       HTTPConfig
	transport *http.Transport
}

// NewHTTP returns an HTTP, which asks nothing yet. It ends with Close.
func NewHTTP(cfg HTTPConfig) (*HTTP, error) {
	u, err := url.Parse(cfg.URL)
	switch {
	case err != nil: // its text repeats the address, which may hold a password
		return nil, errors.New("load: the URL is not an address")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("load: the URL must begin with http:// or https://")
	case u.Hostname() == "":
		return nil, errors.New("load: the URL names no host")
	case u.User != nil:
		return nil, errors.New("load: the URL must not hold a user or password")
	}
	if cfg.Method == "" {
		cfg.Method = http.MethodGet
		if cfg.Body != nil {
			cfg.Method = http.MethodPost
		}
	}
	cfg.Header = cfg.Header.Clone()
	if cfg.Header == nil {
		cfg.Header = http.Header{}
	}
	if cfg.Body != nil && cfg.Header.Get("Content-Type") == "" {
		cfg.Header.Set("Content-Type", "application/json")
	}
	cfg.MaxAnswer = cmp.Or(cfg.MaxAnswer, 8<<20)
	cfg.MaxIdle = cmp.Or(cfg.MaxIdle, 4096)
	cfg.DialTimeout = cmp.Or(cfg.DialTimeout, 10*time.Second)
	if cfg.MaxAnswer < 1 || cfg.MaxIdle < 1 || cfg.DialTimeout < 0 {
		return nil, errors.New("load: a bound must not be negative")
	}
	if !token(cfg.Method) {
		return nil, fmt.Errorf("load: %q is no method", cfg.Method)
	}
	return &HTTP{cfg, &http.Transport{
		DialContext:         (&net.Dialer{Timeout: cfg.DialTimeout}).DialContext,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: cfg.RootCAs},
		ForceAttemptHTTP2:   true,
		MaxIdleConns:        cfg.MaxIdle,
		MaxIdleConnsPerHost: cfg.MaxIdle,
		IdleConnTimeout:     time.Minute,
		DisableCompression:  true, // the time of unpacking is not the server's
	}}, nil
}

// token reports whether s is a word of HTTP's (RFC 9110, 5.6.2).
func token(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"(),/:;<=>?@[\\]{}", r)
	})
}

// Close closes the connections that are kept. No Call may be under way.
func (h *HTTP) Close() { h.transport.CloseIdleConnections() }

// Call asks once.
func (h *HTTP) Call(ctx context.Context, n int64) Result {
	var body io.Reader
	if h.cfg.Body != nil {
		body = bytes.NewReader(h.cfg.Body(n))
	}
	req, err := http.NewRequestWithContext(ctx, h.cfg.Method, h.cfg.URL, body)
	if err != nil {
		return Result{Failed, "request"}
	}
	maps.Copy(req.Header, h.cfg.Header)
	if host := h.cfg.Header.Get("Host"); host != "" {
		req.Host = host
	}
	if h.cfg.User != nil {
		req.Header.Set("X-User-ID", h.cfg.User(n))
	}
	// Sends nothing, and lets the transport take another connection for a
	// request whose own was closed while idle: that is no failure of the server.
	req.Header["X-Idempotency-Key"] = []string{}
	resp, err := h.transport.RoundTrip(req)
	if err != nil {
		return Result{Failed, failure(err)}
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, h.cfg.MaxAnswer+1)) //nolint:forbidigo // bounded
	switch {
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable:
		return Result{Outcome: Refused}
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return Result{Failed, "status " + strconv.Itoa(resp.StatusCode)}
	case err != nil:
		return Result{Failed, "answer cut off"}
	case int64(len(answer)) > h.cfg.MaxAnswer:
		return Result{Failed, "answer too long"}
	default:
		return h.cfg.Kind.read(answer)
	}
}

// failure says in few words why there is no answer.
func failure(err error) string {
	var (
		name    *net.DNSError
		op      *net.OpError
		cert    *tls.CertificateVerificationError
		tlsHead tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &name):
		return "name not found"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.As(err, &cert), errors.As(err, &tlsHead):
		return "tls"
	case errors.As(err, &op) && op.Op == "dial":
		return "not connected"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection broken"
	case strings.Contains(err.Error(), "malformed"): // net/http has no error of its own for it
		return "not HTTP"
	default:
		return "transport"
	}
}
