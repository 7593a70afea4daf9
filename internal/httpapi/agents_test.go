package httpapi

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"weir/internal/rag"
)

func agentPost(t *testing.T, h http.Handler, body string, headers ...string) *response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost/mcp", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
	}
	return ask(t, h, r)
}

func TestAgents(t *testing.T) {
	called := 0
	h := newDoor(Config{MCP: func(w http.ResponseWriter, r *http.Request, user rag.User) {
		called++
		body, err := io.ReadAll(r.Body)
		if err != nil || rag.Operation(r.Context()) == "" {
			t.Error(err, r.Context())
		}
		switch string(body) {
		case "note":
			w.WriteHeader(http.StatusAccepted)
		case "plain":
			http.Error(w, "Accept must be more", http.StatusBadRequest)
		case "code":
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"jsonrpc":"2.0","error":1}`)
		case "panic":
			panic("at the disco")
		case "silence":
		default:
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			_, _ = io.WriteString(w, `{"jsonrpc":"2.0","user":"`+string(user)+`","said":"`+string(body)+`"}`)
		}
	}}, newService(t, rag.Config{}, &shelf{}))
	tests := []struct {
		name, body string
		headers    []string
		status     int
		says       string
	}{
		{"a call", "hello", nil, 200, `"user":"default","said":"hello"}`},
		{"of a user", "hello", []string{"X-User-ID", "ann"}, 200, `"user":"ann"`},
		{"a notification", "note", nil, 202, ""},
		{"refused in plain words", "plain", nil, 400, `"code":"invalid"`},
		{"refused in JSON", "code", nil, 400, `"error":1}`},
		{"a panic", "panic", nil, 500, `"code":"internal"`},
		{"no answer", "silence", nil, 500, `"code":"internal"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := agentPost(t, h, tt.body, tt.headers...)
			if got.status != tt.status || !strings.Contains(string(got.body), tt.says) || got.header.Get("X-Operation-Id") == "" {
				t.Errorf("%d %s", got.status, got.body)
			}
		})
	}
	if called != len(tests) {
		t.Errorf("called %d times, want %d", called, len(tests))
	}
	refused := []struct {
		name, body string
		headers    []string
		code       rag.Code
	}{
		{"another name", "hello", []string{"Host", "evil.example"}, rag.Forbidden},
		{"another origin", "hello", []string{"Origin", "https://evil.example"}, rag.Forbidden},
		{"from another site", "hello", []string{"Sec-Fetch-Site", "cross-site"}, rag.Forbidden},
		{"of no user", "hello", []string{"X-User-ID", ""}, rag.Invalid},
		{"a form", "hello", []string{"Content-Type", "text/plain"}, rag.UnsupportedMedia},
		{"compressed", "hello", []string{"Content-Encoding", "gzip"}, rag.UnsupportedMedia},
		{"too long", strings.Repeat("x", maxAgentMessage+1), nil, rag.TooLarge},
	}
	for _, tt := range refused {
		t.Run(tt.name, func(t *testing.T) {
			if p := agentPost(t, h, tt.body, tt.headers...).problem(t); p.Code != tt.code {
				t.Errorf("got %+v", p)
			}
		})
	}
	if called != len(tests) {
		t.Error("what is refused was passed on")
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/mcp", nil)
	if got := ask(t, h, r); got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != "POST" {
		t.Errorf("GET: %d %v", got.status, got.header)
	}
	if got := agentPost(t, newDoor(Config{}, newService(t, rag.Config{}, &shelf{})), "hello"); got.status != http.StatusNotFound {
		t.Errorf("without a handler: %d %s", got.status, got.body)
	}
}

// One user has half of the places; the others have what is left.
func TestAgentsLane(t *testing.T) {
	begun, end := make(chan struct{}), make(chan struct{})
	h := newDoor(Config{MaxMCPCalls: 2, MCP: func(w http.ResponseWriter, _ *http.Request, user rag.User) {
		if user != "quick" {
			begun <- struct{}{}
			<-end
		}
		w.WriteHeader(http.StatusAccepted)
	}}, newService(t, rag.Config{}, &shelf{}))
	done := make(chan int)
	hold := func(user string) {
		go func() { done <- agentPost(t, h, "hello", "X-User-ID", user).status }()
		<-begun
	}
	hold("ann")
	if p := agentPost(t, h, "hello", "X-User-ID", "ann").problem(t); p.Code != rag.RateLimited || p.RetryAfterMS == 0 {
		t.Errorf("a second of one user: %+v", p)
	}
	hold("bob")
	if p := agentPost(t, h, "hello", "X-User-ID", "quick").problem(t); p.Code != rag.Overloaded {
		t.Errorf("a third: %+v", p)
	}
	if l := h.calls.look(); l != (Lane{2, 2}) {
		t.Errorf("the lane is %+v", l)
	}
	close(end)
	for range 2 {
		if status := <-done; status != http.StatusAccepted {
			t.Errorf("status %d", status)
		}
	}
	if got := agentPost(t, h, "hello", "X-User-ID", "quick"); got.status != http.StatusAccepted {
		t.Errorf("status %d when there is room again", got.status)
	}
}

func TestAgentWhoLeaves(t *testing.T) {
	begun, ended := make(chan struct{}), make(chan error, 1)
	h := newHouse(t, Config{MCP: func(_ http.ResponseWriter, r *http.Request, _ rag.User) {
		close(begun)
		<-r.Context().Done()
		ended <- r.Context().Err()
	}}, rag.Config{})
	c := h.dial(t)
	if _, err := io.WriteString(c, "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"); err != nil {
		t.Fatal(err)
	}
	<-begun
	c.Close()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
	h.log.wait(t, `"route":"/mcp"`, `"status":499`)
}

// What the audit log tells of a call is what was called.
func TestMessagesThatTwoWouldReadDifferently(t *testing.T) {
	called := 0
	h := newDoor(Config{MCP: func(w http.ResponseWriter, _ *http.Request, _ rag.User) {
		called++
		w.WriteHeader(http.StatusAccepted)
	}}, newService(t, rag.Config{}, &shelf{}))
	tests := []struct {
		name, body string
		status     int
	}{
		{"as it should be", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"retrieve","arguments":{"query":"x","Name":"y"}}}`, 202},
		{"a method in two cases", `{"jsonrpc":"2.0","method":"tools/call","Method":"tools/list"}`, 400},
		{"a method twice", `{"method":"tools/call","method":"tools/list"}`, 400},
		{"with an escape", `{"method":"tools/call","\u006dETHOD":"tools/list"}`, 400},
		{"a letter that folds to s", `{"params":{"name":"add_document"},"param\u017f":{"name":"retrieve"}}`, 400},
		{"a tool in two cases", `{"method":"tools/call","params":{"name":"add_document","NAME":"retrieve"}}`, 400},
		{"a tool twice", `{"method":"tools/call","params":{"name":"add_document","name":"retrieve"}}`, 400},
		{"parameters twice", `{"params":{"name":"add_document"},"params":{"name":"retrieve"}}`, 400},
		{"no object: the handler's", `[1]`, 202},
		{"cut off: the handler's", `{"method":`, 202},
	}
	passed := 0
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := agentPost(t, h, tt.body); got.status != tt.status {
				t.Errorf("%d %s", got.status, got.body)
			}
		})
		if tt.status == 202 {
			passed++
		}
	}
	if called != passed {
		t.Errorf("the handler was called %d times, want %d", called, passed)
	}
}
