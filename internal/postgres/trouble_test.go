package postgres_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"weir/internal/postgres"
	"weir/internal/postgres/pgtest"
	"weir/internal/rag"
)

const alice = rag.User("alice")

func testModel() rag.Model { return rag.Model{Name: "test", Dim: 16} }

func vector(r *rand.Rand, dim int) []float32 {
	v := make([]float32, dim)
	n := 0.0
	for i := range v {
		x := r.NormFloat64()
		v[i] = float32(x)
		n += x * x
	}
	for i := range v {
		v[i] /= float32(math.Sqrt(n))
	}
	return v
}

func upload(name, text string) rag.NewDocument {
	sum := sha256.Sum256([]byte(text))
	return rag.NewDocument{Filename: name, Content: []byte(text), SHA256: hex.EncodeToString(sum[:])}
}

// publish brings a document of n passages to Ready.
func publish(t testing.TB, s rag.Store, user rag.User, name string, n int, m rag.Model, r *rand.Rand) rag.Document {
	t.Helper()
	ctx := t.Context()
	d, _, err := s.Add(ctx, user, upload(name, fmt.Sprint(user, name, r.Uint64())))
	if err != nil {
		t.Fatalf("Add: %v", err)
	}
	job, err := s.Lease(ctx, time.Hour)
	if err != nil || job == nil || job.Document.ID != d.ID {
		t.Fatalf("Lease: %v, %v", job, err)
	}
	var x rag.Extracted
	var indexes []int
	var vectors [][]float32
	for i := range n {
		x.Chunks = append(x.Chunks, rag.Chunk{Index: i, Content: fmt.Sprintf("heron %d of %s", i, name), Tokens: 5})
		indexes, vectors = append(indexes, i), append(vectors, vector(r, m.Dim))
	}
	if err := s.Stage(ctx, *job, x); err != nil {
		t.Fatal(err)
	}
	for from := 0; from < n; from += 1000 {
		to := min(from+1000, n)
		if err := s.PutVectors(ctx, *job, m, indexes[from:to], vectors[from:to]); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Publish(ctx, *job, m); err != nil {
		t.Fatal(err)
	}
	return d
}

func question(r *rand.Rand) rag.Query {
	return rag.Query{Text: "heron", Vector: vector(r, testModel().Dim), Model: testModel(), Limit: 5}
}

// wantTold checks that an error tells a caller what happened.
func wantTold(t testing.TB, err error, doing string, codes ...rag.Code) {
	t.Helper()
	var told *rag.Error
	if !errors.As(err, &told) || told.Phase != "store" || told.Msg == "" {
		t.Errorf("%s: %v, want a rag.Error of the store", doing, err)
		return
	}
	for _, code := range codes {
		if told.Code == code {
			return
		}
	}
	t.Errorf("%s: %v, want one of %v", doing, err, codes)
}

// callers asks n times at once, each with a deadline, and returns how long the
// longest took beyond it, and the errors.
func callers(t testing.TB, s rag.Store, n int, d time.Duration) (late time.Duration, errs []error) {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(i)))
			deadline := time.Now().Add(d)
			ctx, cancel := context.WithDeadline(t.Context(), deadline)
			defer cancel()
			c, err := s.Candidates(ctx, alice, question(r))
			over := time.Since(deadline)
			if err == nil && (len(c.Lexical) == 0 || len(c.Vector) == 0) {
				err = fmt.Errorf("found %+v", c)
			}
			mu.Lock()
			defer mu.Unlock()
			late = max(late, over)
			if err != nil {
				errs = append(errs, err)
			}
		})
	}
	wg.Wait()
	return late, errs
}

// whole waits until the store is ready. It takes a second; e2e holds it to five,
// with the machine for itself.
func whole(t testing.TB, s rag.Store) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		try, stop := context.WithTimeout(ctx, 3*time.Second)
		err := s.Ready(try)
		stop()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("not whole again: %v", err)
		}
	}
}

// grace is how much later than its deadline a call of a store may return; the
// service above leaves at the deadline itself.
const grace = time.Second

