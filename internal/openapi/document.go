package openapi

import "github.com/google/jsonschema-go/jsonschema"

// Version is the version of OpenAPI that documents are written in.
const Version = "3.1.1"

// Schema is a JSON Schema of draft 2020-12, which is what OpenAPI 3.1 uses.
type Schema = jsonschema.Schema

// Document is the description of one service.
type Document struct {
	OpenAPI    string                           `json:"openapi"` // Version
	Info       Info                             `json:"info"`
	Servers    []Server                         `json:"servers,omitempty"`
	Security   []map[string][]string            `json:"security,omitempty"` // what an Operation needs that does not say
	Tags       []Tag                            `json:"tags,omitempty"`
	Paths      map[string]map[string]*Operation `json:"paths"` // by path, then by method in lower case
	Components Components                       `json:"components"`
}

// Info says what the service is.
type Info struct {
	Title       string  `json:"title"`
	Summary     string  `json:"summary,omitempty"`
	Description string  `json:"description,omitempty"` // CommonMark, as all descriptions
	License     License `json:"license"`
	Version     string  `json:"version"`
}

// License is that of the service.
type License struct {
	Name       string `json:"name"`
	Identifier string `json:"identifier,omitempty"` // of SPDX
}

// Server is where the paths begin.
type Server struct {
	URL         string `json:"url"`
	Description string `json:"description,omitempty"`
}

// Tag is a group of operations.
type Tag struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
}

// Operation is one method of one path.
type Operation struct {
	ID          string                 `json:"operationId"`
	Tags        []string               `json:"tags,omitempty"`
	Summary     string                 `json:"summary"`
	Description string                 `json:"description,omitempty"`
	Security    *[]map[string][]string `json:"security,omitempty"` // nil: the document's; empty: none is needed
	Parameters  []*Parameter           `json:"parameters,omitempty"`
	Body        *Body                  `json:"requestBody,omitempty"`
	Responses   map[string]*Response   `json:"responses"` // by status
}

// Parameter is one value of a request outside its body, or a reference to one.
type Parameter struct {
	Ref         string  `json:"$ref,omitempty"`
	Name        string  `json:"name,omitempty"`
	In          string  `json:"in,omitempty"` // path, query or header
	Description string  `json:"description,omitempty"`
	Required    bool    `json:"required,omitempty"` // always true in a path
	Schema      *Schema `json:"schema,omitempty"`
	Example     any     `json:"example,omitempty"`
}

// Body is that of a request.
type Body struct {
	Description string            `json:"description,omitempty"`
	Required    bool              `json:"required,omitempty"`
	Content     map[string]*Media `json:"content"` // by media type
}

// Media is one form of a body.
type Media struct {
	Schema   *Schema             `json:"schema,omitempty"`
	Examples map[string]*Example `json:"examples,omitempty"`
	// Events are the data of server-sent events, by name. OpenAPI 3.1 has no
	// word for them.
	Events map[string]*Schema `json:"x-events,omitempty"`
}

// Example is a value as it may be sent.
type Example struct {
	Summary string `json:"summary,omitempty"`
	Value   any    `json:"value"`
}

// Response is the answer of one status, or a reference to one.
type Response struct {
	Ref         string             `json:"$ref,omitempty"`
	Description string             `json:"description,omitempty"` // must be there without Ref
	Headers     map[string]*Header `json:"headers,omitempty"`
	Content     map[string]*Media  `json:"content,omitempty"` // none: the body is empty
}

// Header is one of an answer, or a reference to one.
type Header struct {
	Ref         string  `json:"$ref,omitempty"`
	Description string  `json:"description,omitempty"`
	Required    bool    `json:"required,omitempty"`
	Schema      *Schema `json:"schema,omitempty"`
}

// Components are what references lead to, by name.
type Components struct {
	Schemas    map[string]*Schema    `json:"schemas,omitempty"`
	Parameters map[string]*Parameter `json:"parameters,omitempty"`
	Headers    map[string]*Header    `json:"headers,omitempty"`
	Responses  map[string]*Response  `json:"responses,omitempty"`
	Security   map[string]*Security  `json:"securitySchemes,omitempty"`
}

// Security is a way for callers to say who they are.
type Security struct {
	Type         string `json:"type"` // http or apiKey
	Description  string `json:"description,omitempty"`
	Scheme       string `json:"scheme,omitempty"`       // of http: bearer
	BearerFormat string `json:"bearerFormat,omitempty"` // of bearer, for people
	Name         string `json:"name,omitempty"`         // of apiKey
	In           string `json:"in,omitempty"`           // of apiKey: header
}
