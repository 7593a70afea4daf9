package sqlite

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/internal/rag"
)

func contentOf(writer, n int) []byte {
	r := rand.New(rand.NewPCG(uint64(writer), uint64(n)))
	b := make([]byte, 1000+r.IntN(200_000))
	for i := range b {
		b[i] = byte('a' + r.IntN(26))
	}
	return b
}

func add(ctx context.Context, s *Store, user rag.User, writer, n int) (string, error) {
	d, _, err := s.Add(ctx, user, rag.NewDocument{
		Filename: fmt.Sprintf("%d-%d.txt", writer, n), Content: contentOf(writer, n), SHA256: partOf(contentOf(writer, n)).SHA256,
	})
	return d.ID, err
}

// Whatever was acknowledged before a backup began is in it, while four write
// and two search; what is in it is whole; and the writers are not refused.
func TestBackupWhileOthersWrite(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, Config{Dir: dir})
	fillUser(t, s, "reader", 20, 40)
	var (
		mu    sync.Mutex
		acked = map[string][2]int{}
		work  sync.WaitGroup
	)
	begun := make(chan struct{}, 64)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for w := range 4 {
		work.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				id, err := add(t.Context(), s, "writer", w, n) //nolint:contextcheck // an addition that was begun is to end
				if err != nil {
					t.Errorf("writer %d: %v", w, err)
					return
				}
				mu.Lock()
				acked[id] = [2]int{w, n}
				mu.Unlock()
				select {
				case begun <- struct{}{}:
				default:
				}
			}
		})
	}
	for range 2 {
		work.Go(func() {
			r := rand.New(rand.NewPCG(1, 2))
			for ctx.Err() == nil {
				if _, err := s.Candidates(t.Context(), "reader", rag.Query{Vector: randomVector(r), Model: testModel(), Limit: 5}); err != nil { //nolint:contextcheck // as above
					t.Errorf("search: %v", err)
					return
				}
			}
		})
	}
	for round := range 4 {
		for range 20 {
			<-begun
		}
		mu.Lock()
		before := make(map[string][2]int, len(acked))
		for id, of := range acked {
			before[id] = of
		}
		mu.Unlock()
		to := filepath.Join(t.TempDir(), "weir.backup")
		m, err := Backup(t.Context(), BackupConfig{Dir: dir, To: to, Keys: []byte(`{"keys":[]}`)})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if again, err := Verify(t.Context(), to, nil); err != nil || !again.Counts.equal(m.Counts) {
			t.Fatalf("round %d: %v: %+v and %+v", round, err, again, m)
		}
		wantAll(t, to, before)
	}
	cancel()
	work.Wait()
}

