package httpapi

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"weir/internal/openapi"
	"weir/internal/rag"
)

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
		{"/v1/retrieve", "RetrieveRequest", `{"query":"a","max_chunks":2.0,"token_budget":4e3,"neighbors":0.0,"timeout_ms":1.5e3}`, true},
		{"/v1/retrieve", "RetrieveRequest", `{"query":"a","max_chunks":2.5}`, false},
		{"/v1/retrieve", "RetrieveRequest", `{"query":"a","max_chunks":0.0}`, false},
		{"/v1/retrieve", "RetrieveRequest", `{"query":"a","neighbors":"0"}`, false},
		{"/v1/retrieve", "RetrieveRequest", `{"embedding":[1,0,0,0]}`, false},
		{"/v1/retrieve", "RetrieveRequest", `{"embedding":[1,0,0,0,0,0]}`, false},
		{"/v1/retrieve", "RetrieveRequest", `{"embedding":[0,0,0,0,0]}`, false},
		{"/v1/retrieve", "RetrieveRequest", `{"embedding":[1,0,0,0,0],"mode":"lexical"}`, false},
		{"/v1/retrieve", "RetrieveRequest", `{"embedding":[1,0,0,0,0],"mode":"vector"}`, true},
		{"/v1/retrieve", "RetrieveRequest", `{"embedding":[1e39,0,0,0,0]}`, false},
		{"/v1/ask", "AskRequest", `{"query":"a","stream":false}`, true},
		{"/v1/ask", "AskRequest", `{"query":"a"}`, true},
		{"/v1/ask", "AskRequest", `{"query":"a","stream":null,"mode":null,"max_chunks":null,"neighbors":null,"document_ids":null,"timeout_ms":null,"similarity_threshold":null,"token_budget":null}`, true},
		{"/v1/ask", "AskRequest", `{"query":"a","max_chunks":1e3,"neighbors":20.0,"mode":"","stream":false}`, true},
		{"/v1/ask", "AskRequest", `{}`, false},
		{"/v1/ask", "AskRequest", `{"query":null}`, false},
		{"/v1/ask", "AskRequest", `{"query":""}`, false},
		{"/v1/ask", "AskRequest", `{"query":"\t"}`, false},
		{"/v1/ask", "AskRequest", `{"query":"a","stream":1}`, false},
		{"/v1/ask", "AskRequest", `{"query":"a","embedding":[1,0,0,0,0]}`, false},
		{"/v1/ask", "AskRequest", `{"query":"a","mode":"other"}`, false},
		{"/v1/ask", "AskRequest", `{"query":"a","max_chunks":1.5}`, false},
		{"/v1/ask", "AskRequest", `{"query":"a","token_budget":0}`, false},
		{"/v1/ask", "AskRequest", `{"query":"a","neighbors":21}`, false},
		{"/v1/ask", "AskRequest", `{"query":"a","similarity_threshold":0}`, false},
		{"/v1/ask", "AskRequest", `{"query":"a","timeout_ms":-1}`, false},
		{"/v1/ask", "AskRequest", `{"query":"a","document_ids":"a"}`, false},
		{"/v1/ask", "AskRequest", `{"query":"a","messages":[]}`, false},
		{"/v1/chat/completions", "ChatRequest", `{"messages":[{"role":"user","content":"a"}]}`, true},
		{"/v1/chat/completions", "ChatRequest", `{"messages":[{"role":"user","content":"a"}],"model":null,"stream":null,"stream_options":null,"max_tokens":null,"max_completion_tokens":null,"temperature":null,"top_p":null,"n":null,"user":null,"weir":null,"other":{}}`, true},
		{"/v1/chat/completions", "ChatRequest", `{"messages":[{"role":"user","content":"a"}],"model":"weir","stream":true,"stream_options":{"include_usage":true,"other":1},"max_tokens":7,"max_completion_tokens":8.0,"temperature":2,"top_p":1,"n":1.0,"user":"x"}`, true},
		{"/v1/chat/completions", "ChatRequest", `{"messages":[{"role":"user","content":"a"}],"weir":{"max_chunks":2.0,"mode":"lexical","document_ids":[],"neighbors":null}}`, true},
		{"/v1/chat/completions", "ChatRequest", `{"messages":[{"role":"user","content":"a"}],"stream_options":{"include_usage":null},"weir":{}}`, true},
		{"/v1/chat/completions", "ChatRequest", `{"messages":[{"role":"developer","content":"b"},{"role":"assistant","content":null,"name":"c"},{"role":"user","content":[{"type":"text","text":"a"},{"type":"input_text","text":"b"}]}]}`, true},
		{"/v1/chat/completions", "ChatRequest", `{}`, false},
		{"/v1/chat/completions", "ChatRequest", `{"messages":null}`, false},
		{"/v1/chat/completions", "ChatRequest", `{"messages":[]}`, false},
		{"/v1/chat/completions", "ChatRequest", `{"messages":{}}`, false},
		{"/v1/chat/completions", "ChatRequest", `{"messages":["a"]}`, false},
		{"/v1/chat/completions", "ChatRequest", `{"messages":[{"content":"a"}]}`, false},
		{"/v1/chat/completions", "ChatRequest", `{"messages":[{"role":"assistant","tool_calls":[]},{"role":"user","content":"a"}]}`, true},
		{"/v1/chat/completions", "ChatRequest", `{"messages":[{"role":"tool","content":"a"},{"role":"user","content":"a"}]}`, false},
		{"/v1/chat/completions", "ChatRequest", `{"messages":[{"role":null,"content":"a"}]}`, false},
		{"/v1/chat/completions", "ChatRequest", `{"messages":[{"role":"user","content":1}]}`, false},
		{"/v1/chat/completions", "ChatRequest", `{"messages":[{"role":"user","content":["a"]}]}`, false},
		{"/v1/chat/completions", "ChatRequest", `{"messages":[{"role":"user","content":[{"type":"image_url","text":"a"}]}]}`, false},
		{"/v1/chat/completions", "ChatRequest", `{"messages":[{"role":"user","content":[{"type":"text","text":null},{"type":"text","text":"a"}]}]}`, false},
		{"/v1/chat/completions", "ChatRequest", `{"messages":[{"role":"user","content":"a"}],"model":1}`, false},
		{"/v1/chat/completions", "ChatRequest", `{"messages":[{"role":"user","content":"a"}],"stream":"true"}`, false},
		{"/v1/chat/completions", "ChatRequest", `{"messages":[{"role":"user","content":"a"}],"stream_options":true}`, false},
		{"/v1/chat/completions", "ChatRequest", `{"messages":[{"role":"user","content":"a"}],"stream_options":{"include_usage":1}}`, false},
		{"/v1/chat/completions", "ChatRequest", `{"messages":[{"role":"user","content":"a"}],"max_tokens":0}`, false},
		{"/v1/chat/completions", "ChatRequest", `{"messages":[{"role":"user","content":"a"}],"max_completion_tokens":1.5}`, false},
		{"/v1/chat/completions", "ChatRequest", `{"messages":[{"role":"user","content":"a"}],"max_tokens":2147483648}`, false},
		{"/v1/chat/completions", "ChatRequest", `{"messages":[{"role":"user","content":"a"}],"temperature":2.1}`, false},
		{"/v1/chat/completions", "ChatRequest", `{"messages":[{"role":"user","content":"a"}],"top_p":-1}`, false},
		{"/v1/chat/completions", "ChatRequest", `{"messages":[{"role":"user","content":"a"}],"n":2}`, false},
		{"/v1/chat/completions", "ChatRequest", `{"messages":[{"role":"user","content":"a"}],"n":0}`, false},
		{"/v1/chat/completions", "ChatRequest", `{"messages":[{"role":"user","content":"a"}],"user":{}}`, false},
		{"/v1/chat/completions", "ChatRequest", `{"messages":[{"role":"user","content":"a"}],"weir":[]}`, false},
		{"/v1/chat/completions", "ChatRequest", `{"messages":[{"role":"user","content":"a"}],"weir":{"query":"b"}}`, false},
		{"/v1/chat/completions", "ChatRequest", `{"messages":[{"role":"user","content":"a"}],"weir":{"timeout_ms":5}}`, false},
		{"/v1/chat/completions", "ChatRequest", `{"messages":[{"role":"user","content":"a"}],"weir":{"max_chunks":0}}`, false},
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
		{"/v1/embeddings", "EmbeddingsRequest", `{"input":["a"],"dimensions":5.0}`, true},
		{"/v1/embeddings", "EmbeddingsRequest", `{"input":[1.5]}`, false},
		{"/v1/embeddings", "EmbeddingsRequest", `{"input":"a","dimensions":2.5}`, false},
		{"/v1/embeddings", "EmbeddingsRequest", `{"input":"a","dimensions":6}`, false},
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

