package e2e

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"weir/internal/postgres/pgtest"
	"weir/internal/rag"
)

const (
	troubleCallers  = 50
	troubleDeadline = 2 * time.Second
	// troubleGrace is how much later than its deadline an answer may be here: the
	// machine runs the callers, the server and the database side by side.
	troubleGrace = 500 * time.Millisecond
	// wholeAgain is how soon all must be well when the database is back.
	wholeAgain = 5 * time.Second
)

// TestDatabaseFailsUnderCallers has 50 callers ask a server over HTTP without a
// pause while its database is frozen, killed and started again, and the pooler
// before it too. No call may be answered after its deadline, all is to be well
// soon, and no connection may be left.
func TestDatabaseFailsUnderCallers(t *testing.T) {
	db := pgtest.Start(t, pgtest.Settings{})
	for _, behind := range []string{"nothing", "a pooler"} {
		database := db.Database(t)
		url := db.URL(pgtest.Role, database)
		var pooler *pgtest.Pooler
		if behind != "nothing" {
			pooler = db.StartPooler(t, database, 8)
			url = pooler.URL
		}
		config := write(t, t.TempDir(), "weir.yaml", "database_url: "+url+"\nstore: postgres\n")
		s := serve(t, filepath.Join(t.TempDir(), "data"), "--config", config)
		d, _, err := s.Client.Upload(t.Context(), user, rag.NewDocument{Filename: "log.md", Content: []byte(logbook(1))})
		if err != nil {
			t.Fatal(err)
		}
		if d, err = s.Client.Wait(t.Context(), user, d.ID); err != nil || d.Status != rag.Ready {
			t.Fatalf("%+v, %v", d, err)
		}
		faults := []fault{
			{"frozen", func() { db.Freeze(t) }, func() { db.Thaw(t) }},
			{"killed", func() { db.Kill(t) }, func() { startCluster(t, db) }},
			{"stopped", func() { db.Stop(t) }, func() { startCluster(t, db) }},
		}
		if pooler != nil {
			faults = append(faults, fault{"the pooler killed", func() { pooler.Kill(t) }, func() { pooler.Start(t) }})
		}
		for _, f := range faults {
			t.Run("behind "+behind+"/"+f.name, func(t *testing.T) { underCallers(t, s, db, database, f) })
		}
		s.stop(t)
	}
}

type fault struct {
	name       string
	fail, mend func()
}

func startCluster(t *testing.T, db *pgtest.Cluster) {
	t.Helper()
	if err := db.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// underCallers breaks the database under callers and mends it.
func underCallers(t *testing.T, s *server, db *pgtest.Cluster, database string, f fault) {
	before := connections(t, db, database)
	c := &crowd{s: s}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	c.begin(ctx)
	c.rounds(t, 2)
	if _, failed, late := c.take(); failed > 0 || late > troubleGrace {
		t.Fatalf("before: %d failed, latest %v", failed, late)
	}
	f.fail()
	c.rounds(t, 2)
	if got := status(t, s, "/readyz"); got != http.StatusServiceUnavailable {
		t.Errorf("/readyz answers %d", got)
	}
	f.mend()
	began := time.Now()
	until(t, wholeAgain, "whole again", func() bool {
		if status(t, s, "/readyz") != http.StatusOK {
			return false
		}
		return c.one(t.Context()) == nil
	})
	back := time.Since(began)
	answered, failed, late := c.take()
	if late > troubleGrace {
		t.Errorf("a call was answered %v after its deadline", late)
	}
	if failed == 0 {
		t.Error("no call met the fault: the test shows nothing")
	}
	c.rounds(t, 2) // what was under way has ended
	c.take()
	c.rounds(t, 2)
	if _, failed, late := c.take(); failed > 0 || late > troubleGrace {
		t.Errorf("afterwards: %d failed, latest %v", failed, late)
	}
	stop()
	c.work.Wait()
	t.Logf("%d answered and %d failed while it happened, the latest %v after its deadline; whole after %v", answered, failed, max(late, 0), back)
	if after := connections(t, db, database); after > pools() {
		t.Errorf("%d connections, %d before, %d at most", after, before, pools())
	}
}

// crowd is callers that ask without a pause.
type crowd struct {
	s    *server
	work sync.WaitGroup

	mu               sync.Mutex
	answered, failed int
	late             time.Duration // of the latest answer, beyond its deadline; below 0: none was
}

func (c *crowd) begin(ctx context.Context) {
	c.late = -troubleDeadline
	for range troubleCallers {
		c.work.Go(func() {
			for ctx.Err() == nil {
				began := time.Now()
				err := c.one(ctx)
				if ctx.Err() != nil {
					return
				}
				c.mu.Lock()
				c.late = max(c.late, time.Since(began)-troubleDeadline)
				if err != nil {
					c.failed++
				} else {
					c.answered++
				}
				c.mu.Unlock()
			}
		})
	}
}

func (c *crowd) one(ctx context.Context) error {
	got, err := c.s.Client.Retrieve(ctx, user, rag.Request{Query: "what did ship01 note in watch01x3x2?", TimeoutMS: int(troubleDeadline.Milliseconds())})
	if err == nil && len(got.Chunks) == 0 {
		err = fmt.Errorf("an empty answer: %+v", got)
	}
	return err
}

// take returns what happened since it was called before.
func (c *crowd) take() (answered, failed int, late time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	answered, failed, late = c.answered, c.failed, c.late
	c.answered, c.failed, c.late = 0, 0, -troubleDeadline
	return answered, failed, late
}

// rounds waits until every caller has on average had so many answers more.
func (c *crowd) rounds(t *testing.T, n int) {
	t.Helper()
	c.mu.Lock()
	from := c.answered + c.failed
	c.mu.Unlock()
	until(t, time.Duration(n+2)*(troubleDeadline+troubleGrace), "answers", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.answered+c.failed >= from+n*troubleCallers
	})
}

func status(t *testing.T, s *server, path string) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// connections counts those to a database, once none is at work.
func connections(t *testing.T, db *pgtest.Cluster, database string) int64 {
	t.Helper()
	until(t, patience, "no connection is at work", func() bool {
		return db.Number(t, "postgres", fmt.Sprintf("SELECT count(*) FROM pg_stat_activity WHERE datname = '%s' AND state <> 'idle'", database)) == 0
	})
	return db.Number(t, "postgres", fmt.Sprintf("SELECT count(*) FROM pg_stat_activity WHERE datname = '%s'", database))
}

// pools is how many connections a server keeps at most: those of searches, and
// those of all else.
func pools() int64 { return int64(max(4, 2*runtime.GOMAXPROCS(0)) + 6) }
