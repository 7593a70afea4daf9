package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"weir/internal/postgres"
	"weir/internal/postgres/pgtest"
	"weir/internal/rag"
	"weir/internal/storetest"
)

// connection is one beside the store's, closed at the end of the test.
func connection(t testing.TB, address string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// counted is an embedder that counts what it makes.
type counted struct {
	rag.Embedder
	texts atomic.Int64
}

func (c *counted) Embed(ctx context.Context, user rag.User, p rag.Purpose, texts []string) ([][]float32, error) {
	c.texts.Add(int64(len(texts)))
	return c.Embedder.Embed(ctx, user, p, texts)
}

// TestTwoServersMoveAtOnce: one does, and the other is told; asked again it moves
// them too. No vector is made twice.
func TestTwoServersMoveAtOnce(t *testing.T) {
	c := cluster(t)
	db := c.Database(t)
	a := c.URL(pgtest.Role, db)
	filling := open(t, postgres.Config{Address: a})
	settled(t, filling)
	const documents, chunks = 12, 7
	for i := range documents {
		publish(t, filling, alice, fmt.Sprintf("%d.txt", i), chunks, testModel(), rand.New(rand.NewPCG(1, uint64(i))))
	}
	second, third := rag.Model{Name: "second", Dim: 8}, rag.Model{Name: "third", Dim: 12}
	for round, models := range [][2]rag.Model{{second, third}, {testModel(), testModel()}} {
		var made [2]*counted
		var errs [2]error
		var wg sync.WaitGroup
		gate := make(chan struct{})
		var servers [2]*rag.Service
		for i, m := range models {
			made[i] = &counted{Embedder: storetest.Embedder(m)}
			servers[i] = settled(t, open(t, postgres.Config{Address: a}))
			wg.Go(func() {
				<-gate
				errs[i] = servers[i].Reembed(t.Context(), made[i], nil)
			})
		}
		close(gate)
		wg.Wait()
		for i, err := range errs {
			if err != nil && rag.CodeOf(err) != rag.Conflict {
				t.Fatalf("round %d: %v", round, err)
			}
			if err == nil {
				continue
			}
			if n := made[i].texts.Load(); n != 0 {
				t.Errorf("round %d: the second one made %d vectors", round, n)
			}
			if err := servers[i].Reembed(t.Context(), made[i], nil); err != nil {
				t.Errorf("round %d: asked again: %v", round, err)
			}
		}
		all := made[0].texts.Load() + made[1].texts.Load()
		want := int64(documents * chunks * 2)
		if models[0] == models[1] {
			want /= 2
		}
		if all < want || all > want+4 { // a sample or two
			t.Errorf("round %d: %d vectors were made, want %d", round, all, want)
		}
		swept(t, filling, func() error {
			if n := c.Number(t, db, "SELECT count(*) FROM weir.vectors"); n != documents*chunks {
				return fmt.Errorf("round %d: %d vectors are left of %d passages", round, n, documents*chunks)
			}
			return nil
		})
	}
}

// begin takes the lease on a move.
func begin(t testing.TB, s *postgres.Store, m rag.Model, ttl time.Duration) rag.MoveLease {
	t.Helper()
	l, err := s.BeginMove(t.Context(), m, ttl)
	if err != nil {
		t.Fatalf("BeginMove: %v", err)
	}
	return l
}

// put makes the vectors of the first outdated document.
func put(t testing.TB, s *postgres.Store, l rag.MoveLease, r *rand.Rand) rag.Outdated {
	t.Helper()
	o, err := s.Outdated(t.Context(), l.To, 0)
	if err != nil || o == nil {
		t.Fatalf("Outdated: %v, %v", o, err)
	}
	if err := s.PutMoved(t.Context(), l, *o, []int{0, 1, 2}, [][]float32{vector(r, l.To.Dim), vector(r, l.To.Dim), vector(r, l.To.Dim)}); err != nil {
		t.Fatal(err)
	}
	return *o
}

// TestTheLeaseDuringASwitch: while all documents are changed over, the lease can
// be renewed, and cannot be taken, although it has run out.
func TestTheLeaseDuringASwitch(t *testing.T) {
	c := cluster(t)
	db := c.Database(t)
	a := c.URL(pgtest.Role, db)
	s, other := open(t, postgres.Config{Address: a}), open(t, postgres.Config{Address: a})
	l := begin(t, s, testModel(), time.Nanosecond)
	conn := connection(t, c.Superuser(db))
	if _, err := conn.Exec(t.Context(), "BEGIN; SELECT FROM weir.moves FOR UPDATE; SELECT FROM weir.move_lease WHERE token <> '' FOR KEY SHARE"); err != nil {
		t.Fatal(err)
	}
	soon := func() (context.Context, context.CancelFunc) {
		return context.WithTimeout(t.Context(), 500*time.Millisecond)
	}
	ctx, cancel := soon()
	defer cancel()
	if _, err := other.BeginMove(ctx, testModel(), time.Hour); rag.CodeOf(err) != rag.Timeout {
		t.Errorf("a second one after the lease has run out: %v", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := s.RenewMove(ctx, l, time.Hour); err != nil {
		t.Fatalf("RenewMove: %v", err)
	}
	if _, err := other.BeginMove(ctx, testModel(), time.Hour); rag.CodeOf(err) != rag.Conflict {
		t.Errorf("a second one: %v", err)
	}
	if _, err := conn.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := s.EndMove(ctx, l); err != nil {
		t.Fatal(err)
	}
	begin(t, other, testModel(), time.Hour)
}

// The statements with which a server of schema version 1 moves documents; it
// knows of no lease.
const (
	olderBegins = `
INSERT INTO weir.models (name, dimensions) VALUES ('older', 2) ON CONFLICT DO NOTHING;
UPDATE weir.moves SET target = (SELECT key FROM weir.models WHERE name = 'older');`
	olderPrepares = olderBegins + `
INSERT INTO weir.vectors (owner, model, body, idx, v) SELECT c.owner, m.target, c.body, c.idx, '[1,0]' FROM weir.chunks c, weir.moves m;
UPDATE weir.documents SET next_model = (SELECT target FROM weir.moves);`
	olderSwitches = `
UPDATE weir.owners SET generation = generation + 1;
UPDATE weir.documents SET model = CASE WHEN next_model = m.key THEN next_model ELSE model END, next_model = NULL, old_vectors = true
FROM weir.models m WHERE m.name = 'older' AND status = 'ready' AND chunks > 0;
UPDATE weir.moves SET live = (SELECT key FROM weir.models WHERE name = 'older'), target = NULL;`
)

// TestAMoveBesideAnOlderServers: during a rolling upgrade a server of before may
// move the documents beside the one that has the lease, at any point of its
// move. Work may be done twice; in the end all documents are of one model, with
// all their vectors.
func TestAMoveBesideAnOlderServers(t *testing.T) {
	for _, test := range []struct {
		name                        string
		begun, prepared, afterwards string
	}{
		{"all of it before a document is prepared", olderPrepares + olderSwitches, "", ""},
		{"all of it after", "", olderPrepares + olderSwitches, ""},
		{"around it", olderBegins, olderPrepares + olderSwitches, ""},
		{"its end is later", olderBegins, "", olderPrepares + olderSwitches},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := cluster(t)
			db := c.Database(t)
			s := open(t, postgres.Config{Address: c.URL(pgtest.Role, db)})
			settled(t, s)
			r := rand.New(rand.NewPCG(7, 8))
			publish(t, s, alice, "a.txt", 3, testModel(), r)
			older := func(sql string) {
				if sql != "" {
					c.SQL(t, db, sql)
				}
				if err := s.SweepAll(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			to := rag.Model{Name: "to", Dim: 8}
			l := begin(t, s, to, time.Hour)
			o := put(t, s, l, r)
			older(test.begun)
			for s.Prepare(t.Context(), l, o) != nil { // what the older one's end took with it is made again
				put(t, s, l, r)
			}
			older(test.prepared)
			left, err := s.SwitchModel(t.Context(), l)
			for ; err == nil && left > 0; left, err = s.SwitchModel(t.Context(), l) {
				if err := s.Prepare(t.Context(), l, put(t, s, l, r)); err != nil {
					t.Fatal(err)
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := s.EndMove(t.Context(), l); err != nil {
				t.Fatal(err)
			}
			older(test.afterwards)
			want := to
			if test.afterwards != "" {
				want = rag.Model{Name: "older", Dim: 2}
				older("")
			}
			live, err := s.LiveModel(t.Context())
			if err != nil || live != want {
				t.Errorf("in use: %v, %v", live, err)
			}
			got, err := s.Candidates(t.Context(), alice, rag.Query{Vector: vector(r, want.Dim), Model: want, Limit: 5})
			if err != nil || len(got.Vector) != 3 || got.NoVector != 0 {
				t.Errorf("of %v: %d of 3 passages by vectors, %d known to have none, %v", want, len(got.Vector), got.NoVector, err)
			}
			if n := c.Number(t, db, "SELECT count(*) FROM weir.vectors"); n != 3 {
				t.Errorf("%d vectors are left of 3 passages", n)
			}
		})
	}
}

// TestSwitchIsNotHeldUp: a server that is stopped while it changes all documents
// over keeps the others from publishing for a while, and not for as long as
// that may take.
func TestSwitchIsNotHeldUp(t *testing.T) {
	c := cluster(t)
	db := c.Database(t)
	s := open(t, postgres.Config{Address: c.URL(pgtest.Role, db)})
	settled(t, s)
	c.SQL(t, db, `
CREATE TABLE public.seen (ms integer);
CREATE FUNCTION public.see() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
  INSERT INTO public.seen SELECT setting::integer FROM pg_settings WHERE name = 'idle_in_transaction_session_timeout'; RETURN NEW;
END $$;
CREATE TRIGGER see AFTER UPDATE ON weir.moves FOR EACH ROW WHEN (NEW.target IS NULL) EXECUTE FUNCTION public.see()`)
	l, err := s.BeginMove(t.Context(), rag.Model{Name: "other", Dim: 2}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if left, err := s.SwitchModel(t.Context(), l); err != nil || left != 0 {
		t.Fatalf("SwitchModel: %d, %v", left, err)
	}
	if n := c.Number(t, db, "SELECT count(*) FROM public.seen WHERE ms BETWEEN 1 AND 60000"); n != 1 {
		t.Errorf("the database waits for %d ms", c.Number(t, db, "SELECT max(ms) FROM public.seen"))
	}
}

// toVersion1 undoes all migrations but the first.
const toVersion1 = `
DROP TABLE weir.move_lease;
ALTER TABLE weir.documents DROP COLUMN warning;
DELETE FROM weir.schema_versions WHERE version_id >= 2`

// TestUpgradeStopsNoSearch: while a migration waits for one who writes to a table
// that it changes, searches in that table go on.
func TestUpgradeStopsNoSearch(t *testing.T) {
	c := cluster(t)
	db := c.Database(t)
	a := c.URL(pgtest.Role, db)
	r := rand.New(rand.NewPCG(7, 8))
	first := open(t, postgres.Config{Address: a})
	settled(t, first)
	publish(t, first, alice, "a.txt", 3, testModel(), r)
	c.SQL(t, db, toVersion1)
	conn := connection(t, c.URL("postgres", db))
	if _, err := conn.Exec(t.Context(), "BEGIN; UPDATE weir.documents SET updated_at = now()"); err != nil {
		t.Fatal(err)
	}
	opened := make(chan error, 1)
	go func() {
		s, err := postgres.Open(t.Context(), postgres.Config{Address: a})
		if err == nil {
			err = errors.Join(s.Ready(t.Context()), s.Close())
		}
		opened <- err
	}()
	for range 3 {
		for c.Number(t, db, "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'") == 0 {
			if t.Context().Err() != nil {
				t.Fatal("it does not wait")
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		got, err := first.Candidates(ctx, alice, rag.Query{Vector: vector(r, testModel().Dim), Model: testModel(), Limit: 5})
		cancel()
		if err != nil || len(got.Vector) != 3 {
			t.Errorf("meanwhile: %+v, %v", got, err)
		}
	}
	if _, err := conn.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := <-opened; err != nil {
		t.Errorf("Open: %v", err)
	}
}

// TestUpgradeBesideOlderServers: servers of version 1 go on while the schema
// becomes that of version 2, in the middle of a publication and of a move; the
// servers that upgrade it wait for neither.
func TestUpgradeBesideOlderServers(t *testing.T) {
	c := cluster(t)
	db := c.Database(t)
	a := c.URL(pgtest.Role, db)
	r := rand.New(rand.NewPCG(7, 8))
	first := open(t, postgres.Config{Address: a})
	settled(t, first)
	publish(t, first, alice, "a.txt", 3, testModel(), r)
	c.SQL(t, db, toVersion1)
	c.SQL(t, db, olderPrepares)

	// As an older server does that publishes.
	conn := connection(t, c.URL(pgtest.Role, db))
	if _, err := conn.Exec(t.Context(), "BEGIN; SELECT FROM weir.moves FOR SHARE"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			s, err := postgres.Open(ctx, postgres.Config{Address: a})
			if err != nil {
				t.Errorf("Open: %v", err)
				return
			}
			defer s.Close()
			if err := s.Ready(ctx); err != nil {
				t.Errorf("Ready: %v", err)
			}
		})
	}
	wg.Wait()
	if _, err := conn.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if n := c.Number(t, db, "SELECT count(*) FROM weir.move_lease"); n != 1 {
		t.Errorf("%d rows", n)
	}
	s := open(t, postgres.Config{Address: a})
	whole := func(m rag.Model) {
		t.Helper()
		got, err := s.Candidates(t.Context(), alice, rag.Query{Vector: vector(r, m.Dim), Model: m, Limit: 5})
		if err != nil || len(got.Vector) != 3 || got.NoVector != 0 {
			t.Errorf("of %v: %+v, %v", m, got, err)
		}
	}
	whole(testModel())
	c.SQL(t, db, olderSwitches)
	whole(rag.Model{Name: "older", Dim: 2})
}
