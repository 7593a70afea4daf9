package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/internal/rag"
)

// guestList lets in whoever sends Bearer and a name on it; a caller without a user
// acts for whom it names.
type guestList map[string]rag.Caller

func (g guestList) Admit(_ context.Context, r *http.Request, asked rag.User) (rag.Caller, error) {
	c, ok := g[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	switch {
	case !ok:
		return rag.Caller{}, rag.Errorf(rag.Unauthorized, "not on the list")
	case c.User == "":
		c.User = asked
	case asked != "" && asked != c.User:
		return rag.Caller{}, rag.Errorf(rag.Forbidden, "another's")
	}
	return c, nil
}

func (g guestList) Ready() error {
	if len(g) == 0 {
		return rag.Errorf(rag.Unavailable, "the list of the secret place /etc/list is lost")
	}
	return nil
}

func (guestList) Hold(ctx context.Context, _ rag.Caller) (context.Context, func()) {
	return ctx, func() {}
}

func (g guestList) Look() any { return map[string]int{"guests": len(g)} }

func guests() guestList {
	return guestList{
		"ann":     {User: "ann", Kind: rag.CallerKey, KeyID: "k-ann", Rights: rag.MayRead | rag.MayWrite},
		"reader":  {User: "ann", Kind: rag.CallerKey, Rights: rag.MayRead},
		"bob":     {User: "bob", Kind: rag.CallerToken, Rights: rag.MayRead | rag.MayWrite},
		"service": {Kind: rag.CallerKey, KeyID: "k-service", Rights: rag.MayRead | rag.MayWrite | rag.MayObserve},
		"scraper": {Kind: rag.CallerKey, Rights: rag.MayObserve},
		"owner":   {User: "default", Kind: rag.CallerOwner, Rights: rag.AllRights},
	}
}

func askAs(t *testing.T, h http.Handler, who, user, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Host = "localhost"
	if body != "" {
		r.Header.Set("Content-Type", contentJSON)
	}
	if who != "" {
		r.Header.Set("Authorization", "Bearer "+who)
	}
	if user != "" {
		r.Header.Set(userHeader, user)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// guarded is a door with guests, and a document of ann's.
func guarded(t *testing.T, cfg Config) (h http.Handler, s *shelf, id string) {
	t.Helper()
	s = &shelf{}
	id = s.put("ann", "a.txt", "the key is with the neighbour", rag.Ready)
	if cfg.Gate == nil {
		cfg.Gate = guests()
	}
	cfg.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("weir_up 1\n")) })
	return newDoor(cfg, newService(t, rag.Config{}, s)), s, id
}

const (
	aQuestion = `{"query":"key","mode":"lexical"}`
	aDocument = `{"filename":"n.md","text":"hello"}`
)

func TestRightsByRoute(t *testing.T) {
	h, _, id := guarded(t, Config{})
	tests := []struct {
		who, user, method, path, body string
		want                          int
	}{
		{"", "", "GET", "/healthz", "", 200},
		{"", "", "GET", "/readyz", "", 200},
		{"", "", "POST", "/v1/retrieve", aQuestion, 401},
		{"", "", "GET", "/v1/documents", "", 401},
		{"", "ann", "GET", "/v1/documents/" + id, "", 401},
		{"", "", "GET", "/metrics", "", 401},
		{"", "", "GET", "/v1/status", "", 401},
		{"", "", "GET", "/nowhere", "", 401},
		{"", "", "PATCH", "/v1/documents", "", 401},
		{"", "", "POST", "/v1/embeddings", `{"model":"m","input":"x"}`, 401},
		{"nobody", "", "GET", "/v1/documents", "", 401},
		{"ann", "", "POST", "/v1/retrieve", aQuestion, 200},
		{"ann", "ann", "GET", "/v1/documents/" + id, "", 200},
		{"ann", "bob", "GET", "/v1/documents/" + id, "", 403},
		{"bob", "", "GET", "/v1/documents/" + id, "", 404},
		{"bob", "", "DELETE", "/v1/documents/" + id, "", 404},
		{"bob", "", "POST", "/v1/documents/" + id + "/cancel", "", 404},
		{"bob", "", "GET", "/v1/documents/" + id + "/events", "", 404},
		{"bob", "ann", "DELETE", "/v1/documents/" + id, "", 403},
		{"reader", "", "POST", "/v1/retrieve", aQuestion, 200},
		{"reader", "", "POST", "/v1/documents", aDocument, 403},
		{"reader", "", "DELETE", "/v1/documents/" + id, "", 403},
		{"reader", "", "POST", "/v1/documents/" + id + "/cancel", "", 403},
		{"ann", "", "POST", "/v1/documents", aDocument, 202},
		{"ann", "", "GET", "/metrics", "", 403},
		{"ann", "", "POST", "/v1/reembed", "", 403},
		{"ann", "", "GET", "/v1/status", "", 200},
		{"service", "", "POST", "/v1/retrieve", aQuestion, 400},
		{"service", "ann", "POST", "/v1/retrieve", aQuestion, 200},
		{"service", "", "GET", "/metrics", "", 200},
		{"service", "", "GET", "/v1/status", "", 200},
		{"service", "", "POST", "/v1/reembed", "", 403},
		{"scraper", "", "GET", "/metrics", "", 200},
		{"scraper", "ann", "POST", "/v1/retrieve", aQuestion, 403},
		{"owner", "", "GET", "/nowhere", "", 404},
		{"ann", "", "PATCH", "/v1/documents", "", 405},
	}
	for _, tt := range tests {
		t.Run(strings.Join([]string{tt.who, tt.user, tt.method, tt.path}, " "), func(t *testing.T) {
			w := askAs(t, h, tt.who, tt.user, tt.method, tt.path, tt.body)
			if w.Code != tt.want {
				t.Errorf("%d, want %d: %s", w.Code, tt.want, w.Body)
			}
			challenge := w.Header().Get("WWW-Authenticate")
			if (challenge != "") != (tt.want == http.StatusUnauthorized) || tt.who != "" && challenge != "" && !strings.Contains(challenge, `error="invalid_token"`) {
				t.Errorf("WWW-Authenticate: %q", challenge)
			}
		})
	}
}

