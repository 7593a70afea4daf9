package pgtest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Replica starts a standby of the cluster, that follows its log as it is
// written and ends with the test.
func (c *Cluster) Replica(t testing.TB) *Cluster {
	t.Helper()
	program := filepath.Join(c.in.bin, "pg_basebackup")
	if _, err := os.Stat(program); err != nil {
		Need(t, &AbsentError{errors.New("this Postgres has no pg_basebackup")})
	}
	dir, err := os.MkdirTemp("", "weir-pgr")
	if err != nil {
		t.Fatal(err)
	}
	if err := give(dir); err != nil {
		t.Fatal(err)
	}
	r := &Cluster{in: c.in, dir: dir, set: c.set}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Errorf("end of the standby: %v", err)
		}
	})
	if r.port, err = freePort(t.Context()); err != nil {
		t.Fatal(err)
	}
	// -R writes standby.signal and where to follow from.
	cmd := exec.CommandContext(t.Context(), program, "-D", r.data(), "-R", "-X", "stream", "-c", "fast", "-d", c.Superuser(""))
	unprivileged(cmd)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("pg_basebackup: %v: %s", err, out)
	}
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

// Follow waits until a replica has all that the cluster had written when it was
// asked.
func (c *Cluster) Follow(t testing.TB, r *Cluster) {
	t.Helper()
	written := c.Number(t, "postgres", "SELECT (pg_current_wal_lsn() - '0/0')::bigint")
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range 500 {
		if r.Number(t, "postgres", "SELECT (coalesce(pg_last_wal_replay_lsn(), '0/0') - '0/0')::bigint") >= written {
			return
		}
		<-tick.C
	}
	t.Fatal("the standby does not follow")
}