func TestDatabaseFails(t *testing.T) {
	const whileFailed = time.Second // the deadline of each call
	c := pgtest.Start(t, pgtest.Settings{})
	for _, test := range []struct {
		name       string
		fail, mend func(t testing.TB)
		codes      []rag.Code
	}{
		{"frozen", c.Freeze, c.Thaw, []rag.Code{rag.Timeout, rag.Unavailable}},
		{"stopped", c.Stop, func(t testing.TB) { start(t, c) }, []rag.Code{rag.Unavailable}},
		{"killed", c.Kill, func(t testing.TB) { start(t, c) }, []rag.Code{rag.Unavailable}},
	} {
		t.Run(test.name, func(t *testing.T) {
			db := c.Database(t)
			s := open(t, postgres.Config{Address: c.URL(pgtest.Role, db)})
			publish(t, s, alice, "a.txt", 20, testModel(), rand.New(rand.NewPCG(1, 2)))
			if late, errs := callers(t, s, 50, 20*time.Second); len(errs) > 0 || late > grace {
				t.Fatalf("before: %v late, %v", late, errs)
			}
			before := connections(t, c, db)

			// Under way when it happens, and begun afterwards.
			var wg sync.WaitGroup
			stop := make(chan struct{})
			for range 50 {
				wg.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
						}
						late, errs := callers(t, s, 1, whileFailed)
						if late > grace {
							t.Errorf("%v late", late)
						}
						for _, err := range errs {
							wantTold(t, err, "a search", append(test.codes, rag.Unavailable, rag.Timeout)...)
						}
					}
				})
			}
			test.fail(t)
			late, errs := callers(t, s, 50, whileFailed)
			if late > grace || len(errs) != 50 {
				t.Errorf("while failed: %v late, %d of 50 failed", late, len(errs))
			}
			for _, err := range errs {
				wantTold(t, err, "a search", test.codes...)
			}
			ctx, cancel := context.WithTimeout(t.Context(), whileFailed)
			wantTold(t, s.Ready(ctx), "Ready", test.codes...)
			cancel()
			ctx, cancel = context.WithTimeout(t.Context(), whileFailed)
			_, _, err := s.Add(ctx, alice, upload("b.txt", "b"))
			cancel()
			wantTold(t, err, "Add", test.codes...)
			test.mend(t)
			whole(t, s)
			close(stop)
			wg.Wait()
			if late, errs := callers(t, s, 50, 20*time.Second); len(errs) > 0 || late > grace {
				t.Errorf("afterwards: %v late, %v", late, errs)
			}
			if after := connections(t, c, db); after > before+2 { // what is being closed
				t.Errorf("%d connections, %d before", after, before)
			}
		})
	}
}

// TestCloseFrozen: a store can be closed, and is not opened for long, while the
// database does not answer.
func TestCloseFrozen(t *testing.T) {
	c := pgtest.Start(t, pgtest.Settings{})
	a := c.URL(pgtest.Role, c.Database(t))
	s, err := postgres.Open(t.Context(), postgres.Config{Address: a})
	if err != nil {
		t.Fatal(err)
	}
	publish(t, s, alice, "a.txt", 20, testModel(), rand.New(rand.NewPCG(1, 2)))
	callers(t, s, 20, 5*time.Second)
	c.Freeze(t)
	defer c.Thaw(t)
	callers(t, s, 20, 200*time.Millisecond)
	began := time.Now()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("closing took %v", took)
	}
	began = time.Now()
	_, err = postgres.Open(t.Context(), postgres.Config{Address: a, ConnectTimeout: time.Second})
	wantTold(t, err, "Open", rag.Unavailable)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("opening took %v", took)
	}
}

