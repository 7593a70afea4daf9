package httpapi

import (
	"context"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir/internal/rag"
)

// TestDescribedStatuses has every route give every status that the document has
// for it, and checks each answer.
func TestDescribedStatuses(t *testing.T) {
	for kind, build := range map[string]func(testing.TB, *shelf) *door{"": whole, "gated": gated} {
		c := checkerOf(t, build(t, &shelf{}).described().text)
		for _, name := range c.Operations() {
			t.Run(kind+" "+strings.ReplaceAll(name, "/", "."), func(t *testing.T) {
				for _, text := range slices.Sorted(maps.Keys(c.Operation(name).Responses)) {
					status, err := strconv.Atoi(text)
					if err != nil {
						t.Fatal(err)
					}
					s := &shelf{}
					if got := provoke(t, build(t, s), s, name, status); got.status != status {
						t.Errorf("%s is in the document and was not to be had: %d %s", text, got.status, got.body)
					}
				}
			})
		}
	}
}

// provoke asks so that the answer should be of the status.
func provoke(t *testing.T, d *door, s *shelf, name string, status int) *response {
	t.Helper()
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
		r.URL.RawQuery = "unheard-of=1"
	case http.StatusUnauthorized:
		r.Header.Set("Authorization", "Bearer wrong")
	case http.StatusForbidden:
		r.Host = "evil.example"
	case http.StatusRequestEntityTooLarge:
		r.ContentLength = 1 << 40
	case http.StatusUnsupportedMediaType:
		r.ContentLength = 1
		r.Header.Set("Content-Encoding", "gzip")
	case http.StatusTooManyRequests:
		switch {
		case d.cfg.Gate != nil && routeOf(d, name).quiet: // not counted
			r.Header.Set("Authorization", "Bearer guessed")
			return ask(t, d, r)
		case d.cfg.Limit != nil:
			r.Header.Set(userHeader, "busy")
			return ask(t, d, r)
		}
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
	case "POST /v1/ask 200":
		post("/v1/ask", `{"query":"a"}`)
		return post("/v1/ask", `{"query":"a","stream":false}`)
	case "POST /v1/chat/completions 200":
		post("/v1/chat/completions", `{"stream":true,"messages":[{"role":"user","content":"a"}]}`)
		return post("/v1/chat/completions", `{"messages":[{"role":"user","content":"a"}]}`)
	case "POST /v1/chat/completions 404":
		return post("/v1/chat/completions", `{"model":"other","messages":[{"role":"user","content":"a"}]}`)
	case "POST /v1/embeddings 200":
		return post("/v1/embeddings", `{"input":"a"}`)
	case "POST /v1/embeddings 404":
		return post("/v1/embeddings", `{"input":"a","model":"other"}`)
	case "POST /v1/reembed 202":
		return askOf(t, d, reembedOf(t), request(t, http.MethodPost, "/v1/reembed", nil))
	case "POST /v1/reembed 409":
		rt := reembedOf(t)
		rt.handle = func(context.Context, *exchange) (reply, error) { return reply{}, rag.Errorf(rag.Conflict, "moved") }
		return askOf(t, d, rt, request(t, http.MethodPost, "/v1/reembed", nil))
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
