package embed

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"time"

	"weir/internal/openai"
	"weir/internal/provider"
	"weir/internal/rag"
)

// Client makes attempts at one provider. It is safe for concurrent use; it
// starts no goroutines but those of its connections, and neither retries nor
// bounds how many attempts there are (its connections are bounded).
type Client struct {
	cfg      Config
	endpoint string
	wantDim  bool // ask for cfg.Dimensions
	http     *http.Client
	dialer   *provider.Dialer // nil in tests without a network
	end      func()           // closes all connections
	wire     wire
}

// newClient checks cfg. rt takes the place of the network, in tests; nil for the
// network.
func newClient(cfg Config, rt http.RoundTripper) (*Client, error) {
	asked := cfg.Dimensions
	cfg = cfg.WithDefaults()
	endpoint, err := cfg.validate()
	if err != nil {
		return nil, err
	}
	end := func() {}
	var d *provider.Dialer
	if rt == nil {
		d, end = provider.NewDialer(cfg.Network)
		rt = provider.NewTransport(cfg.Network, d)
	}
	return &Client{
		cfg: cfg, endpoint: endpoint, dialer: d, end: end, wire: wire{turn: make(chan struct{}, 1)},
		wantDim: asked != 0 && takesDimensions(cfg.Model, cfg.Dimensions),
		http:    provider.Unredirected(rt),
	}, nil
}

// Model returns what the vectors are of.
func (c *Client) Model() rag.Model { return rag.Model{Name: c.cfg.Model, Dim: c.cfg.Dimensions} }

// Close closes all connections, also those that are being made; attempts that
// are under way fail.
func (c *Client) Close() {
	c.end()
	c.http.CloseIdleConnections()
}

// Attempt asks once for the vectors of texts, within AttemptTimeout and ctx,
// and returns one Outcome for each text, or a Fault. at shows where it stands.
//
// As long as it is not known which optional members the provider bears, a
// refusal is followed by the same request without them, in the same attempt.
func (c *Client) Attempt(ctx context.Context, texts []string, at *provider.Tracker) ([]Outcome, *provider.Fault) {
	return c.attempt(ctx, texts, at, terms{limit: c.cfg.AttemptTimeout, replays: provider.MaxReplays})
}

// terms are what an attempt may cost.
type terms struct {
	limit   time.Duration
	replays int32
	fresh   bool // on a new connection: those that are kept have failed
}

func (c *Client) attempt(ctx context.Context, texts []string, at *provider.Tracker, may terms) ([]Outcome, *provider.Fault) {
	attempt, cancel := context.WithTimeoutCause(ctx, may.limit, errAttempt)
	defer cancel()
	by := c.http
	if may.fresh && c.dialer != nil {
		// Connections of its own: of HTTP/2 there is one for all, which is not
		// idle while the attempt that this one is made beside hangs on it.
		c.http.CloseIdleConnections()
		t := provider.NewTransport(c.cfg.Network, c.dialer)
		defer t.CloseIdleConnections()
		by = provider.Unredirected(t)
	}
	first := c.wire.options(c.wantDim)
	again := &provider.Replays{Most: may.replays, Fresh: by.CloseIdleConnections}
	turn := false
	defer func() {
		if turn {
			c.wire.leave()
		}
	}()
	for sent := first; ; {
		data, refusal, fault := c.post(ctx, attempt, by, texts, sent, at, again)
		if fault == nil {
			c.wire.learn(first, sent)
			at.Set(provider.Check)
			out, fault := check(data, len(texts), c.cfg.Dimensions)
			if fault != nil && errors.Is(fault.Err, errLength) && c.wantDim && !sent.dimensions {
				fault.Msg += ", and cannot be asked for another number"
			}
			return out, fault
		}
		if refusal == nil || !blamesOptions(refusal, fault) {
			return nil, fault
		}
		simpler, ok := c.wire.simpler(sent, refusal)
		switch {
		case !ok:
			if sent != first {
				c.wire.barren = time.Now() // sent is simpler than the first, so that it is our turn
			}
			return nil, fault
		case !turn:
			if turn = c.wire.enter(attempt); !turn {
				return nil, fault
			}
			if known := c.wire.options(c.wantDim); known != sent { // another found out meanwhile
				first, sent = known, known
				continue
			}
			if simpler, ok = c.wire.simpler(sent, refusal); !ok || !c.wire.worth() {
				return nil, fault
			}
		}
		sent = simpler
	}
}

