package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"weir/internal/openapi"
	"weir/internal/rag"
)

// description is what the document at /openapi.json says of one route, besides
// what holds for all of its kind.
type description struct {
	id      string // operationId; the names of functions are made of it
	tag     string
	summary string
	about   string                     // in CommonMark
	query   map[string]*openapi.Schema // of each of route.query
	headers []string                   // of components, that the route reads besides the user's
	takes   map[string]*openapi.Media  // its body, by media type; none: it has none
	gives   map[int]given              // by status
	refuses []rag.Code                 // besides those of refusals
}

// given is a successful answer.
type given struct {
	about   string
	headers []string // of components, besides the operation's id
	content map[string]*openapi.Media
}

func (d *door) openAPIRoutes() []route {
	return []route{{
		method: "GET", path: "/openapi.json", handle: d.openAPI, lane: noPlace, public: true,
		doc: description{
			id: "openapi", tag: "service", summary: "This document",
			about:   "What this server answers, as an OpenAPI document. It stays the same as long as the server runs with one embedding model; ask with `If-None-Match`.",
			headers: []string{"IfNoneMatch"},
			gives: map[int]given{
				http.StatusOK:          {about: "The document.", headers: []string{"ETag"}, content: asJSON(&openapi.Schema{Type: "object"})},
				http.StatusNotModified: {about: "The document is the one that the caller has.", headers: []string{"ETag"}},
			},
		},
	}}
}

// descriptions are those of the routes that do not bring their own; each stands
// beside its handler.
func descriptions() map[string]description {
	return map[string]description{
		"GET /healthz":                    healthzDoc(),
		"GET /readyz":                     readyzDoc(),
		"GET /v1/status":                  statusDoc(),
		"GET /metrics":                    metricsDoc(),
		"POST /mcp":                       agentsDoc(),
		"POST /v1/retrieve":               retrieveDoc(),
		"POST /v1/ask":                    askDoc(),
		"POST /v1/chat/completions":       completionsDoc(),
		"POST /v1/embeddings":             embeddingsDoc(),
		"GET /v1/models":                  modelsDoc(),
		"GET /v1/models/{id...}":          modelDoc(),
		"POST /v1/documents":              uploadDoc(),
		"GET /v1/documents":               listDoc(),
		"GET /v1/documents/{id}":          documentDoc(),
		"GET /v1/documents/{id}/passages": passagesDoc(),
		"DELETE /v1/documents/{id}":       removeDoc(),
		"POST /v1/documents/{id}/cancel":  cancelDoc(),
		"GET /v1/documents/{id}/events":   eventsDoc(),
		"POST /v1/reembed":                reembedDoc(),
	}
}

// openAPI is GET /openapi.json.
func (d *door) openAPI(_ context.Context, x *exchange) (reply, error) {
	h, doc := x.w.Header(), d.described()
	h.Set("ETag", doc.tag)
	h.Set("Cache-Control", "no-cache") // keep it, and ask whether it still holds
	for tag := range strings.SplitSeq(x.r.Header.Get("If-None-Match"), ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || strings.TrimPrefix(tag, "W/") == doc.tag {
			return reply{status: http.StatusNotModified}, nil
		}
	}
	return reply{status: http.StatusOK, raw: doc.text}, nil
}

// described is the document, written.
type described struct {
	text []byte
	tag  string
	err  error // the words do not fit the code: never, a test sees to it
}

// describing has the document of the routes as the embedding model is now.
func (d *door) describing(routes []route) func() described {
	var mu sync.Mutex
	var of rag.Model
	var made *described
	return func() described {
		mu.Lock()
		defer mu.Unlock()
		if m := d.svc.Model(); made == nil || m != of {
			doc := d.writeDescription(routes, m)
			of, made = m, &doc
		}
		return *made
	}
}

// writeDescription makes the document of the routes there are. What is wrong
// with it stops the tests, not a server.
func (d *door) writeDescription(routes []route, m rag.Model) described {
	doc, wrong := d.describe(routes, m)
	text, err := json.Marshal(doc)
	sum := sha256.Sum256(text)
	return described{text, `"` + hex.EncodeToString(sum[:12]) + `"`, errors.Join(wrong, err)}
}

func (d *door) describe(routes []route, m rag.Model) (*openapi.Document, error) {
	var book openapi.Book
	book.Add(d.schemas(m)...)
	schemas, err := book.Schemas()
	failed := []error{err}
	doc := &openapi.Document{
		OpenAPI: openapi.Version,
		Info: openapi.Info{
			Title: "Weir", Summary: "Passages of a user's own documents that answer a question", Description: aboutService,
			License: openapi.License{Name: "Apache 2.0", Identifier: "Apache-2.0"}, Version: d.cfg.Version,
		},
		Servers: []openapi.Server{{URL: "/", Description: "the server that this document comes from"}},
		Tags:    tags(),
		Paths:   map[string]map[string]*openapi.Operation{},
		Components: openapi.Components{
			Security: d.security(), Schemas: schemas, Parameters: d.parameters(), Headers: headers(), Responses: refusals(),
		},
	}
	if d.cfg.Gate != nil {
		doc.Security = []map[string][]string{{bearer: {}}}
		doc.Components.Security = d.security()
	}
	known := descriptions()
	for _, rt := range routes {
		if rt.doc.id == "" {
			rt.doc = known[rt.method+" "+rt.path]
		}
		if rt.doc.id == "" {
			continue // a test finds it; for callers, a document that lacks it is better than none
		}
		op, err := d.operation(rt)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s %s: %w", rt.method, rt.path, err))
			continue
		}
		path := pathOf(rt)
		if doc.Paths[path] == nil {
			doc.Paths[path] = map[string]*openapi.Operation{}
		}
		doc.Paths[path][strings.ToLower(rt.method)] = op
	}
	return doc, errors.Join(failed...)
}

