package e2e

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/e2e/weirtest"
	"weir/internal/rag"
)

const examples = "../examples"

// What the README promises, in its order.
func TestFirstSteps(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	s := serve(t, data, "--docs", examples)
	_, command, _ := strings.Cut(s.Head, "or try:\n")
	out, err := exec.CommandContext(t.Context(), "sh", "-c", command).Output()
	if err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	if got := decode[rag.Response](t, string(out)); len(got.Chunks) == 0 || got.Chunks[0].Filename != "plan-handbook.pdf" || *got.Chunks[0].PageStart != 18 {
		t.Errorf("%s\nanswers %s", command, out)
	}
	for question, file := range map[string]string{
		"What is the most I pay for a month of insulin?": "plan-handbook.pdf",
		"电池可以在楼道里充电吗？":                                   "ebike-manual-zh.md",
	} {
		if r := weir(t, "search", question, "--data", data); r.code != 0 || !strings.HasPrefix(r.out, "1. "+file) {
			t.Errorf("%s: %+v", question, r)
		}
	}
	own := write(t, t.TempDir(), "own.md", "# Boat\n\nThe dinghy is called Petrel.\n")
	if r := weir(t, "ingest", own, "--data", data); r.code != 0 {
		t.Errorf("%+v", r)
	}
	if r := weir(t, "search", "what is the dinghy called?", "--data", data); !strings.Contains(r.out, "Petrel") {
		t.Errorf("%+v", r)
	}
	if r := weir(t, "serve", "--data", data, "--listen", "127.0.0.1:0"); r.code != 1 || !strings.Contains(r.stderr, "process "+strconv.Itoa(s.Cmd.Process.Pid)) {
		t.Errorf("a second server: %+v", r)
	}
	if code := s.stop(t); code != 0 {
		t.Errorf("exit %d: %s", code, s.Stderr)
	}
	if r := weir(t, "doctor", "--data", data, "--listen", "127.0.0.1:0"); r.code != 0 {
		t.Errorf("%+v", r)
	}
}

// The same documents again are not done again.
func TestRestart(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	serve(t, data, "--docs", examples).stop(t)
	s := serve(t, data, "--docs", examples)
	s.stop(t) // until then some of what it said may be on its way
	if !strings.Contains(s.Stderr.String(), "9 there already") {
		t.Errorf("said %s", s.Stderr)
	}
}

func TestCommandsThatMustFail(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	broken := write(t, dir, "broken.pdf", "%PDF-1.7\n")
	tests := []struct {
		name string
		args []string
		code int
		says string
	}{
		{"unknown command", []string{"retrieve"}, 2, "no command"},
		{"unknown flag", []string{"search", "x", "--limit", "3"}, 2, "no flag --limit"},
		{"open address", []string{"serve", "--listen", "0.0.0.0:0"}, 2, "nobody is asked who they are"},
		{"missing file", []string{"ingest", filepath.Join(dir, "none")}, 1, "no file or folder"},
		{"broken file", []string{"ingest", broken}, 1, "1 failed"},
		{"postgres without an address", []string{"search", "x", "--store", "postgres"}, 2, "DATABASE_URL is not set"},
		{"postgres that is not there", []string{"search", "x", "--store", "postgres", "--config", write(t, dir, "pg.yaml", "database_url: postgres://u:secret@127.0.0.1:1/x\n")}, 1, "cannot be reached"},
		{"folder that cannot be made", []string{"ingest", examples, "--data", filepath.Join(broken, "x")}, 1, "data folder cannot be made"},
		{"no collection", []string{"eval", dir}, 1, "there is no"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			args := tt.args
			if !strings.Contains(strings.Join(args, " "), "--data") {
				args = append(args, "--data", data)
			}
			if r := weir(t, args...); r.code != tt.code || !strings.Contains(r.stderr, tt.says) {
				t.Errorf("got %+v, want exit %d and %q", r, tt.code, tt.says)
			}
		})
	}
}

// A result that nobody got is no success.
func TestResultsThatAreLost(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("there is no /dev/full")
	}
	defer full.Close()
	cmd := exec.CommandContext(t.Context(), binary, "version")
	cmd.Env = weirtest.Environment()
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = full, &stderr
	if err := cmd.Run(); err == nil || !strings.Contains(stderr.String(), "could not be written") {
		t.Errorf("got %v and %q", err, stderr.String())
	}
}

// ^C in the middle of a long ingest ends it soon, and says what becomes of the
// rest.
func TestInterruptedIngest(t *testing.T) {
	docs, data := t.TempDir(), filepath.Join(t.TempDir(), "data")
	for i := range 300 {
		write(t, docs, strconv.Itoa(i)+".md", strings.Repeat("Lot "+strconv.Itoa(i)+" is stored in the cellar. ", 200))
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "ingest", docs, "--data", data)
	cmd.Env = weirtest.Environment()
	var stderr weirtest.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil { // the first document is ready
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = new(bytes.Buffer).ReadFrom(out) }()
	began := time.Now()
	err = cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("got %v: %s", err, &stderr)
	}
	t.Logf("ended %v after the signal: %s", time.Since(began), &stderr)
	if !strings.Contains(stderr.String(), "not read") {
		t.Errorf("said %s", &stderr)
	}
	if r := weir(t, "ingest", docs, "--data", data); r.code != 0 {
		t.Errorf("the rest: %+v", r.stderr)
	}
}

// A second signal does not wait for anything.
func TestSecondSignal(t *testing.T) {
	s := serve(t, t.TempDir())
	_ = s.Cmd.Process.Signal(syscall.SIGINT)
	_ = s.Cmd.Process.Signal(syscall.SIGINT)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-s.Ended:
	case <-timer.C:
		t.Error("it goes on")
	}
}

// The measures over real collections, where they lie beside the repository.
func TestEval(t *testing.T) {
	const collections = "../../shared/eval"
	if _, err := os.Stat(collections); err != nil {
		t.Skipf("there are no collections at %s", collections)
	}
	for _, tt := range []struct {
		embedder string
		ndcg     float64
		hits     int
	}{
		{"none", 0.37, 18},
		{"builtin", 0.385, 18},
	} {
		t.Run("cranfield "+tt.embedder, func(t *testing.T) {
			r := weir(t, "eval", filepath.Join(collections, "cranfield"), "--embedder", tt.embedder, "--json")
			got := decode[struct {
				NDCG float64 `json:"ndcg_at_10"`
			}](t, r.out)
			if r.code != 0 || got.NDCG < tt.ndcg {
				t.Errorf("nDCG@10 is %.4f, want %v: %+v", got.NDCG, tt.ndcg, r)
			}
		})
		t.Run("handbook "+tt.embedder, func(t *testing.T) {
			r := weir(t, "eval", "--answers", filepath.Join(collections, "insurance-questions.jsonl"),
				filepath.Join(collections, "evidence-of-coverage-2025.pdf"), "--embedder", tt.embedder, "--json")
			got := decode[struct {
				Hits int `json:"hits"`
			}](t, r.out)
			if r.code != 0 || got.Hits < tt.hits {
				t.Errorf("%d of 20, want %d: %+v", got.Hits, tt.hits, r)
			}
		})
	}
}
