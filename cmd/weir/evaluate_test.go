package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/internal/rag"
)

func TestMeasures(t *testing.T) {
	exponential := func(rel int) float64 { return math.Exp2(float64(rel)) - 1 }
	linear := func(rel int) float64 { return float64(rel) }
	judged := map[string]int{"a": 3, "b": 2, "c": 1, "z": 0, "n": -1}
	tests := []struct {
		name    string
		ranking []string
		judged  map[string]int
		// Worked out by hand from the definitions.
		wantExp, wantLinear, wantRecall, wantRank float64
	}{
		{name: "perfect", ranking: []string{"a", "b", "c"}, judged: judged, wantExp: 1, wantLinear: 1, wantRecall: 1, wantRank: 1},
		{name: "nothing", judged: judged},
		{name: "nothing relevant", ranking: []string{"z", "n", "unjudged"}, judged: judged},
		{
			name: "turned round", ranking: []string{"c", "b", "a"}, judged: judged,
			wantExp:    (1 + 3/math.Log2(3) + 7.0/2) / (7 + 3/math.Log2(3) + 0.5),
			wantLinear: (1 + 2/math.Log2(3) + 3.0/2) / (3 + 2/math.Log2(3) + 0.5),
			wantRecall: 1, wantRank: 1,
		},
		{
			name: "late", ranking: []string{"x", "y", "b"}, judged: judged,
			wantExp:    (3.0 / 2) / (7 + 3/math.Log2(3) + 0.5),
			wantLinear: (2.0 / 2) / (3 + 2/math.Log2(3) + 0.5),
			wantRecall: 1.0 / 3, wantRank: 1.0 / 3,
		},
		{name: "no judgement", ranking: []string{"a"}, judged: nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := []float64{
				ndcg(tt.ranking, tt.judged, 10, exponential), ndcg(tt.ranking, tt.judged, 10, linear),
				recall(tt.ranking, tt.judged, 100), reciprocalRank(tt.ranking, tt.judged, 10),
			}
			want := []float64{tt.wantExp, tt.wantLinear, tt.wantRecall, tt.wantRank}
			for i := range got {
				if math.Abs(got[i]-want[i]) > 1e-12 {
					t.Errorf("measure %d: got %v, want %v", i, got[i], want[i])
				}
			}
		})
	}
}

func TestMeasuresStopAtTheirDepth(t *testing.T) {
	ranking := make([]string, 101)
	for i := range ranking {
		ranking[i] = "x"
	}
	ranking[10], ranking[100] = "a", "b"
	judged := map[string]int{"a": 1, "b": 1}
	if v := ndcg(ranking, judged, 10, func(rel int) float64 { return float64(rel) }); v != 0 {
		t.Errorf("nDCG@10 counts rank 11: %v", v)
	}
	if v := reciprocalRank(ranking, judged, 10); v != 0 {
		t.Errorf("MRR@10 counts rank 11: %v", v)
	}
	if v := recall(ranking, judged, 100); v != 0.5 {
		t.Errorf("recall@100 counts rank 101: %v", v)
	}
}

func TestQuantile(t *testing.T) {
	sorted := []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	for q, want := range map[float64]float64{0: 1, 0.5: 5, 0.95: 10, 1: 10} {
		if got := quantile(sorted, q); got != want {
			t.Errorf("quantile %v: got %v, want %v", q, got, want)
		}
	}
	if got := quantile(nil, 0.5); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
}

// A small collection with everything that collections have: documents without
// text, the same text twice, ids with strange letters, unjudged queries.
func TestEvalBEIR(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()) // so that what it leaves behind is its own
	folder := t.TempDir()
	write(t, folder, "corpus.jsonl", strings.Join([]string{
		`{"_id": "MED-1/β", "title": "Kettles", "text": "The kettle whistles when the water boils."}`,
		`{"_id": "2", "title": "", "text": "Bicycles need air in their tyres."}`,
		`{"_id": "3", "title": "Bees", "text": ""}`,
		`{"_id": "4", "title": "", "text": "  "}`,
		`{"_id": "5", "title": "Kettles", "text": "The kettle whistles when the water boils."}`,
		``,
	}, "\n"))
	write(t, folder, "queries.jsonl", `{"_id": "q1", "text": "whistling kettle"}
{"_id": "q2", "text": "air for a bicycle"}
{"_id": "q3", "text": "nobody judged this"}
{"_id": "q4", "text": "judged and nothing relevant"}
`)
	write(t, folder, "qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1\tMED-1/β\t2\nq1\t5\t1\nq2\t2\t1\r\nq4\t2\t0\n")
	write(t, folder, "qrels/dev.tsv", "query-id\tcorpus-id\tscore\nq2\t3\t1\n")

	r := weir(t, "", "eval", folder, "--json", "--embedder", "none")
	if r.code != exitOK {
		t.Fatalf("%+v", r)
	}
	s := decode[scores](t, r.out)
	if s.Documents != 5 || s.Empty != 1 || s.Queries != 2 || s.Mode != "lexical" {
		t.Errorf("got %+v", s)
	}
	if s.NDCG10 != 1 || s.Recall100 != 1 || s.MRR10 != 1 {
		t.Errorf("got %+v, want 1 everywhere", s)
	}
	r = weir(t, "", "eval", folder, "--split", "dev", "--embedder", "none")
	if r.code != exitOK || !strings.Contains(r.out, "recall@100       0.0000") {
		t.Errorf("a document that does not answer counts: %+v", r)
	}
	// A folder can be kept; the documents of another collection in it would
	// spoil the measure.
	data := filepath.Join(t.TempDir(), "data")
	for range 2 {
		if r := weir(t, data, "eval", folder, "--embedder", "none"); r.code != exitOK {
			t.Errorf("%+v", r)
		}
	}
	write(t, folder, "corpus.jsonl", `{"_id": "2", "title": "", "text": "Bicycles need air in their tyres."}`)
	if r := weir(t, data, "eval", folder, "--embedder", "none"); r.code != exitFailed || !strings.Contains(r.stderr, "of another evaluation") {
		t.Errorf("%+v", r)
	}
	left, err := filepath.Glob(filepath.Join(os.TempDir(), "weir-eval-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("it left %v behind (%v)", left, err)
	}
}

