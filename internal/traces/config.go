package traces

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/url"
	"time"
)

// Config is where spans go, and how.
type Config struct {
	Endpoint string            // where they are posted, such as http://localhost:4318/v1/traces; required
	Headers  map[string]string // sent with each request; they may be secrets
	Gzip     bool              // what is sent is compressed
	TLS      *tls.Config       // Defaults to the system's authorities
	Proxy    func(*http.Request) (*url.URL, error)
	Timeout  time.Duration // of one request. Defaults to 10 s

	Queue int           // spans that wait to be sent; more are dropped. Defaults to 2048
	Batch int           // spans of one request. Defaults to 512
	Every time.Duration // the longest a span waits for others. Defaults to 5 s

	Sampler string            // by OTEL_TRACES_SAMPLER's names. Defaults to parentbased_always_on
	Ratio   float64           // for samplers with a ratio. Defaults to 1
	Service string            // Defaults to weir
	Version string            // of the service
	About   map[string]string // more attributes of this server
	Log     *slog.Logger      // Defaults to none
}

// WithDefaults returns c with its zeros filled in.
func (c Config) WithDefaults() Config {
	c.Timeout = orDefault(c.Timeout, 10*time.Second)
	c.Queue = orDefault(c.Queue, 2048)
	c.Batch = min(orDefault(c.Batch, 512), c.Queue)
	c.Every = orDefault(c.Every, 5*time.Second)
	c.Sampler = orDefault(c.Sampler, "parentbased_always_on")
	c.Ratio = orDefault(c.Ratio, 1)
	c.Service = orDefault(c.Service, "weir")
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}
