package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weir/internal/builtin"
	"weir/internal/embed/embedtest"
	"weir/internal/rag"
)

func TestCalibrationIsTheModels(t *testing.T) {
	for _, tt := range []struct {
		model rag.Model
		want  rag.Calibration
	}{
		{rag.Model{Name: builtin.Name, Dim: 384}, builtin.Calibration()},
		{rag.Model{Name: "sentence-transformers/all-MiniLM-L6-v2", Dim: 384}, rag.Calibration{Threshold: 0.15, VectorWeight: 0.65}},
		{rag.Model{Name: "text-embedding-3-small", Dim: 1536}, rag.DefaultCalibration()},
		{rag.Model{}, rag.DefaultCalibration()},
	} {
		if got := calibration(tt.model); got != tt.want {
			t.Errorf("%v: got %+v, want %+v", tt.model, got, tt.want)
		}
	}
}

// Documents from before there was an embedder: it is said that they have no
// vectors, and what gives them some, until they have.
func TestVectorsForDocumentsThatHaveNone(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	if r := weirIn(t, []string{"WEIR_EMBEDDER=none"}, "The ferry leaves at noon.", data, "ingest", "-", "--name", "ferry.txt"); r.code != exitOK {
		t.Fatalf("%+v", r)
	}
	const said = `1 of 1 passages have no vector of `
	if r := weir(t, data, "search", "ferry"); r.code != exitOK || !strings.Contains(r.stderr, said) || !strings.Contains(r.stderr, `"weir reembed" gives`) {
		t.Errorf("before: %+v", r)
	}
	if r := weir(t, data, "reembed"); r.code != exitOK {
		t.Fatalf("%+v", r)
	}
	if r := weir(t, data, "search", "ferry"); r.code != exitOK || strings.Contains(r.stderr, "no vector") {
		t.Errorf("after: %+v", r)
	}
}

// Who had a provider and has none any more: questions are answered by words,
// nobody else is asked, and one command moves the documents to the built-in model.
func TestMoveToTheBuiltInModel(t *testing.T) {
	provider := embedtest.New(t, embedtest.Options{Dim: 64})
	data := filepath.Join(t.TempDir(), "data")
	env := []string{"OPENAI_BASE_URL=" + provider.URL(), "WEIR_EMBEDDING_DIMENSIONS=64"}
	if r := weirIn(t, env, "The ferry leaves at noon.", data, "ingest", "-", "--name", "ferry.txt"); r.code != exitOK {
		t.Fatalf("%+v", r)
	}
	r := weir(t, data, "search", "when does the ferry leave?", "--json")
	resp := decode[rag.Response](t, r.out)
	if resp.Mode != rag.Lexical || len(resp.Chunks) != 1 || len(resp.Degraded) != 1 || !strings.Contains(resp.Degraded[0].Message, "no provider is set for text-embedding-3-small") {
		t.Errorf("before: %+v", r)
	}
	if !strings.Contains(r.stderr, `"weir reembed"`) {
		t.Errorf("it does not say what to do: %s", r.stderr)
	}
	if r := weir(t, data, "reembed"); r.code != exitOK {
		t.Fatalf("%+v", r)
	}
	resp = askJSON(t, data, "when does the ship depart?")
	if resp.Mode != rag.Hybrid || len(resp.Chunks) != 1 || resp.Chunks[0].Similarity == nil || len(resp.Degraded) > 0 {
		t.Errorf("after: %+v", resp)
	}
	// And back, with a provider again.
	if r := weirIn(t, env, "", data, "reembed"); r.code != exitOK {
		t.Fatalf("%+v", r)
	}
	r = weirIn(t, env, "", data, "search", "when does the ferry leave?", "--json")
	if resp := decode[rag.Response](t, r.out); resp.Mode != rag.Hybrid || len(resp.Degraded) > 0 {
		t.Errorf("back: %+v", r)
	}
}

// What a newcomer has without a key, a server or a network: questions in other
// words than the passage that answers them.
func TestParaphrasesAreAnswered(t *testing.T) {
	data := t.TempDir()
	if r := weir(t, data, "ingest", "../../examples"); r.code != exitOK {
		t.Fatalf("%+v", r)
	}
	for _, tt := range []struct{ question, file, section string }{
		{"What about infants?", "plan-handbook.pdf", "2.1.3 Newborn and adopted children"},
		{"Should I phone an attorney?", "plan-handbook.pdf", "10.7 Who can help"},
		{"Do you reimburse spectacles?", "plan-handbook.pdf", "5.11 Eyes and teeth"},
		{"Do you speak Korean?", "plan-handbook.pdf", "1.3.1 Languages and other formats"},
		{"May I obtain a university degree?", "employee-leave-policy.docx", "5.3 Study and sabbatical"},
	} {
		t.Run(tt.question, func(t *testing.T) {
			right := func(p rag.Passage) bool {
				return p.Filename == tt.file && strings.Contains(p.Content, tt.section)
			}
			answer := askJSON(t, data, tt.question)
			if answer.Mode != rag.Hybrid || !slices.ContainsFunc(answer.Chunks, right) {
				t.Errorf("%s is not among the first %d", tt.section, len(answer.Chunks))
			}
			// No content word in common: by words alone the passage cannot be found.
			r := weir(t, data, "search", tt.question, "--mode", "lexical", "--max-chunks", "1000", "--token-budget", "1000000", "--json")
			if slices.ContainsFunc(decode[rag.Response](t, r.out).Chunks, right) {
				t.Errorf("%s is found by a word of the question", tt.section)
			}
		})
	}
}
