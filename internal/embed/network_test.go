package embed

import (
	"bufio"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/embed/embedtest"
	"weir/internal/openai"
	"weir/internal/provider"
	"weir/internal/rag"
)

// listen serves each connection with serve, and ends with the test.
func listen(t *testing.T, serve func(n int, c net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	all.Go(func() {
		for n := 0; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			all.Go(func() {
				defer c.Close()
				serve(n, c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range conns {
			c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return l.Addr().String()
}

// TestStaleConnection: a kept connection that the provider closes when it is
// used again costs nothing; the POST is made again on a new one, within the
// attempt.
func TestStaleConnection(t *testing.T) {
	var mu sync.Mutex
	conns, answered := 0, 0
	addr := listen(t, func(n int, c net.Conn) {
		mu.Lock()
		conns++
		mu.Unlock()
		in := bufio.NewReader(c)
		for i := range 2 {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			answer, err := right(r)
			if err != nil {
				t.Error(err)
				return
			}
			if n == 0 && i == 1 {
				return // the second request on the first connection: closed in its face
			}
			answer.ProtoMajor, answer.ProtoMinor, answer.ContentLength = 1, 1, -1
			answer.TransferEncoding = []string{"chunked"}
			mu.Lock()
			answered++ // before the caller can know
			mu.Unlock()
			if err := answer.Write(c); err != nil {
				return
			}
		}
	})
	p := open(t, Config{BaseURL: "http://" + addr + "/v1", Model: "m", Dimensions: dim, MaxAttempts: 1, CacheBytes: 1})
	for range 2 {
		got, err := p.Embed(t.Context(), "u", rag.ForQuery, []string{"a b"})
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, []string{"a b"})
	}
	mu.Lock()
	defer mu.Unlock()
	if conns != 2 || answered != 2 {
		t.Errorf("%d connections, %d answers: the test did not see a stale one", conns, answered)
	}
}

// relay passes bytes to addr until frozen is closed; then, on the connections
// there are, nothing passes and nothing is closed. Later ones work.
func relay(t *testing.T, addr string, frozen <-chan struct{}) string {
	t.Helper()
	return listen(t, func(_ int, c net.Conn) {
		select {
		case <-frozen:
			frozen = nil
		default:
		}
		up, err := net.Dial("tcp", addr)
		if err != nil {
			t.Error(err)
			return
		}
		defer up.Close()
		hole := frozen
		pass := func(to, from net.Conn) {
			buf := make([]byte, 32<<10)
			for {
				n, err := from.Read(buf)
				if err != nil {
					to.Close()
					return
				}
				select {
				case <-hole: // swallowed
					continue
				default:
				}
				if _, err := to.Write(buf[:n]); err != nil {
					return
				}
			}
		}
		var both sync.WaitGroup
		both.Go(func() { pass(up, c) })
		both.Go(func() { pass(c, up) })
		both.Wait()
	})
}

// TestBlackHoledHTTP2: a connection on which nothing comes back any more is
// found out by pings and replaced. Without them every attempt would go to it.
func TestBlackHoledHTTP2(t *testing.T) {
	s := embedtest.New(t, embedtest.Options{Dim: dim, TLS: true})
	frozen := make(chan struct{})
	cfg := against(s)
	cfg.BaseURL = "https://" + relay(t, s.Addr(), frozen) + "/v1"
	cfg.PingAfter, cfg.PingTimeout = 100*time.Millisecond, 200*time.Millisecond
	p := open(t, cfg)
	if _, err := p.Embed(t.Context(), "u", rag.ForQuery, []string{"a b"}); err != nil {
		t.Fatal(err)
	}
	if proto := s.Requests()[0].Proto; proto != "HTTP/2.0" {
		t.Fatalf("spoke %s", proto)
	}
	close(frozen)
	for range 3 {
		got, err := p.Embed(t.Context(), "u", rag.ForQuery, []string{"a b"})
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, []string{"a b"})
	}
}

func TestUnreachable(t *testing.T) {
	secure := embedtest.New(t, embedtest.Options{Dim: dim, TLS: true})
	plain := embedtest.New(t, embedtest.Options{Dim: dim})
	hangup := listen(t, func(_ int, c net.Conn) { _, _ = http.ReadRequest(bufio.NewReader(c)) })
	babble := listen(t, func(_ int, c net.Conn) {
		_, _ = http.ReadRequest(bufio.NewReader(c))
		_, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.6\r\n")
	})
	vast := listen(t, func(_ int, c net.Conn) {
		_, _ = http.ReadRequest(bufio.NewReader(c))
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 1<<20)+"\r\n\r\n")
	})
	tests := []struct {
		name, url string
		cas       *x509.CertPool
		phase     string
		msg       string
	}{
		{"refused", "http://127.0.0.1:1", nil, "dial", "cannot be reached"},
		{"no such name", "http://no-such-name.invalid", nil, "dial", "cannot be reached"},
		{"not trusted", "https://" + secure.Addr() + "/v1", plain.RootCAs(), "tls", "certificate that is not trusted"},
		{"https to http", "https://" + plain.Addr() + "/v1", nil, "tls", "is it http instead of https?"},
		{"hangs up", "http://" + hangup, nil, "headers", "broke off the connection"},
		{"not HTTP", "http://" + babble, nil, "headers", "broke off the connection"},
		{"vast headers", "http://" + vast, nil, "headers", "broke off the connection"},
		{"no /v1", "http://" + plain.Addr(), nil, "headers", "or no embeddings at this address (404): 404 page not found"},
		{"http to https", "http://" + secure.Addr() + "/v1", nil, "headers", "refused the request (400): Client sent an HTTP request to an HTTPS server."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := open(t, Config{BaseURL: tt.url, APIKey: key, Model: "m", Dimensions: dim, MaxAttempts: 2, Backoff: 1, Network: provider.Network{RootCAs: tt.cas}})
			_, err := p.Embed(t.Context(), "u", rag.ForQuery, []string{"one two"})
			e := typed(t, err)
			if e.Code != rag.Unavailable || e.Phase != tt.phase || !strings.Contains(e.Msg, tt.msg) {
				t.Errorf("%s in %s: %s (%v)\nwant %s in %s: %s", e.Code, e.Phase, e.Msg, e.Err, rag.Unavailable, tt.phase, tt.msg)
			}
		})
	}
}

// TestDialsAreBounded: a request that is cancelled leaves its dial running;
// callers who give up one after the other must not pile them up.
func TestDialsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := Config{BaseURL: "http://provider/v1", Model: "m", Dimensions: dim, MaxConcurrent: 4}
		transport := provider.NewTransport(cfg.WithDefaults().Network, &provider.Dialer{})
		var dials atomic.Int32
		release := make(chan struct{})
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			httptrace.ContextClientTrace(ctx).ConnectStart("tcp", "") // a net.Dialer calls this
			dials.Add(1)
			<-release // whatever its ctx says
			return nil, errors.New("at last")
		}
		c, err := newClient(cfg, transport)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 50 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			_, fault := c.Attempt(ctx, []string{"a"}, new(provider.Tracker))
			want := "dial"
			if i >= 4 {
				want = "queue"
			}
			if fault == nil || fault.Code != rag.Timeout || fault.Phase != want {
				t.Errorf("attempt %d: %+v, want %s", i, fault, want)
			}
			cancel()
		}
		if n := dials.Load(); n != 4 {
			t.Errorf("%d dials", n)
		}
		close(release)
		synctest.Wait()
		c.Close()
	})
}

