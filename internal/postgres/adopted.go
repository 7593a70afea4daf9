package postgres

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

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
	indexes  *cache
	crew     *crew.Crew
	layout   atomic.Pointer[tables]
	secret   []byte       // of cursors
	graphs   atomic.Int64 // how many searches went through an index of vectors
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
		var extension string
		err := tx.QueryRow(ctx, "SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'vector'").Scan(&extension)
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
			s.warn(ctx, now)
		}
		s.layout.Store(&now)
		return nil
	})
}

func (s *Adopted) warn(ctx context.Context, now tables) {
	if !now.indexed {
		s.log.WarnContext(ctx, "document_chunks has no index on document_id; each search reads the whole table")
	}
	if now.model == "" && s.cfg.UnnamedModel == "" && now.embedding != "" {
		s.log.WarnContext(ctx, "the tables do not say which model the vectors are of; until it is set they take no part in searches")
	}
}

// usedColumn is one that searches or lists read.
type usedColumn struct{ table, name, kind string }

type usedColumns []usedColumn

func (u usedColumns) list(table string) string {
	var names []string
	for _, c := range u {
		if c.table == table {
			names = append(names, quote(c.name))
		}
	}
	return strings.Join(names, ", ")
}

// stillThere reports what is gone of the columns that were used: one that is
// not there would be missed without a word.
func stillThere(was usedColumns, documents, chunks map[string]column) error {
	for _, c := range was {
		columns := documents
		if c.table != "documents" {
			columns = chunks
		}
		now, ok := columns[c.name]
		if !ok {
			return &rag.Error{Code: rag.Unavailable, Phase: phase, Msg: fmt.Sprintf("the table %s has lost its column %s", c.table, c.name)}
		}
		if now.kind != c.kind {
			return &rag.Error{Code: rag.Unavailable, Phase: phase, Msg: fmt.Sprintf("the column %s of %s is %s now; it was %s when it was opened", c.name, c.table, now.kind, c.kind)}
		}
	}
	return nil
}

// column is one of a table.
type column struct {
	kind string // as Postgres formats it, such as "uuid" or "vector"
	mod  int    // of a vector: its dimensions, or -1
}

func columnsOf(ctx context.Context, tx pgx.Tx, schema, table string) (map[string]column, error) {
	rows, err := tx.Query(ctx, `
SELECT a.attname, format_type(a.atttypid, NULL), a.atttypmod FROM pg_attribute a
WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped`, quote(schema)+"."+quote(table))
	if err != nil {
		return nil, err
	}
	out := map[string]column{}
	var name string
	var c column
	if _, err := pgx.ForEachRow(rows, []any{&name, &c.kind, &c.mod}, func() error { out[name] = c; return nil }); err != nil {
		return nil, err
	}
	if len(out) == 0 {
		return nil, &rag.Error{Code: rag.Unavailable, Phase: phase, Msg: fmt.Sprintf("there is no table %s.%s that this user may see", schema, table)}
	}
	return out, nil
}

// tables is how the old tables say what is asked: SQL expressions over d
// (documents) and c (document_chunks), "" for what they do not say.
type tables struct {
	userType, docType string
	user              string // condition on $1
	filename          string
	created, updated  string
	media, bytes, sum string
	chunkID           string
	embedding, model  string
	dimensions        int // -1: any
	used              usedColumns
	keys              // what the database holds of document_chunks
}

// keys are properties of the indexes of document_chunks.
type keys struct {
	unique  bool // no two passages of a document have the same number
	indexed bool // the passages of a document are found by an index
	near    nearIndex
}

// nearIndex is the index of all vectors by cosine, where there is one.
type nearIndex struct {
	method string  // hnsw, ivfflat; "" for none
	lists  int     // of an ivfflat one
	rows   float64 // of the table, as the planner has it
}

// keysOf looks at the indexes of document_chunks.
func keysOf(ctx context.Context, tx pgx.Tx, schema string) (k keys, err error) {
	table := quote(schema) + ".document_chunks"
	err = tx.QueryRow(ctx, `
SELECT coalesce(bool_or(i.indisunique AND i.indnkeyatts = 2 AND c.names @> ARRAY['chunk_ord', 'document_id']), false),
       coalesce(bool_or(c.names[1] = 'document_id'), false)
FROM pg_index i CROSS JOIN LATERAL (
  SELECT array_agg(a.attname::text ORDER BY k.place) AS names
  FROM unnest(i.indkey::smallint[]) WITH ORDINALITY k (number, place) JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
  WHERE k.place <= i.indnkeyatts) c
WHERE i.indrelid = to_regclass($1) AND i.indisvalid AND i.indpred IS NULL`, table).Scan(&k.unique, &k.indexed)
	if err != nil {
		return k, err
	}
	err = tx.QueryRow(ctx, `
SELECT m.amname, coalesce((SELECT option_value FROM pg_options_to_table(x.reloptions) WHERE option_name = 'lists'), '100')::integer,
       greatest(t.reltuples, 0)::float8
FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid JOIN pg_am m ON m.oid = x.relam
JOIN pg_opclass o ON o.oid = i.indclass[0] JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
WHERE i.indrelid = to_regclass($1) AND i.indisvalid AND i.indpred IS NULL AND m.amname IN ('hnsw', 'ivfflat')
  AND o.opcname = 'vector_cosine_ops' AND a.attname = 'embedding' ORDER BY m.amname LIMIT 1`, table).Scan(&k.near.method, &k.near.lists, &k.near.rows)
	if noRows(err) {
		return k, nil
	}
	return k, err
}

