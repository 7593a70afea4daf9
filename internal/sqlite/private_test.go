//go:build unix

package sqlite

import (
	"os"
	"path/filepath"
	"testing"
)

// TestPrivate: the folder may be anybody's to read, and the documents in it are
// not, from the first file on.
func TestPrivate(t *testing.T) {
	for _, test := range []struct {
		name string
		make func(t *testing.T, dir string)
	}{
		{"new", func(*testing.T, string) {}},
		{"there, readable by all", func(t *testing.T, dir string) {
			s := openAt(t, Config{Dir: dir})
			fillUser(t, s, "alice", 1, 1)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}},
		{"in use, readable by all", func(t *testing.T, dir string) {
			fillUser(t, openAt(t, Config{Dir: dir}), "alice", 1, 1)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "a + b & 100% ?#ü")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			test.make(t, dir)
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			there, err := filepath.Glob(filepath.Join(dir, fileName+"*"))
			if err != nil {
				t.Fatal(err)
			}
			for _, path := range there {
				if err := os.Chmod(path, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			s := openAt(t, Config{Dir: dir})
			if len(there) == 0 {
				fillUser(t, s, "alice", 1, 1)
			}
			files, err := filepath.Glob(filepath.Join(dir, fileName+"*"))
			if err != nil || len(files) < 3 {
				t.Fatalf("files %q, %v; want the database and the two beside it", files, err)
			}
			for _, path := range files {
				info, err := os.Stat(path)
				if err != nil {
					t.Fatal(err)
				}
				if info.Mode().Perm() != 0o600 {
					t.Errorf("%s has mode %v", path, info.Mode())
				}
			}
			ask(t, s, "alice")
		})
	}
}
