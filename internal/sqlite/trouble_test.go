package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"weir/internal/postings"
	"weir/internal/rag"
	"weir/internal/sqlite/scan"
)

func openAt(t *testing.T, cfg Config) *Store {
	t.Helper()
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func testModel() rag.Model { return rag.Model{Name: "random", Dim: 48} }

func randomVector(r *rand.Rand) []float32 {
	v := make([]float32, testModel().Dim)
	var n float64
	for i := range v {
		x := r.NormFloat64()
		v[i], n = float32(x), n+x*x
	}
	for i := range v {
		v[i] /= float32(n)
	}
	return unit(v)
}

func unit(v []float32) []float32 {
	var n float64
	for _, x := range v {
		n += float64(x) * float64(x)
	}
	for i := range v {
		v[i] = float32(float64(v[i]) / math.Sqrt(n))
	}
	return v
}

// fill publishes documents of a user.
func fillUser(t testing.TB, s *Store, user rag.User, documents, each int) []string {
	t.Helper()
	ctx := t.Context()
	r := rand.New(rand.NewPCG(3, uint64(len(user))))
	var ids []string
	for i := range documents {
		n := rag.NewDocument{Filename: fmt.Sprintf("%d.txt", i), Content: []byte("x"), SHA256: fmt.Sprintf("%064d", i)}
		d, _, err := s.Add(ctx, user, n)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, d.ID)
		job, err := s.Lease(ctx, time.Hour)
		if err != nil || job == nil {
			t.Fatal(err)
		}
		var x rag.Extracted
		var indexes []int
		var vectors [][]float32
		for j := range each {
			x.Chunks = append(x.Chunks, rag.Chunk{Index: j, Content: fmt.Sprintf("heron %d of %d by %s", j, i, user)})
			indexes, vectors = append(indexes, j), append(vectors, randomVector(r))
		}
		if err := errors.Join(s.Stage(ctx, *job, x), s.PutVectors(ctx, *job, testModel(), indexes, vectors), s.Publish(ctx, *job, testModel())); err != nil {
			t.Fatal(err)
		}
	}
	return ids
}

func ask(t testing.TB, s *Store, user rag.User) string {
	t.Helper()
	r := rand.New(rand.NewPCG(9, 9))
	c, err := s.Candidates(t.Context(), user, rag.Query{Text: "heron 3", Vector: randomVector(r), Model: testModel(), Limit: 50})
	if err != nil {
		t.Fatalf("Candidates: %v", err)
	}
	return fmt.Sprintf("%+v", c)
}

// TestDamagedIndexes: what is derived is made again from what it was derived from.
func TestDamagedIndexes(t *testing.T) {
	for _, test := range []struct{ name, sql string }{
		{"segments cut", "UPDATE blobs SET data = substr(data, 1, length(data) / 2) WHERE (id >> 18) & 3 = 1"},
		{"segments gone", "DELETE FROM blobs WHERE (id >> 18) & 3 = 1"},
		{"segments of noise", "UPDATE blobs SET data = randomblob(length(data)) WHERE (id >> 18) & 3 = 1"},
		{"segments of another form", "UPDATE documents SET segment_form = 0"},
		{"segments too long", "UPDATE documents SET segment_bytes = segment_bytes - 1"},
		{"blocks cut", "UPDATE blobs SET data = substr(data, 1, length(data) - 1) WHERE (id >> 18) & 3 = 2"},
		{"blocks gone", "DELETE FROM blobs WHERE (id >> 18) & 3 = 2"},
		{"blocks of noise", "UPDATE blobs SET data = randomblob(length(data)) WHERE (id >> 18) & 3 = 2"},
		{"centers of noise", "UPDATE centers SET data = randomblob(length(data))"},
		{"centers gone", "DELETE FROM centers"},
		{"all gone", "DELETE FROM blobs"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			s := openAt(t, Config{Dir: dir})
			fillUser(t, s, "alice", 4, 30)
			want := ask(t, s, "alice")
			if err := s.write(t.Context(), "damage", func(c *conn) error { _, err := c.exec(test.sql); return err }); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = openAt(t, Config{Dir: dir})
			if got := ask(t, s, "alice"); got != want {
				t.Errorf("found %s\nwas %s", got, want)
			}
			checkStored(t, s)
		})
	}
}