// pathOf is the path of a route as documents write it: a parameter that may
// have slashes looks like all others.
func pathOf(rt route) string { return strings.ReplaceAll(rt.path, "...}", "}") }

func (d *door) operation(rt route) (*openapi.Operation, error) {
	op := &openapi.Operation{
		ID: rt.doc.id, Tags: []string{rt.doc.tag}, Summary: rt.doc.summary, Description: rt.doc.about,
		Responses: map[string]*openapi.Response{},
	}
	if rt.public {
		op.Security = &[]map[string][]string{}
	} else {
		op.Parameters = append(op.Parameters, parameter("User"))
	}
	if strings.Contains(rt.path, "{id}") {
		op.Parameters = append(op.Parameters, parameter("DocumentID"))
	}
	if strings.Contains(rt.path, "{id...}") {
		op.Parameters = append(op.Parameters, parameter("ModelID"))
	}
	for _, name := range rt.query {
		s := rt.doc.query[name]
		if s == nil {
			return nil, fmt.Errorf("nothing is said of the query parameter %s", name)
		}
		about := s.Description
		s.Description = ""
		op.Parameters = append(op.Parameters, &openapi.Parameter{Name: name, In: "query", Description: about, Schema: s})
	}
	if len(rt.doc.query) != len(rt.query) {
		return nil, errors.New("a query parameter is described that it does not read")
	}
	if rt.timed {
		op.Parameters = append(op.Parameters, parameter("Timeout"))
	}
	for _, name := range rt.doc.headers {
		op.Parameters = append(op.Parameters, parameter(name))
	}
	if (rt.doc.takes != nil) != (rt.body == jsonBody || rt.body == uploadBody) {
		return nil, errors.New("the description of its body is missing, or too much")
	}
	if rt.doc.takes != nil {
		op.Body = &openapi.Body{Required: true, Content: rt.doc.takes, Description: "At most " + size(d.mostOf(rt)) + "."}
	}
	d.describeAnswers(op, rt)
	return op, nil
}

// mostOf is how long the body of rt may be.
func (d *door) mostOf(rt route) int64 {
	if rt.body == uploadBody {
		return d.cfg.MaxFileBytes + formExtra
	}
	return rt.most
}

func (d *door) describeAnswers(op *openapi.Operation, rt route) {
	for status, g := range rt.doc.gives {
		r := &openapi.Response{Description: g.about, Content: g.content, Headers: map[string]*openapi.Header{operationHeader: header("OperationID")}}
		if rt.openai {
			r.Headers["X-Request-Id"] = header("RequestID")
		}
		names := g.headers
		if !rt.public && d.cfg.Limit != nil {
			names = append([]string{"RateLimit", "RateLimitPolicy"}, names...)
		}
		for _, name := range names {
			r.Headers[headerName(name)] = header(name)
		}
		op.Responses[strconv.Itoa(status)] = r
	}
	for _, code := range d.refusalsOf(rt) {
		status, _ := statusOf(code)
		if op.Responses[strconv.Itoa(status)] == nil {
			op.Responses[strconv.Itoa(status)] = &openapi.Response{Ref: "#/components/responses/" + refusalName(status, rt.openai)}
		}
	}
}

// refusalsOf are the codes that any route of the kind may answer with, as the
// exchange around it gives them, and those of rt alone.
func (d *door) refusalsOf(rt route) []rag.Code {
	codes := append([]rag.Code{
		rag.Invalid, rag.TooLarge, rag.UnsupportedMedia, // also of a body that nobody asked for
		rag.Internal, rag.Unavailable, rag.Timeout,
	}, rt.doc.refuses...)
	if !rt.public {
		codes = append(codes, rag.Forbidden)
	}
	if !rt.public && d.cfg.Gate != nil {
		codes = append(codes, rag.Unauthorized, rag.RateLimited)
	}
	if !rt.public && !rt.quiet && d.cfg.Limit != nil || rt.body == jsonBody || rt.body == uploadBody {
		codes = append(codes, rag.RateLimited)
	}
	return codes
}

// asJSON is content of one form.
func asJSON(s *openapi.Schema) map[string]*openapi.Media {
	return map[string]*openapi.Media{contentJSON: {Schema: s}}
}

// jsonOf is content of a named schema, with an example.
func jsonOf(name string, example any) map[string]*openapi.Media {
	m := &openapi.Media{Schema: openapi.Ref(name)}
	if example != nil {
		m.Examples = map[string]*openapi.Example{"example": {Value: example}}
	}
	return map[string]*openapi.Media{contentJSON: m}
}
