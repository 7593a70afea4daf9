package provider

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Network is how a provider is reached. Its owner fills it, and says what the
// defaults are.
type Network struct {
	MaxConns    int           // connections at a time
	DialTimeout time.Duration // for connecting, name look-up included
	TLSTimeout  time.Duration // for the handshake
	IdleTimeout time.Duration // for an unused connection
	PingAfter   time.Duration // silence of an HTTP/2 connection before it is asked whether it lives
	PingTimeout time.Duration // for the answer to that

	Proxy    func(*http.Request) (*url.URL, error) // nil: none
	RootCAs  *x509.CertPool                        // nil: the system's
	Resolver *net.Resolver                         // nil: the system's
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
