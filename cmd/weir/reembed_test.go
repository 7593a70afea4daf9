package main

import (
	"context"
	"strings"
	"testing"

	"weir/internal/embed/embedtest"
	"weir/internal/rag"
)

// reembed --json prints one line of JSON and nothing else there; a ^C says what
// becomes of what was made, and of no caller.
func TestReembedTells(t *testing.T) {
	from, to := rag.Model{Name: "old", Dim: 2}, rag.Model{Name: "new", Dim: 3}
	steps := func(report func(rag.Move)) {
		for done := range 3 {
			report(rag.Move{From: from, To: to, Progress: rag.Progress{Done: done, Total: 2}})
		}
	}
	var out, talk strings.Builder
	a := &app{stdout: &out, stderr: &talk}
	err := a.tellMove(t.Context(), reembedFlags{json: true}, func(report func(rag.Move)) error { steps(report); return nil })
	got := decode[movedJSON](t, out.String())
	if err != nil || !got.Moved || got.From == nil || *got.From != from || got.To != to || got.Progress.Done != 2 {
		t.Errorf("%+v, %v", got, err)
	}
	if lines := strings.Split(strings.TrimSpace(talk.String()), "\n"); len(lines) != 3 || decode[movedJSON](t, lines[1]).Progress.Done != 1 {
		t.Errorf("steps: %q", lines)
	}
	ctx, stop := context.WithCancel(t.Context())
	out.Reset()
	err = a.tellMove(ctx, reembedFlags{}, func(report func(rag.Move)) error {
		steps(report)
		stop()
		return &rag.Error{Code: rag.Canceled, Msg: "the caller left before the answer was ready"}
	})
	if err == nil || strings.Contains(explain(err), "caller") || !strings.Contains(explain(err), "kept") || out.Len() > 0 {
		t.Errorf("^C: %v, printed %q", err, out.String())
	}
}

// What serve says of searches is what they do: nobody is set for the documents'
// model.
func TestServeSaysWhatSearchIs(t *testing.T) {
	provider := embedtest.New(t, embedtest.Options{Dim: 64})
	data := t.TempDir()
	env := []string{"OPENAI_BASE_URL=" + provider.URL(), "WEIR_EMBEDDING_DIMENSIONS=64"}
	if r := weirIn(t, env, "The ferry leaves at noon.", data, "ingest", "-", "--name", "ferry.txt"); r.code != exitOK {
		t.Fatalf("%+v", r)
	}
	s := serve(t, data)
	s.stop()
	if !strings.Contains(s.head, "Search is by words alone: the documents' vectors are of text-embedding-3-small, and no provider is set for it") {
		t.Errorf("said %s", s.head)
	}
}
