package weirtest

import (
	"bufio"
	"bytes"
	"io"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/internal/httpapi"
)

// Server is the program, serving.
type Server struct {
	Cmd    *exec.Cmd
	URL    string
	Head   string        // what it said until it was ready
	Ended  chan struct{} // closed when it has
	Stderr *Buffer
	Client *httpapi.Client
}

// Buffer is a bytes.Buffer for a process to write to while others look.
type Buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// Start starts cmd, which is to serve on a free port, and returns when it has
// printed a line with last in it. It is killed when the test is over. patience
// is how long it may take.
func Start(t *testing.T, cmd *exec.Cmd, last string, patience time.Duration) *Server {
	t.Helper()
	s := &Server{Cmd: cmd, Stderr: &Buffer{}, Ended: make(chan struct{})}
	cmd.Stderr = s.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	ready := make(chan struct{})
	go func() {
		defer close(s.Ended)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			s.Head += lines.Text() + "\n"
			if url, ok := strings.CutPrefix(lines.Text(), "Weir is ready at "); ok {
				s.URL = url
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
	case <-s.Ended:
		t.Fatalf("the server ended: %s", s.Stderr)
	case <-timer.C:
		t.Fatalf("the server is not ready after %v: %s", patience, s.Stderr)
	}
	if s.Client, err = httpapi.NewClient(httpapi.ClientConfig{BaseURL: s.URL}); err != nil {
		t.Fatal(err)
	}
	return s
}

// Kill ends the process as a power cut would.
func (s *Server) Kill() {
	_ = s.Cmd.Process.Kill()
	<-s.Ended
}
