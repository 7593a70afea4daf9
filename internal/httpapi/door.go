package httpapi

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"weir/internal/rag"
)

// door is the handler of all paths.
type door struct {
	cfg         Config
	svc         *rag.Service
	mux         *http.ServeMux
	nowhere     route
	started     time.Time
	logKey      [16]byte // of this process alone, so that users in its log cannot be guessed back
	requests    lane
	bodies      budget
	uploads     lane
	shares      *shares // of the uploads
	agentShares *shares // of the calls of MCP
	askShares   *shares // of the answers
	streams     lane
	answers     lane             // of questions, once their body has come
	calls       lane             // of MCP, once their body has come
	described   func() described // what GET /openapi.json answers, made when it is first asked for, and anew for another embedding model
	leaving     chan struct{}    // closed when the server is about to stop: /readyz says so
	leave       func()           // closes it, once
	draining    chan struct{}    // closed when it stops: streams end
	drain       func()           // closes it, once
	preflight   route
}

// newDoor makes the handler. A negative limit in cfg panics; see Listen for the
// server around it.
func newDoor(cfg Config, svc *rag.Service) *door {
	cfg = cfg.WithDefaults()
	if err := cfg.validate(); err != nil {
		panic(err)
	}
	d := &door{
		cfg: cfg, svc: svc, mux: http.NewServeMux(), started: time.Now(),
		requests:    newLane("requests", cfg.MaxRequests),
		bodies:      budget{max: cfg.MaxBodyBytes},
		uploads:     newLane("uploads", cfg.MaxUploads),
		shares:      newShares("uploads", max(1, cfg.MaxUploads/2)),
		streams:     newLane("event streams", cfg.MaxStreams),
		calls:       newLane("MCP calls", cfg.MaxMCPCalls),
		answers:     newLane("answers", cfg.MaxAnswers),
		askShares:   newShares("answers", max(1, cfg.MaxAnswers/2)),
		agentShares: newShares("MCP calls", max(1, cfg.MaxMCPCalls/2)),
		leaving:     make(chan struct{}),
		draining:    make(chan struct{}),
		preflight:   route{path: "(preflight)", body: noBody, foreign: true, public: true, quiet: true, lane: noPlace, handle: preflight},
	}
	d.leave = sync.OnceFunc(func() { close(d.leaving) })
	d.drain = sync.OnceFunc(func() { d.leave(); close(d.draining) })
	_, _ = rand.Read(d.logKey[:]) // never fails, says crypto/rand
	d.nowhere = route{path: "(none)", body: unread, foreign: true, handle: func(_ context.Context, x *exchange) (reply, error) {
		return reply{}, rag.Errorf(rag.NotFound, "there is nothing at %s", shorten(x.r.URL.Path))
	}}
	d.register()
	return d
}

// route is one method of one path.
type route struct {
	method  string
	path    string
	query   []string // the query parameters it knows
	foreign bool     // the query parameters are not looked at: another's handler answers, or the answer is no in any case
	openai  bool     // for OpenAI's clients: errors are in their shape
	body    bodyKind
	most    int64 // of a jsonBody, in bytes
	lane    laneKind
	timed   bool       // the work has a deadline, which a header may shorten
	quiet   bool       // asked for every few seconds by machines: logged as debug
	stream  bool       // the answer goes on for long: there is no HEAD of it
	public  bool       // tells nothing and changes nothing: anybody may ask
	needs   rag.Rights // one of these. Defaults to MayRead for a GET, else to MayWrite
	handle  func(context.Context, *exchange) (reply, error)
	doc     description // of the document; by default that of descriptions
}

// laneKind says whether a request takes a place among all requests.
type laneKind int

const (
	takesPlace laneKind = iota
	noPlace             // answers when all places are taken, or has a lane of its own
)

