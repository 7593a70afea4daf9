package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weir/internal/rag"

	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "write the golden files and docs/CONFIG.md")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// result is what a run of the program left.
type result struct {
	code        int
	out, stderr string
}

// weir runs the program as a shell would, with the data folder given as data;
// empty: the default.
func weir(t *testing.T, data string, args ...string) result {
	t.Helper()
	return weirIn(t, nil, "", data, args...)
}

func weirIn(t *testing.T, env []string, stdin, data string, args ...string) result {
	t.Helper()
	if data != "" {
		args = append(args, "--data", data)
	}
	var out, stderr bytes.Buffer
	code := run(t.Context(), args, environment(env...), strings.NewReader(stdin), &out, &stderr)
	return result{code, out.String(), stderr.String()}
}

// environment has the user's cache folder, so that PDFium is compiled once.
func environment(more ...string) []string {
	env := []string{}
	for _, name := range []string{"HOME", "XDG_CACHE_HOME", "LocalAppData"} {
		if v := os.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return append(env, more...)
}

// server is a server that runs in this process.
type server struct {
	url    string
	head   string // what it printed, but for what follows the curl command of --docs
	stop   func() result
	stderr *bytes.Buffer // to be read after stop
}

// serve starts the server on a free port and waits until it is ready.
func serve(t *testing.T, data string, args ...string) *server {
	t.Helper()
	return serveIn(t, nil, data, args...)
}

// serveIn is the same with more variables.
func serveIn(t *testing.T, env []string, data string, args ...string) *server {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, w := io.Pipe()
	var stderr bytes.Buffer
	ended := make(chan int, 1)
	last := "Open that address in a browser"
	if slices.Contains(args, "--docs") {
		last = "curl "
	}
	args = append([]string{"serve", "--listen", "127.0.0.1:0", "--data", data}, args...)
	go func() {
		code := run(ctx, args, environment(env...), strings.NewReader(""), w, &stderr)
		w.Close()
		ended <- code
	}()
	s := &server{stderr: &stderr}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		s.head += lines.Text() + "\n"
		if url, ok := strings.CutPrefix(lines.Text(), "Weir is ready at "); ok {
			s.url = url
		}
		if strings.Contains(lines.Text(), last) {
			break
		}
	}
	if s.url == "" {
		cancel()
		t.Fatalf("the server did not start: exit %d, %s", <-ended, stderr.String())
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		_, _ = io.Copy(io.Discard, out)
	}()
	stopped := false
	s.stop = func() result {
		stopped = true
		cancel()
		code := <-ended
		<-drained
		return result{code, s.head, stderr.String()}
	}
	t.Cleanup(func() {
		if !stopped {
			s.stop()
		}
	})
	return s
}

// write makes a file below dir, with the folders it needs.
func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// decode reads one JSON value.
func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return v
}

// outcomes reads the lines of ingest --json by filename.
func outcomes(t *testing.T, out string) map[string]outcome {
	t.Helper()
	all := map[string]outcome{}
	for line := range strings.Lines(out) {
		o := decode[outcome](t, line)
		all[o.Filename] = o
	}
	return all
}

// golden compares got with the file in testdata, or writes it with -update.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s is not what came (go test ./cmd/weir -update writes it):\n%s", path, got)
	}
}

func askJSON(t *testing.T, data, question string) rag.Response {
	t.Helper()
	r := weir(t, data, "search", question, "--json")
	if r.code != exitOK {
		t.Fatalf("exit %d: %s", r.code, r.stderr)
	}
	return decode[rag.Response](t, r.out)
}
