package provider

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Network is how a provider is reached, and within which bounds. A zero means
// the default.
type Network struct {
	// MaxConns is how many connections there are at a time. Defaults to how many
	// attempts there are.
	MaxConns int
	// DialTimeout bounds connecting, name look-up included. Defaults to 1 s.
	DialTimeout time.Duration
	// TLSTimeout bounds the TLS handshake. Defaults to 2 s.
	TLSTimeout time.Duration
	// IdleTimeout is how long an unused connection is kept. Defaults to 60 s.
	IdleTimeout time.Duration
	// PingAfter is how long an HTTP/2 connection may be silent before it is
	// asked whether it still lives. Defaults to 1 s.
	PingAfter time.Duration
	// PingTimeout is how long the answer to that may take. Defaults to 1 s.
	PingTimeout time.Duration

	// Proxy picks the proxy for a request; http.ProxyFromEnvironment takes it
	// from the environment. Defaults to none.
	Proxy func(*http.Request) (*url.URL, error)
	// RootCAs are the authorities the provider's certificate may come from.
	// Defaults to those of the system.
	RootCAs *x509.CertPool
	// Resolver looks up the provider's name. Defaults to the system's.
	Resolver *net.Resolver
}

// WithDefaults returns n with its zeros filled, for a pipeline of so many
// attempts at a time.
func (n Network) WithDefaults(attempts int) Network {
	n.MaxConns = cmp.Or(n.MaxConns, attempts)
	n.DialTimeout = cmp.Or(n.DialTimeout, time.Second)
	n.TLSTimeout = cmp.Or(n.TLSTimeout, 2*time.Second)
	n.IdleTimeout = cmp.Or(n.IdleTimeout, time.Minute)
	n.PingAfter = cmp.Or(n.PingAfter, time.Second)
	n.PingTimeout = cmp.Or(n.PingTimeout, time.Second)
	return n
}

// CheckNetwork returns what is wrong with the bounds of n, naming the fields.
func CheckNetwork(n Network) error {
	return errors.Join(NotNegative("MaxConns", n.MaxConns), NotNegative("DialTimeout", n.DialTimeout), NotNegative("TLSTimeout", n.TLSTimeout),
		NotNegative("IdleTimeout", n.IdleTimeout), NotNegative("PingAfter", n.PingAfter), NotNegative("PingTimeout", n.PingTimeout))
}

// NotNegative returns an error that names the field when v is below zero.
func NotNegative[T int | time.Duration](field string, v T) error {
	if v < 0 {
		return fmt.Errorf("%s must not be negative", field)
	}
	return nil
}

// NewTransport returns the connections of one pipeline, made by d.
//
//   - MaxConnsPerHost: a request that is cancelled leaves its dial running;
//     without the bound a slow network piles them up.
//   - HTTP2 pings: a connection that went silent fails every later request on
//     it until something asks whether it lives.
//   - No ResponseHeaderTimeout: the attempt's own limit covers it.
func NewTransport(n Network, d *Dialer) *http.Transport {
	return &http.Transport{
		Proxy:                  n.Proxy,
		DialContext:            d.Dial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: n.RootCAs},
		TLSHandshakeTimeout:    n.TLSTimeout,
		MaxConnsPerHost:        n.MaxConns,
		MaxIdleConnsPerHost:    n.MaxConns,
		MaxIdleConns:           n.MaxConns,
		IdleConnTimeout:        n.IdleTimeout,
		MaxResponseHeaderBytes: 64 << 10,
		ForceAttemptHTTP2:      true, // a TLSClientConfig of one's own turns it off
		HTTP2: &http.HTTP2Config{
			SendPingTimeout: n.PingAfter,
			PingTimeout:     n.PingTimeout,
		},
	}
}

// Unredirected is a client that follows no redirect.
func Unredirected(rt http.RoundTripper) *http.Client {
	return &http.Client{
		Transport:     rt,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
