package mcpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"weir/internal/embed"
	"weir/internal/rag"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// structured reads a tool's structured output.
func structured[T any](t *testing.T, res *mcp.CallToolResult) T {
	t.Helper()
	var v T
	b, err := json.Marshal(res.StructuredContent)
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	if err != nil || res.IsError {
		t.Fatalf("%v in %s (error: %v)", err, b, res.IsError)
	}
	return v
}

func TestToolsOverHTTP(t *testing.T) {
	s := listen(t, newDoor(t, Config{}, newService(t, embed.None{}, rag.Config{}, true)))
	ann, bob := connect(t, s, "ann"), connect(t, s, "bob")

	tools, err := ann.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, tool := range tools.Tools {
		names = append(names, tool.Name)
		if tool.OutputSchema == nil || tool.Description == "" || tool.Annotations.ReadOnlyHint != (tool.Name != "add_document") {
			t.Errorf("%s: %+v", tool.Name, tool)
		}
	}
	if want := []string{"add_document", "get_document", "list_documents", "retrieve"}; !slices.Equal(names, want) {
		t.Errorf("tools %v, want %v", names, want)
	}

	res, _ := call(t, ann, "add_document", map[string]any{"filename": "boat.md", "text": "The dinghy is called Petrel.\n\nThe dinghy holds four."})
	added := structured[addOutput](t, res)
	if !added.Created || added.Document.Status != rag.Ready || added.Document.Chunks != 2 {
		t.Errorf("added %+v", added)
	}
	res, _ = call(t, ann, "add_document", map[string]any{"filename": "boat.md", "text": "The dinghy is called Petrel.\n\nThe dinghy holds four."})
	if again := structured[addOutput](t, res); again.Created || again.Document.ID != added.Document.ID {
		t.Errorf("added again: %+v", again)
	}

	res, text := call(t, ann, "retrieve", map[string]any{"query": "what is the dinghy called?", "max_chunks": 1})
	got := structured[rag.Response](t, res)
	if len(got.Chunks) != 1 || got.Chunks[0].DocID != added.Document.ID || got.Mode != rag.Lexical || got.Tokens != 5 || got.EmptyReason != nil {
		t.Errorf("retrieved %+v", got)
	}
	for _, want := range []string{"[1] boat.md · section Part A · pages 1-2 · document " + added.Document.ID, "called Petrel"} {
		if !strings.Contains(text, want) {
			t.Errorf("the text lacks %q:\n%s", want, text)
		}
	}
	res, _ = call(t, ann, "get_document", map[string]any{"id": added.Document.ID})
	if doc := structured[rag.Document](t, res); doc.Filename != "boat.md" {
		t.Errorf("got %+v", doc)
	}

	// What could not be read of a document is said where it is looked at.
	res, text = call(t, ann, "add_document", map[string]any{"filename": "hull.md", "text": "damaged by water"})
	if hull := structured[addOutput](t, res).Document; hull.Status != rag.Ready || hull.Warning != "page 1 cannot be read" || !strings.Contains(text, hull.Warning) {
		t.Errorf("added %+v: %s", hull, text)
	}
	if _, text = call(t, ann, "list_documents", nil); !strings.Contains(text, "hull.md · ready · page 1 cannot be read · ") {
		t.Errorf("listed %s", text)
	}

	// Another user sees none of it, by any way in.
	res, text = call(t, bob, "retrieve", map[string]any{"query": "dinghy", "document_ids": []string{added.Document.ID}})
	if got := structured[rag.Response](t, res); len(got.Chunks) != 0 || got.EmptyReason == nil || *got.EmptyReason != rag.NoDocuments || !strings.Contains(text, "no_documents") {
		t.Errorf("bob retrieved %+v: %s", got, text)
	}
	res, _ = call(t, bob, "list_documents", nil)
	if got := structured[listOutput](t, res); len(got.Documents) != 0 {
		t.Errorf("bob listed %+v", got)
	}
	if res, text := call(t, bob, "get_document", map[string]any{"id": added.Document.ID}); !res.IsError || !strings.Contains(text, `"not_found"`) {
		t.Errorf("bob got %s", text)
	}
	list, err := bob.ListResources(t.Context(), nil)
	if err != nil || len(list.Resources) != 0 {
		t.Errorf("bob's resources: %+v, %v", list, err)
	}
	if res, err := bob.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: resourceRoot + added.Document.ID}); err == nil {
		t.Errorf("bob read %+v", res)
	}
}

