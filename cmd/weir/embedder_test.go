package main

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"weir/internal/embed/embedtest"
	"weir/internal/rag"
)

// With a provider the answer is hybrid; when the provider breaks, the words
// still answer, and that is said.
func TestWithEmbedder(t *testing.T) {
	provider := embedtest.New(t, embedtest.Options{Dim: 64})
	data := filepath.Join(t.TempDir(), "data")
	env := []string{"OPENAI_BASE_URL=" + provider.URL(), "WEIR_EMBEDDING_DIMENSIONS=64"}
	r := weirIn(t, env, "The ferry leaves at noon.", data, "ingest", "-", "--name", "ferry.txt")
	if r.code != exitOK {
		t.Fatalf("%+v", r)
	}
	r = weirIn(t, env, "", data, "search", "when does the ferry leave?", "--json")
	resp := decode[rag.Response](t, r.out)
	if resp.Mode != rag.Hybrid || len(resp.Chunks) != 1 || resp.Chunks[0].Similarity == nil {
		t.Errorf("got %+v %s", resp, r.stderr)
	}
	if r := weirIn(t, env, "", data, "search", "when does the ferry leave?"); !strings.Contains(r.out, "similarity 0.") {
		t.Errorf("%+v", r)
	}
	if r := weirIn(t, env, "", data, "doctor", "--listen", "127.0.0.1:0"); r.code != exitOK || !strings.Contains(r.out, "with 64 values") {
		t.Errorf("%+v", r)
	}
	provider.Always(embedtest.Reply{Status: http.StatusUnauthorized})
	r = weirIn(t, env, "", data, "search", "when does the ferry leave?")
	if r.code != exitOK || !strings.Contains(r.out, "1. ferry.txt") || !strings.Contains(r.stderr, "not the whole answer, lexical only") {
		t.Errorf("a provider that refuses: %+v", r)
	}
	if r := weirIn(t, env, "", data, "search", "ferry", "--mode", "vector"); r.code != exitFailed || r.stderr == "" {
		t.Errorf("vector alone: %+v", r)
	}
	if r := weirIn(t, env, "", data, "doctor", "--listen", "127.0.0.1:0"); r.code != exitFailed || !strings.Contains(r.out, "✗ embedder") {
		t.Errorf("%+v", r)
	}
}
