package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"weir/internal/rag"
)

func TestReclaimFreesTheLeasesOfADeadProcess(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(t.Context(), Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Add(t.Context(), "u", rag.NewDocument{Filename: "f", Content: []byte("x"), SHA256: strings.Repeat("0", 64)}); err != nil {
		t.Fatal(err)
	}
	job, err := s.Lease(t.Context(), time.Hour)
	if err != nil || job == nil {
		t.Fatalf("lease: %v, %v", job, err)
	}
	if err := s.Close(); err != nil { // as a killed process leaves it: leased
		t.Fatal(err)
	}
	if s, err = Open(t.Context(), Config{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if again, err := s.Lease(t.Context(), time.Hour); err != nil || again != nil {
		t.Fatalf("before: %v, %v", again, err)
	}
	if err := s.Reclaim(t.Context()); err != nil {
		t.Fatal(err)
	}
	again, err := s.Lease(t.Context(), time.Hour)
	if err != nil || again == nil || again.Attempt != 2 {
		t.Fatalf("after: %v, %v", again, err)
	}
	if err := s.Renew(t.Context(), *job, time.Hour, rag.Parsing, rag.Progress{}); !errors.Is(err, rag.ErrLeaseLost) {
		t.Errorf("the dead holder: %v", err)
	}
}

func TestReclaimLetsADocumentWaitThatMayKill(t *testing.T) {
	var clock atomic.Int64 // the sweeper looks at it too
	clock.Store(time.Unix(1_800_000_000, 0).UnixNano())
	s, err := Open(t.Context(), Config{Dir: t.TempDir(), Now: func() time.Time { return time.Unix(0, clock.Load()) }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, _, err := s.Add(t.Context(), "u", rag.NewDocument{Filename: "f", Content: []byte("x"), SHA256: strings.Repeat("0", 64)}); err != nil {
		t.Fatal(err)
	}
	for attempt, want := range []time.Duration{0, 0, 0, 0, 2 * time.Second, 4 * time.Second, 8 * time.Second} {
		clock.Add(int64(want))
		if want > 0 {
			clock.Add(-1)
			if job, err := s.Lease(t.Context(), time.Hour); err != nil || job != nil {
				t.Fatalf("attempt %d came before %v: %v, %v", attempt+1, want, job, err)
			}
			clock.Add(1)
		}
		if job, err := s.Lease(t.Context(), time.Hour); err != nil || job == nil || job.Attempt != attempt+1 {
			t.Fatalf("attempt %d did not come after %v: %v, %v", attempt+1, want, job, err)
		}
		if err := s.Reclaim(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCheckSeesDamage(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(t.Context(), Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Check(t.Context()); err != nil {
		t.Errorf("a whole store: %v", err)
	}
	if _, _, err := s.Add(t.Context(), "u", rag.NewDocument{Filename: "f", Content: make([]byte, 1<<20), SHA256: strings.Repeat("0", 64)}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, fileName)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(content) / 2; i < len(content); i++ {
		content[i] ^= 0x5a
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(t.Context(), Config{Dir: dir}); err != nil {
		return // seen even earlier
	}
	defer s.Close()
	if err := s.Check(t.Context()); err == nil {
		t.Error("the damage was not seen")
	}
}