func TestResources(t *testing.T) {
	svc := newService(t, embed.None{}, rag.Config{}, false)
	s := connect(t, listen(t, newDoor(t, Config{}, svc)), "ann")
	const n = 53 // more than a page
	for i := range n {
		if _, _, err := svc.Upload(t.Context(), "ann", rag.NewDocument{Filename: "a.txt", Content: []byte{'a', byte(i) + ' '}}); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	for r, err := range s.Resources(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		seen[r.URI] = true
	}
	if len(seen) != n {
		t.Errorf("%d resources, want %d", len(seen), n)
	}
	templates, err := s.ListResourceTemplates(t.Context(), nil)
	if err != nil || len(templates.ResourceTemplates) != 2 {
		t.Errorf("templates %+v, %v", templates, err)
	}
	for uri := range seen {
		res, err := s.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: uri})
		if err != nil {
			t.Fatal(err)
		}
		if res.CacheScope != private {
			t.Errorf("one user's document is %s", res.CacheScope)
		}
		var doc rag.Document
		if err := json.Unmarshal([]byte(res.Contents[0].Text), &doc); err != nil || resourceRoot+doc.ID != uri || doc.Filename != "a.txt" {
			t.Errorf("%s is %+v, %v", uri, res.Contents[0], err)
		}
		break
	}
	for _, uri := range []string{resourceRoot + "none", resourceRoot, "file:///etc/passwd", resourceRoot + "..%2f..%2fx", resourceRoot + "none/passages/0", resourceRoot + "x/passages/-1"} {
		if res, err := s.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: uri}); err == nil {
			t.Errorf("%s is %+v", uri, res)
		}
	}
	if res, err := s.ListResources(t.Context(), &mcp.ListResourcesParams{Cursor: "made up"}); err == nil {
		t.Errorf("a cursor that was made up gives %+v", res)
	}
}

func TestToolErrors(t *testing.T) {
	svc := newService(t, embed.None{}, rag.Config{MaxFileBytes: 100}, true)
	s := connect(t, listen(t, newDoor(t, Config{}, svc)), "ann")
	tests := []struct {
		name, tool string
		arguments  any
		code       rag.Code
		field      string
		says       string
	}{
		{"no query", "retrieve", map[string]any{}, rag.Invalid, "query", "query: is missing"},
		{"a vector for a query", "retrieve", map[string]any{"embedding": []int{1}}, rag.Invalid, "embedding", "no such argument"},
		{"a number that is too much", "retrieve", json.RawMessage(`{"query":"q","max_chunks":1e300}`), rag.Invalid, "max_chunks", "a whole number"},
		{"no arguments", "retrieve", nil, rag.Invalid, "query", "missing"},
		{"a list for arguments", "retrieve", []int{1}, rag.Invalid, "arguments", "object"},
		{"unknown argument", "retrieve", map[string]any{"query": "q", "maxChunks": 3}, rag.Invalid, "maxChunks", "max_chunks"},
		{"case of an argument", "retrieve", map[string]any{"Query": "q"}, rag.Invalid, "Query", "no such argument"},
		{"a string for a number", "retrieve", map[string]any{"query": "q", "max_chunks": "3"}, rag.Invalid, "max_chunks", "a whole number, not string"},
		{"a broken number", "retrieve", map[string]any{"query": "q", "max_chunks": 1.5}, rag.Invalid, "max_chunks", "a whole number"},
		{"a string for a list", "retrieve", map[string]any{"query": "q", "document_ids": "x"}, rag.Invalid, "document_ids", "a list of strings"},
		{"too many chunks", "retrieve", map[string]any{"query": "q", "max_chunks": 100_000}, rag.Invalid, "max_chunks", "1000"},
		{"threshold 0", "retrieve", map[string]any{"query": "q", "similarity_threshold": 0}, rag.Invalid, "similarity_threshold", "above 0"},
		{"mode", "retrieve", map[string]any{"query": "q", "mode": "magic"}, rag.Invalid, "mode", "hybrid"},
		{"vector without an embedder", "retrieve", map[string]any{"query": "q", "mode": "vector"}, rag.Invalid, "mode", "embedder"},
		{"timeout", "retrieve", map[string]any{"query": "q", "timeout_ms": -1}, rag.Invalid, "timeout_ms", "negative"},
		{"user as an argument", "retrieve", map[string]any{"query": "q", "user": "bob"}, rag.Invalid, "user", "no such argument"},
		{"limit", "list_documents", map[string]any{"limit": 1000}, rag.Invalid, "limit", "200"},
		{"status", "list_documents", map[string]any{"status": "odd"}, rag.Invalid, "status", "queued"},
		{"no id", "get_document", map[string]any{}, rag.Invalid, "id", "missing"},
		{"unknown id", "get_document", map[string]any{"id": "none"}, rag.NotFound, "", "no document"},
		{"no filename", "add_document", map[string]any{"text": "x"}, rag.Invalid, "filename", "missing"},
		{"no text", "add_document", map[string]any{"filename": "x.txt"}, rag.Invalid, "text", "missing"},
		{"control characters", "add_document", map[string]any{"filename": "x\n.txt", "text": "x"}, rag.Invalid, "filename", "control"},
		{"too long", "add_document", map[string]any{"filename": "x.txt", "text": strings.Repeat("x", 101)}, rag.TooLarge, "file", "100"},
		{"unreadable", "add_document", map[string]any{"filename": "x.txt", "text": "unreadable"}, rag.UnsupportedMedia, "", "x.txt"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: tt.tool, Arguments: tt.arguments})
			if err != nil {
				t.Fatal(err)
			}
			if !res.IsError || res.StructuredContent != nil || len(res.Content) != 1 {
				t.Fatalf("got %+v", res)
			}
			var f fault
			text, ok := res.Content[0].(*mcp.TextContent)
			if !ok || json.Unmarshal([]byte(text.Text), &f) != nil {
				t.Fatalf("content %+v", res.Content[0])
			}
			if f.Code != tt.code || f.Field != tt.field || !strings.Contains(f.Message, tt.says) || f.OperationID == "" {
				t.Errorf("got %+v", f)
			}
		})
	}
	// What is no tool is an error of the protocol, and the session goes on.
	if res, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: "delete_everything"}); err == nil {
		t.Errorf("got %+v", res)
	}
	if _, text := call(t, s, "list_documents", map[string]any{"status": "ready"}); !strings.HasPrefix(text, "0 documents") {
		t.Errorf("got %s", text)
	}
}

