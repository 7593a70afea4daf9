package load

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestKindOf(t *testing.T) {
	for address, want := range map[string]Kind{
		"http://h/v1/retrieve": Retrieve, "http://h/v1/embeddings/?api-version=1": Embeddings, "http://h/": Any, "http://h/retrieve/x": Any,
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if got := KindOf(u); got != want {
			t.Errorf("%s: got %q", address, got)
		}
	}
}

// What servers say, on real sockets.
func TestHTTPOutcomes(t *testing.T) {
	says := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for _, tt := range []struct {
		name    string
		kind    Kind
		handler http.HandlerFunc
		want    Result
	}{
		{"retrieval", Retrieve, says(200, `{"chunks":[],"mode":"hybrid"}`), Result{Outcome: Answered}},
		{"degraded", Retrieve, says(200, `{"chunks":[],"degraded":[{"stage":"embed"}]}`), Result{Outcome: Degraded}},
		{"error inside", Retrieve, says(200, `{"error":"x"}`), Result{Failed, kindNoAnswer}},
		{"null chunks", Retrieve, says(200, `{"chunks":null}`), Result{Failed, kindNoAnswer}},
		{"HTML", Retrieve, says(200, `<html>`), Result{Failed, kindNoAnswer}},
		{"vector", Embeddings, says(200, `{"data":[{"embedding":[0.1,0.2]}]}`), Result{Outcome: Answered}},
		{"base64", Embeddings, says(200, `{"data":[{"embedding":"AACAPw=="}]}`), Result{Outcome: Answered}},
		{"no data", Embeddings, says(200, `{"data":[]}`), Result{Failed, kindNoAnswer}},
		{"empty vector", Embeddings, says(200, `{"data":[{"embedding":[ ]}]}`), Result{Failed, kindNoAnswer}},
		{"null vector", Embeddings, says(200, `{"data":[{"embedding":null}]}`), Result{Failed, kindNoAnswer}},
		{"anything", Any, says(204, ""), Result{Outcome: Answered}},
		{"429", Retrieve, says(429, "{}"), Result{Outcome: Refused}},
		{"503", Any, says(503, "<html>"), Result{Outcome: Refused}},
		{"500", Any, says(500, "x"), Result{Failed, "status 500"}},
		{"redirect", Any, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) }, Result{Failed, "status 302"}},
		{"too long", Any, says(200, strings.Repeat("x", 2000)), Result{Failed, "answer too long"}},
		{"cut off", Any, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, Result{Failed, "answer cut off"}},
		{"dropped", Any, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, Result{Failed, "connection broken"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := httptest.NewServer(tt.handler)
			defer s.Close()
			h, err := NewHTTP(HTTPConfig{URL: s.URL, Kind: tt.kind, MaxAnswer: 1000})
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			if got := h.Call(t.Context(), 0); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestHTTPRequests(t *testing.T) {
	type seen struct{ method, user, key, content, body, trick string }
	got := make(chan seen, 1)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got <- seen{r.Method, r.Header.Get("X-User-ID"), r.Header.Get("Authorization"), r.Header.Get("Content-Type"), string(b), r.Header.Get("X-Idempotency-Key")}
	}))
	defer s.Close()
	h, err := NewHTTP(HTTPConfig{
		URL: s.URL, Header: http.Header{"Authorization": {"Bearer k"}},
		Body: func(n int64) []byte { return fmt.Appendf(nil, "call %d", n) },
		User: func(n int64) string { return fmt.Sprintf("user-%d", n) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	h.Call(t.Context(), 3)
	if v, want := <-got, (seen{"POST", "user-3", "Bearer k", "application/json", "call 3", ""}); v != want {
		t.Errorf("got %+v", v)
	}
}

func TestHTTPNobodyThere(t *testing.T) {
	// Not where somebody was a moment ago: that port is anybody's.
	h, err := NewHTTP(HTTPConfig{URL: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if got := h.Call(t.Context(), 0); got != (Result{Failed, "connection refused"}) {
		t.Errorf("got %+v", got)
	}
}

func TestHTTPConfigThatCannotBe(t *testing.T) {
	for _, cfg := range []HTTPConfig{
		{}, {URL: "ftp://x/"}, {URL: "http:///x"}, {URL: "http://u:secret@h/"}, {URL: "http://h\x7f/"}, {URL: "http://h", Method: "GET IT"}, {URL: "http://h", MaxAnswer: -1},
	} {
		_, err := NewHTTP(cfg)
		if err == nil {
			t.Errorf("%+v was taken", cfg)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("the password is told: %v", err)
		}
	}
}

// The whole, on real sockets: a server that hangs on the fifth request. The
// others are answered meanwhile, and over few connections.
func TestServerThatHangsOnce(t *testing.T) {
	var (
		mu    sync.Mutex
		n     int
		peers = map[string]bool{}
	)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		n++
		hang := n == 5
		peers[r.RemoteAddr] = true
		mu.Unlock()
		if hang {
			_, _ = io.Copy(io.Discard, r.Body) // only then is the client's leaving seen
			<-r.Context().Done()
			return
		}
		_, _ = io.WriteString(w, `{"chunks":[]}`)
	}))
	defer s.Close()
	h, err := NewHTTP(HTTPConfig{URL: s.URL, Kind: Retrieve, Body: Ask{}.Retrieve})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	r := mustRun(t, t.Context(), Config{Rate: 100, Duration: 500 * time.Millisecond, Deadline: 2 * time.Second, Grace: 100 * time.Millisecond}, h.Call)
	if r.Due != 50 || r.Hung != 1 || r.OK != 49 || r.Stuck != 0 {
		t.Errorf("got %+v", r)
	}
	if len(peers) == 50 {
		t.Error("no connection was used twice")
	}
}

// A hung server does not keep the run longer than its time, whatever it hangs
// in.
func TestServerThatOnlyAccepts(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // the kernel accepts, nobody reads
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	h, err := NewHTTP(HTTPConfig{URL: "http://" + l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r := mustRun(t, ctx, Config{Callers: 10, Rounds: 2, Deadline: 100 * time.Millisecond, Grace: 50 * time.Millisecond}, h.Call)
	if r.Hung != 20 || r.Rounds != 2 || r.Stuck != 0 {
		t.Errorf("got %+v", r)
	}
}
