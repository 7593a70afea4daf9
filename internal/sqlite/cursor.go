package sqlite

import (
	"crypto/sha256"
	"fmt"

	"github.com/ncruces/go-sqlite3"

	"weir/internal/rag"
)

// cursorsOf makes and reads the cursors of a user's lists; the place is a seq.
func cursorsOf(c *conn, user rag.User) (rag.Cursors, error) {
	var key []byte
	if _, err := c.row("SELECT secret FROM cursors", func(s *sqlite3.Stmt) { key = s.ColumnBlob(0, nil) }); err != nil {
		return rag.Cursors{}, err
	}
	sum := sha256.Sum256([]byte(user))
	cursors, err := rag.NewCursors(key, [8]byte(sum[:8]))
	if err != nil {
		return rag.Cursors{}, fmt.Errorf("%w: %w", sqlite3.CORRUPT, err)
	}
	return cursors, nil
}
