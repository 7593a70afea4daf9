package postgres_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"weir/internal/postgres"
	"weir/internal/postgres/pgtest"
)

// TestACancellationThatWasMeantForAnother: the server's word that a statement
// took too long, or a pooler's that its caller left, may come when the statement
// is over, and then hits the next one on the connection. That one has time left
// and is made again.
func TestACancellationThatWasMeantForAnother(t *testing.T) {
	c := cluster(t)
	db := c.Database(t)
	s := open(t, postgres.Config{Address: c.URL(pgtest.Role, db)})
	publish(t, s, alice, "a.txt", 1, testModel(), rand.New(rand.NewPCG(1, 2)))
	for _, deadline := range []bool{false, true} {
		ctx, cancel := t.Context(), context.CancelFunc(func() {})
		if deadline {
			ctx, cancel = context.WithTimeout(ctx, time.Minute)
		}
		release := lock(t, c, db)
		told := make(chan error, 1)
		go func() {
			_, err := s.Candidates(ctx, alice, question(rand.New(rand.NewPCG(1, 2))))
			told <- err
		}()
		await(t, c, db, true)
		const calls = "FROM pg_stat_activity WHERE datname = '%s' AND application_name = 'weir' AND state = 'active' AND wait_event_type = 'Lock'"
		at := c.Number(t, "postgres", fmt.Sprintf("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint + 0 * count(pg_cancel_backend(pid)) "+calls, db))
		tick := time.NewTicker(10 * time.Millisecond)
		for again := int64(0); again == 0; <-tick.C { // waits in the database once more
			again = c.Number(t, "postgres", fmt.Sprintf("SELECT count(*) "+calls+" AND extract(epoch FROM xact_start) * 1000000 > %d", db, at))
			if len(told) > 0 {
				break
			}
		}
		tick.Stop()
		release()
		if err := <-told; err != nil {
			t.Errorf("with a deadline %t: %v", deadline, err)
		}
		cancel()
	}
}