// post makes one request. refusal is the answer, when it is an error.
func (c *Client) post(ctx, attempt context.Context, by *http.Client, texts []string, o options, at *provider.Tracker, again *provider.Replays) (
	data []openai.Embedding, refusal *openai.Error, fault *provider.Fault,
) {
	attempt, end := context.WithCancelCause(attempt)
	cancel := func() { end(nil) }
	defer cancel()
	at.Set(provider.Queue)
	traced := httptrace.WithClientTrace(attempt, at.Trace())
	req, err := c.request(traced, texts, o)
	if err != nil {
		f := newFault(provider.Queue, err, "cannot be asked")
		f.Code = rag.Internal
		return nil, nil, f
	}
	resp, err := by.Do(again.Bound(traced, req, end))
	if err != nil {
		return nil, nil, broken(ctx, attempt, at.Phase(), err)
	}
	defer resp.Body.Close() //nolint:errcheck // nothing is left to be said
	// Nothing that reads a body is to outlive the attempt, whatever the body is.
	defer context.AfterFunc(attempt, func() { _ = resp.Body.Close() })()
	if resp.StatusCode == http.StatusSwitchingProtocols { // its body is the bare connection
		f := newFault(provider.Headers, nil, "answered with another protocol (101)")
		f.Status, f.Retry = resp.StatusCode, true
		return nil, nil, f
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		body := provider.ReadError(resp.Body, cancel)
		if ctx.Err() != nil {
			return nil, nil, &provider.Fault{Error: ended(ctx, provider.Body, nil)}
		}
		refusal = openai.ParseError(resp.StatusCode, body)
		return nil, refusal, c.refused(refusal, resp.Header, texts, provider.Headers)
	}
	at.Set(provider.Body)
	body, fault := c.read(ctx, attempt, resp, len(texts))
	if fault != nil {
		return nil, nil, fault
	}
	at.Set(provider.Decode)
	return c.decode(body, resp.Header, texts)
}

func (c *Client) request(ctx context.Context, texts []string, o options) (*http.Request, error) {
	ask := openai.EmbeddingsRequest{Model: c.cfg.Model, Input: texts}
	if o.base64 {
		ask.Encoding = openai.Base64
	}
	if o.dimensions {
		ask.Dimensions = c.cfg.Dimensions
	}
	body, err := ask.Encode()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the request cannot be made") // err repeats the address
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.cfg.UserAgent)
	if c.cfg.APIKey != "" {
		req.Header.Set("Authorization", "Bearer "+c.cfg.APIKey)
	}
	if parent := traceparent(ctx); parent != "" {
		req.Header.Set("Traceparent", parent)
	}
	// Sent nowhere, it tells the transport that this POST may be made again
	// when a kept connection turns out to be closed. Asking twice for a vector
	// does no harm.
	req.Header["X-Idempotency-Key"] = []string{}
	return req, nil
}

// read reads the whole answer, up to its bound: what so many vectors can need,
// also of a wrong dimension, so that check can say what is wrong.
func (c *Client) read(ctx, attempt context.Context, resp *http.Response, texts int) ([]byte, *provider.Fault) {
	const besides = 64 << 10 // the rest of the answer
	limit := min(int64(c.cfg.MaxResponseBytes), int64(texts+1)*int64(max(c.cfg.Dimensions, 4096))*maxValueBytes+besides)
	var b bytes.Buffer
	if n := resp.ContentLength; n > 0 && n <= 1<<20 { // a claim is believed up to a MiB
		b.Grow(int(n) + bytes.MinRead)
	}
	n, err := b.ReadFrom(io.LimitReader(resp.Body, limit+1))
	switch {
	case err != nil:
		return nil, broken(ctx, attempt, provider.Body, err)
	case n > limit:
		return nil, newFault(provider.Body, nil, "sent an answer of more than %d bytes", limit)
	default:
		return b.Bytes(), nil
	}
}

func (c *Client) decode(body []byte, h http.Header, texts []string) ([]openai.Embedding, *openai.Error, *provider.Fault) {
	// One item too many is let through, for check to say what is wrong.
	answer, err := openai.DecodeEmbeddings(body, openai.Limits{Items: len(texts) + 1, Values: maxDim})
	var refusal *openai.Error
	switch {
	case errors.As(err, &refusal):
		return nil, refusal, c.refused(refusal, h, texts, provider.Check)
	case errors.Is(err, openai.ErrTooMany):
		f := newFault(provider.Check, err, "sent more vectors than were asked for")
		f.Retry = true
		return nil, nil, f
	case err != nil:
		kind := provider.Clean(h.Get("Content-Type"), c.cfg.APIKey, nil)
		f := newFault(provider.Decode, err, "sent an answer that cannot be read (%.80s)", cmp.Or(kind, "no content type"))
		f.Retry = true
		return nil, nil, f
	default:
		return answer.Data, nil, nil
	}
}

func (c *Client) refused(e *openai.Error, h http.Header, texts []string, p provider.Phase) *provider.Fault {
	w := peer()
	w.Key, w.Model = c.cfg.APIKey, c.cfg.Model
	return w.Refused(e, h, texts, p)
}
