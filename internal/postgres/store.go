package postgres

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"weir/internal/analysis"
	"weir/internal/crew"
	"weir/internal/rag"
)

// Store is a rag.Store in a schema of its own.
type Store struct {
	*database
	analyzer *analysis.Analyzer
	wake     chan struct{} // tells the sweeper that there is waste
	newest   int64         // version of the schema
	graphs   atomic.Int64  // how many searches went through one
	ahead    ahead         // of a move
}

var _ rag.Store = (*Store)(nil)

// Open opens the store at cfg.Address, making or migrating its tables. ctx
// bounds the opening only. Errors are [rag.Error] values: Invalid for the
// Config, Unavailable for a database that cannot be used.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.Schema == "" {
		cfg.Schema = "weir"
	}
	if !plainName(cfg.Schema) {
		return nil, rag.FieldErrorf("schema", "must be of small letters, digits and _, not begin with a digit or pg_, and have at most 63 of them")
	}
	cfg = cfg.withDefaults()
	const doing = "open the store"
	if ctx.Err() != nil {
		return nil, ended(ctx, doing)
	}
	d, err := connect(ctx, cfg)
	if err != nil {
		return nil, err
	}
	s := &Store{database: d, analyzer: analysis.New(), wake: make(chan struct{}, 1)}
	d.plans = "; SET LOCAL enable_seqscan = off" // a user's rows are always found by an index, whatever the planner knows of sizes
	if s.newest, err = newestVersion(); err == nil {
		err = d.migrate(ctx)
	}
	if err != nil {
		d.close()
		return nil, d.explain(ctx, doing, err)
	}
	s.crew = crew.New(context.WithoutCancel(ctx), errClosed())
	s.indexes = newCache(cfg.IndexMemory)
	s.warnOfPrivileges(ctx)
	for _, task := range []func(context.Context){s.sweep, s.tendGraphs} {
		if err := s.crew.Start(task); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

// plainName reports a name that needs no quotes.
func plainName(name string) bool {
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && c != '_' && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != "" && len(name) <= 63 && !strings.HasPrefix(name, "pg_")
}

// warnOfPrivileges says when row-level security does not hold for the role.
func (s *Store) warnOfPrivileges(ctx context.Context) {
	var free bool
	err := s.transact(ctx, s.reading(s.other), scope{}, "look at the role", func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user").Scan(&free)
	})
	if err == nil && free {
		s.log.WarnContext(ctx, "the role is not bound by row-level security; use one without SUPERUSER and BYPASSRLS")
	}
}

// Ready reports whether the store can be read and written now.
func (s *Store) Ready(ctx context.Context) error {
	if err := s.Readable(ctx); err != nil {
		return err
	}
	return s.Writable(ctx)
}

// readTables reads nothing of all that a search reads: it fails where a table is
// gone or may not be read.
const readTables = `SELECT d.key, c.idx, v.v OPERATOR({ext}.<#>) v.v, b.data, o.generation, n.key
FROM documents d, chunks c, vectors v, blobs b, owners o, models n LIMIT 0`

// mayFollow asks for the right to see which model is in use, without asking the
// table: no search waits for whoever has locked that.
const mayFollow = "SELECT coalesce(has_column_privilege(to_regclass('moves'), 'live', 'SELECT'), false)"

// Readable implements [rag.Halves]. It asks as a search does: with one of the
// connections that searches have.
func (s *Store) Readable(ctx context.Context) error {
	const doing = "look at the store"
	return s.transact(ctx, s.reading(s.search), scope{}, doing, func(ctx context.Context, tx pgx.Tx) error {
		have, err := schemaVersion(ctx, tx, s.cfg.Schema)
		if err == nil && have != s.newest {
			err = s.newer(have, s.newest)
			if have < s.newest {
				err = &rag.Error{Code: rag.Unavailable, Phase: phase, Msg: fmt.Sprintf(
					"%s: the schema has version %d, older than the %d of this program; it was replaced while the program ran", doing, have, s.newest)}
			}
		}
		if err != nil {
			return err
		}
		if _, err = tx.Exec(ctx, s.sql(readTables)); err != nil {
			return err
		}
		var follow bool
		if err := tx.QueryRow(ctx, mayFollow).Scan(&follow); err != nil {
			return err
		}
		if !follow {
			return &rag.Error{Code: rag.Unavailable, Phase: phase, Msg: doing + ": the table moves is gone, or the database refuses this user to read it"}
		}
		_, err = tx.Exec(ctx, "SELECT key FROM documents LIMIT 1")
		return err
	})
}

