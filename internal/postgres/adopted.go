package postgres

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"weir/internal/analysis"
	"weir/internal/crew"
	"weir/internal/rag"
)

// Adopted is a rag.Store that reads the tables of another system as they are
// and writes nothing: {schema}.documents and {schema}.document_chunks. Whatever
// changes them is seen by the next search.
//
// A document is Ready when it has passages, and Queued as long as it has none.
// Methods that would write return a Forbidden error; Lease finds nothing to do.
type Adopted struct {
	*database
	analyzer *analysis.Analyzer
	layout   atomic.Pointer[tables]
	secret   []byte       // of cursors
	graphs   atomic.Int64 // how many searches went through an index of vectors
	trust    trust        // in that index
}

var _ rag.Store = (*Adopted)(nil)

// adoption is the store with the tables as they are during one call.
type adoption struct {
	*Adopted
	old tables
}

func (s *Adopted) now() adoption { return adoption{s, *s.layout.Load()} }

// Adopt opens the tables of another system in cfg.Schema. Errors are
// [rag.Error] values: Invalid for the Config, Unavailable for a database or
// tables that cannot be used.
func Adopt(ctx context.Context, cfg Config) (*Adopted, error) {
	if cfg.Schema == "" {
		cfg.Schema = "upload_pipeline"
	}
	cfg = cfg.withDefaults()
	const doing = "open the tables"
	if ctx.Err() != nil {
		return nil, ended(ctx, doing)
	}
	d, err := connect(ctx, cfg)
	if err != nil {
		return nil, err
	}
	s := &Adopted{database: d, analyzer: analysis.New()}
	d.path = tablesPath(cfg.Schema)
	d.plans = "; SET LOCAL enable_seqscan = off"
	// Nothing can be stored, so the key is made of what only the servers know.
	c := d.other.Config().ConnConfig
	// Of the password, because all servers of a database must read each other's
	// cursors, and slowly, because callers see them.
	sum, err := pbkdf2.Key(sha256.New, c.Password, []byte("cursors\x00"+c.Host+"\x00"+c.Database+"\x00"+cfg.Schema), cursorRounds, sha256.Size)
	if err != nil {
		d.close()
		return nil, err
	}
	s.secret = sum
	if err := s.look(ctx, doing); err != nil {
		d.close()
		return nil, err
	}
	s.crew = crew.New(context.WithoutCancel(ctx), errClosed())
	s.indexes = newCache(cfg.IndexMemory)
	if err := s.crew.Start(s.lookNowAndThen); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// cursorRounds is what OWASP advised in 2023 for PBKDF2 with SHA-256.
const cursorRounds = 600_000

// lookEvery is how often it is looked whether the tables got another column or
// index.
const lookEvery = 30 * time.Second

// lookNowAndThen keeps what is known of the tables up to date, until ctx ends. A
// look that fails changes nothing.
func (s *Adopted) lookNowAndThen(ctx context.Context) {
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			bounded, cancel := context.WithTimeout(ctx, lookEvery)
			_ = s.look(bounded, "look at the tables") // Ready tells whoever asks
			cancel()
		case <-ctx.Done():
			return
		}
	}
}

// look finds out what the tables are like. What has come since is used from the
// next call on; where something has gone that is used, it is an error, and
// nothing changes.
func (s *Adopted) look(ctx context.Context, doing string) error {
	return s.transact(ctx, s.reading(s.search), scope{}, doing, func(ctx context.Context, tx pgx.Tx) error {
		var extension, version string
		err := tx.QueryRow(ctx, "SELECT n.nspname, e.extversion FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'vector'").Scan(&extension, &version)
		if noRows(err) {
			return &rag.Error{Code: rag.Unavailable, Phase: phase, Msg: doing + ": the database has no pgvector"}
		}
		if err != nil {
			return err
		}
		documents, err := columnsOf(ctx, tx, s.cfg.Schema, "documents")
		if err != nil {
			return err
		}
		chunks, err := columnsOf(ctx, tx, s.cfg.Schema, "document_chunks")
		if err != nil {
			return err
		}
		now, err := describe(documents, chunks)
		if err != nil {
			return err
		}
		if now.keys, err = keysOf(ctx, tx, s.cfg.Schema); err != nil {
			return err
		}
		if now.relations, err = relationsOf(ctx, tx, s.cfg.Schema); err != nil {
			return err
		}
		if older(version, oldestVector) {
			now.near = nearIndex{} // it cannot scan on until enough is found
		}
		was := s.layout.Load()
		if was != nil {
			if err := stillThere(was.used, documents, chunks); err != nil {
				return err
			}
		}
		// What searches read is read: a right to see a table is none to read it.
		for _, table := range []string{"documents", "document_chunks"} {
			if _, err := tx.Exec(ctx, fmt.Sprintf("SELECT %s FROM %s LIMIT 0", now.used.list(table), table)); err != nil {
				return err
			}
		}
		if was == nil {
			s.ext = quote(extension)
		}
		if err := (adoption{s, now}).plan(ctx, tx); err != nil {
			return err
		}
		if was == nil {
			s.warn(ctx, now)
		}
		s.layout.Store(&now)
		return nil
	})
}

func (s *Adopted) warn(ctx context.Context, now tables) {
	for _, table := range now.policed {
		s.log.WarnContext(ctx, "row-level security holds for this role; rows that its policies hide are not found, and nobody is told", "table", table)
	}
	if !now.indexed && !now.unversioned { // what a view reads is not known
		s.log.WarnContext(ctx, "document_chunks has no index on document_id; each search reads the whole table")
	}
	if now.model == "" && s.cfg.UnnamedModel == "" && now.embedding != "" {
		s.log.WarnContext(ctx, "the tables do not say which model the vectors are of; until it is set they take no part in searches")
	}
}

// asked returns how a user is looked up, and whether one can be called so.
// Two spellings of one value are not one user: only the one that the database
// itself writes is, and a UUID in capital letters.
func (s adoption) asked(user rag.User) (string, bool) {
	u := string(user)
	switch s.old.userType {
	case "uuid":
		id, err := uuid.Parse(u)
		return u, err == nil && strings.EqualFold(id.String(), u)
	case "bigint", "integer":
		bits := 64
		if s.old.userType == "integer" {
			bits = 32
		}
		n, err := strconv.ParseInt(u, 10, bits)
		return u, err == nil && strconv.FormatInt(n, 10) == u
	}
	return u, utf8.ValidString(u) && !strings.Contains(u, "\x00")
}

// Ready reports whether the tables can be read now by a search, and still have
// the columns that they had when they were opened.
func (s *Adopted) Ready(ctx context.Context) error { return s.look(ctx, "look at the tables") }

// Close waits for calls under way, and refuses new ones.
func (s *Adopted) Close() error {
	s.crew.Close()
	s.close()
	return nil
}
