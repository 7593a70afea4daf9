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

// Questions in conversations about the samples: those that mean nothing without
// what was said before, and those about something else, which it must not get in
// the way of. docs/QUALITY.md has what was measured.
func TestConversationsAboutExamplesAreAnswered(t *testing.T) {
	tests := []struct {
		file, embedder                    string
		questions, floor, without, firsts int // without: the most that are answered when nothing was said before
	}{
		{"example-follow-ups.jsonl", "builtin", 40, 36, 25, 28},
		{"example-follow-ups.jsonl", "none", 40, 36, 28, 30},
		{"example-new-topics.jsonl", "builtin", 24, 24, 24, 20},
		{"example-new-topics.jsonl", "none", 24, 24, 24, 19},
	}
	for _, tt := range tests {
		t.Run(tt.file+" "+tt.embedder, func(t *testing.T) {
			eval := func(args ...string) answerScore {
				r := weir(t, "", append([]string{"eval", "--answers", "testdata/" + tt.file, "../../examples", "--embedder", tt.embedder, "--json"}, args...)...)
				if r.code != exitOK {
					t.Fatalf("exit %d: %s", r.code, r.stderr)
				}
				return decode[answerScore](t, r.out)
			}
			if s := eval(); s.Questions != tt.questions || s.Hits < tt.floor || s.First < tt.firsts {
				t.Errorf("%d of %d questions are answered among the first five, %d by the first; want %d and %d. Missed: %q", s.Hits, s.Questions, s.First, tt.floor, tt.firsts, s.Misses)
			}
			if s := eval("--no-history"); s.Hits > tt.without {
				t.Errorf("%d questions need nothing of what was said before; want %d at most, or they show nothing", s.Hits, tt.without)
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