// passages is the FROM of documents d with their chunks c. Where there is an
// index it leads to the passages of each document: left to itself the planner
// would read the whole table for a user who has a few hundredths of it.
func (t tables) passages() string {
	if t.indexed {
		return "FROM documents d CROSS JOIN LATERAL (SELECT c.*, c.xmin FROM document_chunks c WHERE c.document_id = d.document_id OFFSET 0) c"
	}
	return "FROM documents d JOIN document_chunks c ON c.document_id = d.document_id"
}

// distinct counts passages.
func (t tables) distinct() string {
	if t.unique {
		return "count(*)"
	}
	return "count(DISTINCT c.chunk_ord)"
}

// describe reads the columns. Only document_id, user_id, chunk_ord and text
// must be there.
func describe(documents, chunks map[string]column) (t tables, err error) {
	need := func(table string, columns map[string]column, names ...string) error {
		for _, name := range names {
			if _, ok := columns[name]; !ok {
				return &rag.Error{Code: rag.Unavailable, Phase: phase, Msg: fmt.Sprintf("the table %s has no column %s", table, name)}
			}
		}
		return nil
	}
	if err := need("documents", documents, "document_id", "user_id"); err != nil {
		return t, err
	}
	if err := need("document_chunks", chunks, "document_id", "chunk_ord", "text"); err != nil {
		return t, err
	}
	use := func(table, name string, c column) {
		if u := (usedColumn{table, name, c.kind}); !slices.Contains(t.used, u) {
			t.used = append(t.used, u)
		}
	}
	first := func(prefix string, columns map[string]column, otherwise string, names ...string) string {
		for _, name := range names {
			if c, ok := columns[name]; ok {
				use(map[string]string{"d.": "documents", "c.": "document_chunks"}[prefix], name, c)
				return prefix + quote(name)
			}
		}
		return otherwise
	}
	first("d.", documents, "", "document_id")
	first("d.", documents, "", "user_id")
	for _, name := range []string{"document_id", "chunk_ord", "text"} {
		first("c.", chunks, "", name)
	}
	t.userType, t.docType = documents["user_id"].kind, documents["document_id"].kind
	t.user = "d.user_id::text = $1"
	switch t.userType {
	case "uuid", "bigint", "integer":
		t.user = "d.user_id = $1::text::" + t.userType
	case "text", "character varying":
		t.user = "d.user_id = $1"
	}
	t.filename = "coalesce(" + first("d.", documents, "NULL", "filename", "file_name", "original_filename", "name", "title") + "::text, '')"
	t.created = "coalesce(" + first("d.", documents, "NULL", "created_at", "uploaded_at", "inserted_at") + "::timestamptz, 'epoch'::timestamptz)"
	t.updated = "coalesce(" + first("d.", documents, "NULL", "updated_at", "created_at", "uploaded_at", "inserted_at") + "::timestamptz, 'epoch'::timestamptz)"
	t.media = "coalesce(" + first("d.", documents, "NULL", "mime", "mime_type", "media_type", "content_type") + "::text, '')"
	t.bytes = "coalesce(" + first("d.", documents, "NULL", "bytes_len", "bytes", "file_size", "size_bytes", "size") + "::bigint, 0)"
	t.sum = "coalesce(" + first("d.", documents, "NULL", "file_sha256", "sha256") + "::text, '')"
	t.chunkID = first("c.", chunks, "NULL", "chunk_id", "id") + "::text"
	t.dimensions = -1
	if e, ok := chunks["embedding"]; ok {
		if e.kind != "vector" && !strings.HasSuffix(e.kind, ".vector") {
			return t, &rag.Error{Code: rag.Unavailable, Phase: phase, Msg: fmt.Sprintf("document_chunks.embedding is %s, not vector", e.kind)}
		}
		t.embedding = first("c.", chunks, "", "embedding")
		if e.mod > 0 {
			t.dimensions = e.mod
		}
		t.model = first("c.", chunks, "", "embed_model", "embedding_model", "model")
	}
	return t, nil
}

// asked returns how a user is looked up, and whether one can be called so.
// Two spellings of one value are not one user: only the one that the database
// itself writes is.
func (s adoption) asked(user rag.User) (string, bool) {
	u := string(user)
	switch s.old.userType {
	case "uuid":
		_, ok := parseID(u)
		return u, ok
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
