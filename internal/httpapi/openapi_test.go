package httpapi

import (
	"context"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/internal/openapi"
	"weir/internal/rag"
)

// checkers has one checker for each document that the doors of the tests gave.
var checkers sync.Map

// check holds an answer of h against the document that h gives.
func check(t testing.TB, h http.Handler, r *http.Request, got *response) {
	t.Helper()
	var text []byte
	switch h := h.(type) {
	case *door:
		text = h.described().text
	default:
		return // not a whole server
	}
	checker := checkerOf(t, text)
	if got.status == statusClientClosed { // nobody reads it
		return
	}
	if r.Method == http.MethodOptions && got.status == http.StatusNoContent { // a preflight is between browser and server
		return
	}
	err := checker.Check(openapi.Answer{Method: r.Method, Path: r.URL.EscapedPath(), Status: got.status, Header: got.header, Body: got.body})
	if err != nil {
		t.Errorf("not as /openapi.json has it: %v\n%.2000s", err, got.body)
	}
}

func checkerOf(t testing.TB, text []byte) *openapi.Checker {
	t.Helper()
	if known, ok := checkers.Load(string(text)); ok {
		if c, ok := known.(*openapi.Checker); ok {
			return c
		}
	}
	c, err := openapi.NewChecker(text)
	if err != nil {
		t.Fatalf("/openapi.json: %v", err)
	}
	checkers.Store(string(text), c)
	return c
}

// whole is a door with all that it may have, but for a gate.
func whole(t testing.TB, s *shelf) *door {
	t.Helper()
	return newDoor(allThereIs(), newServiceWith(t, rag.Config{}, s, &letters{}))
}

// gated is a door with a gate too.
func gated(t testing.TB, s *shelf) *door {
	t.Helper()
	cfg := allThereIs()
	cfg.Gate, cfg.Limit = doorman{}, doorman{}
	return newDoor(cfg, newServiceWith(t, rag.Config{}, s, &letters{}))
}

// doorman lets all in but for who has a wrong key, has tried many, or is too busy.
type doorman struct{}

func (doorman) Admit(_ context.Context, r *http.Request, asked rag.User) (rag.Caller, error) {
	switch r.Header.Get("Authorization") {
	case "Bearer wrong":
		return rag.Caller{}, rag.Errorf(rag.Unauthorized, "the key is not known")
	case "Bearer guessed":
		return rag.Caller{}, &rag.Error{Code: rag.RateLimited, Msg: "too many wrong keys", RetryAfter: time.Second}
	}
	return rag.Caller{User: orDefault(asked, defaultUser), Rights: rag.AllRights}, nil
}

func (doorman) Hold(ctx context.Context, _ rag.Caller) (context.Context, func()) {
	return ctx, func() {}
}

func (doorman) Ready() error { return nil }
func (doorman) Look() any    { return map[string]int{"keys": 1} }

func (doorman) Take(user rag.User) (rag.Quota, error) {
	if user == "busy" {
		return rag.Quota{PerMinute: 1}, &rag.Error{Code: rag.RateLimited, Msg: "slower", RetryAfter: time.Second}
	}
	return rag.Quota{PerMinute: 10, Left: 9, Full: time.Second}, nil
}

func allThereIs() Config {
	return Config{
		MCP: func(w http.ResponseWriter, r *http.Request, _ rag.User) {
			b, _ := io.ReadAll(r.Body)
			w.Header().Set("Content-Type", contentJSON)
			if strings.Contains(string(b), "notification") {
				w.WriteHeader(http.StatusAccepted)
				return
			}
			if strings.Contains(string(b), "wrong") {
				w.WriteHeader(http.StatusBadRequest)
			}
			_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":{}}`)
		},
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain; version=0.0.4")
			_, _ = io.WriteString(w, "up 1\n")
		}),
		Pipeline: func() any { return map[string]int{"slots": 3} },
	}
}

