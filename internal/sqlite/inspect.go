package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"

	"github.com/ncruces/go-sqlite3"
	"github.com/pressly/goose/v3"

	"weir/internal/rag"
)

const schemaQuery = "SELECT max(version_id) FROM goose_db_version WHERE is_applied"

// newestSchema is the schema version of this program.
func newestSchema() (int64, error) {
	files, err := fs.Glob(migrations, "schema/migrations/*.sql")
	if err != nil {
		return 0, fmt.Errorf("embedded migrations: %w", err)
	}
	var newest int64
	for _, f := range files {
		v, err := goose.NumericComponent(f)
		if err != nil {
			return 0, fmt.Errorf("embedded migrations: %w", err)
		}
		newest = max(newest, v)
	}
	return newest, nil
}

// Verify looks through a whole backup: its hashes, the database page by page,
// and whether it holds what its manifest says. It changes nothing and writes no
// file beside.
func Verify(ctx context.Context, path string, tell func(stage string, done, total int64)) (Manifest, error) {
	if tell == nil {
		tell = func(string, int64, int64) {}
	}
	f, err := os.Open(path) //nolint:gosec // the operator names it
	if err != nil {
		return Manifest{}, backupError(rag.NotFound, err, "the backup %s cannot be read: %s", path, reason(err))
	}
	defer f.Close() //nolint:errcheck // it was only read
	m, err := readManifest(f, path)
	if err != nil {
		return m, err
	}
	sum, err := copyHashed(ctx, io.Discard, f, m.Database.Bytes, func(done, total int64) { tell(StageHash, done, total) })
	if err != nil {
		return m, explain(ctx, filepath.Dir(path), "verify "+path, err)
	}
	if sum != m.Database.SHA256 {
		return m, hashError(path)
	}
	if _, err := keysOf(f, m, path); err != nil {
		return m, err
	}
	tell(StageCheck, 0, 0)
	return m, m.matches(ctx, path, path)
}

func hashError(path string) error {
	return backupError(rag.Invalid, nil, "the backup %s is damaged: its database has another SHA-256 than it should", path)
}

// matches looks through the database file and compares it with the manifest of
// the backup.
func (m Manifest) matches(ctx context.Context, file, backup string) error {
	found, err := inspect(ctx, file)
	switch {
	case err != nil && ctx.Err() != nil:
		return explain(ctx, filepath.Dir(file), "verify "+backup, err)
	case err != nil:
		return backupError(rag.Invalid, err, "the backup %s is damaged: %v", backup, err)
	case found.schema != m.Schema || !found.counts.equal(m.Counts):
		return backupError(rag.Invalid, nil, "the backup %s does not hold what its manifest says: %+v with schema version %d, not %+v with %d",
			backup, found.counts, found.schema, m.Counts, m.Schema)
	}
	return nil
}

func (c Counts) equal(d Counts) bool {
	return c.Users == d.Users && c.Documents == d.Documents && c.Chunks == d.Chunks && c.Vectors == d.Vectors && maps.Equal(c.Statuses, d.Statuses)
}

// inspected is what was found in a database file.
type inspected struct {
	schema int64
	counts Counts
}

// inspect looks through a database file that nobody writes to: every page and
// index, every reference, and whether documents have all that they say they have.
func inspect(ctx context.Context, path string) (found inspected, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return found, err
	}
	// Immutable: no lock and no log beside it, so that it may lie on a disk that cannot be written.
	db, err := sqlite3.OpenContext(ctx, "file:"+(&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()+"?immutable=1")
	if err != nil {
		return found, err
	}
	c := &conn{db: db, stmts: make(map[string]*sqlite3.Stmt)}
	defer func() { err = errors.Join(err, c.close()) }()
	db.SetInterrupt(ctx)
	if err := db.Exec(pragmas); err != nil {
		return found, err
	}
	for _, pragma := range []string{"PRAGMA integrity_check(1)", "PRAGMA foreign_key_check"} {
		problem := ""
		if _, err := c.row(pragma, func(row *sqlite3.Stmt) { problem = row.ColumnText(0) }); err != nil {
			return found, err
		}
		if problem != "" && problem != "ok" {
			return found, fmt.Errorf("%w: %s: %s", sqlite3.CORRUPT, pragma, problem)
		}
	}
	if found.schema, err = c.number(schemaQuery); err != nil {
		return found, err
	}
	if found.counts, err = countDocuments(c); err != nil {
		return found, err
	}
	if found.counts.Chunks, err = c.number("SELECT count(*) FROM chunks"); err != nil {
		return found, err
	}
	if found.counts.Vectors, err = c.number("SELECT count(*) FROM vectors"); err != nil {
		return found, err
	}
	return found, checkDocuments(c)
}

func countDocuments(c *conn) (n Counts, err error) {
	if n.Users, err = c.number("SELECT count(*) FROM users"); err != nil {
		return n, err
	}
	n.Statuses = map[string]int64{}
	err = c.rows("SELECT status, count(*) FROM documents GROUP BY status", func(row *sqlite3.Stmt) error {
		n.Statuses[row.ColumnText(0)] = row.ColumnInt64(1)
		n.Documents += row.ColumnInt64(1)
		return nil
	})
	return n, err
}

// checkDocuments looks for ready documents without all of their passages, and
// for those still to be read whose upload is not whole: what no check of pages
// sees.
func checkDocuments(c *conn) error {
	for _, wrong := range []struct{ what, sql string }{
		{
			"a document lacks passages",
			`SELECT count(*) FROM documents d WHERE status = 'ready' AND
			 chunks <> (SELECT count(*) FROM chunks WHERE id >= d.body << 20 AND id < (d.body + 1) << 20)`,
		},
		{
			"an upload is not whole",
			`SELECT count(*) FROM documents d WHERE status IN ('queued', 'parsing', 'embedding') AND NOT staged AND
			 bytes <> (SELECT coalesce(sum(length(data)), 0) FROM blobs WHERE id >= d.body << 20 AND id < (d.body << 20) + (1 << 18))`,
		},
	} {
		n, err := c.number(wrong.sql)
		if err != nil {
			return err
		}
		if n != 0 {
			return fmt.Errorf("%w: %s (%d of them)", sqlite3.CORRUPT, wrong.what, n)
		}
	}
	return nil
}
