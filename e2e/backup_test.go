package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"weir/e2e/weirtest"
	"weir/internal/rag"
)

// backupEnv is a server that takes uploads and answers questions all the time.
type backupEnv struct {
	data, folder string
	server       *server

	mu    sync.Mutex
	acked map[string]string // filename by id
	cond  chan struct{}     // has an element after each upload

	stop context.CancelFunc
	work sync.WaitGroup
}

func newBackupEnv(t *testing.T) *backupEnv {
	t.Helper()
	e := &backupEnv{data: filepath.Join(t.TempDir(), "data"), folder: t.TempDir(), acked: map[string]string{}, cond: make(chan struct{}, 1)}
	e.server = serve(t, e.data)
	ctx, stop := context.WithCancel(t.Context())
	e.stop = stop
	for w := range 4 {
		e.work.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				name := fmt.Sprintf("log-%d-%d.md", w, i)
				doc, _, err := e.server.Client.Upload(ctx, user, rag.NewDocument{Filename: name, Content: []byte(logbook(w*100_000 + i))})
				if err != nil {
					continue // it was killed, or told to stop
				}
				e.mu.Lock()
				e.acked[doc.ID] = name
				e.mu.Unlock()
				select {
				case e.cond <- struct{}{}:
				default:
				}
			}
		})
	}
	for range 2 {
		e.work.Go(func() {
			for ctx.Err() == nil {
				_, _ = e.server.Client.Retrieve(ctx, user, rag.Request{Query: common}) // that it answers is other tests' matter
			}
		})
	}
	t.Cleanup(func() { e.end() })
	return e
}

func (e *backupEnv) end() { e.stop(); e.work.Wait() }

// before waits for n uploads and returns all that were acknowledged.
func (e *backupEnv) before(n int) map[string]string {
	for range n {
		<-e.cond
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	acked := make(map[string]string, len(e.acked))
	for id, name := range e.acked {
		acked[id] = name
	}
	return acked
}

// restored restores a backup, serves it and waits until every document is
// ready, those in work at the time included.
func restored(t *testing.T, file string, acked map[string]string) {
	t.Helper()
	fresh := filepath.Join(t.TempDir(), "fresh")
	if r := weir(t, "restore", file, "--data", fresh); r.code != 0 {
		t.Fatalf("%+v", r)
	}
	s := serve(t, fresh)
	for id, name := range acked {
		var last rag.Document
		if err := s.Client.Watch(t.Context(), user, id, func(d rag.Document) error { last = d; return nil }); err != nil {
			t.Fatalf("%s (%s) was acknowledged before the backup and is not in it: %v", name, id, err)
		}
		if last.Status != rag.Ready || last.Filename != name {
			t.Errorf("%s came back as %+v", name, last)
		}
	}
	if code := s.stop(t); code != 0 {
		t.Errorf("exit %d: %s", code, s.Stderr)
	}
}

// A backup of a server that takes uploads, also when earlier ones were killed.
func TestBackupBesideAServer(t *testing.T) {
	e := newBackupEnv(t)
	target := filepath.Join(e.folder, "weir.backup")
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	e.before(40)
	for range 8 {
		cmd := exec.Command(binary, "backup", target, "--data", e.data)
		cmd.Env = weirtest.Environment()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.NewTimer(time.Duration(r.IntN(120)) * time.Millisecond)
		<-timer.C
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if _, err := os.Stat(target); err == nil {
			if r := weir(t, "backup", "--verify", target); r.code != 0 {
				t.Fatalf("a killed backup looks whole: %+v", r)
			}
			if err := os.Remove(target); err != nil {
				t.Fatal(err)
			}
		}
	}
	acked := e.before(10)
	if r := weir(t, "backup", target, "--data", e.data); r.code != 0 {
		t.Fatalf("%+v", r)
	}
	left, err := os.ReadDir(e.folder)
	if err != nil || len(left) != 1 {
		t.Errorf("killed backups left %v, %v", left, err)
	}
	e.end()
	if r := weir(t, "restore", "--force", target, "--data", e.data); r.code != 1 {
		t.Errorf("a restore under a server: %+v", r)
	}
	if code := e.server.stop(t); code != 0 {
		t.Errorf("exit %d: %s", code, e.server.Stderr)
	}
	restored(t, target, acked)
}

// The server dies in the middle of a backup: what was acknowledged is in it, or
// it says that it failed; and the server starts again while it goes on.
func TestServerDiesDuringABackup(t *testing.T) {
	e := newBackupEnv(t)
	acked := e.before(60)
	target := filepath.Join(e.folder, "weir.backup")
	done := make(chan result, 1)
	go func() { done <- weir(t, "backup", target, "--data", e.data) }()
	timer := time.NewTimer(20 * time.Millisecond)
	<-timer.C
	e.server.Kill()
	again := serve(t, e.data)
	r := <-done
	e.end()
	if code := again.stop(t); code != 0 {
		t.Errorf("exit %d: %s", code, again.Stderr)
	}
	if r.code != 0 {
		t.Fatalf("%+v", r)
	}
	restored(t, target, acked)
}

// A disk that fills up leaves nothing that looks like a backup.
func TestBackupToAFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a small disk")
	}
	data, disk := filepath.Join(t.TempDir(), "data"), t.TempDir()
	s := serve(t, data)
	for i := range 30 {
		if _, _, err := s.Client.Upload(t.Context(), user, rag.NewDocument{Filename: fmt.Sprint(i, ".md"), Content: []byte(logbook(i))}); err != nil {
			t.Fatal(err)
		}
	}
	s.stop(t)
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=256k", "none", disk).CombinedOutput(); err != nil {
		t.Skipf("no small disk: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", disk).Run() })
	r := weir(t, "backup", disk, "--data", data)
	left, err := os.ReadDir(disk)
	if r.code != 1 || err != nil || len(left) != 0 {
		t.Errorf("got %+v; left behind %v, %v", r, left, err)
	}
	t.Log(r.stderr)
}