// mayWrite asks for the rights that ingest needs. Whoever locks a row needs the
// right to change it.
const mayWrite = `SELECT coalesce(bool_and(has_table_privilege(to_regclass(t), p)), false)
  AND coalesce(has_table_privilege(to_regclass('models'), 'INSERT') AND has_table_privilege(to_regclass('moves'), 'UPDATE'), false)
  AND coalesce(has_sequence_privilege(to_regclass('keys'), 'USAGE') OR has_sequence_privilege(to_regclass('keys'), 'UPDATE'), false)
FROM unnest(ARRAY['documents', 'owners', 'chunks', 'vectors', 'blobs', 'waste']) t, unnest(ARRAY['INSERT', 'UPDATE', 'DELETE']) p`

// Writable implements [rag.Halves].
func (s *Store) Writable(ctx context.Context) error {
	const doing = "look whether the store takes writes"
	err := s.transact(ctx, s.reading(s.other), scope{}, doing, func(ctx context.Context, tx pgx.Tx) error {
		var standby, readOnly, allowed bool
		// The transaction is read-only itself, so the default is what counts.
		if err := tx.QueryRow(ctx, "SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only')::boolean, ("+mayWrite+")").Scan(&standby, &readOnly, &allowed); err != nil {
			return err
		}
		switch {
		case standby || readOnly:
			return &rag.Error{Code: rag.Unavailable, Phase: phase, RetryAfter: again, Msg: doing + ": the database takes no writes (read-only or a standby)"}
		case !allowed:
			return &rag.Error{Code: rag.Unavailable, Phase: phase, Msg: doing + ": the database refuses this user to write"}
		}
		return nil
	})
	if err != nil || !s.full.Load() {
		return err
	}
	return s.probe(ctx, doing)
}

// probe finds out whether the disk has room again, by writing what is then
// taken back.
func (s *Store) probe(ctx context.Context, doing string) error {
	m := s.writing()
	err := s.transact(ctx, m, scope{owner: probeOwner()}, doing, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
INSERT INTO blobs (owner, body, kind, part, data)
SELECT $1, 0, 0, n, (SELECT string_agg(uuid_send(gen_random_uuid()), NULL) FROM generate_series(1, 4096 + n)) FROM generate_series(1, 32) n`, probeOwner())
		if err == nil {
			err = errProbed
		}
		return err
	})
	if errors.Is(err, errProbed) || isProbe(err) {
		s.full.Store(false)
		return nil
	}
	return err
}

var errProbed = errors.New("there is room")

func isProbe(err error) bool {
	var told *rag.Error
	return errors.As(err, &told) && errors.Is(told.Err, errProbed)
}

func probeOwner() uuid.UUID { return uuid.Max }

// Close waits for calls under way, and refuses new ones.
func (s *Store) Close() error {
	s.crew.Close()
	s.close()
	return nil
}

func checkUser(user rag.User) error {
	if user == "" || len(user) > rag.MaxUserBytes {
		return rag.FieldErrorf("user", "must be from 1 to %d bytes long", rag.MaxUserBytes)
	}
	return nil
}

// ownerOf is what a user's rows carry.
func ownerOf(user rag.User) uuid.UUID {
	sum := sha256.Sum256([]byte(user))
	return uuid.UUID(sum[:16])
}

// own is the scope of one user.
func own(user rag.User) scope { return scope{owner: ownerOf(user)} }

func (s *Store) read(ctx context.Context, user rag.User, doing string, f func(ctx context.Context, tx pgx.Tx) error) error {
	return s.transact(ctx, s.reading(s.other), own(user), doing, f)
}

func (s *Store) write(ctx context.Context, user rag.User, doing string, f func(ctx context.Context, tx pgx.Tx) error) error {
	return s.transact(ctx, s.writing(), own(user), doing, f)
}
