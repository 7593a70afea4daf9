//go:build unix

package identity

import (
	"bufio"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"weir/internal/rag"
)

// A pipe is an audit log where somebody reads it. Where nobody does, a server would wait for
// a reader before it began; it says so instead.
func TestAuditIntoAPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	if _, err := NewAudit(path, log); !errors.Is(err, syscall.ENXIO) {
		t.Errorf("a pipe that nobody reads: %v", err)
	}
	reader, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	a, err := NewAudit(path, log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); a.Run(ctx) }()
	a.Note(rag.Deed{What: "GET /v1/documents", Status: 200})
	cancel() // what is left is written
	<-done
	if line, err := bufio.NewReader(reader).ReadString('\n'); err != nil || !strings.Contains(line, "GET /v1/documents") {
		t.Errorf("read %q, %v", line, err)
	}
}