// checkStored checks that everything derived is stored whole.
func checkStored(t *testing.T, s *Store) {
	t.Helper()
	if err := s.read(t.Context(), s.other, "check", func(c *conn) error {
		key, err := userKey(c, "alice")
		if err != nil {
			return err
		}
		var all []stored
		if err := c.rows(selectReady, func(row *sqlite3.Stmt) error { all = append(all, scanStored(row)); return nil }, key); err != nil {
			return err
		}
		for _, d := range all {
			segment, err := blob(c, d.body, segmentBlob, d.segmentBytes)
			if err = errors.Join(err, postings.Verify(segment)); err != nil {
				return err
			}
			block, err := blob(c, d.body, blockBlob, d.blockBytes)
			if err != nil {
				return err
			}
			b, err := scan.ParseBlock(block)
			if err != nil {
				return err
			}
			center, err := readCenter(c, b.CenterID())
			if err != nil || center == nil || d.segmentForm != segmentForm {
				return fmt.Errorf("center %v, %w", center, err)
			}
		}
		return nil
	}); err != nil {
		t.Errorf("stored again: %v", err)
	}
}

// TestSweep: nothing stays of documents that are gone.
func TestSweep(t *testing.T) {
	s := openAt(t, Config{Dir: t.TempDir()})
	ids := fillUser(t, s, "alice", 3, 1200)
	for _, id := range ids[:2] {
		if err := s.Delete(t.Context(), "alice", id); err != nil {
			t.Fatal(err)
		}
	}
	count := func(table string) (n int64) {
		t.Helper()
		if err := s.read(t.Context(), s.other, "count", func(c *conn) (err error) {
			n, err = c.number("SELECT count(*) FROM " + table)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, rest := range []int64{1, 0} {
		if rest == 0 {
			if err := s.Delete(t.Context(), "alice", ids[2]); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.sweepAll(t.Context()); err != nil {
			t.Fatal(err)
		}
		for table, want := range map[string]int64{"documents": 1, "chunks": 1200, "vectors": 1200, "coverage": 1, "blobs": 2, "waste": 0} {
			if got := count(table); got != want*rest {
				t.Errorf("%d documents: %d rows of %s, want %d", rest, got, table, want*rest)
			}
		}
	}
}

// TestFullDisk: a full disk is an error that passes, and harms nothing.
func TestFullDisk(t *testing.T) {
	s := openAt(t, Config{Dir: t.TempDir()})
	fillUser(t, s, "alice", 2, 20)
	want := ask(t, s, "alice")
	limit := func(pages int64) {
		c, err := s.writer.take(t.Context(), s.closed)
		if err != nil {
			t.Fatal(err)
		}
		defer s.writer.give(c)
		if _, err := c.number(fmt.Sprintf("PRAGMA max_page_count = %d", pages)); err != nil {
			t.Fatal(err)
		}
	}
	limit(1) // that is, as many as there are
	big := rag.NewDocument{Filename: "big", Content: bytes.Repeat([]byte("x"), 20<<20), SHA256: strings.Repeat("a", 64)}
	for range 3 {
		_, _, err := s.Add(t.Context(), "alice", big)
		if rag.CodeOf(err) != rag.Unavailable || !strings.Contains(err.Error(), "full") {
			t.Fatalf("Add: %v", err)
		}
		if got := ask(t, s, "alice"); got != want {
			t.Errorf("found %s\nwas %s", got, want)
		}
	}
	limit(1 << 30)
	if _, created, err := s.Add(t.Context(), "alice", big); err != nil || !created {
		t.Errorf("with room again: %t, %v", created, err)
	}
}

// TestWaitingEnds: who waits for the writer, within the process or for another
// one, leaves when their ctx ends.
func TestWaitingEnds(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, Config{Dir: dir})
	n := rag.NewDocument{Filename: "a", Content: []byte("a"), SHA256: strings.Repeat("a", 64)}
	blocked := func(name string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		_, _, err := s.Add(ctx, "alice", n)
		if rag.CodeOf(err) != rag.Timeout {
			t.Errorf("%s: Add: %v", name, err)
		}
		if _, err := s.Counts(t.Context(), "alice", nil); err != nil {
			t.Errorf("%s: reading: %v", name, err)
		}
	}
	c, err := s.writer.take(t.Context(), s.closed)
	if err != nil {
		t.Fatal(err)
	}
	blocked("writer taken")
	s.writer.give(c)

	other, err := openConn(t.Context(), filepath.Join(dir, fileName), pragmas)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	blocked("locked by another")
	if _, err := other.exec("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if err := other.close(); err != nil {
		t.Fatal(err)
	}
	if _, created, err := s.Add(t.Context(), "alice", n); err != nil || !created {
		t.Errorf("when free again: %t, %v", created, err)
	}
}

// TestEviction: many users within little memory, searched all at once.
func TestEviction(t *testing.T) {
	const users = 12
	dir := t.TempDir()
	s := openAt(t, Config{Dir: dir, IndexMemory: 200 << 10})
	want := map[rag.User]string{}
	for u := range users {
		user := rag.User(fmt.Sprint("user", u))
		fillUser(t, s, user, 3, 40)
		want[user] = ask(t, s, user)
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 30 {
				user := rag.User(fmt.Sprint("user", (g*7+i*5)%users))
				if got := ask(t, s, user); got != want[user] {
					t.Errorf("%s found %s\nwas %s", user, got, want[user])
				}
			}
		})
	}
	wg.Wait()
	s.indexes.mu.Lock()
	defer s.indexes.mu.Unlock()
	if s.indexes.bytes > s.indexes.limit || len(s.indexes.entries) == users || s.indexes.bytes <= 0 {
		t.Errorf("%d bytes of %d in use by %d users", s.indexes.bytes, s.indexes.limit, len(s.indexes.entries))
	}
	var sum int64
	for _, e := range s.indexes.entries {
		if e.users != 0 {
			t.Errorf("%s is in use by %d", e.user, e.users)
		}
		sum += e.bytes
	}
	if sum != s.indexes.bytes {
		t.Errorf("%d bytes counted, %d in entries", s.indexes.bytes, sum)
	}
}

// TestDurable: the settings that keep what was acknowledged over a power cut.
func TestDurable(t *testing.T) {
	s := openAt(t, Config{Dir: t.TempDir()})
	c, err := s.writer.take(t.Context(), s.closed)
	if err != nil {
		t.Fatal(err)
	}
	defer s.writer.give(c)
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "page_size": "8192", "foreign_keys": "1"} {
		var got string
		if _, err := c.row("PRAGMA "+pragma, func(row *sqlite3.Stmt) { got = row.ColumnText(0) }); err != nil || got != want {
			t.Errorf("%s is %q, %v; want %s", pragma, got, err, want)
		}
	}
}