func start(t testing.TB, c *pgtest.Cluster) {
	t.Helper()
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// connections counts those to a database, once those that are abandoned are gone.
func connections(t testing.TB, c *pgtest.Cluster, db string) int64 {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	last := int64(0)
	for range 60 {
		n := c.Number(t, "postgres", fmt.Sprintf("SELECT count(*) FROM pg_stat_activity WHERE datname = '%s' AND state <> 'idle'", db))
		last = c.Number(t, "postgres", fmt.Sprintf("SELECT count(*) FROM pg_stat_activity WHERE datname = '%s'", db))
		if n == 0 && last <= 14 {
			return last
		}
		<-tick.C
	}
	return last
}

func TestStandby(t *testing.T) {
	c := pgtest.Start(t, pgtest.Settings{})
	db := c.Database(t)
	s := open(t, postgres.Config{Address: c.URL(pgtest.Role, db)})
	publish(t, s, alice, "a.txt", 20, testModel(), rand.New(rand.NewPCG(1, 2)))
	if _, _, err := s.Add(t.Context(), alice, upload("queued.txt", "queued")); err != nil {
		t.Fatal(err)
	}
	c.Stop(t)
	mark := c.Standby(t)
	start(t, c)
	if late, errs := callers(t, s, 10, 5*time.Second); len(errs) > 0 || late > grace {
		t.Errorf("a standby is to be read: %v", errs)
	}
	_, _, err := s.Add(t.Context(), alice, upload("b.txt", "b"))
	wantTold(t, err, "Add", rag.Unavailable)
	_, err = s.Lease(t.Context(), time.Hour)
	wantTold(t, err, "Lease", rag.Unavailable)
	wantTold(t, s.Ready(t.Context()), "Ready", rag.Unavailable)
	c.Stop(t)
	if err := os.Remove(mark); err != nil {
		t.Fatal(err)
	}
	start(t, c)
	whole(t, s)
	if _, _, err := s.Add(t.Context(), alice, upload("b.txt", "b")); err != nil {
		t.Error(err)
	}
}

func TestReadOnly(t *testing.T) {
	c := cluster(t)
	db := c.Database(t)
	s := open(t, postgres.Config{Address: c.URL(pgtest.Role, db)})
	publish(t, s, alice, "a.txt", 20, testModel(), rand.New(rand.NewPCG(1, 2)))
	drop := fmt.Sprintf("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '%s'", db)
	c.SQL(t, "postgres", fmt.Sprintf("ALTER DATABASE %s SET default_transaction_read_only = on", db))
	c.SQL(t, "postgres", drop)
	if _, errs := callers(t, s, 10, 5*time.Second); len(errs) > 0 {
		t.Errorf("to be read: %v", errs)
	}
	_, _, err := s.Add(t.Context(), alice, upload("b.txt", "b"))
	wantTold(t, err, "Add", rag.Unavailable)
	wantTold(t, s.Ready(t.Context()), "Ready", rag.Unavailable)
	c.SQL(t, "postgres", fmt.Sprintf("ALTER DATABASE %s RESET default_transaction_read_only", db))
	c.SQL(t, "postgres", drop)
	whole(t, s)
	if _, _, err := s.Add(t.Context(), alice, upload("b.txt", "b")); err != nil {
		t.Error(err)
	}
}

func TestOutOfConnections(t *testing.T) {
	const most, reserved = 12, 3 // the latter for superusers, as a server comes
	c := pgtest.Start(t, pgtest.Settings{MaxConnections: most})
	db := c.Database(t)
	s := open(t, postgres.Config{Address: c.URL(pgtest.Role, db), Searches: 4, Others: 2})
	publish(t, s, alice, "a.txt", 5, testModel(), rand.New(rand.NewPCG(1, 2)))
	var hogs []*pgx.Conn
	// All of them, not all that are to be had now: one that was closed a moment
	// ago may still have its place, and leaves it to the store.
	for len(hogs) < most-reserved {
		c.SQL(t, "postgres", fmt.Sprintf("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '%s'", db))
		for { // what the store was faster to take again goes in the next round
			conn, err := pgx.Connect(t.Context(), c.URL(pgtest.Role, "postgres"))
			if err != nil {
				break
			}
			hogs = append(hogs, conn)
		}
	}
	late, errs := callers(t, s, 20, 2*time.Second)
	if late > grace || len(errs) != 20 {
		t.Errorf("%v late, %d of 20 failed", late, len(errs))
	}
	for _, err := range errs {
		wantTold(t, err, "a search", rag.Unavailable, rag.Timeout)
	}
	wantTold(t, s.Ready(t.Context()), "Ready", rag.Unavailable)
	for _, conn := range hogs {
		if err := conn.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	whole(t, s)
	if _, errs := callers(t, s, 20, 20*time.Second); len(errs) > 0 {
		t.Errorf("afterwards: %v", errs)
	}
}

// TestBusyPool: all connections are in use by calls that take long.
func TestBusyPool(t *testing.T) {
	c := cluster(t)
	db := c.Database(t)
	s := open(t, postgres.Config{Address: c.URL(pgtest.Role, db), Searches: 2, Others: 1, AcquireTimeout: 500 * time.Millisecond})
	publish(t, s, alice, "a.txt", 5, testModel(), rand.New(rand.NewPCG(1, 2)))
	release := lock(t, c, db)
	_, errs := callers(t, s, 20, 3*time.Second)
	busy := 0
	for _, err := range errs {
		wantTold(t, err, "a search", rag.Unavailable, rag.Timeout)
		if strings.Contains(err.Error(), "all 2 connections to the database are busy") {
			busy++
		}
	}
	if len(errs) != 20 || busy < 10 {
		t.Errorf("%d errors, %d of them for want of a connection", len(errs), busy)
	}
	release()
	for try := 1; ; try++ { // one at a time: on a busy machine half a second is little for 20
		_, errs := callers(t, s, 1, 20*time.Second)
		if len(errs) == 0 {
			break
		}
		if try == 50 {
			t.Fatalf("afterwards: %v", errs)
		}
	}
}

// lock makes everybody wait who reads documents, until it is released.
func lock(t testing.TB, c *pgtest.Cluster, db string) (release func()) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), c.Superuser(db))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "BEGIN; LOCK TABLE weir.owners IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := conn.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}
}

