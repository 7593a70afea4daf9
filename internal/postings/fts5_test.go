package postings_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"weir/internal/analysis"
	"weir/internal/postings"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/ext/fts5"
)

// BenchmarkAgainstFTS5 asks the same questions of FTS5 (Porter stemming, the
// same words left out, restricted to the user by a join) and of an Index, over
// the same chunks in the same run.
func BenchmarkAgainstFTS5(b *testing.B) {
	for _, lay := range []layout{{1_000, 100}, {10_000, 100}, {100_000, 100}} {
		b.Run(lay.String(), func(b *testing.B) {
			s := shelfFor(b, lay)
			ix, err := postings.Load(b.Context(), postings.Config{}, s.all)
			if err != nil {
				b.Fatal(err)
			}
			db := fillFTS5(b, s)
			defer db.Close()
			stmt, _, err := db.Prepare(`SELECT f.rowid FROM fts f JOIN chunks c ON c.id = f.rowid
				WHERE fts MATCH ? AND c.user = 'u1' ORDER BY bm25(fts) LIMIT 10`)
			if err != nil {
				b.Fatal(err)
			}
			defer stmt.Close()
			l := &library{a: analysis.New(), ix: ix}
			p := newProse(3)
			var ours, theirs []time.Duration
			b.ResetTimer()
			for b.Loop() {
				question := p.everyday()
				groups := l.groups(question)
				start := time.Now()
				hits, err := ix.Search(b.Context(), groups, 10, nil)
				ours = append(ours, time.Since(start))
				if err != nil || len(hits) == 0 {
					b.Fatal(hits, err)
				}
				var words []string
				for _, w := range strings.Fields(strings.TrimSuffix(question, "?")) {
					if !strings.Contains(" what is the for my ", " "+w+" ") {
						words = append(words, `"`+w+`"`)
					}
				}
				start = time.Now()
				if err := stmt.BindText(1, strings.Join(words, " OR ")); err != nil {
					b.Fatal(err)
				}
				n := 0
				for stmt.Step() {
					n++
				}
				if err := stmt.Reset(); err != nil || n == 0 {
					b.Fatal(n, err)
				}
				theirs = append(theirs, time.Since(start))
			}
			percentiles(b, ours)
			slices.Sort(ours)
			slices.Sort(theirs)
			median := func(d []time.Duration) float64 { return float64(d[len(d)/2].Nanoseconds()) / 1e3 }
			b.ReportMetric(median(theirs), "fts5-p50-µs")
			b.ReportMetric(median(theirs)/median(ours), "times-faster")
		})
	}
}

func fillFTS5(b *testing.B, s *shelf) *sqlite3.Conn {
	b.Helper()
	db, err := sqlite3.Open(b.TempDir() + "/fts.db")
	if err != nil {
		b.Fatal(err)
	}
	if err := fts5.Register(db); err != nil { // not compiled in, an extension
		b.Fatal(err)
	}
	if err := db.Exec(`PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -400000;
		CREATE TABLE chunks(id INTEGER PRIMARY KEY, user TEXT NOT NULL);
		CREATE VIRTUAL TABLE fts USING fts5(text, content='', tokenize='porter unicode61'); BEGIN`); err != nil {
		b.Fatal(err)
	}
	chunk, _, err := db.Prepare(`INSERT INTO chunks VALUES (?, 'u1')`)
	if err != nil {
		b.Fatal(err)
	}
	defer chunk.Close()
	text, _, err := db.Prepare(`INSERT INTO fts(rowid, text) VALUES (?, ?)`)
	if err != nil {
		b.Fatal(err)
	}
	defer text.Close()
	id := int64(0)
	for _, doc := range s.texts {
		for _, c := range doc {
			id++
			for _, err := range []error{
				chunk.BindInt64(1, id), chunk.Exec(), text.BindInt64(1, id), text.BindText(2, c), text.Exec(),
			} {
				if err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	if err := db.Exec("COMMIT; INSERT INTO fts(fts) VALUES ('optimize')"); err != nil {
		b.Fatal(err)
	}
	return db
}
