package embed

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

// newTransport returns the connections of one Client.
//
//   - MaxConnsPerHost: a request that is cancelled leaves its dial running;
//     without the bound a slow network piles them up.
//   - HTTP2 pings: a connection that went silent fails every later request on
//     it until something asks whether it lives.
//   - No ResponseHeaderTimeout: the attempt's own limit covers it.
func newTransport(cfg Config) *http.Transport {
	dialer := &net.Dialer{Timeout: cfg.DialTimeout, KeepAlive: 15 * time.Second}
	return &http.Transport{
		Proxy: cfg.Proxy,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, addr)
		},
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: cfg.RootCAs},
		TLSHandshakeTimeout:    cfg.TLSTimeout,
		MaxConnsPerHost:        cfg.MaxConcurrent,
		MaxIdleConnsPerHost:    cfg.MaxConcurrent,
		MaxIdleConns:           cfg.MaxConcurrent,
		IdleConnTimeout:        cfg.IdleTimeout,
		MaxResponseHeaderBytes: 64 << 10,
		ForceAttemptHTTP2:      true, // a TLSClientConfig of one's own turns it off
		HTTP2: &http.HTTP2Config{
			SendPingTimeout: cfg.PingAfter,
			PingTimeout:     cfg.PingTimeout,
		},
	}
}