// TestSlow: what takes too long ends at the deadline, on the server too, and
// the connection is still good.
func TestSlow(t *testing.T) {
	c := cluster(t)
	db := c.Database(t)
	s := open(t, postgres.Config{Address: c.URL(pgtest.Role, db)})
	publish(t, s, alice, "a.txt", 5, testModel(), rand.New(rand.NewPCG(1, 2)))
	release := lock(t, c, db)
	late, errs := callers(t, s, 4, 500*time.Millisecond)
	if late > grace || len(errs) != 4 {
		t.Errorf("%v late, %v", late, errs)
	}
	for _, err := range errs {
		wantTold(t, err, "a search", rag.Timeout)
	}
	// A caller who leaves is followed by the server.
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, err := s.Candidates(ctx, alice, question(rand.New(rand.NewPCG(1, 2))))
		left <- err
	}()
	await(t, c, db, true)
	cancel()
	wantTold(t, <-left, "a search", rag.Canceled)
	await(t, c, db, false)
	release()
	if _, errs := callers(t, s, 20, 20*time.Second); len(errs) > 0 {
		t.Errorf("afterwards: %v", errs)
	}
}

// await waits until some call of the store waits for a lock in the database, or
// none is in it.
func await(t testing.TB, c *pgtest.Cluster, db string, some bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	state := "state = 'active'"
	if some { // on its way there it is active too, and may meet a cancellation between two statements
		state += " AND wait_event_type = 'Lock'"
	}
	for range 3000 {
		n := c.Number(t, "postgres", fmt.Sprintf("SELECT count(*) FROM pg_stat_activity WHERE datname = '%s' AND application_name = 'weir' AND %s", db, state))
		if (n > 0) == some {
			return
		}
		<-tick.C
	}
	t.Fatalf("calls in the database: %t is awaited", some)
}

