package chaos

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/internal/openai"
)

const dim = 24

// guard is how long a test waits for what must come; no test passes by it.
const guard = 20 * time.Second

// meeting is one client at one provider.
type meeting struct {
	*testing.T
	*Provider
	wire   Wire
	client *http.Client
	clock  *clock
	url    string
}

// clock is the provider's: its timers fire when a test says so.
type clock struct {
	asked chan time.Duration
	fire  chan time.Time
}

func (c *clock) timer(d time.Duration) (fires <-chan time.Time, stop func() bool) {
	select {
	case c.asked <- d:
	default:
	}
	return c.fire, func() bool { return true }
}

func meet(t *testing.T, wire Wire, named bool) *meeting {
	t.Helper()
	m := &meeting{T: t, wire: wire, clock: &clock{asked: make(chan time.Duration, 1024), fire: make(chan time.Time)}}
	p, err := Start(t.Context(), Config{Dim: dim, Wire: wire, timer: m.clock.timer})
	if err != nil {
		t.Fatal(err)
	}
	m.Provider = p
	m.url, m.client = p.URL(), p.client(t)
	if named {
		m.url = p.NamedURL()
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if s := p.Stats(); s.Open != 0 || s.InFlight != 0 {
			t.Errorf("after Close: %+v", s)
		}
	})
	return m
}

// client is as plain as they come, with a deadline.
func (p *Provider) client(t *testing.T) *http.Client {
	dialer := &net.Dialer{Resolver: p.prompt(), Timeout: guard}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			// The transport lets a dial go on when its request has left.
			ctx, stop := context.WithCancel(ctx)
			defer stop()
			defer context.AfterFunc(t.Context(), stop)() //nolint:contextcheck // the test's, as it outlives the request
			return dialer.DialContext(ctx, network, addr)
		},
		TLSClientConfig:        &tls.Config{RootCAs: p.RootCAs()},
		ForceAttemptHTTP2:      p.cfg.Wire == HTTP2,
		MaxResponseHeaderBytes: 64 << 10,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: guard}
}

// prompt is the Resolver, but a look-up that is left ends: as it comes,
// net.Resolver reads on for up to twice five seconds, whatever its ctx says.
func (p *Provider) prompt() *net.Resolver {
	r := p.Resolver()
	dial := r.Dial
	r.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		udp, ok := c.(*net.UDPConn)
		if !ok {
			return nil, errors.Join(errors.New("not a UDP connection"), c.Close())
		}
		return &query{UDPConn: udp, stop: context.AfterFunc(ctx, func() { udp.Close() })}, nil
	}
	return r
}

type query struct {
	*net.UDPConn
	stop func() bool
}

func (q *query) Close() error {
	q.stop()
	return q.UDPConn.Close()
}

// seen is what a call came to.
type seen struct {
	status   int
	header   http.Header
	body     []byte
	proto    int
	err      error
	began    bool // the first byte of an answer came
	answered bool // the head came
}

func (m *meeting) request(ctx context.Context, as openai.Encoding, texts ...string) *http.Request {
	m.Helper()
	body, err := openai.EmbeddingsRequest{Model: "m", Input: texts, Encoding: as}.Encode()
	if err != nil {
		m.Fatal(err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, m.url+"/embeddings", strings.NewReader(string(body)))
	if err != nil {
		m.Fatal(err)
	}
	r.Header["X-Idempotency-Key"] = []string{} // it may be made again on another connection
	return r
}

func (m *meeting) ask(ctx context.Context, as openai.Encoding, texts ...string) seen {
	m.Helper()
	const most = 1 << 20
	var out seen
	var mu sync.Mutex // the transport may be at it still when an error is back
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotFirstResponseByte: func() {
		mu.Lock()
		defer mu.Unlock()
		out.began = true
	}})
	resp, err := m.client.Do(m.request(ctx, as, texts...))
	mu.Lock()
	defer mu.Unlock()
	got := seen{began: out.began, err: err}
	if err != nil {
		return got
	}
	defer resp.Body.Close()
	got.answered, got.status, got.header, got.proto = true, resp.StatusCode, resp.Header, resp.ProtoMajor
	got.body, got.err = io.ReadAll(io.LimitReader(resp.Body, most))
	return got
}

