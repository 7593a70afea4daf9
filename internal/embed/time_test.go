package embed

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/embed/embedtest"
	"weir/internal/openai"
	"weir/internal/provider"
	"weir/internal/rag"
)

// roundTrip is a network that is a function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func response(status int, body string, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}
}

func right(r *http.Request) (*http.Response, error) {
	return rightBut(r, func(string) bool { return false })
}

// rightBut answers with zeros where ill says so.
func rightBut(r *http.Request, ill func(text string) bool) (*http.Response, error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	req, err := openai.DecodeEmbeddingsRequest(raw, openai.Limits{Items: 4096, Values: dim})
	if err != nil {
		return nil, err
	}
	var a openai.Embeddings
	for i, text := range req.Input {
		v := embedtest.Vector(text, dim)
		if ill(text) {
			v = make([]float32, dim)
		}
		a.Data = append(a.Data, openai.Embedding{Index: i, Vector: v})
	}
	body, err := a.Encode(openai.Base64)
	return response(200, string(body)), err
}

func timed(t *testing.T, cfg Config, rt http.RoundTripper) *Pipeline {
	t.Helper()
	cfg.BaseURL, cfg.Model, cfg.Dimensions, cfg.APIKey = "http://provider/v1", "m", dim, key
	cfg.CacheBytes = cmp.Or(cfg.CacheBytes, 1)
	p, err := newPipeline(cfg, rt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return p
}

// TestRetryTimes is when the tries happen, by a clock that only waiting moves.
func TestRetryTimes(t *testing.T) {
	busy := func(after string) *http.Response { return response(503, "", "Retry-After", after) }
	type window struct{ from, to time.Duration } // since the try before
	ms := time.Millisecond
	tests := []struct {
		name    string
		answers []*http.Response // then right ones
		limit   time.Duration    // of the caller; 0: none
		cfg     Config
		want    []window
		code    rag.Code
		after   time.Duration
		ends    time.Duration // at most, since the beginning
	}{
		{
			name: "doubling", answers: []*http.Response{response(500, ""), response(502, "")},
			want: []window{{125 * ms, 250 * ms}, {250 * ms, 500 * ms}}, ends: 750 * ms,
		},
		{
			name: "three tries", answers: []*http.Response{response(500, ""), response(500, ""), response(500, "")},
			want: []window{{125 * ms, 250 * ms}, {250 * ms, 500 * ms}}, code: rag.Unavailable, ends: 750 * ms,
		},
		{
			name: "when asked to", answers: []*http.Response{busy("3"), busy("1.5")},
			want: []window{{3 * time.Second, 3125 * ms}, {1500 * ms, 1750 * ms}}, ends: 4875 * ms,
		},
		{
			name: "asked for none, yet not hot", answers: []*http.Response{busy("0"), busy("Mon, 02 Jan 1995 00:00:00 GMT")},
			want: []window{{125 * ms, 250 * ms}, {250 * ms, 500 * ms}}, ends: 750 * ms,
		},
		{
			name: "by date", answers: []*http.Response{busy(time.Date(2000, 1, 1, 0, 0, 4, 0, time.UTC).Format(http.TimeFormat))},
			want: []window{{4 * time.Second, 4125 * ms}}, ends: 4125 * ms,
		},
		{
			name: "more than the deadline leaves", answers: []*http.Response{busy("3")}, limit: 2 * time.Second,
			code: rag.Unavailable, after: 3 * time.Second, ends: 0,
		},
		{
			name: "backoff does not fit", answers: []*http.Response{response(500, "")}, limit: 100 * ms,
			code: rag.Unavailable, ends: 0,
		},
		{
			name: "more than any wait", answers: []*http.Response{busy("60")}, code: rag.Unavailable, after: time.Minute, ends: 0,
		},
		{
			name: "absurd", answers: []*http.Response{busy("1e30")}, code: rag.Unavailable, after: provider.MaxRetryAfter, ends: 0,
		},
		{
			name: "never", answers: []*http.Response{response(401, "")}, code: rag.Unavailable, ends: 0,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				var tries []time.Time
				left := slices.Clone(tt.answers)
				p := timed(t, tt.cfg, roundTrip(func(r *http.Request) (*http.Response, error) {
					tries = append(tries, time.Now())
					if len(left) > 0 {
						answer := left[0]
						left = left[1:]
						return answer, nil
					}
					return right(r)
				}))
				ctx := t.Context()
				if tt.limit > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.limit)
					defer cancel()
				}
				got, err := p.Embed(ctx, "u", rag.ForQuery, []string{"a"})
				if took := time.Since(start); took > tt.ends {
					t.Errorf("took %s, at most %s", took, tt.ends)
				}
				if tt.code == "" {
					if err != nil {
						t.Fatal(err)
					}
					same(t, got, []string{"a"})
				} else if e := typed(t, err); e.Code != tt.code || e.RetryAfter != tt.after {
					t.Errorf("%+v, want %s after %s", e, tt.code, tt.after)
				}
				if len(tries) != len(tt.want)+1 {
					t.Fatalf("%d tries, want %d", len(tries), len(tt.want)+1)
				}
				for i, w := range tt.want {
					if gap := tries[i+1].Sub(tries[i]); gap < w.from || gap > w.to {
						t.Errorf("try %d after %s, want %s to %s", i+2, gap, w.from, w.to)
					}
				}
				if err := p.Close(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A try that usually takes longer than what is left is not begun.
func TestTypicalDurationCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		p := timed(t, Config{}, roundTrip(func(r *http.Request) (*http.Response, error) {
			if calls++; calls == 2 {
				return response(500, ""), nil
			}
			<-time.NewTimer(3 * time.Second).C
			return right(r)
		}))
		if _, err := p.Embed(t.Context(), "u", rag.ForQuery, []string{"a"}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		start := time.Now()
		_, err := p.Embed(ctx, "u", rag.ForQuery, []string{"a"})
		if e := typed(t, err); e.Code != rag.Unavailable || time.Since(start) != 0 || calls != 2 {
			t.Errorf("%v after %s, %d calls", e, time.Since(start), calls)
		}
	})
}

// TestDeadline: a network that ignores its ctx costs no caller its deadline.
func TestDeadline(t *testing.T) {
	deaf := func(release <-chan struct{}) roundTrip {
		return func(*http.Request) (*http.Response, error) {
			<-release
			return nil, errors.New("at last")
		}
	}
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		p := timed(t, Config{MaxConcurrent: 2}, deaf(release))
		for i := range 4 { // two of them never get a slot
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			start := time.Now()
			_, err := p.Embed(ctx, "u", rag.ForQuery, []string{"a"})
			if took := time.Since(start); took != 50*time.Millisecond {
				t.Errorf("call %d took %s", i, took)
			}
			if e := typed(t, err); e.Code != rag.Timeout || e.Phase != "queue" || !errors.Is(e, context.DeadlineExceeded) {
				t.Errorf("call %d: %+v", i, e)
			}
			cancel()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if err := p.Close(ctx); err == nil || !strings.Contains(err.Error(), "2 attempts") || time.Since(start) != time.Second {
			t.Errorf("Close: %v after %s", err, time.Since(start))
		}
		close(release)
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A body that ignores its ctx is a deaf peer too.
func TestDeafBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		p := timed(t, Config{}, roundTrip(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: r}, nil
		}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := p.Embed(ctx, "u", rag.ForQuery, []string{"a"})
		if e := typed(t, err); e.Code != rag.Timeout || e.Phase != "body" || time.Since(start) != time.Second {
			t.Errorf("%+v after %s", e, time.Since(start))
		}
		_ = w.Close()
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestAttemptTimeout: an attempt that hangs is given up while its caller has
// time, and the next one may succeed.
func TestAttemptTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		p := timed(t, Config{AttemptTimeout: 5 * time.Second, ColdTimeout: 1}, roundTrip(func(r *http.Request) (*http.Response, error) {
			if calls++; calls < 3 {
				<-r.Context().Done()
				return nil, context.Cause(r.Context())
			}
			return right(r)
		}))
		start := time.Now()
		if _, err := p.Embed(t.Context(), "u", rag.ForQuery, []string{"a"}); err != nil || calls != 3 {
			t.Errorf("%v after %d calls", err, calls)
		}
		if took := time.Since(start); took < 10*time.Second || took > 11*time.Second {
			t.Errorf("took %s", took)
		}
		calls = -9
		_, err := p.Embed(t.Context(), "u", rag.ForQuery, []string{"a"})
		if e := typed(t, err); e.Code != rag.Timeout || !strings.Contains(e.Msg, "did not answer in time") {
			t.Errorf("%+v", e)
		}
	})
}

