package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"weir/internal/sqlite"
)

// filled is a data folder with one document.
func filled(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	if r := weir(t, dir, "ingest", write(t, t.TempDir(), "boat.md", "# Boat\n\nThe dinghy is called Petrel.\n")); r.code != exitOK {
		t.Fatal(r.stderr)
	}
	return dir
}

func TestBackupAndRestore(t *testing.T) {
	dir, folder := filled(t), t.TempDir()
	write(t, dir, savedKeys, `{"keys":["hash"]}`)
	r := weir(t, dir, "backup", "--json", folder)
	if r.code != exitOK {
		t.Fatal(r.stderr)
	}
	made := decode[backupResult](t, r.out)
	if filepath.Dir(made.File) != folder || !strings.HasSuffix(made.File, ".backup") || made.Manifest.Counts.Documents != 1 || made.Manifest.Keys == nil {
		t.Errorf("made %+v", made)
	}
	if r := weir(t, "", "backup", "--verify", made.File); r.code != exitOK || !strings.Contains(r.out, "is whole") || !strings.Contains(r.out, "1 user, 1 document (1 ready), 1 passage, 1 vector,") {
		t.Errorf("verify: %+v", r)
	}
	if r := weir(t, dir, "backup", made.File); r.code != exitFailed || !strings.Contains(r.stderr, "--force") {
		t.Errorf("over it: %+v", r)
	}
	if r := weir(t, dir, "backup", "--force", made.File); r.code != exitOK {
		t.Errorf("over it, forced: %+v", r)
	}
	fresh := filepath.Join(t.TempDir(), "fresh")
	if err := os.Mkdir(fresh, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{wantedFile, "keys.json.lock", "keys.json.used", "keys.json.used.lock"} { // what servers leave is in nobody's way
		write(t, fresh, name, "")
	}
	r = weir(t, fresh, "restore", made.File)
	if r.code != exitOK || !strings.Contains(r.out, "revoke it anew") {
		t.Fatalf("restore: %+v", r)
	}
	if keys, err := os.ReadFile(filepath.Join(fresh, savedKeys)); err != nil || string(keys) != `{"keys":["hash"]}` {
		t.Errorf("keys %q, %v", keys, err)
	}
	if r := weir(t, fresh, "search", "dinghy"); !strings.Contains(r.out, "Petrel") {
		t.Errorf("search: %+v", r)
	}
	if r := weir(t, fresh, "restore", made.File); r.code != exitFailed || !strings.Contains(r.stderr, "not empty") {
		t.Errorf("over it: %+v", r)
	}
	write(t, fresh, savedKeys, `{"keys":[]}`)
	out := decode[restoreResult](t, weir(t, fresh, "restore", "--force", "--json", made.File).out)
	if out.Aside == "" || out.Keys != keysKept {
		t.Errorf("forced: %+v", out)
	}
	if keys, err := os.ReadFile(filepath.Join(fresh, savedKeys)); err != nil || string(keys) != `{"keys":[]}` {
		t.Errorf("a revoked key is back: %q, %v", keys, err)
	}
	if r := weir(t, out.Aside, "search", "dinghy"); !strings.Contains(r.out, "Petrel") {
		t.Errorf("what was kept aside: %+v", r)
	}
}

func TestBackupThatCannotBe(t *testing.T) {
	dir, folder := filled(t), t.TempDir()
	letter := write(t, folder, "letter", "dear aunt")
	postgres := []string{"WEIR_STORE=postgres", "DATABASE_URL=postgres://h/d"}
	tests := []struct {
		name string
		env  []string
		args []string
		code int
		says string
	}{
		{"no folder for it", nil, []string{"backup", filepath.Join(folder, "none", "b")}, exitFailed, "there is no folder"},
		{"nothing to save", nil, []string{"backup", folder, "--data", filepath.Join(folder, "none")}, exitFailed, "no data folder"},
		{"an empty folder", nil, []string{"backup", folder, "--data", t.TempDir()}, exitFailed, "nothing to back up"},
		{"postgres", postgres, []string{"backup", folder}, exitUsage, "pg_dump --format=custom --schema=weir"},
		{"restore to postgres", postgres, []string{"restore", letter}, exitUsage, "pg_restore"},
		{"no argument", nil, []string{"backup"}, exitUsage, "backup needs a file or folder"},
		{"verify what is none", nil, []string{"backup", "--verify", letter}, exitFailed, "is no backup of Weir"},
		{"verify nothing", nil, []string{"backup", "--verify", filepath.Join(folder, "none")}, exitFailed, "cannot be read"},
		{"restore what is none", nil, []string{"restore", letter, "--data", filepath.Join(folder, "new")}, exitFailed, "is no backup of Weir"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			args := tt.args
			if !strings.Contains(strings.Join(args, " "), "--data") {
				args = append(args, "--data", dir)
			}
			if r := weirIn(t, tt.env, "", "", args...); r.code != tt.code || !strings.Contains(r.stderr, tt.says) {
				t.Errorf("got %+v, want exit %d and %q", r, tt.code, tt.says)
			}
		})
	}
	if _, err := os.Stat(filepath.Join(folder, "new")); err == nil {
		t.Error("a folder was made for a file that is no backup")
	}
}

func TestOneBackupAtATime(t *testing.T) {
	dir, folder := filled(t), t.TempDir()
	h, err := takeHold(dir, "serve") // a server holds another lock
	if err != nil {
		t.Fatal(err)
	}
	if r := weir(t, dir, "backup", folder); r.code != exitOK {
		t.Errorf("beside a server: %+v", r)
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 {
		t.Fatal(entries, err)
	}
	if r := weir(t, dir, "restore", "--force", filepath.Join(folder, entries[0].Name())); r.code != exitFailed || !strings.Contains(r.stderr, "held by weir serve") {
		t.Errorf("restore beside a server: %+v", r)
	}
	if err := h.release(); err != nil {
		t.Fatal(err)
	}
}

// A folder in which a restore was broken off is not served as an empty one.
func TestServeAfterABrokenRestore(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "restore-not-done", "")
	if r := weir(t, dir, "search", "x"); r.code != exitFailed || !strings.Contains(r.stderr, "weir restore") {
		t.Errorf("got %+v", r)
	}
}

func TestFilesOfAnotherUser(t *testing.T) {
	if runtime.GOOS == "windows" || os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	dir := filled(t)
	if err := os.Chown(filepath.Join(dir, "weir.db"), 65532, 65532); err != nil {
		t.Fatal(err)
	}
	if r := weir(t, dir, "backup", t.TempDir()); r.code != exitFailed || !strings.Contains(r.stderr, "sudo -u '#65532'") {
		t.Errorf("got %+v", r)
	}
}

func TestHoldsNamesWhatABackupHas(t *testing.T) {
	said := holds(sqlite.Manifest{Weir: "v1", Schema: 3, Counts: sqlite.Counts{Users: 2, Documents: 5, Statuses: map[string]int64{"ready": 4}, Chunks: 6, Vectors: 7}})
	if want := "2 users, 5 documents (4 ready), 6 passages, 7 vectors; schema version 3, by Weir v1"; !strings.HasSuffix(said, want) {
		t.Errorf("said %q", said)
	}
}
