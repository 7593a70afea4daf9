package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"weir/internal/rag"
)

// Each wrong use, its exit code and what is said of it, as a user would see
// them. The file is for reading: every message must name the thing and say
// what to do.
func TestWrongUses(t *testing.T) {
	path, err := filepath.Abs("testdata/wrong-uses.golden")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	write(t, ".", "typo.yaml", "listen: 127.0.0.1:8080\nembeder: none\n")
	write(t, ".", "list.yaml", "- listen\n")
	write(t, ".", "nested.yaml", "listen:\n  host: x\n")
	write(t, ".", "twice.yaml", "data: a\ndata: b\n")
	write(t, ".", "bad.yaml", "data: [\n")
	write(t, ".", "value.yaml", "timeout: soon\n")
	write(t, ".", "a/notes.txt", "one")
	write(t, ".", "b/notes.txt", "two")
	write(t, ".", "pictures/cat.jpg", "x")
	write(t, ".", "questions.jsonl", `{"question": "?"}`)
	write(t, ".", "unclosed.jsonl", `{"question": "?", "answer_pattern": "("}`)
	write(t, ".", "beir/corpus.jsonl", `{"_id": "1", "text": "x"}`)

	uses := []struct {
		env   []string
		args  []string
		stdin string
	}{
		{args: []string{"serach", "x"}},
		{args: []string{"frobnicate"}},
		{args: []string{"--colour", "search", "x"}},
		{args: []string{"search"}},
		{args: []string{"search", "how", "long"}},
		{args: []string{"search", " "}},
		{args: []string{"search", "x", "--max-chunk", "3"}},
		{args: []string{"search", "x", "--max-chunks", "many"}},
		{args: []string{"search", "x", "--max-chunks"}},
		{args: []string{"search", "x", "--max-chunks", "0"}},
		{args: []string{"search", "x", "--threshold", "2"}},
		{args: []string{"search", "x", "--mode", "psychic"}},
		{args: []string{"search", "x", "--mode", "vector", "--embedder", "none"}},
		{args: []string{"search", "x", "--user", ""}},
		{args: []string{"search", "x", "--threshold", "NaN"}},
		{args: []string{"search", "x", "--threshold", "high"}},
		{args: []string{"search", "x", "--token-budget", "0"}},
		{args: []string{"search", "x", "--neighbors", "-1"}},
		{args: []string{"search", "x", "--timeout", "2h"}},
		{args: []string{"search", "x", "--document", ""}},
		{args: []string{"search", "x", "--data", "a/notes.txt"}},
		{args: []string{"search", "x"}, env: []string{"WEIR_DATA=a/notes.txt"}},
		{args: []string{"ingest"}},
		{args: []string{"ingest", "no-such-file.pdf"}},
		{args: []string{"ingest", "-"}},
		{args: []string{"ingest", "-", "-", "--name", "x.txt"}},
		{args: []string{"ingest", "a", "--name", "x.txt"}},
		{args: []string{"ingest", "a", "b"}},
		{args: []string{"ingest", "a", "--user", ""}},
		{args: []string{"ingest", "a", "--data", "a/notes.txt"}},
		{args: []string{"ingest", "pictures"}},
		{args: []string{"serve", "papers"}},
		{args: []string{"serve", "--docs", "no-such-folder"}},
		{args: []string{"serve", "--user", ""}},
		{args: []string{"serve", "--data", "a/notes.txt"}},
		{args: []string{"serve", "--listen", "0.0.0.0:8080"}},
		{args: []string{"serve", "--listen", ":8080"}},
		{args: []string{"serve", "--listen", "8080"}},
		{args: []string{"serve", "--listen", "localhost:http"}},
		{args: []string{"serve", "--listen", taken.Addr().String()}},
		{args: []string{"serve", "--data", "new", "--chat-model", "m"}, env: []string{"WEIR_EMBEDDER=none", "WEIR_CHAT_BASE_URL=http://127.0.0.1:9/v1", "WEIR_CHAT_API_KEY=two words"}},
		{args: []string{"config", "listen"}},
		{args: []string{"config", "--config", "no-such.yaml"}},
		{args: []string{"config", "--config", "typo.yaml"}},
		{args: []string{"config", "--config", "list.yaml"}},
		{args: []string{"config", "--config", "nested.yaml"}},
		{args: []string{"config", "--config", "twice.yaml"}},
		{args: []string{"config", "--config", "bad.yaml"}},
		{args: []string{"config", "--config", "value.yaml"}},
		{args: []string{"config"}, env: []string{"WEIR_TIMEOT=3s"}},
		{args: []string{"config"}, env: []string{"WEIR_TIMEOUT=3"}},
		{args: []string{"config"}, env: []string{"WEIR_TIMEOUT=-1s"}},
		{args: []string{"config"}, env: []string{"WEIR_MAX_FILE_BYTES=lots"}},
		{args: []string{"config"}, env: []string{"WEIR_MAX_FILE_BYTES=-5MB"}},
		{args: []string{"config"}, env: []string{"WEIR_STORE=postgres"}},
		{args: []string{"config"}, env: []string{"WEIR_STORE=mysql"}},
		{args: []string{"config"}, env: []string{"WEIR_EMBEDDER=inbuilt"}},
		{args: []string{"config"}, env: []string{"WEIR_EMBEDDER=openai"}},
		{args: []string{"config"}, env: []string{"OPENAI_BASE_URL=api.example.org"}},
		{args: []string{"config"}, env: []string{"OPENAI_BASE_URL=https://me:secret@example.org/v1"}},
		{args: []string{"config", "--chunk-tokens", "100", "--chunk-overlap", "80"}},
		{args: []string{"config", "--chunk-overlap", "-1"}},
		{args: []string{"config", "--document-timeout", "5s"}},
		{args: []string{"config", "--timeout", "45m"}},
		{args: []string{"config"}, env: []string{"WEIR_TIMEOUT=45m"}},
		{args: []string{"config", "--embedder", "openai"}},
		{args: []string{"config", "--log-level", "loud"}},
		{args: []string{"eval"}},
		{args: []string{"eval", "no-such-folder"}},
		{args: []string{"eval", "a"}},
		{args: []string{"eval", "a", "extra"}},
		{args: []string{"eval", "a", "--mode", "psychic"}},
		{args: []string{"eval", "a", "--mode", "vector", "--embedder", "none"}},
		{args: []string{"eval", "--answers", "questions.jsonl", "a", "--mode", "vector", "--embedder", "none"}},
		{args: []string{"eval", "beir"}},
		{args: []string{"eval", "--answers", "questions.jsonl"}},
		{args: []string{"eval", "--answers", "questions.jsonl", "a"}},
		{args: []string{"eval", "--answers", "unclosed.jsonl", "a"}},
		{args: []string{"version", "please"}},
	}
	var got strings.Builder
	for _, u := range uses {
		r := weirIn(t, u.env, u.stdin, "", u.args...)
		if r.code == exitOK || r.out != "" || r.stderr == "" {
			t.Errorf("weir %q: exit %d, printed %q and %q", u.args, r.code, r.out, r.stderr)
		}
		if strings.Contains(r.stderr, "secret") || strings.Contains(r.stderr, "goroutine") {
			t.Errorf("weir %q says too much: %s", u.args, r.stderr)
		}
		said := strings.ReplaceAll(r.stderr, taken.Addr().String(), "127.0.0.1:PORT")
		line := strings.Join(append(append([]string{}, u.env...), "weir", quoted(u.args)), " ")
		line = strings.ReplaceAll(line, taken.Addr().String(), "127.0.0.1:PORT")
		fmt.Fprintf(&got, "$ %s\n%s(exit %d)\n\n", line, said, r.code)
	}
	if _, err := os.Stat("weir-data/weir.db-wal"); err == nil {
		t.Error("a command left the store open")
	}
	golden(t, path, got.String())
}

