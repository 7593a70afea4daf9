package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"

	"weir/internal/chaos"
	"weir/internal/drill"
	"weir/internal/embed"
	"weir/internal/provider"
	"weir/internal/rag"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/failsafehttp"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

// baseline is a way to ask for a vector.
type baseline struct {
	name  string
	setup string
	open  drill.Open
}

func baselines() []baseline {
	return []baseline{
		{"net/http", "http.Client{Timeout: 10 * time.Second} of " + goVersion() + ", encoding/json", openPlain},
		{"openai-go", version("github.com/openai/openai-go/v3") + ", openai.NewClient, nothing set but address and key", openOpenAI},
		{
			"failsafe-go", version("github.com/failsafe-go/failsafe-go") + ", failsafehttp.NewRoundTripper with NewRetryPolicyBuilder().Build() and a circuit breaker for errors, 429 and 5xx " +
				"that opens when half of 20 calls in 10 s fail and heeds Retry-After (failsafehttp.DelayFunc), in http.Client{Timeout: 10 * time.Second}", openFailsafe,
		},
		{"weir", "its pipeline alone (internal/embed), nothing set but the provider; the deadline is the server's own (WEIR_TIMEOUT) where the caller has none", openWeir},
	}
}

// version of a module this is built with.
func version(module string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if d.Path == module {
				return module + " " + d.Version
			}
		}
	}
	return module
}

func goVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.GoVersion
	}
	return "Go"
}

// counted counts the requests that go through a transport.
type counted struct {
	*http.Transport
	n atomic.Int64
}

func (c *counted) RoundTrip(r *http.Request) (*http.Response, error) {
	c.n.Add(1)
	return c.Transport.RoundTrip(r)
}

func (c *counted) Requests() int64 { return c.n.Load() }

// transport is http.DefaultTransport, which each of them takes by itself, but
// that it trusts the provider's certificate and finds its name.
func transport(at drill.Place) *counted {
	t := http.DefaultTransport.(*http.Transport).Clone() //nolint:errcheck // it is one
	t.Proxy = nil
	t.DialContext = (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second, Resolver: at.Resolver}).DialContext
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: at.Roots}
	return &counted{Transport: t}
}

