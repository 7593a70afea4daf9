package sqlite

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/driver"
	"github.com/pressly/goose/v3"

	"weir/internal/rag"
)

//go:embed schema/migrations/*.sql
var migrations embed.FS

// migrate brings the database at path to the schema of this program. One that
// is ahead of it was written by a newer program and is refused unchanged.
func migrate(ctx context.Context, path string) (err error) {
	files, err := fs.Sub(migrations, "schema/migrations")
	if err != nil {
		return fmt.Errorf("embedded migrations: %w", err)
	}
	if err := keepPrivate(path); err != nil {
		return err
	}
	db, err := driver.Open(address(path), func(c *sqlite3.Conn) error { return c.Exec(writerPragmas) })
	if err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	// The first statement opens the file, so its errors are told from those of a migration.
	if err := db.PingContext(ctx); err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	if have > want {
		return newerError(have, want)
	}
	if have == want {
		return nil
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

func newerError(have, known int64) error {
	return &rag.Error{
		Code: rag.Unavailable, Phase: phase,
		Msg: fmt.Sprintf("%s has schema version %d and this program knows only up to %d; it was written by a newer Weir", fileName, have, known),
	}
}
