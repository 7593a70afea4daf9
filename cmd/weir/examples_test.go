package main

import "testing"

// The samples and the questions about them: what a newcomer tries first. All
// 53 were answered, with the built-in model and without, when this was measured.
const examplesFloor = 52

func TestExamplesAreAnswered(t *testing.T) {
	for _, embedder := range []string{"none", "builtin"} {
		t.Run(embedder, func(t *testing.T) {
			r := weir(t, "", "eval", "--answers", "testdata/example-questions.jsonl", "../../examples", "--embedder", embedder, "--json")
			if r.code != exitOK {
				t.Fatalf("exit %d: %s", r.code, r.stderr)
			}
			s := decode[answerScore](t, r.out)
			if s.Questions < 50 || s.Hits < examplesFloor {
				t.Errorf("%d of %d questions are answered among the first five; want %d. Missed: %q", s.Hits, s.Questions, examplesFloor, s.Misses)
			}
		})
	}
}

// Each sample is asked in its own language.
func TestDemoQuestions(t *testing.T) {
	data := t.TempDir()
	if r := weir(t, data, "ingest", "../../examples"); r.code != exitOK {
		t.Fatalf("%+v", r)
	}
	tests := []struct {
		question, file string
		page           int // 0: the format has none
	}{
		{"How many hours must I use my CPAP machine before the plan buys it?", "plan-handbook.pdf", 18},
		{"What is the most I pay for a month of insulin?", "plan-handbook.pdf", 23},
		{"电池可以在楼道里充电吗？", "ebike-manual-zh.md", 0},
		{"¿Cuántas mascotas puedo tener en la vivienda?", "guia-del-inquilino.pdf", 4},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			got := askJSON(t, data, tt.question)
			if len(got.Chunks) == 0 || got.Chunks[0].Filename != tt.file {
				t.Fatalf("got %+v", got)
			}
			if p := got.Chunks[0]; tt.page > 0 && (*p.PageStart > tt.page || *p.PageEnd < tt.page) {
				t.Errorf("page %d-%d, want %d", *p.PageStart, *p.PageEnd, tt.page)
			}
		})
	}
}
