package sqlite

import (
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"
)

// TestPlans: what runs often, or while the writer is held, must not read a table from end to end.
func TestPlans(t *testing.T) {
	s := openAt(t, Config{Dir: t.TempDir()})
	fillUser(t, s, "alice", 3, 5)
	for _, sql := range []string{
		selectDue,
		selectDocument + "WHERE d.id = ? AND d.user = (SELECT key FROM users WHERE name = ?)",
		selectDocument + sameContent,
		selectDocument + selectPage,
		selectDocument + selectOlder,
		selectDocument + selectEnded,
		selectReady,
		selectChunk + selectUnembedded,
		"SELECT status, count(*) FROM documents WHERE user = ? GROUP BY status",
		selectCenter,
		"DELETE FROM documents WHERE key = ?",
		"SELECT count(*), coalesce(sum(lease <> '' AND due_at > ?), 0) FROM documents WHERE status IN " + pending,
	} {
		if err := s.read(t.Context(), s.other, "explain", func(c *conn) error {
			return c.rows("EXPLAIN QUERY PLAN "+sql, func(row *sqlite3.Stmt) error {
				step := row.ColumnText(3)
				t.Log(step)
				table, scanned := strings.CutPrefix(step, "SCAN ")
				if scanned && table != "waiting" && table != "documents USING COVERING INDEX documents_pending" {
					t.Errorf("%s\n%s", sql, step)
				}
				return nil
			})
		}); err != nil {
			t.Error(err)
		}
		t.Log("--")
	}
}
