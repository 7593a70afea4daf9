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

// A change of the model is said, and harms nothing until it is followed.
func TestReembed(t *testing.T) {
	provider := embedtest.New(t, embedtest.Options{Dim: 64, TakesDimensions: true})
	data := filepath.Join(t.TempDir(), "data")
	env := func(dim string) []string {
		return []string{"OPENAI_BASE_URL=" + provider.URL(), "WEIR_EMBEDDING_MODEL=of-" + dim, "WEIR_EMBEDDING_DIMENSIONS=" + dim}
	}
	const question = "when does the ferry leave?"
	if r := weirIn(t, []string{"WEIR_EMBEDDER=none"}, "The ferry leaves at noon.", data, "ingest", "-", "--name", "ferry.txt"); r.code != exitOK {
		t.Fatalf("%+v", r)
	}
	if r := weirIn(t, []string{"WEIR_EMBEDDER=none"}, "", data, "reembed"); r.code != exitUsage {
		t.Errorf("without an embedder: %+v", r)
	}
	whole := func(dim string) rag.Response {
		t.Helper()
		return decode[rag.Response](t, weirIn(t, env(dim), "", data, "search", question, "--threshold", "0.01", "--json").out)
	}
	if got := whole("64"); len(got.Degraded) != 1 || got.Degraded[0].Reason != "no_vectors" {
		t.Errorf("a document without vectors: %+v", got)
	}
	if r := weirIn(t, env("64"), "", data, "reembed"); r.code != exitOK || !strings.Contains(r.out, "All 1 passages have vectors of of-64") {
		t.Errorf("%+v", r)
	}
	if got := whole("64"); len(got.Degraded) != 0 || got.Chunks[0].Similarity == nil {
		t.Errorf("after that: %+v", got)
	}
	r := weirIn(t, env("96"), "", data, "search", question, "--threshold", "0.01")
	if r.code != exitOK || !strings.Contains(r.stderr, `are of of-64 (64 values), the settings name of-96 (96)`) || !strings.Contains(r.out, "similarity 0.") {
		t.Errorf("with other settings: %+v", r)
	}
	provider.Always(embedtest.Reply{Status: http.StatusUnauthorized})
	if r := weirIn(t, env("96"), "", data, "search", question); !strings.Contains(r.stderr, "not the whole answer") {
		t.Errorf("%+v", r)
	}
	provider.Always(embedtest.Reply{})
	if r := weirIn(t, env("96"), "", data, "reembed"); r.code != exitOK || !strings.Contains(r.out, "Moved from of-64 to of-96: 1 passages.") {
		t.Errorf("%+v", r)
	}
	if got := whole("96"); len(got.Degraded) != 0 || got.Chunks[0].Similarity == nil {
		t.Errorf("after the move: %+v", got)
	}
}

// A document that waits for the provider says so while it does.
func TestIngestSaysWhyItWaits(t *testing.T) {
	var out, talk strings.Builder
	s := &lineShow{out: &out, talk: &talk, total: 1}
	for _, why := range []string{"", "the provider is gone", "the provider is gone", "it is asked too often"} {
		s.moved(0, rag.Document{Filename: "a.txt", Status: rag.Queued, Waiting: why})
	}
	if want := "a.txt waits: the provider is gone\na.txt waits: it is asked too often\n"; talk.String() != want || out.String() != "" {
		t.Errorf("said %q and printed %q", talk.String(), out.String())
	}
}
