package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/google/jsonschema-go/jsonschema"
)

// Checker holds answers against a document. It is safe for use by several
// goroutines.
type Checker struct {
	doc Document

	mu       sync.Mutex
	resolved map[*Schema]*jsonschema.Resolved
}

// Answer is what was answered to a request of a path as it stood on the wire.
type Answer struct {
	Method, Path string
	Status       int
	Header       http.Header
	Body         []byte
}

const defsPrefix = "#/$defs/"

// NewChecker reads a document. Every schema in it is made ready, so a reference
// that leads nowhere is found here.
func NewChecker(document []byte) (*Checker, error) {
	c := &Checker{resolved: map[*Schema]*jsonschema.Resolved{}}
	// A JSON Schema looks for what it refers to within itself.
	document = bytes.ReplaceAll(document, []byte(`"`+refPrefix), []byte(`"`+defsPrefix))
	if err := json.Unmarshal(document, &c.doc); err != nil {
		return nil, fmt.Errorf("reading the document: %w", err)
	}
	for _, s := range c.doc.Components.Schemas {
		closeObjects(s)
	}
	var failed []error
	for path, methods := range c.doc.Paths {
		for method, op := range methods {
			if err := c.prepare(op); err != nil {
				failed = append(failed, fmt.Errorf("%s %s: %w", method, path, err))
			}
		}
	}
	return c, errors.Join(failed...)
}

// Operations are the document's, as "GET /path".
func (c *Checker) Operations() []string {
	var all []string
	for path, methods := range c.doc.Paths {
		for method := range methods {
			all = append(all, strings.ToUpper(method)+" "+path)
		}
	}
	slices.Sort(all)
	return all
}

// Operation is the one of "GET /path"; nil if there is none.
func (c *Checker) Operation(name string) *Operation {
	method, path, _ := strings.Cut(name, " ")
	return c.doc.Paths[path][strings.ToLower(method)]
}

// Match is the operation, as "GET /path", that a request is of. allowed are the
// methods of the path; none, when no path is like this.
func (c *Checker) Match(method, path string) (operation string, allowed []string) {
	template := c.template(path)
	methods := c.doc.Paths[template]
	if methods[strings.ToLower(method)] != nil {
		operation = method + " " + template
	}
	for m := range methods {
		allowed = append(allowed, strings.ToUpper(m))
	}
	return operation, allowed
}

// template is the path of the document that path is one of, and the one with
// the fewest parameters if there are several; "" if there is none. A parameter
// at the end may have slashes if path is nothing else.
func (c *Checker) template(path string) string {
	given := strings.Split(path, "/")
	best, fewest := "", 2*len(given)
	for t := range c.doc.Paths {
		parts := strings.Split(t, "/")
		n := 0
		last := parts[len(parts)-1]
		fits := len(parts) == len(given)
		if len(parts) < len(given) && isParameter(last) {
			fits, n = true, len(given)
		}
		for i := 0; fits && i < len(parts); i++ {
			if isParameter(parts[i]) {
				n++
			} else {
				fits = parts[i] == given[i]
			}
		}
		if fits && n < fewest {
			best, fewest = t, n
		}
	}
	return best
}

func isParameter(part string) bool {
	return strings.HasPrefix(part, "{") && strings.HasSuffix(part, "}")
}

// Check says what about an answer is not as the document has it. Members that
// it does not name count. Whatever it does not have must be refused.
func (c *Checker) Check(a Answer) error {
	method := a.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	name, allowed := c.Match(method, a.Path)
	var err error
	switch op := c.Operation(name); {
	case a.Method == http.MethodHead && a.Status == http.StatusMethodNotAllowed: // of a stream
	case op != nil:
		err = c.answer(op, a)
	case allowed == nil && a.Status < 400:
		err = errors.New("the document has no such path")
	case allowed != nil && a.Status < 400:
		err = errors.New("the document has no such method")
	}
	if err != nil {
		return fmt.Errorf("%s %s: status %d: %w", a.Method, a.Path, a.Status, err)
	}
	return nil
}