// TestTwoStores: two stores on one folder see what the other does.
func TestTwoStores(t *testing.T) {
	dir := t.TempDir()
	a, b := openAt(t, Config{Dir: dir}), openAt(t, Config{Dir: dir})
	nothing := ask(t, b, "alice")
	ids := fillUser(t, a, "alice", 3, 20)
	want := ask(t, a, "alice")
	if want == nothing {
		t.Fatal("nothing is found")
	}
	if got := ask(t, b, "alice"); got != want {
		t.Errorf("after publishing: %s\nwant %s", got, want)
	}
	for _, id := range ids[:2] {
		if err := b.Delete(t.Context(), "alice", id); err != nil {
			t.Fatal(err)
		}
	}
	want = ask(t, b, "alice")
	if got := ask(t, a, "alice"); got != want || strings.Contains(got, ids[0]) {
		t.Errorf("after deleting: %s\nwant %s", got, want)
	}
}

func TestOpenRefuses(t *testing.T) {
	healthy := func(t *testing.T, dir string) {
		t.Helper()
		s, err := Open(t.Context(), Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		fillUser(t, s, "alice", 2, 200)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name string
		dir  func(t *testing.T, dir string) string
		code rag.Code
		says string
	}{
		{"no folder", func(*testing.T, string) string { return "" }, rag.Invalid, "folder"},
		{"a file for a folder", func(t *testing.T, dir string) string {
			path := filepath.Join(dir, "file")
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}, rag.Unavailable, "cannot be made"},
		{"not a database", func(t *testing.T, dir string) string {
			if err := os.WriteFile(filepath.Join(dir, fileName), bytes.Repeat([]byte("no database "), 1000), 0o600); err != nil {
				t.Fatal(err)
			}
			return dir
		}, rag.Internal, "not a database of Weir"},
		{"of a newer program", func(t *testing.T, dir string) string {
			healthy(t, dir)
			c, err := openConn(t.Context(), filepath.Join(dir, fileName), pragmas)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (4711, 1)"); err != nil {
				t.Fatal(err)
			}
			if err := c.close(); err != nil {
				t.Fatal(err)
			}
			return dir
		}, rag.Unavailable, "newer Weir"},
		{"a folder that cannot be written to", func(t *testing.T, dir string) string {
			if os.Geteuid() == 0 {
				t.Skip("root may write everywhere")
			}
			if err := os.Chmod(dir, 0o500); err != nil {
				t.Fatal(err)
			}
			return dir
		}, rag.Unavailable, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := Open(t.Context(), Config{Dir: test.dir(t, t.TempDir())})
			if err == nil {
				err = s.Close()
				t.Fatalf("opened; Close: %v", err)
			}
			if rag.CodeOf(err) != test.code || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, want code %s and %q", err, test.code, test.says)
			}
			t.Log(err)
		})
	}
}

