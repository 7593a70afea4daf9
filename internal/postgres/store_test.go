package postgres_test

import (
	"cmp"
	"testing"
	"time"

	"weir/internal/postgres"
	"weir/internal/postgres/pgtest"
	"weir/internal/rag"
	"weir/internal/storetest"
)

// open opens a store that ends with the test, and has it wait for a connection
// for long unless cfg says otherwise: that 64 callers do not all get one of four
// within two seconds may be the machine's.
func open(t testing.TB, cfg postgres.Config) *postgres.Store {
	t.Helper()
	cfg.AcquireTimeout = cmp.Or(cfg.AcquireTimeout, time.Minute)
	s, err := postgres.Open(t.Context(), cfg)
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

func address(t testing.TB) string {
	t.Helper()
	c := cluster(t)
	return c.URL(pgtest.Role, c.Database(t))
}

func TestStore(t *testing.T) {
	cluster(t)
	storetest.Run(t, func(t *testing.T) rag.Store { return open(t, postgres.Config{Address: address(t)}) })
}

// TestStoreTiny evicts a user's index as soon as nobody searches it, and has few
// connections.
func TestStoreTiny(t *testing.T) {
	cluster(t)
	if testing.Short() {
		t.Skip("skipped: the same tests once more")
	}
	storetest.Run(t, func(t *testing.T) rag.Store {
		return open(t, postgres.Config{Address: address(t), Searches: 2, Others: 1, IndexMemory: 1})
	})
}

func TestReopen(t *testing.T) {
	cluster(t)
	storetest.RunReopen(t, func(t *testing.T) func() rag.Store {
		a := address(t)
		return func() rag.Store { return open(t, postgres.Config{Address: a}) }
	})
}

// TestStoreBehindPooler has a pgbouncer between, that hands out four server
// connections for a transaction at a time.
func TestStoreBehindPooler(t *testing.T) {
	c := cluster(t)
	if testing.Short() {
		t.Skip("skipped: the same tests once more")
	}
	storetest.Run(t, func(t *testing.T) rag.Store {
		return open(t, postgres.Config{Address: c.Pooler(t, c.Database(t), 4)})
	})
}

func TestReembedder(t *testing.T) {
	cluster(t)
	storetest.RunReembedder(t, func(t *testing.T) func() rag.Store {
		a := address(t)
		return func() rag.Store { return open(t, postgres.Config{Address: a}) }
	})
}
