package sqlite_test

import (
	"testing"

	"weir/internal/rag"
	"weir/internal/sqlite"
	"weir/internal/storetest"
)

func open(t testing.TB, cfg sqlite.Config) *sqlite.Store {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	s, err := sqlite.Open(t.Context(), cfg)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) rag.Store { return open(t, sqlite.Config{}) })
}

// TestStoreTiny evicts a user's index as soon as another is searched.
func TestStoreTiny(t *testing.T) {
	storetest.Run(t, func(t *testing.T) rag.Store { return open(t, sqlite.Config{IndexMemory: 1, Searches: 1}) })
}

func TestReopen(t *testing.T) {
	storetest.RunReopen(t, func(t *testing.T) func() rag.Store {
		dir := t.TempDir()
		return func() rag.Store { return open(t, sqlite.Config{Dir: dir}) }
	})
}

func TestReembedder(t *testing.T) {
	storetest.RunReembedder(t, func(t *testing.T) func() rag.Store {
		dir := t.TempDir()
		return func() rag.Store { return open(t, sqlite.Config{Dir: dir}) }
	})
}
