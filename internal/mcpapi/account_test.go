package mcpapi

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"weir/internal/embed"
	"weir/internal/rag"
)

// Each call tells the door in front which document it was about, and how it went.
func TestCallsGiveAccount(t *testing.T) {
	svc := newService(t, embed.None{}, rag.Config{}, false)
	doc, _, err := svc.Upload(t.Context(), "ann", rag.NewDocument{Filename: "a.md", Content: []byte("the key")})
	if err != nil {
		t.Fatal(err)
	}
	d := newDoor(t, Config{}, svc)
	const nobody = "01a20859-0000-7000-8000-000000000000"
	tool := func(name, arguments string) string {
		return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":%q,"arguments":%s}}`, name, arguments)
	}
	read := func(uri string) string {
		return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":%q}}`, uri)
	}
	reader := rag.Caller{User: "ann", Kind: rag.CallerKey, Rights: rag.MayRead}
	tests := []struct {
		name, body string
		as         *rag.Caller
		doc        string // "*": that of a new document
		code       rag.Code
	}{
		{name: "get", body: tool("get_document", `{"id":"`+doc.ID+`"}`), doc: doc.ID},
		{name: "get another's", body: tool("get_document", `{"id":"`+nobody+`"}`), doc: nobody, code: rag.NotFound},
		{name: "get without an id", body: tool("get_document", `{}`), code: rag.Invalid},
		{name: "add", body: tool("add_document", `{"filename":"b.md","text":"hello","wait":false}`), doc: "*"},
		{name: "add the same", body: tool("add_document", `{"filename":"b.md","text":"the key","wait":false}`), doc: doc.ID},
		{name: "add with a key that reads", body: tool("add_document", `{"filename":"c.md","text":"hi"}`), as: &reader, code: rag.Forbidden},
		{name: "list", body: tool("list_documents", `{}`)},
		{name: "no such tool", body: tool("eat", `{}`), code: rag.Invalid},
		{name: "read", body: read("weir://documents/" + doc.ID), doc: doc.ID},
		{name: "read on", body: read("weir://documents/" + doc.ID + "/passages/3"), doc: doc.ID},
		{name: "read another's", body: read("weir://documents/" + nobody), doc: nobody, code: rag.NotFound},
		{name: "read what is none", body: read("weir://other/" + nobody), code: rag.Invalid},
		{name: "read from no number", body: read("weir://documents/" + doc.ID + "/passages/x"), code: rag.NotFound},
		{name: "ping", body: `{"jsonrpc":"2.0","id":1,"method":"ping"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx, account := rag.WithAccount(t.Context())
			if tt.as != nil {
				ctx = rag.WithCaller(ctx, *tt.as)
			}
			r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/mcp", strings.NewReader(tt.body))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Accept", "application/json, text/event-stream")
			w := httptest.NewRecorder()
			d.ServeUser(w, r, "ann")
			about, code := account.Look()
			if tt.doc == "*" {
				if about == "" || about == doc.ID || !strings.Contains(w.Body.String(), about) {
					t.Errorf("the new document is %q: %s", about, w.Body)
				}
				about = tt.doc
			}
			if about != tt.doc || code != tt.code {
				t.Errorf("about %q, %q; want %q, %q: %d %s", about, code, tt.doc, tt.code, w.Code, w.Body)
			}
		})
	}
}