// TestDamagedFile: whatever byte of the file is wrong, every call ends with an
// answer or an error.
func TestDamagedFile(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(t.Context(), Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	ids := fillUser(t, s, "alice", 3, 100)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(filepath.Join(dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 5))
	for range 40 {
		dir := t.TempDir()
		bad := bytes.Clone(whole)
		at := r.IntN(len(bad) - 8192)
		for i := range 1 + r.IntN(8192) {
			bad[at+i] = byte(r.Uint32())
		}
		if r.IntN(4) == 0 {
			bad = bad[:r.IntN(len(bad))]
		}
		if err := os.WriteFile(filepath.Join(dir, fileName), bad, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(t.Context(), Config{Dir: dir})
		if err != nil {
			continue
		}
		v := randomVector(r)
		_, err1 := s.Candidates(t.Context(), "alice", rag.Query{Text: "heron", Vector: v, Model: testModel(), Limit: 500})
		_, err2 := s.Chunks(t.Context(), "alice", []rag.Ref{{DocID: ids[0]}, {DocID: ids[1], Index: 50}})
		_, _, err3 := s.Documents(t.Context(), "alice", rag.Page{Limit: 10})
		err4 := s.Delete(t.Context(), "alice", ids[2])
		for _, err := range []error{err1, err2, err3, err4} {
			if code := rag.CodeOf(err); code == rag.Canceled || code == rag.Timeout {
				t.Errorf("a damaged file: %v", err)
			}
		}
		_ = s.Close() // may find damage too
	}
}
