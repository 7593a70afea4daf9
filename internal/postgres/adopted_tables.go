package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"weir/internal/rag"
)

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
	relations
}

// relations is what kind of relations the two are.
type relations struct {
	unversioned bool     // document_chunks has no xmin: it is a view, or a table elsewhere
	policed     []string // those of which row-level security may hide rows
}

func relationsOf(ctx context.Context, tx pgx.Tx, schema string) (r relations, err error) {
	rows, err := tx.Query(ctx, `
SELECT relname, relkind IN ('v', 'f'), row_security_active(oid) FROM pg_class WHERE oid IN (to_regclass($1), to_regclass($2)) ORDER BY 1`,
		quote(schema)+".documents", quote(schema)+".document_chunks")
	if err != nil {
		return r, err
	}
	var name string
	var unversioned, policed bool
	_, err = pgx.ForEachRow(rows, []any{&name, &unversioned, &policed}, func() error {
		if name == "document_chunks" {
			r.unversioned = unversioned
		}
		if policed {
			r.policed = append(r.policed, name)
		}
		return nil
	})
	return r, err
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

// version is a number that changes with every write to a passage: xmin is the
// transaction that wrote a row. Where there is none it is made of the text, as
// nothing else of a passage is kept in memory.
func (t tables) version() string {
	if t.unversioned {
		return "hashtextextended(c.text::text, c.chunk_ord)"
	}
	return "hashint8extended(c.xmin::text::bigint, c.chunk_ord)"
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
	t.created = moment(first("d.", documents, "NULL", "created_at", "uploaded_at", "inserted_at"))
	t.updated = moment(first("d.", documents, "NULL", "updated_at", "created_at", "uploaded_at", "inserted_at"))
	t.media = "coalesce(" + first("d.", documents, "NULL", "mime", "mime_type", "media_type", "content_type") + "::text, '')"
	t.bytes = "coalesce(" + first("d.", numbers(documents), "NULL", "bytes_len", "bytes", "file_size", "size_bytes", "size") + "::bigint, 0)"
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

// moment reads a time; infinity, and what no calendar of four digits has, is
// the last day or the first.
func moment(expression string) string {
	return "least(greatest(coalesce(" + expression + "::timestamptz, 'epoch'::timestamptz), '0001-01-02Z'::timestamptz), '9999-12-30Z'::timestamptz)"
}

// numbers are the columns that hold any.
func numbers(columns map[string]column) map[string]column {
	columns = maps.Clone(columns)
	maps.DeleteFunc(columns, func(_ string, c column) bool {
		return !slices.Contains([]string{"bigint", "integer", "smallint", "numeric"}, c.kind)
	})
	return columns
}
