package embed

import (
	"crypto/tls"
	"net/http"
)

// newTransport returns the connections of one Client, made by d.
//
//   - MaxConnsPerHost: a request that is cancelled leaves its dial running;
//     without the bound a slow network piles them up.
//   - HTTP2 pings: a connection that went silent fails every later request on
//     it until something asks whether it lives.
//   - No ResponseHeaderTimeout: the attempt's own limit covers it.
func newTransport(cfg Config, d *dialer) *http.Transport {
	return &http.Transport{
		Proxy:                  cfg.Proxy,
		DialContext:            d.dial,
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