func TestReadCollectionErrors(t *testing.T) {
	good := map[string]string{
		"corpus.jsonl":   `{"_id": "1", "text": "x"}`,
		"queries.jsonl":  `{"_id": "q", "text": "x"}`,
		"qrels/test.tsv": "query-id\tcorpus-id\tscore\nq\t1\t1\n",
	}
	tests := []struct{ name, file, content, want string }{
		{name: "no JSON", file: "corpus.jsonl", content: "{\n", want: "corpus.jsonl:1: is no JSON object"},
		{name: "no id", file: "corpus.jsonl", content: `{"text": "x"}`, want: "corpus.jsonl:1: has no _id"},
		{name: "an id twice", file: "queries.jsonl", content: good["queries.jsonl"] + "\n" + good["queries.jsonl"], want: `queries.jsonl:2: the _id "q" is there twice`},
		{name: "empty", file: "queries.jsonl", content: "\n", want: "queries.jsonl is empty"},
		{name: "spaces for tabs", file: "qrels/test.tsv", content: "query-id corpus-id score\n", want: "test.tsv:1: must be query-id, corpus-id and score"},
		{name: "score", file: "qrels/test.tsv", content: good["qrels/test.tsv"] + "q\t1\thigh\n", want: `test.tsv:3: the score must be a whole number, not "high"`},
		{name: "nothing relevant", file: "qrels/test.tsv", content: "query-id\tcorpus-id\tscore\nq\t1\t0\n", want: "judges no query"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			folder := t.TempDir()
			for name, content := range good {
				write(t, folder, name, content)
			}
			if _, err := readCollection(folder, "test"); err != nil {
				t.Fatalf("the good one: %v", err)
			}
			write(t, folder, tt.file, tt.content)
			if _, err := readCollection(folder, "test"); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestAnswers(t *testing.T) {
	n := func(i int) *int { return &i }
	tests := []struct {
		name string
		q    string
		p    rag.Passage
		want bool
	}{
		{name: "pattern alone", q: `{"question":"?","answer_pattern":"12 visits"}`, p: rag.Passage{Content: "you get 12 visits"}, want: true},
		{name: "broken over lines", q: `{"question":"?","answer_pattern":"12 visits"}`, p: rag.Passage{Content: "you get 12\n  visits"}, want: true},
		{name: "no match", q: `{"question":"?","answer_pattern":"12 visits"}`, p: rag.Passage{Content: "you get 13 visits"}},
		{name: "on the page", q: `{"question":"?","answer_pattern":"x","pages":[2,9]}`, p: rag.Passage{Content: "x", PageStart: n(8), PageEnd: n(10)}, want: true},
		{name: "on another page", q: `{"question":"?","answer_pattern":"x","pages":[2,9]}`, p: rag.Passage{Content: "x", PageStart: n(3), PageEnd: n(8)}},
		{name: "on no page", q: `{"question":"?","answer_pattern":"x","pages":[2]}`, p: rag.Passage{Content: "x"}},
		{name: "in the file", q: `{"question":"?","answer_pattern":"x","file":"a.md"}`, p: rag.Passage{Content: "x", Filename: "sub/a.md"}, want: true},
		{name: "in another file", q: `{"question":"?","answer_pattern":"x","file":"a.md"}`, p: rag.Passage{Content: "x", Filename: "b.md"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			qs, err := readAnswers(write(t, t.TempDir(), "q.jsonl", tt.q))
			if err != nil {
				t.Fatal(err)
			}
			if got := qs[0].answers(tt.p); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}
