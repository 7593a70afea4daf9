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

// Pooler starts a pgbouncer before the cluster that hands a server connection
// to a client for one transaction at a time, and returns the address of the
// database through it. It ends with the test.
func (c *Cluster) Pooler(t testing.TB, database string, serverConnections int) string {
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
logfile = %s
`, database, c.dir, c.port, Role, dir, port, serverConnections, filepath.Join(dir, "log"))
	file := filepath.Join(dir, "pgbouncer.ini")
	if err := errors.Join(os.WriteFile(file, []byte(conf), 0o644), give(dir)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(c.in.pgbouncer, "-q", file) //nolint:noctx // ended below
	unprivileged(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	u := url.URL{Scheme: "postgres", User: url.UserPassword(Role, Password), Path: "/" + database}
	u.RawQuery = url.Values{"host": {dir}, "port": {strconv.Itoa(port)}}.Encode()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, u.String())
		if err == nil {
			_ = conn.Close(ctx)
			return u.String()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			t.Fatalf("pgbouncer does not answer: %v\n%s", err, log)
		}
	}
}