func (d *door) routes() []route {
	routes := []route{
		{method: "GET", path: "/healthz", handle: d.healthz, lane: noPlace, quiet: true, public: true},
		{method: "GET", path: "/readyz", handle: d.readyz, lane: noPlace, quiet: true, public: true, query: []string{"for"}},
		{method: "GET", path: "/v1/status", handle: d.status, lane: noPlace, quiet: true, needs: rag.MayRead | rag.MayObserve},
		{method: "POST", path: "/v1/retrieve", timed: true, handle: d.retrieve, body: jsonBody, most: maxJSON, needs: rag.MayRead},
		{method: "POST", path: "/v1/embeddings", timed: true, handle: d.embeddings, body: jsonBody, most: maxEmbeddings, openai: true, needs: rag.MayRead},
		{method: "GET", path: "/v1/models", handle: d.models, openai: true, needs: rag.MayRead | rag.MayObserve},
		{method: "GET", path: "/v1/models/{id...}", handle: d.model, openai: true, needs: rag.MayRead | rag.MayObserve},
		{method: "POST", path: "/v1/documents", timed: true, handle: d.upload, body: uploadBody, query: []string{"wait", "replace"}},
		{method: "GET", path: "/v1/documents", timed: true, handle: d.list, query: []string{"cursor", "limit", "status", "filename"}},
		{method: "GET", path: "/v1/documents/{id}", timed: true, handle: d.document},
		{method: "GET", path: "/v1/documents/{id}/passages", timed: true, handle: d.passages, query: []string{"first", "limit"}},
		{method: "DELETE", path: "/v1/documents/{id}", timed: true, handle: d.remove},
		{method: "POST", path: "/v1/documents/{id}/cancel", timed: true, handle: d.cancel},
		{method: "GET", path: "/v1/documents/{id}/events", handle: d.events, lane: noPlace, stream: true},
		{method: "POST", path: "/v1/reembed", timed: true, handle: d.reembed, query: []string{"force"}, needs: rag.MayOperate},
	}
	routes = append(routes, d.askRoutes()...)
	routes = append(routes, d.pageRoutes()...)
	if d.cfg.MCP != nil {
		routes = append(routes, route{method: "POST", path: "/mcp", timed: true, handle: d.agents, body: jsonBody, most: maxAgentMessage, needs: rag.MayRead})
	}
	if d.cfg.Metrics != nil {
		routes = append(routes, route{method: "GET", path: "/metrics", handle: d.metrics, lane: noPlace, quiet: true, foreign: true, needs: rag.MayObserve})
	}
	return append(routes, d.openAPIRoutes()...)
}

func (d *door) register() {
	allow := map[string][]string{}
	shape := map[string]bool{}
	routes := d.routes()
	d.described = d.describing(routes)
	for _, rt := range routes {
		d.mux.Handle(rt.method+" "+rt.path, d.endpoint(rt))
		allow[rt.path] = append(allow[rt.path], rt.method)
		shape[rt.path] = rt.openai
		if rt.stream {
			d.mux.Handle("HEAD "+rt.path, d.endpoint(wrongMethod(rt, []string{rt.method})))
		} else if rt.method == http.MethodGet { // the mux gives HEAD to it too
			allow[rt.path] = append(allow[rt.path], http.MethodHead)
		}
	}
	for p, methods := range allow {
		slices.Sort(methods)
		d.mux.Handle(p, d.endpoint(wrongMethod(route{path: p, openai: shape[p]}, methods)))
	}
	d.mux.Handle("/", d.endpoint(d.nowhere))
}

func wrongMethod(of route, allowed []string) route {
	return route{path: of.path, openai: of.openai, body: unread, foreign: true, handle: func(_ context.Context, x *exchange) (reply, error) {
		return reply{}, &methodError{method: shorten(x.r.Method), path: of.path, allow: strings.Join(allowed, ", ")}
	}}
}

func (d *door) endpoint(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { d.serve(w, r, rt) })
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if d.isPreflight(r) {
		d.serve(w, r, d.preflight)
		return
	}
	if p := r.URL.Path; p == "" || path.Clean(p) != p { // the mux would answer by itself, with a redirect
		d.serve(w, r, d.nowhere)
		return
	}
	d.mux.ServeHTTP(w, r)
}

// untilDrain ends the ctx it returns when the server is about to stop, with
// cause errStopped.
func (d *door) untilDrain(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-d.draining:
			cancel(errStopped)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil); <-ended }
}

// lasting is untilDrain for a call that watches a document: it also ends when its caller
// would no longer be let in.
func (d *door) lasting(ctx context.Context, x *exchange) (context.Context, func()) {
	ctx, end := d.untilDrain(ctx)
	if d.cfg.Gate == nil {
		return ctx, end
	}
	ctx, leave := d.cfg.Gate.Hold(ctx, x.caller)
	return ctx, func() { leave(); end() }
}

// shorten is s as it may be repeated to a caller.
func shorten(s string) string {
	const most = 64
	s = fmt.Sprintf("%q", s)
	if len(s) > most {
		s = s[:most] + `…"`
	}
	return s
}
