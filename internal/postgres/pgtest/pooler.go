package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Pooler starts a pgbouncer before the cluster and returns the address of the
// database through it; see [Cluster.StartPooler].
func (c *Cluster) Pooler(t testing.TB, database string, serverConnections int) string {
	t.Helper()
	return c.StartPooler(t, database, serverConnections).URL
}

// Pooler is a running pgbouncer.
type Pooler struct {
	URL     string // of the database through it
	program string
	dir     string
	cmd     *exec.Cmd
}

// StartPooler starts a pgbouncer before the cluster that hands a server
// connection to a client for one transaction at a time. It ends with the test.
func (c *Cluster) StartPooler(t testing.TB, database string, serverConnections int) *Pooler {
	t.Helper()
	if c.in.pgbouncer == "" {
		Need(t, &AbsentError{errors.New("no pgbouncer is installed (.ci/postgres installs it)")})
	}
	dir, err := os.MkdirTemp("", "weir-pgb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	port, err := freePort(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conf := fmt.Sprintf(`[databases]
%s = host=%s port=%d user=%s
[pgbouncer]
listen_addr =
unix_socket_dir = %s
listen_port = %d
auth_type = any
pool_mode = transaction
default_pool_size = %d
max_client_conn = 500
server_login_retry = 1
logfile = %s
`, database, c.dir, c.port, Role, dir, port, serverConnections, filepath.Join(dir, "log"))
	file := filepath.Join(dir, "pgbouncer.ini")
	if err := errors.Join(os.WriteFile(file, []byte(conf), 0o644), give(dir)); err != nil {
		t.Fatal(err)
	}
	u := url.URL{Scheme: "postgres", User: url.UserPassword(Role, Password), Path: "/" + database}
	u.RawQuery = url.Values{"host": {dir}, "port": {strconv.Itoa(port)}}.Encode()
	p := &Pooler{URL: u.String(), program: c.in.pgbouncer, dir: dir}
	t.Cleanup(func() { p.Kill(t) })
	p.Start(t)
	return p
}

// Kill ends it as a power cut would.
func (p *Pooler) Kill(t testing.TB) {
	t.Helper()
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Kill() // one that has ended
	_ = p.cmd.Wait()
	p.cmd = nil
}

// Start starts it, again after Kill, and waits until it answers.
func (p *Pooler) Start(t testing.TB) {
	t.Helper()
	// What a killed one left would be taken for one that runs.
	for _, pattern := range []string{".s.PGSQL.*", "*.pid"} {
		left, _ := filepath.Glob(filepath.Join(p.dir, pattern)) // the pattern is good
		for _, name := range left {
			_ = os.Remove(name)
		}
	}
	p.cmd = exec.Command(p.program, "-q", filepath.Join(p.dir, "pgbouncer.ini")) //nolint:noctx // ended by Kill
	unprivileged(p.cmd)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, p.URL)
		if err == nil {
			_ = conn.Close(ctx)
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			log, _ := os.ReadFile(filepath.Join(p.dir, "log"))
			t.Fatalf("pgbouncer does not answer: %v\n%s", err, log)
		}
	}
}