// TestRequestsForGenerators: what generators of clients stumble over is not in
// the schemas of bodies.
func TestRequestsForGenerators(t *testing.T) {
	var doc openapi.Document
	if err := json.Unmarshal(whole(t, &shelf{}).described().text, &doc); err != nil {
		t.Fatal(err)
	}
	bodies := 0
	for path, methods := range doc.Paths {
		for method, op := range methods {
			if op.Body == nil {
				continue
			}
			for kind, media := range op.Body.Content {
				s := media.Schema
				if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
					s = doc.Components.Schemas[name]
				}
				bodies++
				if s.Type != "object" || s.OneOf != nil || s.AnyOf != nil || s.AllOf != nil {
					t.Errorf("%s %s, %s: not one type", method, path, kind)
				}
				for name, p := range s.Properties {
					if p.Default != nil {
						t.Errorf("%s %s: %s has a default, and would have to be given", method, path, name)
					}
				}
				if file := s.Properties["file"]; kind == "multipart/form-data" && (file.Type != "string" || file.Format != "binary") {
					t.Errorf("%s %s: the file is not one to a generator", method, path)
				}
			}
		}
	}
	if bodies < 6 {
		t.Errorf("only %d bodies", bodies)
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
			if _, err := d.describe([]route{tt.rt}, rag.Model{}); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	if err := checkerOf(t, d.described().text).Check(openapi.Answer{Method: "GET", Path: "/healthz", Status: 418}); err == nil {
		t.Error("a status that is not described passes")
	}
}