func (c *Checker) answer(op *Operation, a Answer) error {
	r := c.response(op.Responses[strconv.Itoa(a.Status)])
	if r == nil {
		return fmt.Errorf("the document does not have this status; it has %v", slices.Sorted(maps.Keys(op.Responses)))
	}
	for name, h := range r.Headers {
		if err := c.header(h, a.Header.Values(name)); err != nil {
			return fmt.Errorf("header %s: %w", name, err)
		}
	}
	if a.Method == http.MethodHead {
		return nil
	}
	if len(r.Content) == 0 {
		if len(a.Body) > 0 {
			return errors.New("the document has no body for this status")
		}
		return nil
	}
	kind, _, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
	if err != nil {
		return fmt.Errorf("the Content-Type: %w", err)
	}
	m := r.Content[kind]
	switch {
	case m == nil:
		return fmt.Errorf("the document does not have the Content-Type %s; it has %v", kind, slices.Sorted(maps.Keys(r.Content)))
	case m.Events != nil:
		return c.events(m, a.Body)
	case strings.HasSuffix(kind, "json"):
		return c.value(m.Schema, a.Body)
	default:
		return nil
	}
}

func (c *Checker) response(r *Response) *Response {
	if r == nil || r.Ref == "" {
		return r
	}
	return c.doc.Components.Responses[strings.TrimPrefix(r.Ref, "#/components/responses/")]
}

func (c *Checker) header(h *Header, values []string) error {
	if h.Ref != "" {
		h = c.doc.Components.Headers[strings.TrimPrefix(h.Ref, "#/components/headers/")]
	}
	switch {
	case h == nil:
		return errors.New("the reference leads nowhere")
	case len(values) == 0 && h.Required:
		return errors.New("it is missing")
	case len(values) == 0:
		return nil
	}
	var v any = values[0]
	if h.Schema.Type == "integer" {
		n, err := strconv.ParseInt(values[0], 10, 64)
		if err != nil {
			return fmt.Errorf("it is no whole number: %w", err)
		}
		v = float64(n)
	}
	return c.validate(h.Schema, v)
}

// events holds a stream of server-sent events against those of the document.
func (c *Checker) events(m *Media, body []byte) error {
	for n, block := range strings.Split(strings.TrimSpace(string(body)), "\n\n") {
		name, data := "message", ""
		for line := range strings.Lines(block) {
			line = strings.TrimSuffix(line, "\n")
			if v, ok := strings.CutPrefix(line, "event: "); ok {
				name = v
			} else if v, ok := strings.CutPrefix(line, "data: "); ok {
				data += v
			}
		}
		s := m.Events[name]
		switch {
		case data == "" || data == "[DONE]": // a comment; the end of a stream of OpenAI's
			continue
		case s == nil:
			return fmt.Errorf("event %d is a %s, which the document does not have", n, name)
		}
		if err := c.value(s, []byte(data)); err != nil {
			return fmt.Errorf("event %d, %s: %w", n, name, err)
		}
	}
	return nil
}

// Value holds a JSON text against a schema of the document.
func (c *Checker) value(s *Schema, text []byte) error {
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		return fmt.Errorf("the body is not JSON: %w", err)
	}
	return c.validate(s, v)
}

// Named holds a JSON text against the schema of a name.
func (c *Checker) Named(name string, text []byte) error {
	s := c.doc.Components.Schemas[name]
	if s == nil {
		return fmt.Errorf("the document has no schema %s", name)
	}
	return c.value(s, text)
}

func (c *Checker) validate(s *Schema, v any) error {
	if s == nil {
		return nil
	}
	r, err := c.resolve(s)
	if err != nil {
		return err
	}
	if err := r.Validate(v); err != nil {
		return fmt.Errorf("it is not as its schema has it: %w", err)
	}
	return nil
}

func (c *Checker) resolve(s *Schema) (*jsonschema.Resolved, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.resolved[s]; r != nil {
		return r, nil
	}
	root := &Schema{Defs: map[string]*Schema{}, AllOf: []*Schema{s.CloneSchemas()}}
	for name, def := range c.doc.Components.Schemas {
		root.Defs[name] = def.CloneSchemas()
	}
	r, err := root.Resolve(nil)
	if err != nil {
		return nil, fmt.Errorf("the schema does not resolve: %w", err)
	}
	c.resolved[s] = r
	return r, nil
}
