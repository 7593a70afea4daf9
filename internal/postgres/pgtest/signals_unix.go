//go:build unix

package pgtest

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// unprivileged makes a command run as somebody whom Postgres accepts: it
// refuses to run as root.
func unprivileged(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that ^C ends the test, which ends the server
	dieWithTest(cmd.SysProcAttr)
	if os.Getuid() == 0 {
		uid, gid := somebody()
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uid, Gid: gid}
	}
}

func somebody() (uid, gid uint32) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
		if errUID == nil && errGID == nil {
			return uint32(uid), uint32(gid)
		}
	}
	return 65534, 65534
}

// give makes a file or folder belong to whom the commands run as.
func give(path string) error {
	if os.Getuid() != 0 {
		return nil
	}
	uid, gid := somebody()
	return os.Chown(path, int(uid), int(gid))
}

// end stops the server as fast as it can go down in order.
func (c *Cluster) end() {
	c.resume()
	_ = c.cmd.Process.Signal(syscall.SIGQUIT)
	<-c.exited
}

// Stop stops the server in order, without waiting for its clients.
func (c *Cluster) Stop(t testing.TB) {
	t.Helper()
	c.signal(t, syscall.SIGINT)
	<-c.exited
}

// Kill stops the server as a power cut would.
func (c *Cluster) Kill(t testing.TB) {
	t.Helper()
	c.signal(t, syscall.SIGQUIT)
	<-c.exited
}

// Freeze stops every process of the server without ending any; the connections
// stay open and nobody answers.
func (c *Cluster) Freeze(t testing.TB) {
	t.Helper()
	// The postmaster first, so that nobody new appears.
	c.signal(t, syscall.SIGSTOP)
	for _, pid := range children(c.cmd.Process.Pid) {
		_ = syscall.Kill(pid, syscall.SIGSTOP) // one that has ended meanwhile
	}
}

// Thaw lets a frozen server go on.
func (c *Cluster) Thaw(t testing.TB) {
	t.Helper()
	c.resume()
}

func (c *Cluster) resume() {
	for _, pid := range children(c.cmd.Process.Pid) {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
	_ = c.cmd.Process.Signal(syscall.SIGCONT)
}

func (c *Cluster) signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if err := c.cmd.Process.Signal(sig); err != nil {
		t.Fatalf("%v to the server: %v", sig, err)
	}
}

// children lists the processes that a process has started.
func children(pid int) []int {
	out, err := exec.Command("pgrep", "-P", strconv.Itoa(pid)).Output() //nolint:noctx // answers at once
	if err != nil {
		return nil
	}
	var pids []int
	n := 0
	for _, b := range out {
		switch {
		case b >= '0' && b <= '9':
			n = 10*n + int(b-'0')
		case n > 0:
			pids = append(pids, n)
			n = 0
		}
	}
	return pids
}

// Standby makes a stopped server come up as a standby, that takes no writes;
// it is one again when the file returned is removed while it is stopped.
func (c *Cluster) Standby(t testing.TB) (mark string) {
	t.Helper()
	mark = filepath.Join(c.data(), "standby.signal")
	if err := os.WriteFile(mark, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := give(mark); err != nil {
		t.Fatal(err)
	}
	return mark
}

// TLS makes the server speak it, with copies of a certificate and its key.
func (c *Cluster) TLS(t testing.TB, cert, key string) {
	t.Helper()
	for from, to := range map[string]string{cert: "server.crt", key: "server.key"} {
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(c.data(), to)
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := give(file); err != nil {
			t.Fatal(err)
		}
	}
	c.SQL(t, "postgres", "ALTER SYSTEM SET ssl = on")
	c.Stop(t)
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}