// Every route asks for something, or is one of those that anybody may ask.
func TestEveryRouteAsksWhoCalls(t *testing.T) {
	h, _, _ := guarded(t, Config{MCP: func(http.ResponseWriter, *http.Request, rag.User) { t.Error("MCP was reached") }})
	d, ok := h.(*door)
	if !ok {
		t.Fatal("not a door")
	}
	for _, rt := range d.routes() {
		w := askAs(t, h, "", "ann", rt.method, strings.NewReplacer("{id}", "x", "{id...}", "x", "{index}", "0").Replace(rt.path), "")
		if rt.public == (w.Code == http.StatusUnauthorized) {
			t.Errorf("%s %s: %d", rt.method, rt.path, w.Code)
		}
		if rt.method != http.MethodGet && rt.right() == rag.AllRights {
			t.Errorf("%s %s asks for nothing in particular", rt.method, rt.path)
		}
	}
}

// What the route forgets the service does not: a caller who may only read
// changes nothing by the MCP door either.
func TestReadersChangeNothingByMCP(t *testing.T) {
	s := &shelf{}
	svc := newService(t, rag.Config{}, s)
	h := newDoor(Config{Gate: guests(), MCP: func(w http.ResponseWriter, r *http.Request, user rag.User) {
		_, _, err := svc.Upload(r.Context(), user, rag.NewDocument{Filename: "n", Content: []byte("x")})
		w.Header().Set("Content-Type", contentJSON)
		_ = json.NewEncoder(w).Encode(rag.CodeOf(err))
	}}, svc)
	for who, want := range map[string]string{"reader": `"forbidden"`, "ann": `""`} {
		if got := strings.TrimSpace(askAs(t, h, who, "", "POST", "/mcp", `{}`).Body.String()); got != want {
			t.Errorf("%s: %s, want %s", who, got, want)
		}
	}
}

func TestReadyzSaysThatNobodyCanBeLetIn(t *testing.T) {
	h, _, _ := guarded(t, Config{Gate: guestList{}})
	w := askAs(t, h, "", "", "GET", "/readyz", "")
	if w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "/etc/list") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := askAs(t, h, "", "", "GET", "/healthz", ""); w.Code != http.StatusOK {
		t.Errorf("healthz: %d", w.Code)
	}
}

// A user sees its own calls in flight, and of the others only how many there are.
func TestStatusShowsOwnCalls(t *testing.T) {
	h, s, _ := guarded(t, Config{})
	entered, let := make(chan struct{}, 2), make(chan struct{})
	s.setHook(func(ctx context.Context, operation string) error {
		if operation == "documents" {
			entered <- struct{}{}
			<-let
		}
		return ctx.Err()
	})
	var calls sync.WaitGroup
	for _, who := range []string{"ann", "bob"} {
		calls.Go(func() { askAs(t, h, who, "", "GET", "/v1/documents", "") })
	}
	<-entered
	<-entered
	look := func(who string) (st Status, body string) {
		w := askAs(t, h, who, "", "GET", "/v1/status", "")
		if err := json.Unmarshal(w.Body.Bytes(), &st); err != nil {
			t.Error(err)
		}
		return st, w.Body.String()
	}
	others := func(st Status) (n int) {
		for _, m := range st.Others {
			n += m
		}
		return n
	}
	if st, body := look("ann"); len(st.InFlight) != 1 || others(st) != 1 || st.Identity != nil || strings.Contains(body, "bob") {
		t.Errorf("ann sees %s", body)
	}
	if st, body := look("service"); len(st.InFlight) != 2 || st.Identity == nil || strings.Contains(body, "bob") {
		t.Errorf("the service sees %s", body)
	}
	close(let)
	calls.Wait()
}