// The words of an error are not waited for.
func TestErrorBodyThatStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := timed(t, Config{MaxAttempts: 1}, roundTrip(func(r *http.Request) (*http.Response, error) {
			body, w := io.Pipe()
			context.AfterFunc(r.Context(), func() { _ = w.CloseWithError(context.Canceled) })
			return &http.Response{StatusCode: 503, Header: http.Header{"Retry-After": {"5"}}, Body: body}, nil
		}))
		start := time.Now()
		_, err := p.Embed(t.Context(), "u", rag.ForQuery, []string{"a"})
		if e := typed(t, err); e.Code != rag.Unavailable || e.RetryAfter != 5*time.Second || time.Since(start) != provider.ErrorBodyWait {
			t.Errorf("%+v after %s", e, time.Since(start))
		}
	})
}

func TestCanceledInBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := timed(t, Config{}, roundTrip(func(*http.Request) (*http.Response, error) {
			return response(503, "", "Retry-After", "5"), nil
		}))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		_, err := p.Embed(ctx, "u", rag.ForQuery, []string{"a"})
		if e := typed(t, err); e.Code != rag.Canceled || time.Since(start) != time.Second || !strings.Contains(e.Error(), "503") {
			t.Errorf("%v after %s", e, time.Since(start))
		}
	})
}

