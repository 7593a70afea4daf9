package sqlite

import (
	"context"

	"weir/internal/rag"
)

// read runs f inside one snapshot of the database.
func (s *Store) read(ctx context.Context, p *pool, doing string, f func(c *conn) error) error {
	c, err := p.take(ctx, s.closed)
	if err != nil {
		return s.fail(ctx, doing, err)
	}
	defer p.give(c)
	return s.fail(ctx, doing, transact(ctx, c, "BEGIN", f))
}

// write runs f inside the one writing transaction. When it returns nil, what f
// did is on disk; after an error nothing of it is.
func (s *Store) write(ctx context.Context, doing string, f func(c *conn) error) error {
	c, err := s.writer.take(ctx, s.closed)
	if err != nil {
		return s.fail(ctx, doing, err)
	}
	defer s.writer.give(c)
	return s.fail(ctx, doing, transact(ctx, c, "BEGIN IMMEDIATE", f))
}

// transact leaves the connection outside of any transaction, also when f panics.
func transact(ctx context.Context, c *conn, begin string, f func(c *conn) error) error {
	if _, err := c.exec(begin); err != nil {
		return err
	}
	defer func() {
		if !c.db.GetAutocommit() { // also SQLite itself may have rolled back
			c.db.SetInterrupt(context.WithoutCancel(ctx))
			_, _ = c.exec("ROLLBACK") // a connection where it fails is not used again
		}
	}()
	if err := f(c); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	// From here the outcome is no longer ctx's: a commit that was cut short could not tell whether it took place.
	c.db.SetInterrupt(context.WithoutCancel(ctx))
	_, err := c.exec("COMMIT")
	return err
}

// checkUser is the first line of every operation of a user.
func checkUser(user rag.User) error {
	switch {
	case user == "":
		return rag.FieldErrorf("user", "must not be empty")
	case len(user) > rag.MaxUserBytes:
		return rag.FieldErrorf("user", "is %d bytes long; the limit is %d", len(user), rag.MaxUserBytes)
	}
	return nil
}

// userKey returns 0 for a user who never added anything.
func userKey(c *conn, user rag.User) (int64, error) {
	return c.number("SELECT key FROM users WHERE name = ?", []byte(user))
}