// oneCall lets each user make one call.
type oneCall struct {
	mu   sync.Mutex
	seen map[rag.User]bool
}

func (o *oneCall) Take(user rag.User) (rag.Quota, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.seen[user] {
		return rag.Quota{PerMinute: 1, Full: 1500 * time.Millisecond}, &rag.Error{Code: rag.RateLimited, Msg: "enough", RetryAfter: 1200 * time.Millisecond}
	}
	o.seen[user] = true
	return rag.Quota{PerMinute: 1, Full: time.Minute}, nil
}

func TestQuotas(t *testing.T) {
	h, _, _ := guarded(t, Config{Limit: &oneCall{seen: map[rag.User]bool{}}})
	for range 3 { // the page looks each second
		if w := askAs(t, h, "ann", "", "GET", "/v1/status", ""); w.Code != 200 || w.Header().Get("RateLimit") != "" {
			t.Errorf("status: %d %v", w.Code, w.Header())
		}
	}
	steps := []struct {
		who, user  string
		want       int
		limit      string
		retryAfter string
	}{
		{"ann", "", 200, `"user";r=0;t=60`, ""},
		{"ann", "", 429, `"user";r=0;t=2`, "2"},
		{"service", "ann", 429, `"user";r=0;t=2`, "2"}, // a user's, by whatever key
		{"bob", "", 200, `"user";r=0;t=60`, ""},
		{"nobody", "", 401, "", ""}, // costs no user anything
		{"owner", "ann", 403, "", ""},
		{"owner", "", 200, "", ""},
		{"owner", "", 200, "", ""},
	}
	for _, s := range steps {
		w := askAs(t, h, s.who, s.user, "GET", "/v1/documents", "")
		got := w.Header()
		if w.Code != s.want || got.Get("RateLimit") != s.limit || got.Get("Retry-After") != s.retryAfter {
			t.Errorf("%s for %q: %d, RateLimit %q, Retry-After %q; want %+v", s.who, s.user, w.Code, got.Get("RateLimit"), got.Get("Retry-After"), s)
		}
	}
	if w := askAs(t, h, "", "", "GET", "/healthz", ""); w.Code != 200 || w.Header().Get("RateLimit") != "" {
		t.Errorf("healthz: %d %v", w.Code, w.Header())
	}
}

// deeds collects what was done.
type deeds struct {
	mu  sync.Mutex
	all []rag.Deed
}

func (d *deeds) Note(x rag.Deed) {
	d.mu.Lock()
	d.all = append(d.all, x)
	d.mu.Unlock()
}

// The audit log has who and what, and nothing of what was said.
func TestAuditHasNoContent(t *testing.T) {
	log := &deeds{}
	h, _, id := guarded(t, Config{Audit: log})
	const hidden = "Confidential"
	askAs(t, h, "ann", "", "POST", "/v1/retrieve", `{"query":"`+hidden+`","mode":"lexical"}`)
	askAs(t, h, "ann", "", "POST", "/v1/documents", `{"filename":"`+hidden+`.md","text":"`+hidden+`"}`)
	askAs(t, h, "ann", "", "GET", "/v1/documents?filename="+hidden, "")
	askAs(t, h, "ann", "", "DELETE", "/v1/documents/"+hidden, "")
	askAs(t, h, "ann", "", "DELETE", "/v1/documents/01a20859-0000-7000-8000-000000000000", "")
	askAs(t, h, hidden, "", "GET", "/v1/documents/"+id, "")
	askAs(t, h, "ann", "", hidden, "/"+hidden, "")
	askAs(t, h, "ann", "", "GET", "/v1/status", "") // is not of anybody's documents
	askAs(t, h, "", "", "GET", "/v1/status", "")
	askAs(t, h, "", "", "GET", "/healthz", "")
	type brief struct {
		who  rag.User
		what string
		doc  string
		code rag.Code
	}
	want := []brief{
		{"ann", "POST /v1/retrieve", "", ""},
		{"ann", "POST /v1/documents", "doc-2", ""},
		{"ann", "GET /v1/documents", "", ""},
		{"ann", "DELETE /v1/documents/{id}", "", rag.NotFound},
		{"ann", "DELETE /v1/documents/{id}", "01a20859-0000-7000-8000-000000000000", rag.NotFound},
		{"", "GET /v1/documents/{id}", "", rag.Unauthorized},
		{"ann", "other (none)", "", rag.NotFound},
		{"", "GET /v1/status", "", rag.Unauthorized},
	}
	if len(log.all) != len(want) {
		t.Fatalf("%d deeds, want %d: %+v", len(log.all), len(want), log.all)
	}
	for i, d := range log.all {
		if got := (brief{d.Caller.User, d.What, d.Document, d.Code}); got != want[i] {
			t.Errorf("deed %d: %+v, want %+v", i, got, want[i])
		}
		if d.Operation == "" || d.Remote == "" || d.Status == 0 || d.Time.IsZero() {
			t.Errorf("deed %d lacks something: %+v", i, d)
		}
		if b, err := json.Marshal(d); err != nil || strings.Contains(string(b), hidden) {
			t.Errorf("deed %d holds content: %s %v", i, b, err)
		}
	}
}