// TestDescriptionHasEveryRoute: each route has its operation, and each
// operation its route.
func TestDescriptionHasEveryRoute(t *testing.T) {
	d := whole(t, &shelf{})
	if d.described().err != nil {
		t.Error(d.described().err)
	}
	var want []string
	for _, rt := range d.routes() {
		want = append(want, rt.method+" "+pathOf(rt))
	}
	for name := range descriptions() {
		if !slices.ContainsFunc(d.routes(), func(rt route) bool { return rt.method+" "+rt.path == name }) {
			t.Errorf("%s is described, and there is no such route", name)
		}
	}
	slices.Sort(want)
	c := checkerOf(t, d.described().text)
	if got := c.Operations(); !slices.Equal(got, want) {
		t.Errorf("the document has\n%q\nthe routes are\n%q", got, want)
	}
	ids := map[string]string{}
	for _, name := range c.Operations() {
		op := c.Operation(name)
		if other := ids[op.ID]; other != "" {
			t.Errorf("%s and %s are both called %s", name, other, op.ID)
		}
		ids[op.ID] = name
		if op.Summary == "" || !slices.ContainsFunc(tags(), func(tag openapi.Tag) bool { return tag.Name == op.Tags[0] }) {
			t.Errorf("%s: summary %q, tags %q", name, op.Summary, op.Tags)
		}
	}
}

// TestDescribedWords: the enumerations have all constants of their types.
func TestDescribedWords(t *testing.T) {
	files, err := os.ReadDir("../rag")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), "../rag/"+f.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			typ, ok := spec.Type.(*ast.Ident)
			lit, isLit := spec.Values[0].(*ast.BasicLit)
			if ok && isLit {
				v, err := strconv.Unquote(lit.Value)
				if err == nil {
					found[typ.Name] = append(found[typ.Name], v)
				}
			}
			return true
		})
	}
	for _, e := range enumSchemas() {
		want := found[e.Type.Name()]
		got := slices.Clone(e.Enum)
		slices.Sort(want)
		slices.Sort(got)
		if len(want) == 0 || !slices.Equal(got, want) {
			t.Errorf("%s has %q, the code has %q", e.Name, got, want)
		}
	}
}

func TestDescription(t *testing.T) {
	d := whole(t, &shelf{})
	got := ask(t, d, request(t, http.MethodGet, "/openapi.json", nil))
	tag := got.header.Get("ETag")
	if got.status != http.StatusOK || got.header.Get("Cache-Control") != "no-cache" || len(tag) < 10 {
		t.Errorf("%d, %q", got.status, got.header)
	}
	if got := ask(t, d, request(t, http.MethodGet, "/openapi.json", nil, "If-None-Match", tag)); got.status != http.StatusNotModified || len(got.body) != 0 || got.header.Get("ETag") != tag {
		t.Errorf("%d, %q: %s", got.status, got.header, got.body)
	}
	if got := ask(t, d, request(t, http.MethodGet, "/openapi.json", nil, "If-None-Match", `"old"`)); got.status != http.StatusOK {
		t.Errorf("an old document: %d", got.status)
	}
	// Two servers of the same settings say the same.
	if other := whole(t, &shelf{}); other.described().tag != d.described().tag {
		t.Error("the document is not the same each time")
	}
	without := newDoor(Config{}, newService(t, rag.Config{}, &shelf{}))
	if s := string(without.described().text); strings.Contains(s, `"/mcp"`) || strings.Contains(s, `"/metrics"`) {
		t.Error("what this server has not is in its document")
	}
	var doc map[string]any
	if err := json.Unmarshal(got.body, &doc); err != nil || doc["openapi"] != openapi.Version {
		t.Errorf("%v: %v", err, doc["openapi"])
	}
}

// mover is letters until it has another model, as after a move.
type mover struct {
	letters
	moved atomic.Bool
}

func (m *mover) Model() rag.Model {
	if m.moved.Load() {
		return rag.Model{Name: "other", Dim: 3}
	}
	return m.letters.Model()
}

// TestDescriptionFollowsTheModel: a vector is as long as the model has it, also
// after a move to another.
func TestDescriptionFollowsTheModel(t *testing.T) {
	m := &mover{}
	d := newDoor(allThereIs(), newServiceWith(t, rag.Config{}, &shelf{}, m))
	for _, tt := range []struct {
		moved       bool
		body, other string
	}{
		{false, `{"embedding":[1,0,0,0,0]}`, `{"embedding":[1,0,0]}`},
		{true, `{"embedding":[1,0,0]}`, `{"embedding":[1,0,0,0,0]}`},
	} {
		m.moved.Store(tt.moved)
		c := checkerOf(t, d.described().text)
		if err := c.Named("RetrieveRequest", []byte(tt.body)); err != nil {
			t.Errorf("moved %t: %v", tt.moved, err)
		}
		if c.Named("RetrieveRequest", []byte(tt.other)) == nil {
			t.Errorf("moved %t: %s passes", tt.moved, tt.other)
		}
		if again := d.described(); again.tag != d.described().tag {
			t.Errorf("moved %t: the document is not the same each time", tt.moved)
		}
	}
}