func TestDiskFull(t *testing.T) {
	c := pgtest.Start(t, pgtest.Settings{})
	dir := c.SmallDisk(t, 64<<20)
	c.SQL(t, "postgres", fmt.Sprintf("CREATE TABLESPACE small LOCATION '%s'", dir))
	db := c.Database(t)
	c.SQL(t, "postgres", fmt.Sprintf("ALTER DATABASE %s SET TABLESPACE small", db))
	s := open(t, postgres.Config{Address: c.URL(pgtest.Role, db)})
	publish(t, s, alice, "a.txt", 20, testModel(), rand.New(rand.NewPCG(1, 2)))
	ballast := filepath.Join(filepath.Dir(dir), "ballast")
	fill(t, ballast)
	big := upload("b.txt", "b")
	big.Content = make([]byte, 4<<20)
	r := rand.New(rand.NewPCG(7, 7))
	for i := range big.Content {
		big.Content[i] = byte(r.Uint32())
	}
	_, _, err := s.Add(t.Context(), alice, big)
	wantTold(t, err, "Add", rag.Unavailable)
	if err == nil || !strings.Contains(err.Error(), "disk") {
		t.Errorf("Add: %v says nothing of the disk", err)
	}
	wantTold(t, s.Ready(t.Context()), "Ready", rag.Unavailable)
	if _, errs := callers(t, s, 20, 5*time.Second); len(errs) > 0 {
		t.Errorf("searches while the disk is full: %v", errs)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	whole(t, s)
	if _, _, err := s.Add(t.Context(), alice, big); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// fill writes a file until the disk is full.
func fill(t testing.TB, file string) {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 64<<10)
	for size := len(block); size > 0; {
		if _, err := f.Write(block[:size]); err != nil {
			size /= 2
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestMigratedUnderneath(t *testing.T) {
	for _, test := range []struct {
		name, change, undo string
		searches           bool // still answered
	}{
		{
			"by a newer program", "INSERT INTO weir.schema_versions (version_id, is_applied) VALUES (9999, true)",
			"DELETE FROM weir.schema_versions WHERE version_id = 9999", true,
		},
		{"a table is gone", "ALTER TABLE weir.documents RENAME TO elsewhere", "ALTER TABLE weir.elsewhere RENAME TO documents", false},
		{"a column is gone", "ALTER TABLE weir.documents RENAME COLUMN key TO number", "ALTER TABLE weir.documents RENAME COLUMN number TO key", false},
		{"the schema is gone", "ALTER SCHEMA weir RENAME TO other", "ALTER SCHEMA other RENAME TO weir", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := cluster(t)
			db := c.Database(t)
			s := open(t, postgres.Config{Address: c.URL(pgtest.Role, db), IndexMemory: 1})
			publish(t, s, alice, "a.txt", 5, testModel(), rand.New(rand.NewPCG(1, 2)))
			c.SQL(t, db, test.change)
			wantTold(t, s.Ready(t.Context()), "Ready", rag.Unavailable)
			_, errs := callers(t, s, 5, 5*time.Second)
			if (len(errs) == 0) != test.searches {
				t.Errorf("searches: %v", errs)
			}
			for _, err := range errs {
				wantTold(t, err, "a search", rag.Unavailable)
			}
			if _, err := postgres.Open(t.Context(), postgres.Config{Address: c.URL(pgtest.Role, db)}); test.name == "by a newer program" {
				wantTold(t, err, "Open", rag.Unavailable)
			}
			if test.name == "the schema is gone" {
				c.SQL(t, db, "DROP SCHEMA IF EXISTS weir CASCADE")
			}
			c.SQL(t, db, test.undo)
			whole(t, s)
			if _, errs := callers(t, s, 5, 5*time.Second); len(errs) > 0 {
				t.Errorf("afterwards: %v", errs)
			}
		})
	}
}

func TestPasswordIsNeverTold(t *testing.T) {
	c := cluster(t)
	db := c.Database(t)
	const secret = "hunter2 <&@:/?#%41>"
	var lc net.ListenConfig
	deaf, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	with := func(host string) string {
		u := url.URL{Scheme: "postgres", User: url.UserPassword(pgtest.Role, secret), Host: host, Path: "/" + db}
		return u.String()
	}
	for _, test := range []struct{ name, address string }{
		{"wrong", with(c.Address())},
		{"nobody there", with("127.0.0.1:1")},
		{"no such host", with("nowhere.invalid:5432")},
		{"deaf", with(deaf.Addr().String())},
		{"TLS that is not spoken", with(c.Address()) + "?sslmode=require"},
		{"not escaped", "postgres://weir:" + secret + "@" + c.Address() + "/" + db},
		{"keywords", "host=127.0.0.1 port=1 user=weir password='" + secret + "' dbname=x"},
		{"keywords, broken", "host=127.0.0.1 password='" + secret + " dbname"},
		{"bad setting", with(c.Address()) + "?sslmode=" + url.QueryEscape(secret)},
		{"nothing but it", secret},
		{"bad port", with("127.0.0.1:" + "99999")},
	} {
		t.Run(test.name, func(t *testing.T) {
			var log bytes.Buffer
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			for _, openAny := range []func(context.Context, postgres.Config) (rag.Store, error){
				func(ctx context.Context, cfg postgres.Config) (rag.Store, error) { return postgres.Open(ctx, cfg) },
				func(ctx context.Context, cfg postgres.Config) (rag.Store, error) { return postgres.Adopt(ctx, cfg) },
			} {
				_, err := openAny(ctx, postgres.Config{Address: test.address, ConnectTimeout: 300 * time.Millisecond, AcquireTimeout: 500 * time.Millisecond, Log: slog.New(slog.NewTextHandler(&log, nil))})
				if err == nil {
					t.Fatal("opened")
				}
				text := fmt.Sprintf("%v %+v %#v %s", err, err, err, log.String())
				for e := err; e != nil; e = errors.Unwrap(e) {
					text += fmt.Sprintf(" %v %#v", e, e)
				}
				for _, part := range []string{"hunter2", url.QueryEscape("<&@:/?#"), url.PathEscape(secret)} {
					if strings.Contains(text, part) {
						t.Errorf("%q is told: %s", part, text)
					}
				}
				if code := rag.CodeOf(err); code != rag.Unavailable && code != rag.Invalid && code != rag.Timeout {
					t.Errorf("%v", err)
				}
			}
		})
	}
}
