package postgres_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"weir/internal/postgres/pgtest"
)

// shared is the cluster of the tests that do it no harm, started by the first
// of them.
var shared struct {
	once    sync.Once
	cluster *pgtest.Cluster
	err     error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.cluster != nil {
		if err := shared.cluster.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func cluster(t testing.TB) *pgtest.Cluster {
	t.Helper()
	shared.once.Do(func() {
		shared.cluster, shared.err = pgtest.New(context.Background(), pgtest.Settings{MaxConnections: 200})
	})
	pgtest.Need(t, shared.err)
	return shared.cluster
}
