package httpapi

import (
	"context"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
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
	err := checker.Check(openapi.Answer{Method: r.Method, Path: r.URL.EscapedPath(), Status: got.status, Header: got.header, Body: got.body})
	if err != nil {
		t.Errorf("not as /openapi.json has it: %v\n%.2000s", err, got.body)
	}
}

func checkerOf(t testing.TB, text []byte) *openapi.Checker {
	t.Helper()
	if c, ok := checkers.Load(string(text)); ok {
		return c.(*openapi.Checker) //nolint:errcheck,forcetypeassert // nothing else is in there
	}
	c, err := openapi.NewChecker(text)
	if err != nil {
		t.Fatalf("/openapi.json: %v", err)
	}
	checkers.Store(string(text), c)
	return c
}

// whole is a door with all that it may have.
func whole(t testing.TB, s *shelf) *door {
	t.Helper()
	return newDoor(Config{
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
	}, newServiceWith(t, rag.Config{}, s, &letters{}))
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

// TestDescribedParameters: each query parameter of the document is read by its
// route, and a value that its schema does not have is refused.
func TestDescribedParameters(t *testing.T) {
	d := whole(t, &shelf{})
	c := checkerOf(t, d.described().text)
	for _, name := range c.Operations() {
		method, path, _ := strings.Cut(name, " ")
		for _, p := range c.Operation(name).Parameters {
			if p.In != "query" {
				continue
			}
			var headers []string
			body := ""
			if method == http.MethodPost {
				headers, body = []string{"Content-Type", contentJSON}, `{"filename":"a","text":"a"}`
			}
			got := ask(t, d, request(t, method, path+"?"+p.Name+"=%00", strings.NewReader(body), headers...))
			free := p.Schema.Type == "string" && p.Schema.Enum == nil
			if was := got.problemIf(t); !free && (got.status != http.StatusBadRequest || was.Field != p.Name) {
				t.Errorf("%s: %s may be anything: %d %s", name, p.Name, got.status, got.body)
			}
		}
	}
}

func (r *response) problemIf(t testing.TB) Problem {
	t.Helper()
	if r.status < 400 {
		return Problem{}
	}
	return r.problem(t)
}

// TestDescribedStatuses has every route give every status that the document has
// for it, and checks each answer.
func TestDescribedStatuses(t *testing.T) {
	for _, name := range checkerOf(t, whole(t, &shelf{}).described().text).Operations() {
		t.Run(strings.ReplaceAll(name, "/", "."), func(t *testing.T) {
			op := checkerOf(t, whole(t, &shelf{}).described().text).Operation(name)
			for _, text := range slices.Sorted(maps.Keys(op.Responses)) {
				status, err := strconv.Atoi(text)
				if err != nil {
					t.Fatal(err)
				}
				if got := provoke(t, name, status); got.status != status {
					t.Errorf("%s is in the document and was not to be had: %d %s", text, got.status, got.body)
				}
			}
		})
	}
}

// provoke asks so that the answer should be of the status.
func provoke(t *testing.T, name string, status int) *response {
	t.Helper()
	s := &shelf{}
	d := whole(t, s)
	method, path, _ := strings.Cut(name, " ")
	ready := s.put(defaultUser, "a.txt", "a", rag.Ready)
	queued := s.put(defaultUser, "b.txt", "b", rag.Queued)
	if handled := provokeHandler(t, d, s, name, status, ready, queued); handled != nil {
		return handled
	}
	path = strings.ReplaceAll(path, "{id}", ready)
	r := request(t, method, path, nil)
	if rt := routeOf(d, name); rt.body == jsonBody || rt.body == uploadBody {
		r = request(t, method, path, strings.NewReader("{}"), "Content-Type", contentJSON)
	}
	ctx := r.Context()
	switch status {
	case http.StatusBadRequest:
		r.Header.Set(userHeader, "")
	case http.StatusForbidden:
		r.Host = "evil.example"
	case http.StatusRequestEntityTooLarge:
		r.ContentLength = 1 << 40
	case http.StatusUnsupportedMediaType:
		r.ContentLength = 1
		r.Header.Set("Content-Encoding", "gzip")
	case http.StatusTooManyRequests:
		return d.full(t, name, r)
	case http.StatusInternalServerError:
		rt := routeOf(d, name)
		rt.handle = func(context.Context, *exchange) (reply, error) { panic("the roof") }
		return askOf(t, d, rt, r)
	case http.StatusServiceUnavailable:
		var stop context.CancelCauseFunc
		ctx, stop = context.WithCancelCause(ctx)
		stop(errStopped)
		r.ContentLength, r.Body = -1, io.NopCloser(failing{context.Canceled})
	case http.StatusGatewayTimeout:
		r.ContentLength, r.Body = -1, io.NopCloser(failing{os.ErrDeadlineExceeded})
	}
	return ask(t, d, r.WithContext(ctx))
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func routeOf(d *door, name string) route {
	for _, rt := range d.routes() {
		if rt.method+" "+pathOf(rt) == name {
			return rt
		}
	}
	return route{}
}

// askOf asks one route alone.
func askOf(t *testing.T, d *door, rt route, r *http.Request) *response {
	t.Helper()
	w := newRecorder()
	d.endpoint(rt).ServeHTTP(w, r)
	got := w.answer(t)
	check(t, d, r, got)
	return got
}

// full asks while the user has all that one user may have.
func (d *door) full(t *testing.T, name string, r *http.Request) *response {
	t.Helper()
	if routeOf(d, name).body == jsonBody {
		if err := d.bodies.take(defaultUser, d.bodies.max/2); err != nil {
			t.Fatal(err)
		}
		return ask(t, d, r)
	}
	d.cfg.Timeout = time.Millisecond // half of which it waits
	for range d.shares.most {
		leave, err := d.shares.enter(t.Context(), defaultUser, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer leave()
	}
	return ask(t, d, r)
}

// provokeHandler is for what handlers answer; nil if it knows nothing.
func provokeHandler(t *testing.T, d *door, s *shelf, name string, status int, ready, queued string) *response {
	t.Helper()
	post := func(path, body string) *response {
		return ask(t, d, request(t, http.MethodPost, path, strings.NewReader(body), "Content-Type", contentJSON))
	}
	get := func(path string, headers ...string) *response {
		return ask(t, d, request(t, http.MethodGet, path, nil, headers...))
	}
	const document = `{"filename":"c.txt","text":"c"}`
	settle := func(status rag.Status, e error) {
		s.setHook(func(_ context.Context, op string) error {
			if op == "document" {
				s.change("doc-3", func(doc *rag.Document) { doc.Status = status })
				return e
			}
			return nil
		})
	}
	switch name + " " + strconv.Itoa(status) {
	case "GET /healthz 200", "GET /readyz 200", "GET /v1/status 200", "GET /metrics 200", "GET /openapi.json 200", "GET /v1/models 200", "GET /v1/documents 200":
		return get(strings.TrimPrefix(name, "GET "))
	case "GET /openapi.json 304":
		return get("/openapi.json", "If-None-Match", `"x", W/`+d.described().tag)
	case "GET /v1/models/{id} 200":
		return get("/v1/models/maker%2Fletters-1")
	case "GET /v1/models/{id} 404":
		return get("/v1/models/other")
	case "POST /v1/retrieve 200":
		return post("/v1/retrieve", `{"query":"a"}`)
	case "POST /v1/embeddings 200":
		return post("/v1/embeddings", `{"input":"a"}`)
	case "POST /v1/embeddings 404":
		return post("/v1/embeddings", `{"input":"a","model":"other"}`)
	case "POST /v1/reembed 202":
		return askOf(t, d, reembedOf(t), request(t, http.MethodPost, "/v1/reembed", nil))
	case "POST /mcp 200":
		return post("/mcp", `{"jsonrpc":"2.0","id":1,"method":"ping"}`)
	case "POST /mcp 202":
		return post("/mcp", `{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	case "POST /mcp 400":
		return post("/mcp", `{"jsonrpc":"2.0","method":"wrong"}`)
	case "GET /v1/documents/{id} 200":
		return get("/v1/documents/" + ready)
	case "GET /v1/documents/{id}/events 200":
		return get("/v1/documents/" + ready + "/events")
	case "GET /v1/documents/{id} 404", "GET /v1/documents/{id}/events 404", "GET /v1/documents/{id}/passages 404", "POST /v1/documents/{id}/cancel 404", "DELETE /v1/documents/{id} 404":
		method, path, _ := strings.Cut(name, " ")
		return ask(t, d, request(t, method, strings.Replace(path, "{id}", "none", 1), nil))
	case "GET /v1/documents/{id}/passages 200":
		return get("/v1/documents/" + ready + "/passages?first=0&limit=1")
	case "DELETE /v1/documents/{id} 204":
		return ask(t, d, request(t, http.MethodDelete, "/v1/documents/"+ready, nil))
	case "POST /v1/documents/{id}/cancel 200":
		return ask(t, d, request(t, http.MethodPost, "/v1/documents/"+queued+"/cancel", nil))
	case "POST /v1/documents/{id}/cancel 409":
		return ask(t, d, request(t, http.MethodPost, "/v1/documents/"+ready+"/cancel", nil))
	case "POST /v1/documents 202":
		return post("/v1/documents", document)
	case "POST /v1/documents 200":
		post("/v1/documents", document)
		return post("/v1/documents", document)
	case "POST /v1/documents 201":
		settle(rag.Ready, nil)
		return post("/v1/documents?wait=true", document)
	case "POST /v1/documents 404":
		settle(rag.Queued, rag.Errorf(rag.NotFound, "gone"))
		return post("/v1/documents?wait=true", document)
	case "POST /v1/documents 409":
		settle(rag.Cancelled, nil)
		return post("/v1/documents?wait=true", document)
	}
	return nil
}

// reembedOf is the route with a store that can: the shelf cannot.
func reembedOf(t *testing.T) route {
	t.Helper()
	rt := routeOf(whole(t, &shelf{}), "POST /v1/reembed")
	rt.handle = func(context.Context, *exchange) (reply, error) {
		return reply{status: http.StatusAccepted, body: &rag.Move{To: rag.Model{Name: "m", Dim: 3}, Running: true, Began: time.Unix(0, 0)}}, nil
	}
	return rt
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

// TestDescribedRequests: what the schema of a request takes is taken, and what
// it does not take is refused.
func TestDescribedRequests(t *testing.T) {
	d := whole(t, &shelf{})
	c := checkerOf(t, d.described().text)
	long := strings.Repeat("é", rag.MaxQueryBytes)
	for _, tt := range []struct {
		path, schema, body string
		want               bool
	}{
		{"/v1/retrieve", "RetrieveRequest", `{"query":"a"}`, true},
		{"/v1/retrieve", "RetrieveRequest", `{"query":"a","embedding":null,"mode":null,"max_chunks":null,"neighbors":null,"document_ids":null,"timeout_ms":null,"similarity_threshold":null,"token_budget":null}`, true},
		{"/v1/retrieve", "RetrieveRequest", `{"embedding":[1,0,0,0,0]}`, true},
		{"/v1/retrieve", "RetrieveRequest", `{"query":null,"embedding":[1,0,0,0,0]}`, true},
		{"/v1/retrieve", "RetrieveRequest", `{"query":"a","max_chunks":1000,"token_budget":1000000,"neighbors":20,"similarity_threshold":1,"timeout_ms":2147483647,"document_ids":[]}`, true},
		{"/v1/retrieve", "RetrieveRequest", `{}`, false},
		{"/v1/retrieve", "RetrieveRequest", `{"query":"a","embedding":[1,0,0,0,0]}`, false},
		{"/v1/retrieve", "RetrieveRequest", `{"query":""}`, false},
		{"/v1/retrieve", "RetrieveRequest", `{"query":" \n"}`, false},
		{"/v1/retrieve", "RetrieveRequest", `{"query":"` + long + `a"}`, false},
		{"/v1/retrieve", "RetrieveRequest", `{"query":"a","other":1}`, false},
		{"/v1/retrieve", "RetrieveRequest", `{"query":"a","mode":"other"}`, false},
		{"/v1/retrieve", "RetrieveRequest", `{"query":"a","mode":""}`, true},
		{"/v1/retrieve", "RetrieveRequest", `{"query":"a","max_chunks":0}`, false},
		{"/v1/retrieve", "RetrieveRequest", `{"query":"a","max_chunks":1001}`, false},
		{"/v1/retrieve", "RetrieveRequest", `{"query":"a","token_budget":1000001}`, false},
		{"/v1/retrieve", "RetrieveRequest", `{"query":"a","neighbors":21}`, false},
		{"/v1/retrieve", "RetrieveRequest", `{"query":"a","neighbors":-1}`, false},
		{"/v1/retrieve", "RetrieveRequest", `{"query":"a","similarity_threshold":0}`, false},
		{"/v1/retrieve", "RetrieveRequest", `{"query":"a","similarity_threshold":1.1}`, false},
		{"/v1/retrieve", "RetrieveRequest", `{"query":"a","timeout_ms":-1}`, false},
		{"/v1/retrieve", "RetrieveRequest", `{"query":"a","timeout_ms":2147483648}`, false},
		{"/v1/retrieve", "RetrieveRequest", `{"query":"a","document_ids":[1]}`, false},
		{"/v1/retrieve", "RetrieveRequest", `{"query":"a","document_ids":[null]}`, false},
		{"/v1/documents", "NewDocument", `{"filename":"a","text":"a"}`, true},
		{"/v1/documents", "NewDocument", `{"filename":"","text":"a"}`, false},
		{"/v1/documents", "NewDocument", `{"filename":"a","text":""}`, false},
		{"/v1/documents", "NewDocument", `{"filename":"a"}`, false},
		{"/v1/documents", "NewDocument", `{"filename":"a","text":null}`, false},
		{"/v1/documents", "NewDocument", `{"filename":"` + strings.Repeat("a", rag.MaxFilenameBytes+1) + `","text":"a"}`, false},
		{"/v1/embeddings", "EmbeddingsRequest", `{"input":"a"}`, true},
		{"/v1/embeddings", "EmbeddingsRequest", `{"input":["a","b"],"model":null,"encoding_format":null,"dimensions":null,"user":null,"other":{}}`, true},
		{"/v1/embeddings", "EmbeddingsRequest", `{"input":["a"],"encoding_format":"base64","dimensions":2,"user":"x"}`, true},
		{"/v1/embeddings", "EmbeddingsRequest", `{}`, false},
		{"/v1/embeddings", "EmbeddingsRequest", `{"input":""}`, false},
		{"/v1/embeddings", "EmbeddingsRequest", `{"input":[]}`, false},
		{"/v1/embeddings", "EmbeddingsRequest", `{"input":["a",1]}`, false},
		{"/v1/embeddings", "EmbeddingsRequest", `{"input":{}}`, false},
		{"/v1/embeddings", "EmbeddingsRequest", `{"input":"a","encoding_format":"hex"}`, false},
		{"/v1/embeddings", "EmbeddingsRequest", `{"input":"a","dimensions":0}`, false},
		{"/v1/embeddings", "EmbeddingsRequest", `{"input":"a","model":1}`, false},
	} {
		t.Run(tt.schema+" "+tt.body[:min(len(tt.body), 60)], func(t *testing.T) {
			err := c.Named(tt.schema, []byte(tt.body))
			if (err == nil) != tt.want {
				t.Errorf("the schema says: %v", err)
			}
			got := ask(t, d, request(t, http.MethodPost, tt.path, strings.NewReader(tt.body), "Content-Type", contentJSON))
			if taken := got.status < 300; taken != tt.want || !taken && got.status != http.StatusBadRequest {
				t.Errorf("the server says: %d %s", got.status, got.body)
			}
		})
	}
}

// A wrong word about the code is an error, not a wrong document.
func TestDescriptionMustFit(t *testing.T) {
	d := whole(t, &shelf{})
	for _, tt := range []struct {
		name string
		rt   route
		want string
	}{
		{"a parameter of which nothing is said", route{path: "/x", query: []string{"a"}, doc: description{id: "x"}}, "nothing is said of the query parameter a"},
		{"a parameter too much", route{path: "/x", doc: description{id: "x", query: map[string]*openapi.Schema{"a": {}}}}, "that it does not read"},
		{"a body of which nothing is said", route{path: "/x", body: jsonBody, doc: description{id: "x"}}, "its body"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := d.describe([]route{tt.rt}); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	if err := checkerOf(t, d.described().text).Check(openapi.Answer{Method: "GET", Path: "/healthz", Status: 418}); err == nil {
		t.Error("a status that is not described passes")
	}
}