func TestToolsInTheAudit(t *testing.T) {
	tests := []struct{ body, want string }{
		{`{"method":"tools/call","params":{"name":"add_document","arguments":{"text":"secret"}}}`, "tools/call add_document"},
		{`{"method":"tools/list"}`, "tools/list"},
		{`{"method":"tools/call","params":{"name":"The patient said"}}`, "tools/call"},
		{`{"method":"DROP TABLE"}`, ""},
		{`no`, ""},
	}
	for _, tt := range tests {
		if got := toolOf([]byte(tt.body)); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.body, got, tt.want)
		}
	}
}

// What an agent did to which document comes from the room that answers it, and of
// that only what can be an id.
func TestAgentsInTheAudit(t *testing.T) {
	const id = "01a20859-0000-7000-8000-000000000000"
	body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_document","arguments":{"id":"x"}}}`
	tests := []struct {
		name   string
		answer func(w http.ResponseWriter, a *rag.Account)
		doc    string
		code   rag.Code
	}{
		{"a document", func(_ http.ResponseWriter, a *rag.Account) { a.About(id) }, id, ""},
		{"none", func(http.ResponseWriter, *rag.Account) {}, "", ""},
		{"no id but words", func(_ http.ResponseWriter, a *rag.Account) { a.About("The patient said") }, "", ""},
		{"not found", func(_ http.ResponseWriter, a *rag.Account) {
			a.About(id)
			a.Failed(rag.NotFound)
			a.Failed(rag.Invalid)
		}, id, rag.NotFound},
		{"no message", func(w http.ResponseWriter, _ *rag.Account) { w.WriteHeader(http.StatusBadRequest) }, "", rag.Invalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			log := &deeds{}
			h, _, _ := guarded(t, Config{Audit: log, MCP: func(w http.ResponseWriter, r *http.Request, _ rag.User) {
				w.Header().Set("Content-Type", contentJSON)
				tt.answer(w, rag.AccountOf(r.Context()))
				_, _ = w.Write([]byte(`{"jsonrpc":"2.0","id":1,"result":{}}`))
			}})
			askAs(t, h, "ann", "", "POST", "/mcp", body)
			if len(log.all) != 1 {
				t.Fatalf("%d deeds", len(log.all))
			}
			if d := log.all[0]; d.Document != tt.doc || d.Code != tt.code || d.What != "POST /mcp tools/call get_document" {
				t.Errorf("%+v", d)
			}
		})
	}
}

// With a gate a server may listen where others reach it, without one it may not.
func TestPublicAddressNeedsAGate(t *testing.T) {
	svc := newService(t, rag.Config{}, &shelf{})
	for _, address := range []string{"0.0.0.0:0", ":0"} {
		if s, err := Listen(t.Context(), address, Config{}, svc); err == nil {
			t.Errorf("%s: listens without a gate", address)
			_ = s.Close()
		}
		s, err := Listen(t.Context(), address, Config{Gate: guests()}, svc)
		if err != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		_ = s.Close()
	}
}

// An address in Host cannot be made to mean another server; a name can, and needs
// to be known. Web pages of other origins stay out, with whatever key.
func TestGuardBesideAGate(t *testing.T) {
	h, _, _ := guarded(t, Config{})
	tests := []struct {
		host, origin string
		want         int
	}{
		{"192.0.2.7:8080", "", 200},
		{"[2001:db8::1]:8080", "", 200},
		{"weir.example", "", 403},
		{"localhost", "", 200},
		{"localhost", "http://evil.example", 403},
		{"192.0.2.7:8080", "http://192.0.2.7:8080", 200},
	}
	for _, tt := range tests {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/documents", nil)
		r.Host = tt.host
		r.Header.Set("Authorization", "Bearer ann")
		if tt.origin != "" {
			r.Header.Set("Origin", tt.origin)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.want {
			t.Errorf("Host %s, Origin %q: %d, want %d", tt.host, tt.origin, w.Code, tt.want)
		}
	}
}
