package postings_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"weir/internal/analysis"
	"weir/internal/postings"
)

// library is an index with the analyser that made it, as a store would hold
// them.
type library struct {
	a    *analysis.Analyzer
	ix   *postings.Index
	keys []string
}

type paper struct {
	ID    string `json:"_id"`
	Title string `json:"title"`
	Text  string `json:"text"`
}

// fieldOf analyses one field.
func fieldOf(d *analysis.Document, text string) postings.Field {
	var f postings.Field
	f.Words = d.Terms(text, func(t string) { f.Terms = append(f.Terms, t) })
	return f
}

// segmentOf makes the segment of one document: a head over chunks of text.
func segmentOf(t testing.TB, a *analysis.Analyzer, head string, chunks ...string) []byte {
	t.Helper()
	lang := a.Detect(head + "\n" + strings.Join(chunks, "\n"))
	d := a.Document(lang)
	var b postings.Builder
	for _, c := range chunks {
		b.Add(fieldOf(d, c), fieldOf(d, head))
	}
	seg, err := b.Segment(string(lang))
	if err != nil {
		t.Fatal(err)
	}
	return seg
}

func (l *library) groups(question string) []postings.Group {
	var langs []analysis.Lang
	for _, s := range l.ix.Langs() {
		langs = append(langs, analysis.Lang(s))
	}
	q := l.a.Query(question, langs, func(term string) bool { return l.ix.Frequency(term) > 0 })
	groups := make([]postings.Group, len(q.Groups))
	for i, g := range q.Groups {
		for _, alt := range g {
			groups[i] = append(groups[i], postings.Alternative(alt))
		}
	}
	return groups
}

func (l *library) search(t testing.TB, question string, limit int) []postings.Hit {
	t.Helper()
	hits, err := l.ix.Search(t.Context(), l.groups(question), limit, nil)
	if err != nil {
		t.Fatal(err)
	}
	return hits
}

// evalPath finds a file of the evaluation sets, which lie beside the
// repository and not in it.
func evalPath(t testing.TB, elem ...string) string {
	t.Helper()
	path := filepath.Join(append([]string{"..", "..", "..", "shared", "eval"}, elem...)...)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("no evaluation set at %s", path)
	}
	return path
}

func readLines[T any](t testing.TB, path string) []T {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []T
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		var v T
		if err := json.Unmarshal(sc.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	if err := sc.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

type cranfield struct {
	papers  []paper
	queries []paper
	rels    map[string]map[string]int
}

func readCranfield(t testing.TB) cranfield {
	t.Helper()
	c := cranfield{
		papers:  readLines[paper](t, evalPath(t, "cranfield", "corpus.jsonl")),
		queries: readLines[paper](t, evalPath(t, "cranfield", "queries.jsonl")),
		rels:    make(map[string]map[string]int),
	}
	qrels, err := os.ReadFile(evalPath(t, "cranfield", "qrels", "test.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(qrels), "\n")[1:] {
		f := strings.Fields(line)
		if len(f) != 3 {
			continue
		}
		rel, err := strconv.Atoi(f[2])
		if err != nil {
			t.Fatal(err)
		}
		if c.rels[f[0]] == nil {
			c.rels[f[0]] = make(map[string]int)
		}
		c.rels[f[0]][f[1]] = rel
	}
	return c
}

func (c cranfield) library(t testing.TB, cfg postings.Config) *library {
	t.Helper()
	l := &library{a: analysis.New()}
	ix, err := postings.Load(t.Context(), cfg, func(yield func(postings.Document, error) bool) {
		for i, p := range c.papers {
			// A heading is in its passage too, as extraction leaves it.
			l.keys = append(l.keys, p.ID)
			if !yield(postings.Document{Key: int64(i), Segment: segmentOf(t, l.a, p.Title, p.Title+"\n\n"+p.Text)}, nil) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	l.ix = ix
	return l
}

// scores are means over the questions that have a relevant paper.
type scores struct{ ndcg10, recall100, mrr10 float64 }

func (c cranfield) score(t testing.TB, l *library) scores {
	t.Helper()
	var s scores
	n := 0.0
	for _, q := range c.queries {
		rels := c.rels[q.ID]
		if len(rels) == 0 {
			continue
		}
		n++
		gains := make([]float64, 0, len(rels))
		for _, r := range rels {
			gains = append(gains, math.Exp2(float64(r))-1)
		}
		slices.Sort(gains)
		slices.Reverse(gains)
		ideal, dcg, found, first := 0.0, 0.0, 0.0, 0.0
		for i := range min(10, len(gains)) {
			ideal += gains[i] / math.Log2(float64(i)+2)
		}
		for i, h := range l.search(t, q.Text, 100) {
			r, ok := rels[l.keys[h.Key]]
			if !ok || r <= 0 {
				continue
			}
			found++
			if i < 10 {
				dcg += (math.Exp2(float64(r)) - 1) / math.Log2(float64(i)+2)
				if first == 0 {
					first = 1 / float64(i+1)
				}
			}
		}
		s.ndcg10 += dcg / ideal
		s.recall100 += found / float64(len(rels))
		s.mrr10 += first
	}
	return scores{s.ndcg10 / n, s.recall100 / n, s.mrr10 / n}
}

func TestCranfield(t *testing.T) {
	c := readCranfield(t)
	got := c.score(t, c.library(t, postings.Config{}))
	t.Logf("%d papers: nDCG@10 %.4f, recall@100 %.4f, MRR@10 %.4f", len(c.papers), got.ndcg10, got.recall100, got.mrr10)
	if want := 0.37; got.ndcg10 < want {
		t.Errorf("nDCG@10 = %.4f, want at least %.2f", got.ndcg10, want)
	}
}
