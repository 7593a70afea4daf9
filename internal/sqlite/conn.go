package sqlite

import (
	"context"
	"errors"
	"fmt"

	"github.com/ncruces/go-sqlite3"
)

// Pages of 8 KiB hold a vector of 1,536 dimensions without an overflow page.
// The busy timeout only matters when another process has the file open, and a
// wait for it ends with the ctx of the call as well.
const (
	pragmas = `
		PRAGMA busy_timeout = 60000;
		PRAGMA foreign_keys = ON;
		PRAGMA temp_store = MEMORY;
		PRAGMA cache_size = -4096;`
	writerPragmas = pragmas + `
		PRAGMA page_size = 8192;
		PRAGMA journal_mode = WAL;
		PRAGMA synchronous = FULL;
		PRAGMA journal_size_limit = 67108864;`
	readerPragmas = pragmas + `
		PRAGMA query_only = ON;`
)

// conn is a connection with the statements it has prepared so far. One
// goroutine uses it at a time.
type conn struct {
	db    *sqlite3.Conn
	stmts map[string]*sqlite3.Stmt
}

func openConn(ctx context.Context, path, pragmas string) (*conn, error) {
	if err := keepPrivate(path); err != nil {
		return nil, err
	}
	db, err := sqlite3.OpenContext(ctx, address(path))
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	db.SetInterrupt(ctx)
	if err := db.Exec(pragmas); err != nil {
		return nil, errors.Join(fmt.Errorf("open database: %w", err), db.Close())
	}
	return &conn{db: db, stmts: make(map[string]*sqlite3.Stmt)}, nil
}

func (c *conn) close() error {
	var errs []error
	for _, s := range c.stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.db.Close())...)
}

// prepare returns the statement with its arguments bound. The caller gives it
// to done when finished.
func (c *conn) prepare(sql string, args ...any) (*sqlite3.Stmt, error) {
	s, ok := c.stmts[sql]
	if !ok {
		var err error
		if s, _, err = c.db.PrepareFlags(sql, sqlite3.PREPARE_PERSISTENT); err != nil {
			return nil, err
		}
		c.stmts[sql] = s
	}
	for i, a := range args {
		if err := bind(s, i+1, a); err != nil {
			return nil, errors.Join(err, done(s))
		}
	}
	return s, nil
}

// done resets a statement and lets go of what was bound to it, which may be large.
func done(s *sqlite3.Stmt) error {
	return errors.Join(s.Reset(), s.ClearBindings())
}

func bind(s *sqlite3.Stmt, i int, a any) error {
	switch a := a.(type) {
	case nil:
		return s.BindNull(i)
	case int64:
		return s.BindInt64(i, a)
	case int:
		return s.BindInt(i, a)
	case bool:
		return s.BindBool(i, a)
	case string:
		return s.BindText(i, a)
	case []byte:
		if a == nil {
			a = []byte{}
		}
		return s.BindBlob(i, a)
	default:
		return fmt.Errorf("argument %d has type %T", i, a)
	}
}

// exec runs a statement without results and returns how many rows it changed.
func (c *conn) exec(sql string, args ...any) (int64, error) {
	s, err := c.prepare(sql, args...)
	if err != nil {
		return 0, err
	}
	if err := s.Exec(); err != nil {
		return 0, errors.Join(err, s.ClearBindings())
	}
	return c.db.Changes(), s.ClearBindings()
}

// rows calls row for each row of the result; what it takes from the statement
// must be copied. The same SQL must not be run inside row.
func (c *conn) rows(sql string, row func(*sqlite3.Stmt) error, args ...any) error {
	s, err := c.prepare(sql, args...)
	if err != nil {
		return err
	}
	for s.Step() {
		if err := row(s); err != nil {
			return errors.Join(err, done(s))
		}
	}
	if err := s.Err(); err != nil {
		_ = done(s) // tells the same error again
		return err
	}
	return done(s)
}

// row is rows for a result of at most one row, and tells whether there was one.
func (c *conn) row(sql string, row func(*sqlite3.Stmt), args ...any) (bool, error) {
	found := false
	err := c.rows(sql, func(s *sqlite3.Stmt) error {
		if !found {
			found = true
			row(s)
		}
		return nil
	}, args...)
	return found, err
}

// number is row for one integer; 0 when there is no row, or it is NULL.
func (c *conn) number(sql string, args ...any) (int64, error) {
	var n int64
	_, err := c.row(sql, func(s *sqlite3.Stmt) { n = s.ColumnInt64(0) }, args...)
	return n, err
}
