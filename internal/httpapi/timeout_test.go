package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/rag"
)

// timedCalls are one good call of each route whose work has a deadline, MCP apart.
func timedCalls() map[string]struct{ method, path, body string } {
	return map[string]struct{ method, path, body string }{
		"retrieve":       {"POST", "/v1/retrieve", `{"query":"x","mode":"lexical"}`},
		"retrieve, 5 s":  {"POST", "/v1/retrieve", `{"query":"x","mode":"lexical","timeout_ms":5000}`},
		"ask":            {"POST", "/v1/ask", `{"query":"x","mode":"lexical","stream":false}`},
		"ask, 5 s":       {"POST", "/v1/ask", `{"query":"x","mode":"lexical","timeout_ms":5000,"stream":false}`},
		"ask, streamed":  {"POST", "/v1/ask", `{"query":"x","mode":"lexical"}`},
		"completions":    {"POST", "/v1/chat/completions", `{"messages":[{"role":"user","content":"x"}],"weir":{"mode":"lexical"}}`},
		"upload":         {"POST", "/v1/documents", `{"filename":"b.md","text":"b"}`},
		"list":           {"GET", "/v1/documents", ""},
		"document":       {"GET", "/v1/documents/doc-1", ""},
		"its passages":   {"GET", "/v1/documents/doc-1/passages", ""},
		"cancel":         {"POST", "/v1/documents/doc-1/cancel", ""},
		"delete":         {"DELETE", "/v1/documents/doc-1", ""},
		"embeddings":     {"POST", "/v1/embeddings", `{"input":"x"}`},
		"upload, waited": {"POST", "/v1/documents?wait=true", `{"filename":"b.md","text":"b"}`},
	}
}

// With a store and an embedder that do not answer, each call ends when its header says.
func TestTimeoutHeaderOnEveryDoor(t *testing.T) {
	for name, c := range timedCalls() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &shelf{}
				s.put(defaultUser, "a.pdf", "x", rag.Ready)
				hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
				s.setHook(func(ctx context.Context, _ string) error { return hang(ctx) })
				h := newDoor(Config{}, newServiceWith(t, rag.Config{}, s, &letters{hook: hang}))
				began := time.Now()
				headers := []string{timeoutHeader, "2000"}
				if c.body != "" {
					headers = append(headers, "Content-Type", contentJSON)
				}
				got := askUnchecked(t, h, request(t, c.method, c.path, strings.NewReader(c.body), headers...))
				const lead = 100 * time.Millisecond // by which an embedder gives up before its caller does
				if took := time.Since(began); got.status != http.StatusGatewayTimeout || !strings.Contains(string(got.body), `"timeout"`) || took > 2*time.Second || took < 2*time.Second-lead {
					t.Errorf("after %v: %d %s", took, got.status, got.body)
				}
			})
		})
	}
}

// The smaller of header, body and the server's own wins.
func TestTheSmallerTimeoutWins(t *testing.T) {
	for _, tt := range []struct {
		header, body string
		want         time.Duration
	}{
		{"", "", 10 * time.Second},
		{"3000", "", 3 * time.Second},
		{"3000", "1000", time.Second},
		{"1000", "3000", time.Second},
		{"3000", "0", 3 * time.Second},
		{"60000", "", 10 * time.Second},
		{"99999999999999", "60000", 10 * time.Second},
		{"", "3000", 3 * time.Second},
	} {
		for _, path := range []string{"/v1/retrieve", "/v1/ask"} {
			t.Run(path+" "+tt.header+" "+tt.body, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := &shelf{}
					s.put(defaultUser, "a.pdf", "x", rag.Ready)
					s.setHook(func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() })
					body := `{"query":"x","mode":"lexical"`
					if tt.body != "" {
						body += `,"timeout_ms":` + tt.body
					}
					var headers []string
					if tt.header != "" {
						headers = []string{timeoutHeader, tt.header}
					}
					began := time.Now()
					got := postJSON(t, newDoor(Config{}, newService(t, rag.Config{}, s)), path, body+"}", headers...)
					if took := time.Since(began); got.problem(t).Code != rag.Timeout || took != tt.want {
						t.Errorf("after %v: %d %s", took, got.status, got.body)
					}
				})
			})
		}
	}
	h := newDoor(Config{}, newService(t, rag.Config{}, &shelf{}))
	for _, wrong := range []string{"-1", fmt.Sprint(rag.MaxTimeoutMS + 1)} {
		if p := postJSON(t, h, "/v1/retrieve", `{"query":"x","timeout_ms":`+wrong+`}`, timeoutHeader, "5").problem(t); p.Code != rag.Invalid || p.Field != "timeout_ms" {
			t.Errorf("timeout_ms %s with a good header: %+v", wrong, p)
		}
	}
}

func TestWrongTimeoutHeaderOnEveryDoor(t *testing.T) {
	s := &shelf{}
	s.put(defaultUser, "a.pdf", "x", rag.Ready)
	h := newDoor(Config{MCP: func(http.ResponseWriter, *http.Request, rag.User) { t.Error("MCP was reached") }}, newServiceWith(t, rag.Config{}, s, &letters{}))
	calls := timedCalls()
	calls["MCP"] = struct{ method, path, body string }{"POST", "/mcp", `{"jsonrpc":"2.0","id":1,"method":"ping"}`}
	for name, c := range calls {
		for _, wrong := range [][]string{{"0"}, {"1s"}, {"+5"}, {"5", "6"}, {""}} {
			t.Run(name+" "+strings.Join(wrong, " and "), func(t *testing.T) {
				headers := []string{"Content-Type", contentJSON}
				for _, w := range wrong {
					headers = append(headers, timeoutHeader, w)
				}
				got := ask(t, h, request(t, c.method, c.path, strings.NewReader(c.body), headers...))
				if got.status != http.StatusBadRequest || !strings.Contains(string(got.body), timeoutHeader+`: `) {
					t.Errorf("%d %s", got.status, got.body)
				}
			})
		}
	}
}

// The MCP door has the deadline from its request's ctx, and answers by itself when it passes.
func TestTimeoutHeaderOfAgents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newDoor(Config{MCP: func(w http.ResponseWriter, r *http.Request, _ rag.User) {
			<-r.Context().Done()
			w.Header().Set("Content-Type", contentJSON)
			_, _ = w.Write([]byte(`{"jsonrpc":"2.0","id":1,"result":{}}`))
		}}, newService(t, rag.Config{}, &shelf{}))
		began := time.Now()
		got := agentPost(t, h, `{"jsonrpc":"2.0","id":1,"method":"ping"}`, timeoutHeader, "700")
		if took := time.Since(began); got.status != http.StatusOK || took != 700*time.Millisecond {
			t.Errorf("after %v: %d %s", took, got.status, got.body)
		}
	})
}
