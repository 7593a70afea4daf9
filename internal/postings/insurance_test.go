package postings_test

import (
	"errors"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"weir/internal/analysis"
	"weir/internal/postings"
)

// TestInsurance asks everyday questions of a handbook, whose pages are read
// with pdftotext where that is installed and cut into overlapping passages
// without regard to sections. A passage among the first five must hold the
// answer and lie on one of the pages that do.
func TestInsurance(t *testing.T) {
	found, of := insurance(t, postings.Config{})
	if found < 18 {
		t.Errorf("%d of %d questions answered, want at least 18", found, of)
	}
}

func insurance(t *testing.T, cfg postings.Config) (found, of int) {
	t.Helper()
	path := evalPath(t, "evidence-of-coverage-2025.pdf")
	raw, err := exec.CommandContext(t.Context(), "pdftotext", "-layout", path, "-").Output()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("pdftotext is not installed")
	} else if err != nil {
		t.Fatal(err)
	}
	const size, step = 220, 170
	var chunks []string
	var pages []int
	for i, page := range strings.Split(string(raw), "\f") {
		words := strings.Fields(page)
		for from := 0; from < len(words); from += step {
			chunks = append(chunks, strings.Join(words[from:min(from+size, len(words))], " "))
			pages = append(pages, i+1)
			if from+size >= len(words) {
				break
			}
		}
	}
	l := &library{a: analysis.New(), ix: postings.New(cfg)}
	if err := l.ix.Add(t.Context(), 1, segmentOf(t, l.a, "", chunks...)); err != nil {
		t.Fatal(err)
	}
	type question struct {
		ID       string `json:"id"`
		Question string `json:"question"`
		Answer   string `json:"answer_pattern"`
		Pages    []int  `json:"pages"`
	}
	questions := readLines[question](t, evalPath(t, "insurance-questions.jsonl"))
	mrr := 0.0
	for _, q := range questions {
		answer := regexp.MustCompile(q.Answer)
		rank := 0
		for i, h := range l.search(t, q.Question, 50) {
			if answer.MatchString(chunks[h.Chunk]) && slices.Contains(q.Pages, pages[h.Chunk]) {
				rank = i + 1
				break
			}
		}
		if rank > 0 {
			mrr += 1 / float64(rank)
		}
		if rank >= 1 && rank <= 5 {
			found++
		} else {
			t.Logf("%s at rank %d: %s %v", q.ID, rank, q.Question, l.groups(q.Question))
		}
	}
	t.Logf("%d of %d questions answered among the first five of %d passages, mean reciprocal rank %.3f",
		found, len(questions), len(chunks), mrr/float64(len(questions)))
	return found, len(questions)
}
