// Package e2e drives the built program from outside: as a process, over HTTP
// and with signals.
//
// It runs when WEIR_E2E is 1, as .ci/run does; "go test ./..." alone skips it.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"weir/e2e/weirtest"
)

// binary is the path of the program under test.
var binary string

func TestMain(m *testing.M) {
	if os.Getenv("WEIR_E2E") != "1" {
		fmt.Println("skipped: set WEIR_E2E=1 to build the program and drive it from outside")
		return
	}
	os.Exit(weirtest.Run(m, &binary))
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
	cmd.Env = weirtest.Environment()
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), stderr.String()}
}

// server is the program, serving.
type server struct{ *weirtest.Server }

// serve starts a server on a free port and returns when it is ready.
func serve(t *testing.T, data string, args ...string) *server {
	t.Helper()
	last := "Search is "
	if slices.Contains(args, "--docs") {
		last = "curl "
	}
	args = append([]string{"serve", "--listen", "127.0.0.1:0", "--data", data}, args...)
	cmd := exec.Command(binary, args...)
	cmd.Env = weirtest.Environment()
	return &server{weirtest.Start(t, cmd, last, patience)}
}

// stop ends it in order and returns its exit code.
func (s *server) stop(t *testing.T) int {
	t.Helper()
	if err := s.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-s.Ended:
	case <-timer.C:
		t.Fatalf("the server did not stop within %v: %s", patience, s.Stderr)
	}
	return s.Cmd.ProcessState.ExitCode()
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
