package traces

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collector posts spans to an OTLP endpoint, as protobuf.
type collector struct {
	cfg    Config
	url    string
	http   *http.Client
	encode *otlptrace.Exporter // whose client is this collector
}

const (
	dialTime = 2 * time.Second
	tlsTime  = 3 * time.Second
	maxDrain = 4 << 10 // of an answer, so that the connection can be kept
)

func newCollector(cfg Config) (*collector, error) {
	u, err := url.Parse(cfg.Endpoint)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, errors.New("the address of the collector must be a URL such as http://localhost:4318")
	}
	if u.User != nil {
		return nil, errors.New("the address of the collector must hold no name or password; give them in OTEL_EXPORTER_OTLP_HEADERS")
	}
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.TLS != nil {
		tlsConfig = cfg.TLS
	}
	c := &collector{cfg: cfg, url: u.String(), http: &http.Client{
		Transport: &http.Transport{
			Proxy:           cfg.Proxy,
			DialContext:     (&net.Dialer{Timeout: dialTime}).DialContext,
			TLSClientConfig: tlsConfig, TLSHandshakeTimeout: tlsTime,
			MaxConnsPerHost: 1, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       cfg.Timeout,
	}}
	c.encode = otlptrace.NewUnstarted(c)
	return c, nil
}

func (c *collector) send(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	return c.encode.ExportSpans(ctx, spans) //nolint:wrapcheck // it is UploadTraces'
}

func (c *collector) close() { c.http.CloseIdleConnections() }

// Start and Stop make it an otlptrace.Client.
func (c *collector) Start(context.Context) error { return nil }

// Stop does nothing.
func (c *collector) Stop(context.Context) error { return nil }

// UploadTraces is one request. It has the form of an ExportTraceServiceRequest,
// which is that of TracesData.
func (c *collector) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: spans})
	if err != nil {
		return fmt.Errorf("writing spans: %w", err)
	}
	if c.cfg.Gzip {
		if body, err = compressed(body); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return errors.New("the request to the collector cannot be made")
	}
	for name, value := range c.cfg.Headers {
		req.Header.Set(name, value)
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("User-Agent", "weir/"+c.cfg.Version)
	if c.cfg.Gzip {
		req.Header.Set("Content-Encoding", "gzip")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) { // it repeats the address, whose query may be a secret
			err = u.Err
		}
		return fmt.Errorf("asking the collector: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // nothing is left to be said
	_, _ = io.CopyN(io.Discard, resp.Body, maxDrain)
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("the collector answered %d", resp.StatusCode)
	}
	return nil
}

func compressed(body []byte) ([]byte, error) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(body)
	if err = errors.Join(err, w.Close()); err != nil { // into memory: cannot be
		return nil, fmt.Errorf("compressing spans: %w", err)
	}
	return b.Bytes(), nil
}