// call asks for the vectors of texts, or of two.
func (m *meeting) call(texts ...string) seen {
	m.Helper()
	if len(texts) == 0 {
		texts = []string{"first text", "second text"}
	}
	return m.ask(m.Context(), openai.Base64, texts...)
}

// whole asks and wants the right answer.
func (m *meeting) whole(texts ...string) {
	m.Helper()
	if len(texts) == 0 {
		texts = []string{"first text", "second text"}
	}
	got := m.call(texts...)
	if got.err != nil || got.status != http.StatusOK {
		m.Fatalf("not answered: %+v", got)
	}
	a, err := openai.DecodeEmbeddings(got.body, openai.Limits{Items: len(texts), Values: dim})
	if err != nil || len(a.Data) != len(texts) {
		m.Fatalf("%v: %s", err, got.body)
	}
	for _, e := range a.Data {
		if e.Err != nil || !Matches(texts[e.Index], e.Vector) {
			m.Errorf("text %d has a vector that is not its own: %v", e.Index, e.Err)
		}
	}
}

func (m *meeting) await(ok func(Stats) bool) {
	m.Helper()
	ctx, cancel := context.WithTimeout(m.Context(), guard)
	defer cancel()
	if err := m.Await(ctx, ok); err != nil {
		m.Fatalf("%v: %+v", err, m.Stats())
	}
}

// hangs makes a call, waits until the provider has seen what ok says, and wants
// nothing to have come of it when the caller leaves.
func (m *meeting) hangs(ok func(Stats) bool) seen {
	m.Helper()
	ctx, leave := context.WithCancel(m.Context())
	defer leave()
	back := make(chan seen, 1)
	go func() { back <- m.ask(ctx, openai.Base64, "a text") }()
	m.await(ok)
	select {
	case got := <-back:
		m.Fatalf("it did not hang: %+v", got)
	default:
	}
	leave()
	got := <-back
	if !errors.Is(got.err, context.Canceled) {
		m.Errorf("%v, want the caller to have left", got.err)
	}
	return got
}

func (m *meeting) tick() {
	m.Helper()
	t := time.NewTimer(guard)
	defer t.Stop()
	select {
	case m.clock.fire <- time.Time{}:
	case <-t.C:
		m.Fatal("nobody waits for the clock")
	}
}

func (m *meeting) wants() time.Duration {
	m.Helper()
	t := time.NewTimer(guard)
	defer t.Stop()
	select {
	case d := <-m.clock.asked:
		return d
	case <-t.C:
		m.Fatal("the clock was not asked")
		return 0
	}
}

// until makes a call and leaves it when the trace has called its argument n
// times, while the clock ticks, ticks times at most.
func (m *meeting) until(n, ticks int, hook func(once func()) *httptrace.ClientTrace) seen {
	m.Helper()
	ctx, leave := context.WithCancel(m.Context())
	defer leave()
	var mu sync.Mutex
	trace := hook(func() {
		mu.Lock()
		defer mu.Unlock()
		if n--; n == 0 {
			leave()
		}
	})
	back := make(chan seen, 1)
	go func() { back <- m.ask(httptrace.WithClientTrace(ctx, trace), openai.Base64, "a text") }()
	fire := m.clock.fire
	for {
		select {
		case fire <- time.Time{}:
			if ticks--; ticks <= 0 {
				fire = nil
			}
		case got := <-back:
			if !errors.Is(got.err, context.Canceled) {
				m.Errorf("%v, want the caller to have left", got.err)
			}
			return got
		}
	}
}