// A program that asked for JSON is told of each failure with a code, whether it came to a
// call or not, and whatever stands before --json.
func TestFailuresForProgramsHaveACode(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, ".", "bad.yaml", "data: [\n")
	write(t, ".", "keys.json", "{")
	write(t, ".", "pictures/cat.jpg", "x")
	write(t, ".", "full/other.txt", "x")
	tests := []struct {
		args []string
		code rag.Code
		exit int
	}{
		{[]string{"search", "--json"}, rag.Invalid, exitUsage},
		{[]string{"search", "x", "--colour", "--json"}, rag.Invalid, exitUsage},
		{[]string{"search", "x", "--max-chunks", "many", "--json"}, rag.Invalid, exitUsage},
		{[]string{"search", "x", "--json", "--config", "bad.yaml"}, rag.Invalid, exitUsage},
		{[]string{"search", "x", "--json", "--data", "none"}, rag.NotFound, exitFailed},
		{[]string{"search", "x", "--json", "--document", "nope", "--data", "none"}, rag.NotFound, exitFailed},
		{[]string{"ingest", "none", "--json"}, rag.NotFound, exitFailed},
		{[]string{"ingest", "pictures", "--json"}, rag.Invalid, exitFailed},
		{[]string{"key", "list", "--json", "--keys-file", "keys.json"}, rag.Invalid, exitFailed},
		{[]string{"key", "rotate", "nobody", "--json"}, rag.NotFound, exitFailed},
		{[]string{"eval", "none", "--json"}, rag.NotFound, exitFailed},
		{[]string{"eval", "full", "--json"}, rag.NotFound, exitFailed},
		{[]string{"eval", "full/other.txt", "--json"}, rag.Invalid, exitFailed},
		{[]string{"eval", "--answers", "none", "full", "--json"}, rag.NotFound, exitFailed},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			r := weir(t, "", tt.args...)
			var told struct{ Error failure }
			if err := json.Unmarshal([]byte(r.out), &told); err != nil {
				t.Fatalf("%v: %q %q", err, r.out, r.stderr)
			}
			if told.Error.Code != tt.code || told.Error.Message == "" || r.code != tt.exit || r.stderr == "" {
				t.Errorf("exit %d: %s, want %d and %s", r.code, r.out, tt.exit, tt.code)
			}
		})
	}
	if r := weir(t, "", "search", "x", "--colour", "--", "--json"); strings.Contains(r.out, "error") {
		t.Errorf("what is no flag was taken for one: %s", r.out)
	}
}

func TestCodeOf(t *testing.T) {
	tests := []struct {
		err  error
		want rag.Code
	}{
		{rag.Errorf(rag.Overloaded, "full"), rag.Overloaded},
		{fmt.Errorf("while reading: %w", context.DeadlineExceeded), rag.Timeout},
		{context.Canceled, rag.Canceled},
		{&fs.PathError{Op: "open", Path: "x", Err: syscall.ENOENT}, rag.NotFound},
		{&fs.PathError{Op: "open", Path: "x", Err: syscall.EACCES}, rag.Forbidden},
		{&fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, rag.Unavailable},
		{&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, rag.Unavailable},
		{secondServer(&heldError{dir: t.TempDir()}), rag.Conflict},
		{errors.New("questions.jsonl:3: is no question"), rag.Invalid},
	}
	for _, tt := range tests {
		if got := codeOf(tt.err); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.err, got, tt.want)
		}
	}
}

func quoted(args []string) string {
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = a
		if a == "" || strings.Contains(a, " ") {
			out[i] = quote(a)
		}
	}
	return strings.Join(out, " ")
}
