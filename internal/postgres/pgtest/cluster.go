package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	superuser = "postgres"
	// Role owns the databases that tests work in. It is no superuser, so that
	// row-level security holds for it.
	Role = "weir"
	// Password of both roles; over the socket none is asked for.
	Password = "s3cret/of:the@tests"
)

// Settings change a cluster from what most tests want.
type Settings struct {
	MaxConnections int    // Defaults to 100.
	Dir            string // where the data goes; Defaults to a new temporary folder.
	Extra          []string
}

// Cluster is one running Postgres.
type Cluster struct {
	in      installation
	dir     string
	port    int
	set     Settings
	cmd     *exec.Cmd
	exited  chan struct{}
	names   atomic.Int64
	started bool
}

// Start starts a cluster that ends with the test. It skips the test, or fails
// it if WEIR_REQUIRE_POSTGRES is set, where Postgres is absent.
func Start(t testing.TB, set Settings) *Cluster {
	t.Helper()
	c, err := New(t.Context(), set)
	Need(t, err)
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("end of the cluster: %v", err)
		}
	})
	return c
}

// Need skips or fails a test for which there is no cluster, because of err.
func Need(t testing.TB, err error) {
	t.Helper()
	var absent *AbsentError
	switch {
	case err == nil:
	case errors.As(err, &absent) && os.Getenv("WEIR_REQUIRE_POSTGRES") == "":
		t.Skipf("skipped: %v", err)
	default:
		t.Fatal(err)
	}
}

// AbsentError says what is not installed.
type AbsentError struct{ Err error }

func (e *AbsentError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *AbsentError) Unwrap() error { return e.Err }

// New starts a cluster; Close ends it. The error is an *AbsentError where
// Postgres is not installed.
func New(ctx context.Context, set Settings) (*Cluster, error) {
	in, err := find()
	if err != nil {
		return nil, &AbsentError{err}
	}
	if set.MaxConnections == 0 {
		set.MaxConnections = 100
	}
	if set.Dir == "" {
		if set.Dir, err = os.MkdirTemp("", "weir-pg"); err != nil {
			return nil, err
		}
	}
	c := &Cluster{in: in, dir: set.Dir, set: set}
	if c.port, err = freePort(ctx); err != nil {
		return nil, err
	}
	if err := c.create(ctx); err != nil {
		return nil, errors.Join(err, os.RemoveAll(c.dir))
	}
	if err := c.Start(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	if err := c.sql(ctx, superuser, "postgres", fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s'", Role, Password)); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *Cluster) create(ctx context.Context) error {
	if err := give(c.dir); err != nil {
		return err
	}
	secret := filepath.Join(c.dir, "password")
	if err := os.WriteFile(secret, []byte(Password), 0o644); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(c.in.bin, "initdb"), "-D", c.data(), "-U", superuser,
		"--auth-local=trust", "--auth-host=scram-sha-256", "--pwfile="+secret, "-E", "UTF8", "--locale=C.UTF-8", "-N")
	unprivileged(cmd)
	cmd.Dir = c.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	return nil
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

// Start starts the server again after Stop or Kill, and waits until it answers.
func (c *Cluster) Start(ctx context.Context) error {
	args := []string{
		"-D", c.data(), "-k", c.dir, "-p", strconv.Itoa(c.port), "-c", "listen_addresses=127.0.0.1",
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "shared_buffers=256MB", "-c", "max_wal_size=2GB",
		"-c", "max_connections=" + strconv.Itoa(c.set.MaxConnections), "-c", "logging_collector=off",
	}
	for _, extra := range c.set.Extra {
		args = append(args, "-c", extra)
	}
	c.cmd = exec.Command(filepath.Join(c.in.bin, "postgres"), args...) //nolint:noctx // it outlives this call
	unprivileged(c.cmd)
	c.cmd.Dir = c.dir
	log, err := os.OpenFile(c.LogFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	c.cmd.Stdout, c.cmd.Stderr = log, log
	if err := c.cmd.Start(); err != nil {
		return errors.Join(err, log.Close())
	}
	c.started = true
	exited := make(chan struct{})
	c.exited = exited
	cmd := c.cmd
	go func() {
		defer close(exited)
		_ = cmd.Wait() // how it ended is in its log
		_ = log.Close()
	}()
	return c.answers(ctx)
}

// LogFile is where the server writes what it has to say.
func (c *Cluster) LogFile() string { return filepath.Join(c.dir, "server.log") }

// answers waits until the server takes connections.
func (c *Cluster) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, c.URL(superuser, "postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-tick.C:
		case <-c.exited:
			return fmt.Errorf("postgres ended at once: %s", c.tail())
		case <-ctx.Done():
			return fmt.Errorf("postgres does not answer: %w: %s", err, c.tail())
		}
	}
}

func (c *Cluster) tail() string {
	f, err := os.Open(c.LogFile())
	if err != nil {
		return err.Error()
	}
	defer func() { _ = f.Close() }()               // it was only read
	b, err := io.ReadAll(io.LimitReader(f, 1<<20)) // a log of a few lines
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-1000):])
}

// URL is the address of a database over the unix socket.
func (c *Cluster) URL(role, database string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(role, Password), Path: "/" + database}
	u.RawQuery = url.Values{"host": {c.dir}, "port": {strconv.Itoa(c.port)}}.Encode()
	return u.String()
}

// Address is host:port on the loopback interface, where a password is asked for.
func (c *Cluster) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(c.port)) }

// Superuser is the address of a database for one who may do everything.
func (c *Cluster) Superuser(database string) string { return c.URL(superuser, database) }

// Database makes a new database that Role owns, with nothing in it but pgvector
// (which only a superuser may install), and returns its name.
func (c *Cluster) Database(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test%d", c.names.Add(1))
	if err := c.sql(t.Context(), superuser, "postgres", fmt.Sprintf("CREATE DATABASE %s OWNER %s", name, Role)); err != nil {
		t.Fatalf("create database: %v", err)
	}
	c.SQL(t, name, "CREATE EXTENSION vector")
	return name
}

// SQL runs statements as superuser.
func (c *Cluster) SQL(t testing.TB, database, sql string) {
	t.Helper()
	for try := 1; ; try++ {
		err := c.sql(t.Context(), superuser, database, sql)
		var told *pgconn.PgError
		switch {
		case err == nil:
			return
		case try < 5 && errors.As(err, &told) && told.Code == deadlock: // with what a store does meanwhile
		default:
			t.Fatalf("%.80s: %v", sql, err)
		}
	}
}

// deadlock is the code of a statement that was given up to end one.
const deadlock = "40P01"

// Number returns the one number that a query as superuser answers.
func (c *Cluster) Number(t testing.TB, database, sql string) (n int64) {
	t.Helper()
	conn, err := connect(t.Context(), c.Superuser(database))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }() // it is gone either way
	if err := conn.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatalf("%.80s: %v", sql, err)
	}
	return n
}

func (c *Cluster) sql(ctx context.Context, role, database, sql string) error {
	conn, err := connect(ctx, c.URL(role, database))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql)
	return errors.Join(err, conn.Close(ctx))
}

// Close ends the server and removes its files.
func (c *Cluster) Close() error {
	if c.started {
		c.end()
	}
	return os.RemoveAll(c.dir)
}
