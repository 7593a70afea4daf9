package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/rag"
)

// openAIError reads an error as OpenAI's clients do.
func (r *response) openAIError(t testing.TB) (message, kind, param, code string) {
	t.Helper()
	var e struct {
		Error struct {
			Message, Type string
			Param, Code   *string
		}
	}
	dec := json.NewDecoder(bytes.NewReader(r.body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&e); err != nil || e.Error.Message == "" || e.Error.Type == "" || e.Error.Code == nil {
		t.Fatalf("status %d, not an error of OpenAI's shape: %v: %s", r.status, err, r.body)
	}
	if got := r.header.Get("Content-Type"); got != contentJSON {
		t.Errorf("Content-Type = %q", got)
	}
	if id := r.header.Get("X-Operation-Id"); id == "" || id != r.header.Get("X-Request-Id") {
		t.Errorf("ids: %q", r.header)
	}
	if e.Error.Param != nil {
		param = *e.Error.Param
	}
	return e.Error.Message, e.Error.Type, param, *e.Error.Code
}

// TestOpenAIPaths: whatever goes wrong on these paths is told in OpenAI's
// shape.
func TestOpenAIPaths(t *testing.T) {
	h := newDoor(Config{MaxRequests: 1, Metrics: http.NotFoundHandler()}, newServiceWith(t, rag.Config{}, &shelf{}, &letters{}))
	for _, tt := range []struct {
		name, method, target string
		headers              []string
		status               int
		code                 string
	}{
		{"method", "GET", "/v1/embeddings", nil, 405, "invalid"},
		{"method of the list", "POST", "/v1/models", nil, 405, "invalid"},
		{"deleting a model", "DELETE", "/v1/models/maker/letters-1", nil, 405, "invalid"},
		{"type", "POST", "/v1/embeddings", []string{"Content-Type", "text/plain"}, 415, "unsupported_media"},
		{"no type", "POST", "/v1/embeddings", nil, 415, "unsupported_media"},
		{"query", "GET", "/v1/models?limit=3", nil, 400, "invalid"},
		{"unknown model", "GET", "/v1/models/letters-1", nil, 404, "model_not_found"},
		{"unknown model, with slashes", "GET", "/v1/models/BAAI/bge-m3", nil, 404, "model_not_found"},
		{"host", "GET", "/v1/models", []string{"Host", "evil.example"}, 403, "forbidden"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := request(t, tt.method, tt.target, nil, tt.headers...)
			if host := r.Header.Get("Host"); host != "" {
				r.Host = host
			}
			got := ask(t, h, r)
			message, _, _, code := got.openAIError(t)
			if got.status != tt.status || code != tt.code {
				t.Errorf("got %d %s: %s", got.status, code, message)
			}
			if got.status == 405 && got.header.Get("Allow") == "" {
				t.Error("no Allow")
			}
		})
	}
	leave, err := h.requests.enter(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	got := postEmbeddings(t, h, `{"input":"a"}`)
	if message, kind, _, code := got.openAIError(t); got.status != 503 || code != "overloaded" || kind != "server_error" ||
		got.header.Get("Retry-After") != "1" || got.header.Get("Retry-After-Ms") != "1000" || got.header.Get("X-Should-Retry") != "" {
		t.Errorf("full: %d %s %q: %s", got.status, code, got.header, message)
	}
}

// TestEmbeddingsFailures gives the endpoint every error an embedder can return.
func TestEmbeddingsFailures(t *testing.T) {
	const server = "server_error"
	for _, tt := range []struct {
		name           string
		err            error
		asked          string // X-Weir-Timeout-Ms
		status         int
		kind, code     string
		retryMS, again string // Retry-After-Ms, X-Should-Retry
	}{
		{"invalid", rag.FieldErrorf("input[3]", "is wrong"), "", 400, "invalid_request_error", "invalid", "", "false"},
		{"too large", rag.Errorf(rag.TooLarge, "too much"), "", 413, "invalid_request_error", "too_large", "", "false"},
		{"rate limited", &rag.Error{Code: rag.RateLimited, Msg: "slower", RetryAfter: 1200 * time.Millisecond}, "", 429, "rate_limit_error", "rate_limited", "1200", ""},
		{"overloaded", rag.Errorf(rag.Overloaded, "full"), "", 503, server, "overloaded", "1000", ""},
		{"for long", &rag.Error{Code: rag.Overloaded, Msg: "full", RetryAfter: time.Hour}, "", 503, server, "overloaded", "3600000", "false"},
		{"down", rag.Errorf(rag.Unavailable, "down"), "", 503, server, "unavailable", "", ""},
		{"down for a moment", &rag.Error{Code: rag.Unavailable, Msg: "down", RetryAfter: time.Second}, "", 503, server, "unavailable", "1000", ""},
		{"down for long", &rag.Error{Code: rag.Unavailable, Msg: "down", RetryAfter: 61 * time.Second}, "", 503, server, "unavailable", "61000", "false"},
		{"down, and little time", rag.Errorf(rag.Unavailable, "down"), "400", 503, server, "unavailable", "", "false"},
		{"down, and time", rag.Errorf(rag.Unavailable, "down"), "5000", 503, server, "unavailable", "", ""},
		{"full, and little time", &rag.Error{Code: rag.Overloaded, Msg: "full", RetryAfter: 3 * time.Second}, "2000", 503, server, "overloaded", "3000", "false"},
		{"timeout", &rag.Error{Code: rag.Timeout, Msg: "late", Phase: "headers"}, "", 504, server, "timeout", "", "false"},
		{"internal", errors.New("secret of the server"), "", 500, server, "internal", "", "false"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newDoor(Config{}, newServiceWith(t, rag.Config{}, &shelf{}, &letters{hook: func(context.Context) error { return tt.err }}))
			var headers []string
			if tt.asked != "" {
				headers = []string{"X-Weir-Timeout-Ms", tt.asked}
			}
			got := postEmbeddings(t, h, `{"input":"a"}`, headers...)
			message, kind, _, code := got.openAIError(t)
			if got.status != tt.status || kind != tt.kind || code != tt.code || strings.Contains(message, "secret") {
				t.Errorf("got %d %s %s: %s", got.status, kind, code, message)
			}
			if ms, again := got.header.Get("Retry-After-Ms"), got.header.Get("X-Should-Retry"); ms != tt.retryMS || again != tt.again {
				t.Errorf("Retry-After-Ms %q, X-Should-Retry %q; want %q, %q", ms, again, tt.retryMS, tt.again)
			}
		})
	}
}