func TestPanicIsAnError(t *testing.T) {
	p := timed(t, Config{}, roundTrip(func(*http.Request) (*http.Response, error) { panic("boom") }))
	for range 9 { // more than slots
		_, err := p.Embed(t.Context(), "u", rag.ForQuery, []string{"a"})
		if e := typed(t, err); e.Code != rag.Internal || strings.Contains(e.Msg, "boom") {
			t.Error(e)
		}
	}
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestBodies: bodies are closed, and of an error only so much is read.
func TestBodies(t *testing.T) {
	tests := []struct {
		name   string
		status int
		size   int
		most   int
	}{
		{"short error", 500, 100, 100},
		{"long error", 500, 1 << 20, provider.MaxErrorBytes + provider.MaxDrain},
		{"long answer", 200, 3 << 20, 1<<20 + 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := &counted{Reader: bytes.NewReader(make([]byte, tt.size))}
			p := timed(t, Config{MaxAttempts: 1, MaxResponseBytes: 1 << 20}, roundTrip(func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: tt.status, Header: http.Header{}, Body: body}, nil
			}))
			if _, err := p.Embed(t.Context(), "u", rag.ForQuery, []string{"a"}); err == nil {
				t.Error("no error")
			}
			if body.read > tt.most || !body.closed {
				t.Errorf("read %d, closed %t", body.read, body.closed)
			}
		})
	}
}

type counted struct {
	*bytes.Reader
	read   int
	closed bool
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.read += n
	return n, err
}

func (c *counted) Close() error {
	c.closed = true
	return nil
}

// WriteTo must not get round Read.
func (c *counted) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{c})
}

// TestConnecting is the phases before there is a connection.
func TestConnecting(t *testing.T) {
	type dial func(context.Context) (net.Conn, error)
	hang := func(ctx context.Context) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	silent := func(context.Context) (net.Conn, error) { // takes all, says nothing
		mine, theirs := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, theirs) }()
		return mine, nil
	}
	tests := []struct {
		name  string
		url   string
		dial  dial
		limit time.Duration // of the caller
		code  rag.Code
		phase string
		took  time.Duration
	}{
		{"dial, the caller leaves", "http://provider/v1", hang, 100 * time.Millisecond, rag.Timeout, "dial", 100 * time.Millisecond},
		{"tls, the caller leaves", "https://provider/v1", silent, 100 * time.Millisecond, rag.Timeout, "tls", 100 * time.Millisecond},
		{"tls, its own limit", "https://provider/v1", silent, time.Minute, rag.Timeout, "tls", 2 * time.Second},
		{"headers, the caller leaves", "http://provider/v1", silent, 100 * time.Millisecond, rag.Timeout, "headers", 100 * time.Millisecond},
		{"refused", "http://provider/v1", func(context.Context) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
		}, time.Minute, rag.Unavailable, "dial", 0},
		{"no such name", "http://provider/v1", func(context.Context) (net.Conn, error) {
			return nil, &net.DNSError{Err: "no such host", Name: "provider", IsNotFound: true}
		}, time.Minute, rag.Unavailable, "dial", 0},
		{"dial, its own limit", "http://provider/v1", func(context.Context) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Err: context.DeadlineExceeded}
		}, time.Minute, rag.Timeout, "dial", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := Config{BaseURL: tt.url, Model: "m", Dimensions: dim, APIKey: key, MaxAttempts: 1}
				transport := provider.NewTransport(cfg.WithDefaults().Network, &provider.Dialer{})
				transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
					// A net.Dialer calls this.
					httptrace.ContextClientTrace(ctx).ConnectStart("tcp", "")
					return tt.dial(ctx)
				}
				p, err := newPipeline(cfg, transport)
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), tt.limit)
				defer cancel()
				start := time.Now()
				_, err = p.Embed(ctx, "u", rag.ForQuery, []string{"a"})
				e := typed(t, err)
				if e.Code != tt.code || e.Phase != tt.phase || time.Since(start) != tt.took {
					t.Errorf("%+v after %s, want %s in %s after %s", e, time.Since(start), tt.code, tt.phase, tt.took)
				}
				if err := p.Close(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