func wantAll(t *testing.T, backup string, before map[string][2]int) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "restored")
	r, err := Restore(t.Context(), RestoreConfig{From: backup, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if string(r.Keys) != `{"keys":[]}` || r.Aside != "" {
		t.Errorf("restored %+v", r)
	}
	s := openAt(t, Config{Dir: dir})
	for id, of := range before {
		d, err := s.Document(t.Context(), "writer", id)
		if err != nil {
			t.Fatalf("%s, acknowledged before, is not in the backup: %v", id, err)
		}
		err = s.read(t.Context(), s.other, "look", func(c *conn) error {
			body, err := c.number("SELECT body FROM documents WHERE id = ?", id)
			if err != nil {
				return err
			}
			got, err := blob(c, body, uploadBlob, d.Bytes)
			if err == nil && !bytes.Equal(got, contentOf(of[0], of[1])) {
				err = errors.New("its upload is not what was sent")
			}
			return err
		})
		if err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	got, err := s.Candidates(t.Context(), "reader", rag.Query{Vector: randomVector(rand.New(rand.NewPCG(1, 2))), Model: testModel(), Limit: 5})
	if err != nil || len(got.Vector) == 0 {
		t.Errorf("a search in what was restored: %+v, %v", got, err)
	}
}

// saved is a store with a document in work and one that is ready, and its backup.
func saved(t *testing.T) (dir, backup string) {
	t.Helper()
	dir = t.TempDir()
	s, err := Open(t.Context(), Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	fillUser(t, s, "u", 3, 20)
	if _, err := add(t.Context(), s, "u", 9, 9); err != nil {
		t.Fatal(err)
	}
	if job, err := s.Lease(t.Context(), time.Hour); err != nil || job == nil {
		t.Fatal(job, err)
	}
	backup = filepath.Join(t.TempDir(), "b")
	if _, err := Backup(t.Context(), BackupConfig{Dir: dir, To: backup, Keys: []byte("secret hashes")}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, backup
}

func TestADocumentInWorkGoesOnAfterARestore(t *testing.T) {
	_, backup := saved(t)
	dir := t.TempDir()
	if _, err := Restore(t.Context(), RestoreConfig{From: backup, Dir: dir}); err != nil {
		t.Fatal(err)
	}
	s := openAt(t, Config{Dir: dir})
	if err := s.Reclaim(t.Context()); err != nil {
		t.Fatal(err)
	}
	if job, err := s.Lease(t.Context(), time.Hour); err != nil || job == nil || job.Attempt != 2 {
		t.Errorf("got %+v, %v", job, err)
	}
}

func TestDamagedBackupsAreRefused(t *testing.T) {
	_, backup := saved(t)
	whole, err := os.ReadFile(backup)
	if err != nil {
		t.Fatal(err)
	}
	m, err := ReadManifest(backup)
	if err != nil {
		t.Fatal(err)
	}
	remade := func(change func(*Manifest), db []byte) []byte {
		n := m
		change(&n)
		f, err := os.CreateTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.Write(db); err != nil {
			t.Fatal(err)
		}
		if err := appendArchive(f, n, []byte("secret hashes")); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	flip := func(at int) []byte {
		b := bytes.Clone(whole)
		b[at] ^= 1
		return b
	}
	db := whole[:m.Database.Bytes]
	hole := bytes.Clone(db)
	clear(hole[len(hole)/2 : len(hole)/2+8192])
	tests := []struct {
		name    string
		content []byte
		says    string
	}{
		{"empty", nil, "no backup of Weir"},
		{"another file", []byte("a letter to my aunt, long enough to hold a tail of some sixty bytes or so, and more"), "no backup of Weir"},
		{"cut", whole[:len(whole)-1], "its end is missing"},
		{"cut in half", whole[:len(whole)/2], "its end is missing"},
		{"cut to a few bytes", whole[:20], "its end is missing"},
		{"a database alone", db, "its end is missing"},
		{"a bit of the database", flip(len(db) / 2), "its database has another SHA-256"},
		{"the last bit of the database", flip(len(db) - 1), "its database has another SHA-256"},
		{"a bit of the keys", flip(len(db) + 3), "its keys have another SHA-256"},
		{"a bit of the manifest", flip(len(whole) - tailBytes - 5), "its manifest has another SHA-256"},
		{"the length of the manifest", flip(len(whole) - tailBytes + len(archiveMagic)), "its manifest cannot be found"},
		{"a page too few in front", append(bytes.Clone(db[:len(db)-8192]), whole[len(db):]...), "too long or too short"},
		{"longer in the middle", append(append(bytes.Clone(db), 'x'), whole[len(db):]...), "too long or too short"},
		{"a newer schema", remade(func(m *Manifest) { m.Schema = 4711 }, db), "newer Weir"},
		{"a newer format", remade(func(m *Manifest) { m.Format = 2 }, db), "another Weir"},
		{"fewer documents than it says", remade(func(m *Manifest) { m.Counts.Documents++ }, db), "does not hold what its manifest says"},
		{"a hole with a true hash", remade(func(m *Manifest) { m.Database.SHA256 = partOf(hole).SHA256 }, hole), "is damaged"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "b")
			if err := os.WriteFile(path, tt.content, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Verify(t.Context(), path, nil); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("Verify: %v", err)
			}
			dir := filepath.Join(t.TempDir(), "d")
			if _, err := Restore(t.Context(), RestoreConfig{From: path, Dir: dir}); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("Restore: %v", err)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// What a hash cannot see: a database that was wrong before it was saved.
func TestDocumentsThatLackPartsAreNoBackup(t *testing.T) {
	for name, sql := range map[string]string{
		"passages": "DELETE FROM chunks WHERE id = (SELECT max(id) FROM chunks)",
		"uploads":  "DELETE FROM blobs WHERE id IN (SELECT body << 20 FROM documents WHERE status = 'queued' OR status = 'parsing')",
	} {
		t.Run(name, func(t *testing.T) {
			dir, _ := saved(t)
			s := openAt(t, Config{Dir: dir})
			if err := s.write(t.Context(), "break it", func(c *conn) error {
				n, err := c.exec(sql)
				if err == nil && n == 0 {
					err = errors.New("nothing was broken")
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
			to := filepath.Join(t.TempDir(), "b")
			if _, err := Backup(t.Context(), BackupConfig{Dir: dir, To: to}); rag.CodeOf(err) != rag.Internal {
				t.Errorf("got %v", err)
			}
			wantEmpty(t, filepath.Dir(to))
		})
	}
}

func wantEmpty(t *testing.T, dir string) {
	t.Helper()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestBackupIsRefusedOrBrokenOff(t *testing.T) {
	dir, backup := saved(t)
	t.Run("exists", func(t *testing.T) {
		if _, err := Backup(t.Context(), BackupConfig{Dir: dir, To: backup}); rag.CodeOf(err) != rag.Conflict {
			t.Errorf("got %v", err)
		}
		if _, err := Backup(t.Context(), BackupConfig{Dir: dir, To: backup, Replace: true}); err != nil {
			t.Errorf("with Replace: %v", err)
		}
	})
	t.Run("nothing there", func(t *testing.T) {
		if _, err := Backup(t.Context(), BackupConfig{Dir: t.TempDir(), To: filepath.Join(t.TempDir(), "b")}); rag.CodeOf(err) != rag.NotFound {
			t.Errorf("got %v", err)
		}
	})
	t.Run("no room", func(t *testing.T) {
		to := filepath.Join(t.TempDir(), "b")
		_, err := Backup(t.Context(), BackupConfig{Dir: dir, To: to, Space: func(string) (int64, error) { return 1 << 20, nil }})
		if err == nil || !strings.Contains(err.Error(), "not enough room") {
			t.Errorf("got %v", err)
		}
		wantEmpty(t, filepath.Dir(to))
	})
	for _, stage := range []string{StageCopy, StageCheck, StageHash} {
		t.Run("broken off while "+stage, func(t *testing.T) {
			to := filepath.Join(t.TempDir(), "b")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			_, err := Backup(ctx, BackupConfig{Dir: dir, To: to, Tell: func(now string, _, _ int64) {
				if now == stage {
					cancel()
				}
			}})
			if !errors.Is(err, context.Canceled) && stage != StageHash { // the last hash may have been the end of it
				t.Errorf("got %v", err)
			}
			if err != nil {
				wantEmpty(t, filepath.Dir(to))
			}
		})
	}
	t.Run("what a killed one left is removed", func(t *testing.T) {
		to := filepath.Join(t.TempDir(), "b")
		if err := os.WriteFile(partialName(dir, to), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Backup(t.Context(), BackupConfig{Dir: dir, To: to}); err != nil {
			t.Fatal(err)
		}
		if left, err := os.ReadDir(filepath.Dir(to)); err != nil || len(left) != 1 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	})
}

func TestRestoreKeepsWhatWasThere(t *testing.T) {
	dir, backup := saved(t)
	s, err := Open(t.Context(), Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	later, err := add(t.Context(), s, "u", 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	// As a killed server leaves it: what is in the log is not in the file.
	copied := t.TempDir()
	for _, name := range []string{fileName, fileName + "-wal"} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(copied, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), RestoreConfig{From: backup, Dir: copied}); rag.CodeOf(err) != rag.Conflict {
		t.Errorf("without Replace: %v", err)
	}
	r, err := Restore(t.Context(), RestoreConfig{From: backup, Dir: copied, Replace: true})
	if err != nil || r.Aside == "" {
		t.Fatalf("%+v, %v", r, err)
	}
	if _, err := openAt(t, Config{Dir: copied}).Document(t.Context(), "u", later); rag.CodeOf(err) != rag.NotFound {
		t.Errorf("what came after the backup is in the restored store: %v", err)
	}
	if _, err := openAt(t, Config{Dir: r.Aside}).Document(t.Context(), "u", later); err != nil {
		t.Errorf("what was there is not kept: %v", err)
	}
}

// A crash between the old database and the new one must not look like a new,
// empty folder.
func TestARestoreBrokenOffIsNoEmptyFolder(t *testing.T) {
	_, backup := saved(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, brokenOff), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "broken off") {
		t.Errorf("got %v", err)
	}
	if _, err := Restore(t.Context(), RestoreConfig{From: backup, Dir: dir}); err != nil {
		t.Fatal(err)
	}
	openAt(t, Config{Dir: dir})
}

// A backup on a disk that cannot be written is verified and restored there.
func TestVerifyWritesNothing(t *testing.T) {
	_, backup := saved(t)
	folder := filepath.Dir(backup)
	if _, err := Verify(t.Context(), backup, nil); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 1 {
		t.Errorf("beside it now: %v, %v", left, err)
	}
	info, err := os.Stat(backup)
	if err != nil || (!modeless() && info.Mode().Perm() != 0o600) {
		t.Errorf("others may read it: %v, %v", info.Mode(), err)
	}
}

// An older program refuses what a newer one has written: the store and the backup.
func TestOlderProgramRefusesNewerDatabase(t *testing.T) {
	dir, _ := saved(t)
	s := openAt(t, Config{Dir: dir})
	if err := s.write(t.Context(), "be newer", func(c *conn) error {
		_, err := c.exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (4711, 1)")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "written by a newer Weir") {
		t.Errorf("Open: %v", err)
	}
	if _, err := Backup(t.Context(), BackupConfig{Dir: dir, To: filepath.Join(t.TempDir(), "b")}); err == nil || !strings.Contains(err.Error(), "newer Weir") {
		t.Errorf("Backup: %v", err)
	}
}

func FuzzReadManifest(f *testing.F) {
	f.Add([]byte(sqliteMagic + archiveMagic))
	tail := append([]byte(sqliteMagic+`{"format":1}`), archiveMagic...)
	tail = binary.BigEndian.AppendUint64(tail, 12)
	f.Add(append(tail, make([]byte, 32)...))
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "b")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := ReadManifest(path)
		if err == nil && (m.Database.Bytes > int64(len(content)) || m.Format != archiveFormat) {
			t.Errorf("took %+v", m)
		}
	})
}

// A disk that fills up meanwhile ends a backup and a restore with an error that
// says so, and nothing is left behind.
func TestBackupToADiskThatFillsUp(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a small disk")
	}
	dir, backup := saved(t)
	disk := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=128k", "none", disk).CombinedOutput(); err != nil {
		t.Skipf("no small disk: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if err := exec.Command("umount", disk).Run(); err != nil {
			t.Error(err)
		}
	})
	if _, err := Backup(t.Context(), BackupConfig{Dir: dir, To: filepath.Join(disk, "b")}); err == nil || !strings.Contains(err.Error(), "is full") {
		t.Errorf("Backup: %v", err)
	}
	wantEmpty(t, disk)
	if _, err := Restore(t.Context(), RestoreConfig{From: backup, Dir: disk}); err == nil || !strings.Contains(err.Error(), "is full") {
		t.Errorf("Restore: %v", err)
	}
	wantEmpty(t, disk)
}
