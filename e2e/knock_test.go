package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// parrot is a chat model that does whatever it is told by anybody: it repeats
// all that it was sent, and cites what there is and what there is not.
type parrot struct {
	*httptest.Server
	mu   sync.Mutex
	sent []string
}

func newParrot(t *testing.T) *parrot {
	t.Helper()
	p := &parrot{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		p.mu.Lock()
		p.sent = append(p.sent, string(body))
		p.mu.Unlock()
		text, err := json.Marshal(string(body) + " So [1] and [2] and [99].")
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":%s}}]}\n\n", text)
		fmt.Fprint(w, "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
	}))
	t.Cleanup(p.Close)
	return p
}

// taken is what was sent since the last time.
func (p *parrot) taken() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	sent := p.sent
	p.sent = nil
	return sent
}

// knock is one call from outside.
type knock struct{ method, path, body string }

type opening struct {
	status int
	header http.Header
	body   string
}

func (s *server) knock(t *testing.T, key string, k knock, headers ...string) opening {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), k.method, s.URL+k.path, strings.NewReader(k.body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "application/json, text/event-stream")
	if k.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return opening{resp.StatusCode, resp.Header, string(body)}
}

// plain is an answer without what differs from call to call.
func (o opening) plain() string {
	var b strings.Builder
	fmt.Fprintln(&b, o.status)
	for _, name := range slices.Sorted(maps.Keys(o.header)) {
		switch name {
		case "Date", "X-Operation-Id", "X-Request-Id", "Ratelimit", "Content-Length": // times are longer and shorter
		default:
			fmt.Fprintln(&b, name, o.header[name])
		}
	}
	body := regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`).ReplaceAllString(o.body, "ID")
	body = regexp.MustCompile(`"(queue|embed|search|answer|first_token|total|created)":[0-9.e-]+`).ReplaceAllString(body, `"$1":0`)
	return b.String() + body
}

// tool is a message of MCP.
func tool(method, params string) knock {
	return knock{"POST", "/mcp", `{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":` + params + `}`}
}