func TestEmbeddingsTimeout(t *testing.T) {
	for _, tt := range []struct {
		asked string
		want  time.Duration
	}{
		{"", 10 * time.Second},
		{"1500", 1500 * time.Millisecond},
		{"999999999999999999", 10 * time.Second},
	} {
		t.Run(tt.asked, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				deaf := &letters{hook: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
				h := newDoor(Config{}, newServiceWith(t, rag.Config{}, &shelf{}, deaf))
				var headers []string
				if tt.asked != "" {
					headers = []string{"X-Weir-Timeout-Ms", tt.asked}
				}
				began := time.Now()
				got := postEmbeddings(t, h, `{"input":"a"}`, headers...)
				took := time.Since(began)
				if _, _, _, code := got.openAIError(t); code != "timeout" || got.status != 504 || took > tt.want || took < tt.want-time.Second-time.Millisecond {
					t.Errorf("%d %s after %v, want %v", got.status, code, took, tt.want)
				}
			})
		})
	}
}

// TestLateBodyOfEmbeddings: a client may try again what was late on its way.
func TestLateBodyOfEmbeddings(t *testing.T) {
	h := newHouseWith(t, Config{BodyTimeout: 30 * time.Millisecond}, rag.Config{}, &letters{})
	got := h.say(t, "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"input\":")
	if message, _, _, code := got.openAIError(t); got.status != 504 || code != "timeout" || got.header.Get("X-Should-Retry") != "" || !got.closes {
		t.Errorf("got %d %s %q: %s", got.status, code, got.header, message)
	}
}
