package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	goosedb "github.com/pressly/goose/v3/database"

	"weir/internal/rag"
)

//go:embed schema/migrations/*.sql
var migrations embed.FS

const (
	versionTable = "schema_versions"
	// migrationLock is the advisory lock of those who migrate.
	migrationLock = 0x77656972 // "weir"
	// migrationTime bounds the whole of it, the wait for other servers included.
	migrationTime = 5 * time.Minute
	migrationTick = 200 * time.Millisecond
	// migrationPatience is how long a migration waits for a table that other
	// servers write to: meanwhile all who come after it wait for it, searches too.
	migrationPatience = 200 * time.Millisecond
	// oldestVector is the first pgvector with iterative scans.
	oldestVector = "0.8.0"
)

// known returns the migrations in this program, by rising version.
func known(path string) ([]*goose.Migration, error) {
	files, err := fs.Glob(migrations, "schema/migrations/*.sql")
	if err != nil {
		return nil, err
	}
	var all []*goose.Migration
	for _, file := range files {
		text, err := migrations.ReadFile(file)
		if err != nil {
			return nil, err
		}
		number, _, _ := strings.Cut(file[strings.LastIndexByte(file, '/')+1:], "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("migration %s: %w", file, err)
		}
		all = append(all, goose.NewGoMigration(version, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, fmt.Sprintf("SET LOCAL search_path = %s; SET LOCAL lock_timeout = %d", path, migrationPatience.Milliseconds())); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, string(text))
			return err
		}}, nil))
	}
	return all, nil
}

func newestVersion() (int64, error) {
	all, err := known("")
	if err != nil || len(all) == 0 {
		return 0, errors.Join(err, errors.New("no migrations"))
	}
	return all[len(all)-1].Version, nil
}

