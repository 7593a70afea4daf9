package main

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"weir/internal/chaos"
	"weir/internal/openai"
)

// Nothing of a user, and no secret, goes where operators look: neither when all
// goes well nor when the provider repeats in an error all that it was sent.
func TestNothingLeaks(t *testing.T) {
	const (
		key       = "sk-markerkey0123456789abcdef"
		collector = "markercollectorsecret"
		text      = "markerdocument"
		question  = "markerquestion"
		filename  = "markerfilename"
		who       = "markeruser"
		path      = "markerpath"
	)
	var mu sync.Mutex
	var spans bytes.Buffer
	broken := false
	far := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if r.URL.Path == "/v1/traces" {
			spans.Write(body)
			return
		}
		req, err := openai.DecodeEmbeddingsRequest(body, openai.Limits{Items: 100, Values: 100})
		if err != nil || broken { // with all it was sent, as some do
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, `{"error":{"message":"cannot embed for `+r.Header.Get("Authorization")+`: `+strings.ReplaceAll(string(body), `"`, "'")+`"}}`)
			return
		}
		a := openai.Embeddings{Model: req.Model}
		for i, in := range req.Input {
			a.Data = append(a.Data, openai.Embedding{Index: i, Vector: chaos.Vector(in, 8)})
		}
		out, err := a.Encode(openai.Float)
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(out)
	}))
	defer far.Close()
	env := []string{
		"OPENAI_API_KEY=" + key, "OPENAI_BASE_URL=" + far.URL + "/v1", "WEIR_EMBEDDING_DIMENSIONS=8", "WEIR_EMBEDDING_MODEL=m",
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + far.URL, "OTEL_EXPORTER_OTLP_HEADERS=api-key=" + collector,
		"WEIR_LOG_LEVEL=debug", "WEIR_LOG_FORMAT=json", "WEIR_TIMEOUT=2s",
	}
	data := filepath.Join(t.TempDir(), "data")
	s := serveIn(t, env, data)
	ask := func(method, target, kind, body string, headers ...string) string {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, s.url+target, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-User-ID", who)
		r.Header.Set("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
		r.Header.Set("Tracestate", "x="+text)
		if kind != "" {
			r.Header.Set("Content-Type", kind)
		}
		for i := 0; i+1 < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	const js = "application/json"
	form := func(name, content string) (kind, body string) {
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		p, err := w.CreateFormFile("file", name)
		if err == nil {
			_, err = io.WriteString(p, content)
		}
		if err != nil || w.Close() != nil {
			t.Fatal(err)
		}
		return w.FormDataContentType(), b.String()
	}
	all := func(round string) { // of which each asks what is in no cache
		for _, f := range [][2]string{{filename + ".md", "# Title\n\nThe " + text + " is here, " + round + ".\n"}, {filename + ".pdf", "%PDF-1.7\n" + text}, {filename + ".docx", "PK\x03\x04" + text}} {
			kind, body := form(f[0], f[1])
			ask("POST", "/v1/documents?wait=true&replace=true", kind, body)
		}
		for _, q := range []string{
			`{"query":"` + question + ` ` + text + `"}`, `{"query":"` + question + round + `","mode":"vector"}`, `{"query":"` + question,
			`{"` + question + `":1}`, `{"query":"` + question + `","timeout_ms":1}`, `{"query":"` + question + `","document_ids":["` + path + `"]}`,
		} {
			ask("POST", "/v1/retrieve", js, q)
		}
		ask("POST", "/v1/embeddings", js, `{"model":"m","input":["`+question+round+round+`"]}`)
		ask("POST", "/v1/embeddings", js, `{"model":"`+question+`","input":["`+question+`"]}`)
		ask("POST", "/mcp", js, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"retrieve","arguments":{"query":"`+question+`"}}}`, "Accept", "application/json, text/event-stream")
		ask("POST", "/mcp", js, `{"jsonrpc":"2.0","id":1,"method":"`+question+`"}`, "Accept", "application/json, text/event-stream")
		ask("GET", "/v1/documents?filename="+filename, "", "")
		ask("GET", "/v1/documents?"+question+"=1", "", "")
		ask("GET", "/"+path+"?"+question, "", "")
		ask("DELETE", "/v1/documents/"+path, "", "")
		ask(strings.ToUpper(path), "/v1/documents", "", "")
		ask("GET", "/v1/documents", "", "", "X-Forwarded-For", path, "Authorization", "Bearer "+path)
	}
	all("one")
	mu.Lock()
	broken = true
	mu.Unlock()
	all("two")
	seen := map[string]string{
		"/metrics":   ask("GET", "/metrics", "", ""),
		"/v1/status": ask("GET", "/v1/status", "", ""),
	}
	look := func(name string, args ...string) {
		r := weirIn(t, env, "", data, args...)
		seen[name] = r.out + r.stderr
	}
	look("weir config", "config")
	look("weir config --json", "config", "--json")
	look("weir doctor", "doctor")
	seen["the log"] = s.stop().stderr
	mu.Lock()
	seen["traces"] = spans.String()
	mu.Unlock()
	for where, said := range seen {
		if said == "" {
			t.Errorf("%s says nothing at all", where)
		}
		for _, marker := range []string{key, collector, text, question, filename, who, path} {
			if i := strings.Index(strings.ToLower(said), marker); i >= 0 {
				t.Errorf("%s has %s: …%s…", where, marker, said[max(0, i-200):min(len(said), i+100)])
			}
		}
	}
	if !strings.Contains(seen["the log"], `"status":50`) {
		t.Error("no call failed: nothing was shown")
	}
	if !strings.Contains(seen["the log"], `"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"`) || !strings.Contains(seen["traces"], "retrieve") {
		t.Error("there is no trace")
	}
	// Also what a user is told has no secret in it.
	if r := weirIn(t, slices.Concat(env, []string{"WEIR_DATA=" + t.TempDir()}), "", "", "search", "x", "--mode", "vector"); strings.Contains(r.out+r.stderr, key) {
		t.Errorf("search: %+v", r)
	}
}
