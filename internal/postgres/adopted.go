package postgres

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
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
	old      tables
	secret   []byte // of cursors
}

var _ rag.Store = (*Adopted)(nil)

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
	d.path = quote(cfg.Schema)
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
	return s, nil
}

// cursorRounds is what OWASP advised in 2023 for PBKDF2 with SHA-256.
const cursorRounds = 600_000

// look finds out what the tables are like.
func (s *Adopted) look(ctx context.Context, doing string) error {
	return s.transact(ctx, s.reading(s.other), scope{}, doing, func(ctx context.Context, tx pgx.Tx) error {
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
		old, err := describe(documents, chunks)
		if err != nil {
			return err
		}
		if old.keys, err = keysOf(ctx, tx, s.cfg.Schema); err != nil {
			return err
		}
		if !old.indexed {
			s.log.WarnContext(ctx, "document_chunks has no index on document_id; each search reads the whole table")
		}
		if old.model == "" && s.cfg.UnnamedModel == "" && old.embedding != "" {
			s.log.WarnContext(ctx, "the tables do not say which model the vectors are of; until it is set they take no part in searches")
		}
		s.old, s.path = old, searchPath(s.cfg.Schema, extension)
		return nil
	})
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
	keys                  // what the database holds of document_chunks
}

// keys are properties of the indexes of document_chunks.
type keys struct {
	unique  bool // no two passages of a document have the same number
	indexed bool // the passages of a document are found by an index
}

// keysOf looks at the indexes of document_chunks.
func keysOf(ctx context.Context, tx pgx.Tx, schema string) (k keys, err error) {
	err = tx.QueryRow(ctx, `
SELECT coalesce(bool_or(i.indisunique AND i.indnkeyatts = 2 AND c.names @> ARRAY['chunk_ord', 'document_id']), false),
       coalesce(bool_or(c.names[1] = 'document_id'), false)
FROM pg_index i CROSS JOIN LATERAL (
  SELECT array_agg(a.attname::text ORDER BY k.place) AS names
  FROM unnest(i.indkey::smallint[]) WITH ORDINALITY k (number, place) JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
  WHERE k.place <= i.indnkeyatts) c
WHERE i.indrelid = to_regclass($1) AND i.indisvalid AND i.indpred IS NULL`, quote(schema)+".document_chunks").Scan(&k.unique, &k.indexed)
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
	first := func(prefix string, columns map[string]column, otherwise string, names ...string) string {
		for _, name := range names {
			if _, ok := columns[name]; ok {
				return prefix + quote(name)
			}
		}
		return otherwise
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
		t.embedding = "c.embedding"
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
func (s *Adopted) asked(user rag.User) (string, bool) {
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

// Ready reports whether the tables can be read now, and are still what they
// were when they were opened.
func (s *Adopted) Ready(ctx context.Context) error {
	return s.transact(ctx, s.reading(s.other), scope{}, "look at the tables", func(ctx context.Context, tx pgx.Tx) error {
		documents, err := columnsOf(ctx, tx, s.cfg.Schema, "documents")
		if err != nil {
			return err
		}
		chunks, err := columnsOf(ctx, tx, s.cfg.Schema, "document_chunks")
		if err != nil {
			return err
		}
		now, err := describe(documents, chunks)
		if err == nil {
			now.keys, err = keysOf(ctx, tx, s.cfg.Schema)
		}
		if err == nil && now != s.old {
			err = &rag.Error{Code: rag.Unavailable, Phase: phase, Msg: "the tables were changed since they were opened; start again"}
		}
		return err
	})
}

// Close waits for calls under way, and refuses new ones.
func (s *Adopted) Close() error {
	s.crew.Close()
	s.close()
	return nil
}