// migrate brings the schema to the one of this program. Of several servers that
// start at once one does it, and the others look again and again whether it is
// done.
func (d *database) migrate(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, migrationTime)
	defer cancel()
	tick := time.NewTicker(migrationTick)
	defer tick.Stop()
	for {
		done, err := d.migrateOnce(ctx)
		if err != nil || done {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// migrateOnce migrates if that is due and no other server is at it. The lock is
// that of a transaction on a second connection, which a transaction pooler bears
// as it does not a session's; nobody waits for it holding a connection that the
// pooler may need for the one who has it.
func (d *database) migrateOnce(ctx context.Context) (done bool, err error) {
	conn, err := d.other.Acquire(ctx)
	if err != nil {
		return false, err
	}
	defer conn.Release()
	extension, have, err := d.inspect(ctx, conn.Conn())
	if err != nil {
		return false, err
	}
	want, err := newestVersion()
	if err != nil {
		return false, err
	}
	if have > want {
		return false, d.newer(have, want)
	}
	d.path, d.ext = tablesPath(d.cfg.Schema), quote(extension)
	if have == want && extension != "" {
		return true, nil
	}
	lock, err := conn.Begin(ctx)
	if err != nil {
		return false, err
	}
	defer d.rollback(ctx, lock)
	if _, err := lock.Exec(ctx, fmt.Sprintf("SET LOCAL idle_in_transaction_session_timeout = %d", migrationTime.Milliseconds())); err != nil {
		return false, err
	}
	var mine bool
	if err := lock.QueryRow(ctx, "SELECT pg_try_advisory_xact_lock($1)", int64(migrationLock)).Scan(&mine); err != nil || !mine {
		return false, err
	}
	switch err := d.migrateLocked(ctx); {
	case stateOf(err) == lockNotAvailable:
		return false, nil // it is tried again, and others may have a turn
	case have > 0 && err != nil:
		return false, fmt.Errorf("the tables are of version %d and this program needs %d: %w", have, want, err)
	default:
		return err == nil, err
	}
}

func (d *database) migrateLocked(ctx context.Context) (err error) {
	config := d.other.Config().ConnConfig.Copy()
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	db := stdlib.OpenDB(*config)
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, "CREATE SCHEMA IF NOT EXISTS "+quote(d.cfg.Schema)); err != nil {
		return fmt.Errorf("make the schema: %w", err)
	}
	if _, err := db.ExecContext(ctx, "CREATE EXTENSION IF NOT EXISTS vector"); err != nil {
		return &rag.Error{
			Code: rag.Unavailable, Phase: phase, Err: d.scrub(err),
			Msg: "the database needs pgvector " + oldestVector + " or newer, and this user cannot install it; one who may does it with CREATE EXTENSION vector",
		}
	}
	extension, err := extensionSchema(ctx, db)
	if err != nil {
		return err
	}
	d.ext = quote(extension)
	all, err := known(searchPath(d.cfg.Schema, extension))
	if err != nil {
		return err
	}
	store, err := goosedb.NewStore(goosedb.DialectPostgres, d.cfg.Schema+"."+versionTable)
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	p, err := goose.NewProvider("", db, nil, goose.WithStore(store), goose.WithDisableGlobalRegistry(true), goose.WithGoMigrations(all...))
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

func (d *database) newer(have, want int64) error {
	return &rag.Error{
		Code: rag.Unavailable, Phase: phase,
		Msg: fmt.Sprintf("the schema %s has version %d and this program knows only up to %d; a newer Weir works with it", d.cfg.Schema, have, want),
	}
}

// tablesPath is where tables are looked for: in the schema alone. The temporary
// ones are named because they come first where they are not.
func tablesPath(schema string) string { return quote(schema) + ", pg_temp" }

// searchPath is that of migrations, which make tables and use pgvector's types.
func searchPath(schema, extension string) string {
	path := quote(schema)
	if extension != "" && extension != schema {
		path += ", " + quote(extension)
	}
	return path
}

// inspect tells where pgvector is ("" where it is not), and which version the
// schema has (0: none yet).
func (d *database) inspect(ctx context.Context, conn *pgx.Conn) (extension string, version int64, err error) {
	var vector string
	var table bool
	err = conn.QueryRow(ctx, `
SELECT coalesce((SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'vector'), ''),
       coalesce((SELECT extversion FROM pg_extension WHERE extname = 'vector'), ''),
       to_regclass($1) IS NOT NULL`, quote(d.cfg.Schema)+"."+versionTable).Scan(&extension, &vector, &table)
	if err != nil {
		return "", 0, err
	}
	if vector != "" && older(vector, oldestVector) {
		return "", 0, &rag.Error{
			Code: rag.Unavailable, Phase: phase,
			Msg: fmt.Sprintf("the database has pgvector %s; %s or newer is needed (ALTER EXTENSION vector UPDATE)", vector, oldestVector),
		}
	}
	if table {
		version, err = schemaVersion(ctx, conn, d.cfg.Schema)
	}
	return extension, version, err
}

// rower is what asks for a row: a connection or a transaction.
type rower interface {
	QueryRow(ctx context.Context, query string, args ...any) pgx.Row
}

func schemaVersion(ctx context.Context, conn rower, schema string) (version int64, err error) {
	err = conn.QueryRow(ctx, "SELECT coalesce(max(version_id), 0) FROM "+quote(schema)+"."+versionTable+" WHERE is_applied").Scan(&version)
	return version, err
}

func extensionSchema(ctx context.Context, db *sql.DB) (schema string, err error) {
	err = db.QueryRowContext(ctx, "SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'vector'").Scan(&schema)
	return schema, err
}

// older compares versions of numbers and dots.
func older(a, b string) bool {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range max(len(x), len(y)) {
		m, n := 0, 0
		if i < len(x) {
			m, _ = strconv.Atoi(x[i]) // what is no number counts as 0
		}
		if i < len(y) {
			n, _ = strconv.Atoi(y[i])
		}
		if m != n {
			return m < n
		}
	}
	return false
}