// outcome of a vector, or of an error in place of it.
func outcome(q drill.Question, v []float32, err error) drill.Outcome {
	switch {
	case errors.Is(err, context.DeadlineExceeded) || isTimeout(err):
		return drill.Outcome{Kind: drill.Failed, Code: "timeout", Detail: err.Error()}
	case errors.Is(err, circuitbreaker.ErrOpen):
		return drill.Outcome{Kind: drill.Failed, Code: "breaker open", Detail: err.Error()}
	case err != nil:
		return drill.Outcome{Kind: drill.Failed, Code: "error", Detail: err.Error()}
	case !chaos.Matches(q.Text, v):
		return drill.Outcome{Kind: drill.Wrong, Detail: fmt.Sprintf("%d values that are not the text's", len(v))}
	default:
		return drill.Outcome{Kind: drill.Whole}
	}
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

// client is one of net/http.
type client struct {
	*counted
	http *http.Client
	url  string
	body func(text string) any
}

func (c *client) Close(context.Context) error {
	c.http.CloseIdleConnections()
	c.CloseIdleConnections()
	return nil
}

func openPlain(_ context.Context, at drill.Place) (drill.Target, error) {
	t := transport(at)
	return newClient(at, t, &http.Client{Timeout: 10 * time.Second, Transport: t}), nil
}

func newClient(at drill.Place, t *counted, c *http.Client) *client {
	return &client{counted: t, http: c, url: at.URL + "/embeddings", body: func(text string) any {
		return map[string]any{"model": at.Model, "input": text}
	}}
}

// Ask is what is found in tutorials: the status is looked at, the JSON is
// decoded, and the first vector is taken.
func (c *client) Ask(ctx context.Context, q drill.Question) drill.Outcome {
	v, err := c.embed(ctx, q.Text)
	return outcome(q, v, err)
}

func (c *client) embed(ctx context.Context, text string) ([]float32, error) {
	in, err := json.Marshal(c.body(text))
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(in))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // of no interest
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %s", resp.Status)
	}
	var a struct {
		Data []struct {
			Embedding []float32 `json:"embedding"`
		} `json:"data"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
		return nil, err
	}
	if len(a.Data) == 0 {
		return nil, errors.New("no vector in the answer")
	}
	return a.Data[0].Embedding, nil
}

// official is openai-go.
type official struct {
	*counted
	client openai.Client
	model  string
}

func openOpenAI(_ context.Context, at drill.Place) (drill.Target, error) {
	t := transport(at)
	return &official{counted: t, model: at.Model, client: openai.NewClient(
		option.WithBaseURL(at.URL), option.WithAPIKey("none"), option.WithHTTPClient(&http.Client{Transport: t}),
	)}, nil
}

func (o *official) Ask(ctx context.Context, q drill.Question) drill.Outcome {
	r, err := o.client.Embeddings.New(ctx, openai.EmbeddingNewParams{
		Model: o.model, Input: openai.EmbeddingNewParamsInputUnion{OfString: openai.String(q.Text)},
	})
	switch {
	case err != nil:
		return outcome(q, nil, err)
	case len(r.Data) == 0:
		return outcome(q, nil, errors.New("no vector in the answer"))
	}
	v := make([]float32, len(r.Data[0].Embedding))
	for i, x := range r.Data[0].Embedding {
		v[i] = float32(x)
	}
	return outcome(q, v, nil)
}

func (o *official) Close(context.Context) error {
	o.CloseIdleConnections()
	return nil
}

// openFailsafe composes what failsafe-go's examples show: its HTTP retry
// policy as it comes, around a breaker that heeds Retry-After.
//
//nolint:bodyclose // these are types of a builder, not answers
func openFailsafe(_ context.Context, at drill.Place) (drill.Target, error) {
	t := transport(at)
	breaker := circuitbreaker.NewBuilder[*http.Response]().
		HandleIf(func(r *http.Response, err error) bool {
			return err != nil && !errors.Is(err, context.Canceled) || r != nil && (r.StatusCode == http.StatusTooManyRequests || r.StatusCode >= 500)
		}).
		WithFailureRateThreshold(0.5, 20, 10*time.Second).
		WithDelay(time.Second).
		WithDelayFunc(failsafehttp.DelayFunc).
		Build()
	retry := failsafehttp.NewRetryPolicyBuilder().AbortOnErrors(circuitbreaker.ErrOpen).Build()
	return newClient(at, t, &http.Client{Timeout: 10 * time.Second, Transport: failsafehttp.NewRoundTripper(t, retry, breaker)}), nil
}

// pipeline is Weir's.
type pipeline struct{ *embed.Pipeline }

func openWeir(_ context.Context, at drill.Place) (drill.Target, error) {
	p, err := embed.New(embed.Config{ //nolint:contextcheck // it lives until its Close
		BaseURL: at.URL, Model: at.Model, Dimensions: at.Dim, Network: provider.Network{RootCAs: at.Roots, Resolver: at.Resolver},
	})
	if err != nil {
		return nil, err
	}
	return pipeline{p}, nil
}

func (p pipeline) Ask(ctx context.Context, q drill.Question) drill.Outcome {
	// Weir's server gives every call a deadline, whether the caller has one or
	// not (WEIR_TIMEOUT); here it stands for that.
	ctx, cancel := context.WithDeadline(ctx, q.Deadline)
	defer cancel()
	vs, err := p.Embed(ctx, rag.User(fmt.Sprint("user", q.Caller%5)), rag.ForQuery, []string{q.Text})
	if err != nil {
		return drill.Outcome{Kind: drill.Failed, Code: string(rag.CodeOf(err)), Detail: err.Error()}
	}
	return outcome(q, vs[0], nil)
}

func (p pipeline) Requests() int64 { return p.Stats().Attempts }
