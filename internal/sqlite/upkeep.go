package sqlite

import (
	"context"
	"fmt"

	"github.com/ncruces/go-sqlite3"
)

// Reclaim makes the documents in work due. It is for a process that knows that
// it alone has the folder open: whoever held these leases is dead. They are due
// at once, but for one that was never read to its end in several attempts:
// reading it may be what killed them, and between its attempts, up to a minute
// apart, the others are to be served.
func (s *Store) Reclaim(ctx context.Context) error {
	return s.write(ctx, "take over the queue", func(c *conn) error {
		now := s.cfg.Now().UnixNano()
		_, err := c.exec(`
UPDATE documents SET status = 'queued', lease = '', updated_at = ?1,
  due_at = ?1 + CASE WHEN staged OR attempt <= 3 THEN 0 ELSE min(60, 1 << min(attempt - 3, 6)) * 1000000000 END
WHERE lease <> '' AND status IN `+pending, now)
		return err
	})
}

// Check looks through the whole database file for damage. It takes time in
// proportion to the file; ctx bounds it.
func (s *Store) Check(ctx context.Context) error {
	return s.read(ctx, s.other, "check the store", func(c *conn) error {
		found := ""
		if _, err := c.row("PRAGMA quick_check(1)", func(row *sqlite3.Stmt) { found = row.ColumnText(0) }); err != nil {
			return err
		}
		if found != "ok" {
			return fmt.Errorf("%w: %s", sqlite3.CORRUPT, found)
		}
		return nil
	})
}
