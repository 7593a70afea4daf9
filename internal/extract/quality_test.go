package extract

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"weir/internal/rag"
)

const (
	examples = "../../examples"
	eval     = "../../../shared/eval" // beside the repository, not part of it
)

type question struct {
	Question string `json:"question"`
	Pattern  string `json:"answer_pattern"`
	File     string `json:"file"`
	Pages    []int  `json:"pages"`
}

func readQuestions(t *testing.T, file string) []question {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []question
	for s := bufio.NewScanner(f); s.Scan(); {
		var q question
		if err := json.Unmarshal(s.Bytes(), &q); err != nil {
			t.Fatal(err)
		}
		out = append(out, q)
	}
	return out
}

// answered reports whether a chunk holds the answer on one of the pages.
func answered(q question, chunks []rag.Chunk) bool {
	re := regexp.MustCompile(q.Pattern)
	for _, c := range chunks {
		if !re.MatchString(c.Content) {
			continue
		}
		if len(q.Pages) == 0 {
			return true
		}
		for _, p := range q.Pages {
			if c.PageStart <= p && p <= c.PageEnd {
				return true
			}
		}
	}
	return false
}

// TestExampleAnswers: every answer to the questions about the examples is in
// one chunk, on the page where a person finds it.
func TestExampleAnswers(t *testing.T) {
	x := newExtractor(t, Config{})
	files := map[string]rag.Extracted{}
	for _, q := range readQuestions(t, "../../cmd/weir/testdata/example-questions.jsonl") {
		out, ok := files[q.File]
		if !ok {
			out = extractFile(t, x, filepath.Join(examples, q.File))
			files[q.File] = out
			checkChunks(t, x, out)
		}
		if !answered(q, out.Chunks) {
			t.Errorf("%s: no chunk on pages %v matches %s (%s)", q.File, q.Pages, q.Pattern, q.Question)
		}
	}
	for name, out := range files {
		if out.Pages > 0 {
			for _, c := range out.Chunks {
				if strings.Contains(c.Content, "Page 7 of") || strings.Contains(c.Content, "......") || strings.Contains(c.Content, "Member Services (287) 555-0142 · TTY 711") {
					t.Errorf("%s: chunk %d holds a footer or leaders:\n%s", name, c.Index, c.Content)
				}
			}
		}
	}
}

func TestInsuranceAnswers(t *testing.T) {
	file := filepath.Join(eval, "insurance-questions.jsonl")
	if _, err := os.Stat(file); err != nil {
		t.Skip("no evaluation data beside the repository")
	}
	if testing.Short() {
		t.Skip("reads 232 pages")
	}
	x := newExtractor(t, Config{})
	out := extractFile(t, x, filepath.Join(eval, "evidence-of-coverage-2025.pdf"))
	checkChunks(t, x, out)
	if out.Pages != 232 {
		t.Errorf("pages = %d, want 232", out.Pages)
	}
	for _, q := range readQuestions(t, file) {
		if !answered(q, out.Chunks) {
			t.Errorf("no chunk on pages %v matches %s (%s)", q.Pages, q.Pattern, q.Question)
		}
	}
	for _, want := range []struct {
		page  int
		path  []int
		title string
	}{
		{57, []int{4, 1, 2}, "Section 1.2 What is the most you will pay"},
		{41, []int{3, 1, 2}, "Section 1.2 Basic rules for getting your medical care"},
	} {
		found := false
		for _, c := range out.Chunks {
			if c.PageStart == want.page && equalInts(c.SectionPath, want.path) && strings.Contains(c.SectionTitle, want.title) {
				found = true
			}
		}
		if !found {
			t.Errorf("no chunk on page %d in section %v %q", want.page, want.path, want.title)
		}
	}
}
