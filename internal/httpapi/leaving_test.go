package httpapi

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"weir/internal/rag"
)

// While a server that is to stop waits for load balancers, /readyz says so and
// all else goes on: new calls, and streams.
func TestDrainDelay(t *testing.T) {
	h := newHouse(t, Config{DrainDelay: 3 * time.Second}, rag.Config{})
	id := h.shelf.put("ann", "a.txt", "a", rag.Queued)
	c := h.client(t)
	seen, watched := make(chan rag.Document, 8), make(chan error, 1)
	go func() {
		watched <- c.Watch(t.Context(), "ann", id, func(d rag.Document) error { seen <- d; return nil })
	}()
	<-seen
	h.stop()
	<-h.door.leaving
	if got := h.say(t, "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); got.status != 503 {
		t.Errorf("/readyz: %d", got.status)
	}
	if _, err := c.Retrieve(t.Context(), "ann", rag.Request{Query: "a"}); err != nil {
		t.Errorf("a call in the delay: %v", err)
	}
	select {
	case err := <-watched:
		t.Errorf("the stream ended in the delay: %v", err)
	default:
	}
	if err := <-watched; rag.CodeOf(err) != rag.Unavailable {
		t.Errorf("the stream ended with %v", err)
	}
	if err := <-h.done; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// TestBrokenOffCallsAreTold: whoever is still answered when the drain is over
// is told so, in a stream too, before the connection is cut.
func TestBrokenOffCallsAreTold(t *testing.T) {
	const callers = 16
	h := newHouse(t, Config{DrainTimeout: 20 * time.Millisecond}, rag.Config{Chat: writer(func(ctx context.Context, _ rag.ChatRequest, emit func(string) error) (rag.ChatEnd, error) {
		if err := emit("It costs "); err != nil {
			return rag.ChatEnd{}, err
		}
		<-ctx.Done()
		return rag.ChatEnd{}, ctx.Err()
	})})
	h.shelf.put("me", "plan.pdf", "insulin costs 35 dollars", rag.Ready)
	begun, told := make(chan struct{}, callers), make(chan error, callers)
	for range callers {
		go func() {
			_, err := h.client(t).Ask(t.Context(), "me", rag.AskRequest{Request: rag.Request{Query: "insulin"}}, func(e rag.AskEvent) error {
				if e.Text != "" {
					begun <- struct{}{}
				}
				return nil
			})
			told <- err
		}()
	}
	for range callers {
		<-begun
	}
	h.stop()
	for range callers {
		if err := <-told; rag.CodeOf(err) != rag.Unavailable || !strings.Contains(err.Error(), "the server is stopping") {
			t.Errorf("a caller was told %v", err)
		}
	}
	if err := <-h.done; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Serve: %v", err)
	}
}

func TestProfiles(t *testing.T) {
	if _, err := ListenProfiles(t.Context(), "0.0.0.0:0", newLogger(&logLines{})); err == nil || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("got %v", err)
	}
	p, err := ListenProfiles(t.Context(), "127.0.0.1:0", newLogger(&logLines{}))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Serve(ctx) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, tt := range []struct {
		name, path string
		headers    []string
		status     int
	}{
		{"list", "/debug/pprof/", nil, 200},
		{"heap", "/debug/pprof/heap", nil, 200},
		{"goroutines", "/debug/pprof/goroutine?debug=1", nil, 200},
		{"the command line", "/debug/pprof/cmdline", nil, 404},
		{"a page", "/debug/pprof/heap", []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, 403},
		{"a rebound name", "/debug/pprof/heap", []string{"Host", "evil.example"}, 403},
		{"elsewhere", "/v1/documents", nil, 404},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+p.Addr()+tt.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i+1 < len(tt.headers); i += 2 {
				if r.Header.Set(tt.headers[i], tt.headers[i+1]); tt.headers[i] == "Host" {
					r.Host = tt.headers[i+1]
				}
			}
			resp, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != tt.status {
				t.Errorf("status %d, %v", resp.StatusCode, err)
			}
		})
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	h := newHouse(t, Config{}, rag.Config{})
	if got := h.say(t, "GET /debug/pprof/heap HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); got.status != 404 {
		t.Errorf("the door answers profiles: %d", got.status)
	}
}