// TestAddressIsNotShown: a secret in the query of the address is in no error.
func TestAddressIsNotShown(t *testing.T) {
	hangup := listen(t, func(_ int, c net.Conn) { _, _ = http.ReadRequest(bufio.NewReader(c)) })
	p := open(t, Config{BaseURL: "http://" + hangup + "/secretpath?key=" + key, Model: "m", Dimensions: dim, MaxAttempts: 1})
	_, err := p.Embed(t.Context(), "u", rag.ForQuery, []string{"a"})
	if e := typed(t, err); e.Err == nil || strings.Contains(e.Error(), "secretpath") {
		t.Error(e)
	}
}

// TestProxy: one is used when it is configured, and only then.
func TestProxy(t *testing.T) {
	s := embedtest.New(t, embedtest.Options{Dim: dim})
	through := make(chan string, 9)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		through <- r.URL.String()
		answer, err := right(r)
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.Copy(w, answer.Body)
	}))
	defer proxy.Close()
	t.Setenv("HTTP_PROXY", proxy.URL)
	at, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	cfg := against(s)
	if _, err := open(t, cfg).Embed(t.Context(), "u", rag.ForQuery, []string{"a"}); err != nil || s.Calls() != 1 || len(through) != 0 {
		t.Errorf("%v, %d calls, %d through the proxy", err, s.Calls(), len(through))
	}
	cfg.BaseURL, cfg.Proxy = "http://elsewhere.invalid/v1", http.ProxyURL(at)
	if _, err := open(t, cfg).Embed(t.Context(), "u", rag.ForQuery, []string{"a"}); err != nil {
		t.Fatal(err)
	}
	if got := <-through; got != "http://elsewhere.invalid/v1/embeddings" {
		t.Error(got)
	}
}

// FuzzCheck: whatever a provider answers, what is delivered keeps the promise.
func FuzzCheck(f *testing.F) {
	f.Add([]byte(`{"data":[{"index":0,"embedding":[1,2]},{"index":1,"embedding":"AACAPwAAAMA="}]}`))
	f.Add([]byte(`{"data":[{"index":0,"embedding":[3e38,3e38]},{"index":1,"embedding":[1e-45,0]}]}`))
	f.Add([]byte(`{"data":[{"index":0,"embedding":[0,0]},{"index":0,"embedding":[NaN,1]}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		answer, err := openai.DecodeEmbeddings(body, openai.Limits{Items: 4, Values: 4})
		if err != nil {
			return
		}
		out, fault := check(answer.Data, 2, 2)
		if fault != nil {
			if out != nil || fault.Code == "" || fault.Phase != "check" {
				t.Fatal(out, fault.Error)
			}
			return
		}
		if len(out) != 2 {
			t.Fatal(out)
		}
		for _, o := range out {
			if (o.Err == nil) == (o.Vector == nil) {
				t.Fatal(o)
			}
			if o.Err == nil {
				x, y := float64(o.Vector[0]), float64(o.Vector[1])
				if n := x*x + y*y; len(o.Vector) != 2 || !(n > 1-1e-5 && n < 1+1e-5) {
					t.Fatal(o, n)
				}
			}
		}
	})
}