func TestDegradedIsSaid(t *testing.T) {
	svc := newService(t, down{}, rag.Config{}, true)
	s := connect(t, listen(t, newDoor(t, Config{}, svc)), "ann")
	call(t, s, "add_document", map[string]any{"filename": "a.txt", "text": "The kettle has a warranty."})
	res, text := call(t, s, "retrieve", map[string]any{"query": "kettle"})
	got := structured[rag.Response](t, res)
	if len(got.Degraded) != 1 || got.Degraded[0].Stage != "embed" || got.Mode != rag.Lexical || len(got.Chunks) != 1 {
		t.Errorf("got %+v", got)
	}
	if !strings.HasPrefix(text, "Not the whole answer: the embed stage did not do its part (unavailable).") {
		t.Errorf("got %s", text)
	}
	if res, text := call(t, s, "retrieve", map[string]any{"query": "kettle", "mode": "vector"}); !res.IsError || !strings.Contains(text, `"unavailable"`) {
		t.Errorf("got %s", text)
	}
}

// late is a service on which no document is ready by the deadline.
type late struct{ *rag.Service }

func (late) Watch(ctx context.Context, _ rag.User, _ string, _ func(rag.Document) error) error {
	if _, bounded := ctx.Deadline(); !bounded {
		return rag.Errorf(rag.NotFound, "the wait has no deadline")
	}
	return rag.Errorf(rag.Timeout, "no answer was ready by the deadline")
}

// The wait ends at the deadline, and what was stored is not lost.
func TestAddDocumentEndsByItsDeadline(t *testing.T) {
	svc := newService(t, embed.None{}, rag.Config{}, false)
	s := connect(t, listen(t, newDoor(t, Config{}, late{svc})), "ann")
	for _, wait := range []bool{true, false} {
		res, _ := call(t, s, "add_document", map[string]any{"filename": "a.txt", "text": "text", "wait": wait})
		got := structured[addOutput](t, res)
		if got.Document.Status != rag.Queued || got.Created != wait {
			t.Errorf("wait %v: %+v", wait, got)
		}
	}
	if res, text := call(t, s, "retrieve", map[string]any{"query": "text"}); *structured[rag.Response](t, res).EmptyReason != rag.StillIndexing {
		t.Errorf("got %s", text)
	}
}

// A document is read whole, part by part, and by nobody else.
func TestADocumentsPassagesAreResources(t *testing.T) {
	svc := newService(t, embed.None{}, rag.Config{}, true)
	web := listen(t, newDoor(t, Config{}, svc))
	ann, bob := connect(t, web, "ann"), connect(t, web, "bob")
	const paragraphs = 120 // more than two parts
	var text []string
	for i := range paragraphs {
		text = append(text, fmt.Sprintf("word%03d stands alone", i))
	}
	doc, _, err := svc.Upload(t.Context(), "ann", rag.NewDocument{Filename: "long.md", Content: []byte(strings.Join(text, "\n\n"))})
	if err == nil {
		_, err = svc.Wait(t.Context(), "ann", doc.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	var read strings.Builder
	uri, parts := resourceRoot+doc.ID, 0
	for ; uri != ""; parts++ {
		if res, err := bob.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: uri}); err == nil {
			t.Fatalf("bob read %+v", res)
		}
		res, err := ann.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: uri})
		if err != nil || len(res.Contents) != 2 {
			t.Fatalf("%s: %+v, %v", uri, res, err)
		}
		part := res.Contents[1].Text
		read.WriteString(part)
		_, uri, _ = strings.Cut(part, "There is more: ")
		uri = strings.TrimSpace(uri)
	}
	if parts != 3 {
		t.Errorf("read in %d parts, want 3", parts)
	}
	for _, p := range text {
		if n := strings.Count(read.String(), p); n != 1 {
			t.Errorf("%q was read %d times", p, n)
		}
	}
	if !strings.Contains(read.String(), "[long.md · section Part A · pages 1-2]") {
		t.Errorf("where a passage is from is not said: %.200s", read.String())
	}
}
