// Package e2e drives the built program from outside: as a process, over HTTP
// and with signals.
//
// It runs when WEIR_E2E is 1, as .ci/run does; "go test ./..." alone skips it.
package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"weir/internal/httpapi"
)

// binary is the path of the program under test.
var binary string

func TestMain(m *testing.M) {
	if os.Getenv("WEIR_E2E") != "1" {
		fmt.Println("skipped: set WEIR_E2E=1 to build the program and drive it from outside")
		return
	}
	os.Exit(build(m))
}

func build(m *testing.M) int {
	dir, err := os.MkdirTemp("", "weir-e2e-")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(dir) //nolint:errcheck // of the system's temporary folder
	binary = filepath.Join(dir, "weir")
	cmd := exec.Command("go", "build", "-o", binary, "../cmd/weir")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Printf("the program does not build without cgo: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// environment is what the program needs and no more: the settings of whoever
// runs the tests are not the tests'.
func environment() []string {
	var env []string
	for _, name := range []string{"HOME", "PATH", "TMPDIR", "XDG_CACHE_HOME"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// patience is how long anything here may take.
const patience = 2 * time.Minute

type result struct {
	code        int
	out, stderr string
}

// weir runs the program to its end.
func weir(t *testing.T, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = environment()
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), stderr.String()}
}

// server is a running server.
type server struct {
	cmd    *exec.Cmd
	url    string
	head   string
	client *httpapi.Client
	stderr *buffer
	ended  chan struct{}
}

// buffer is a bytes.Buffer for a process to write to while others look.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// serve starts a server on a free port and returns when it is ready.
func serve(t *testing.T, data string, args ...string) *server {
	t.Helper()
	last := "Search is "
	if slices.Contains(args, "--docs") {
		last = "curl "
	}
	args = append([]string{"serve", "--listen", "127.0.0.1:0", "--data", data}, args...)
	cmd := exec.Command(binary, args...)
	cmd.Env = environment()
	s := &server{cmd: cmd, stderr: &buffer{}, ended: make(chan struct{})}
	cmd.Stderr = s.stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.kill() })
	ready := make(chan struct{})
	go func() {
		defer close(s.ended)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			s.head += lines.Text() + "\n"
			if url, ok := strings.CutPrefix(lines.Text(), "Weir is ready at "); ok {
				s.url = url
			}
			if strings.Contains(lines.Text(), last) {
				close(ready)
				break
			}
		}
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-ready:
	case <-s.ended:
		t.Fatalf("the server ended: %s", s.stderr)
	case <-timer.C:
		t.Fatalf("the server is not ready after %v: %s", patience, s.stderr)
	}
	s.client, err = httpapi.NewClient(httpapi.ClientConfig{BaseURL: s.url})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// kill ends the process as a power cut would.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	<-s.ended
}

// stop ends it in order and returns its exit code.
func (s *server) stop(t *testing.T) int {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-s.ended:
	case <-timer.C:
		t.Fatalf("the server did not stop within %v: %s", patience, s.stderr)
	}
	return s.cmd.ProcessState.ExitCode()
}

func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return v
}
