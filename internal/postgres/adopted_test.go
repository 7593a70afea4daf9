package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"weir/internal/postgres"
	"weir/internal/postgres/pgtest"
	"weir/internal/rag"
	"weir/internal/storetest"
)

// oldTables is what the other system made; its identifiers are of a type, and
// its vectors of one size or of any.
func oldTables(userType, vector string) string {
	return fmt.Sprintf(`
CREATE SCHEMA upload_pipeline;
CREATE TABLE upload_pipeline.documents (
    document_id uuid PRIMARY KEY,
    user_id     %s NOT NULL,
    filename    text NOT NULL,
    mime        text,
    bytes_len   bigint,
    file_sha256 text,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX ON upload_pipeline.documents (user_id);
CREATE TABLE upload_pipeline.document_chunks (
    chunk_id    uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    document_id uuid NOT NULL REFERENCES upload_pipeline.documents ON DELETE CASCADE,
    chunk_ord   integer NOT NULL,
    text        text NOT NULL,
    embedding   %s,
    embed_model text,
    UNIQUE (document_id, chunk_ord)
);
CREATE ROLE reader_%%s LOGIN;`, userType, vector)
}

// filler fills the old tables.
type filler struct{ pool *pgxpool.Pool }

func (f filler) Fill(ctx context.Context, user rag.User, d rag.Document, chunks []rag.Chunk, vectors [][]float32) error {
	return pgx.BeginFunc(ctx, f.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO upload_pipeline.documents (document_id, user_id, filename, bytes_len, file_sha256) VALUES ($1, $2, $3, $4, $5)`,
			d.ID, string(user), d.Filename, d.Bytes, d.SHA256); err != nil {
			return err
		}
		var b pgx.Batch
		for i, ch := range chunks {
			var v []float32
			var model *string
			if vectors != nil {
				v, model = vectors[i], &d.Model.Name
			}
			b.Queue(`INSERT INTO upload_pipeline.document_chunks (document_id, chunk_ord, text, embedding, embed_model) VALUES ($1, $2, $3, $4::real[]::vector, $5)`,
				d.ID, ch.Index, ch.Content, v, model)
		}
		return tx.SendBatch(ctx, &b).Close()
	})
}

func (f filler) Remove(ctx context.Context, _ rag.User, id string) error {
	_, err := f.pool.Exec(ctx, "DELETE FROM upload_pipeline.documents WHERE document_id = $1", id)
	return err
}

// adopted makes a database with the old tables, and a store that reads them as
// a role that may do nothing else.
func adopted(t testing.TB, userType, vector string, cfg postgres.Config) (*postgres.Adopted, filler, string) {
	t.Helper()
	c := cluster(t)
	db := c.Database(t)
	c.SQL(t, db, fmt.Sprintf(oldTables(userType, vector), db))
	c.SQL(t, db, fmt.Sprintf("GRANT USAGE ON SCHEMA upload_pipeline TO reader_%[1]s; GRANT SELECT ON ALL TABLES IN SCHEMA upload_pipeline TO reader_%[1]s", db))
	pool, err := pgxpool.New(t.Context(), c.Superuser(db))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	cfg.Address = c.URL("reader_"+db, db)
	s, err := postgres.Adopt(t.Context(), cfg)
	if err != nil {
		t.Fatalf("Adopt: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s, filler{pool}, db
}

func TestAdopted(t *testing.T) {
	cluster(t)
	storetest.RunReadOnly(t, func(t *testing.T) (rag.Store, storetest.Filler) {
		s, f, _ := adopted(t, "text", "vector", postgres.Config{})
		return s, f
	})
}

// TestAdoptedTables: tables that lack what is needed are refused by name.
func TestAdoptedTables(t *testing.T) {
	for _, test := range []struct{ name, sql, want string }{
		{"no tables", "CREATE SCHEMA upload_pipeline", "there is no table upload_pipeline.documents that this user may see"},
		{"no user", "CREATE SCHEMA upload_pipeline; CREATE TABLE upload_pipeline.documents (document_id uuid); CREATE TABLE upload_pipeline.document_chunks (document_id uuid)", "the table documents has no column user_id"},
		{"no text", "CREATE SCHEMA upload_pipeline; CREATE TABLE upload_pipeline.documents (document_id uuid, user_id uuid); CREATE TABLE upload_pipeline.document_chunks (document_id uuid, chunk_ord int)", "the table document_chunks has no column text"},
		{"no vector", "CREATE SCHEMA upload_pipeline; CREATE TABLE upload_pipeline.documents (document_id uuid, user_id uuid); CREATE TABLE upload_pipeline.document_chunks (document_id uuid, chunk_ord int, text text, embedding real[])", "document_chunks.embedding is real[], not vector"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := cluster(t)
			db := c.Database(t)
			c.SQL(t, db, test.sql)
			_, err := postgres.Adopt(t.Context(), postgres.Config{Address: c.Superuser(db)})
			var told *rag.Error
			if !errors.As(err, &told) || told.Code != rag.Unavailable || told.Msg != test.want {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
	t.Run("least", func(t *testing.T) {
		c := cluster(t)
		db := c.Database(t)
		c.SQL(t, db, `CREATE SCHEMA old; CREATE TABLE old.documents (document_id bigint, user_id bigint);
CREATE TABLE old.document_chunks (document_id bigint, chunk_ord int, text text);
INSERT INTO old.documents VALUES (1, 7), (2, 8), (3, 7); INSERT INTO old.document_chunks VALUES (1, 1, 'the heron'), (1, 3, 'the weir'), (1, 3, 'an otter'), (2, 0, 'another heron'), (3, NULL, 'x')`)
		s, err := postgres.Adopt(t.Context(), postgres.Config{Address: c.URL(pgtest.Role, db), Schema: "old"})
		if err == nil {
			t.Error("a role without rights was let in")
			_ = s.Close()
		}
		s, err = postgres.Adopt(t.Context(), postgres.Config{Address: c.Superuser(db), Schema: "old"})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		got, err := s.Candidates(t.Context(), "7", rag.Query{Text: "heron otter", Vector: []float32{1, 0}, Model: rag.Model{Name: "m", Dim: 2}, Limit: 5})
		if err != nil || len(got.Lexical) != 2 || got.Chunks != 2 || got.NoVector != 2 || got.Lexical[0].DocID != "1" {
			t.Errorf("%+v, %v", got, err)
		}
		chunks, err := s.Chunks(t.Context(), "7", []rag.Ref{{DocID: "1", Index: 3}, {DocID: "2", Index: 0}})
		if err != nil || len(chunks) != 1 || chunks[0].ID != "1:3" {
			t.Errorf("%+v, %v", chunks, err)
		}
		for _, user := range []rag.User{"07", "+7", " 7", "seven", "99999999999999999999"} {
			if got, err := s.Candidates(t.Context(), user, rag.Query{Text: "heron", Limit: 5}); err != nil || got.Chunks != 0 {
				t.Errorf("%q: %+v, %v", user, got, err)
			}
		}
		docs, _, err := s.Documents(t.Context(), "7", rag.Page{Limit: 5})
		if err != nil || len(docs) != 2 {
			t.Errorf("%+v, %v", docs, err)
		}
	})
}

// TestAdoptedEqualsOldSQL: tables as the other system filled them, its IVFFlat
// index among them, give every user what the old query gives when it is exact.
func TestAdoptedEqualsOldSQL(t *testing.T) {
	s, f, db := adopted(t, "uuid", "vector(1536)", postgres.Config{})
	r := rand.New(rand.NewPCG(11, 12))
	m := rag.Model{Name: "text-embedding-3-small", Dim: 1536}
	users := map[rag.User]int{}
	for n := range 8 {
		user := rag.User(uuid.NewString())
		for doc := range 1 + n {
			var chunks []rag.Chunk
			var vectors [][]float32
			for i := range 3 + 12*n {
				chunks = append(chunks, rag.Chunk{Index: i, Content: fmt.Sprintf("passage %d about number%d", i, doc)})
				vectors = append(vectors, vector(r, m.Dim))
			}
			users[user] += len(chunks)
			d := rag.Document{ID: uuid.NewString(), Filename: fmt.Sprint(doc, ".pdf"), Model: m}
			if err := f.Fill(t.Context(), user, d, chunks, vectors); err != nil {
				t.Fatal(err)
			}
		}
	}
	cluster(t).SQL(t, db, "CREATE INDEX ON upload_pipeline.document_chunks USING ivfflat (embedding public.vector_cosine_ops) WITH (lists = 100); ANALYZE")
	for user, n := range users {
		for range 3 {
			q := vector(r, m.Dim)
			rows, err := f.pool.Query(t.Context(), `
SELECT dc.chunk_id::text, 1 - (dc.embedding <=> $2::real[]::vector) AS similarity
FROM upload_pipeline.document_chunks dc JOIN upload_pipeline.documents d ON d.document_id = dc.document_id
WHERE d.user_id = $1 AND dc.embedding IS NOT NULL AND 1 - (dc.embedding <=> $2::real[]::vector) > -1
ORDER BY similarity DESC LIMIT 20`, string(user), q)
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			var similarity []float64
			var id string
			var sim float64
			if _, err := pgx.ForEachRow(rows, []any{&id, &sim}, func() error {
				want, similarity = append(want, id), append(similarity, sim)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			got, err := s.Candidates(t.Context(), user, rag.Query{Text: "passage about number0", Vector: q, Model: m, Limit: 20})
			if err != nil || len(got.Vector) != min(20, n) || got.Chunks != n || got.NoVector != 0 || len(got.Lexical) == 0 {
				t.Fatalf("%d of %d, %d by words, %v", len(got.Vector), n, len(got.Lexical), err)
			}
			var refs []rag.Ref
			for _, h := range got.Vector {
				refs = append(refs, h.Ref)
			}
			chunks, err := s.Chunks(t.Context(), user, refs)
			if err != nil || len(chunks) != len(want) {
				t.Fatalf("%d chunks of %d, %v", len(chunks), len(want), err)
			}
			for i, ch := range chunks {
				if ch.ID != want[i] || math.Abs(got.Vector[i].Cosine-similarity[i]) > 1e-6 || ch.Tokens == 0 {
					t.Errorf("hit %d is %s at %v, the old query has %s at %v", i, ch.ID, got.Vector[i].Cosine, want[i], similarity[i])
				}
			}
		}
	}
	// Another model of the same size meets nothing.
	for user, n := range users {
		got, err := s.Candidates(t.Context(), user, rag.Query{Vector: vector(r, 1536), Model: rag.Model{Name: "another", Dim: 1536}, Limit: 5})
		if err != nil || len(got.Vector) != 0 || got.NoVector != n {
			t.Errorf("%+v, %v", got, err)
		}
	}
}

// change is what the other system does, and what is found after it.
type change struct {
	name, sql, ask string
	lexical, all   int
}

// seen makes the change and checks that the next search sees it, and that what it
// finds leads to a passage.
func (now change) seen(t *testing.T, s *postgres.Adopted, db string, r *rand.Rand) {
	t.Helper()
	cluster(t).SQL(t, db, now.sql)
	got, err := s.Candidates(t.Context(), alice, rag.Query{Text: now.ask, Vector: vector(r, 16), Model: testModel(), Limit: 10})
	if err != nil || len(got.Lexical) != now.lexical || got.Chunks != now.all {
		t.Errorf("%s: %+v, %v; want %d of %d", now.name, got, err, now.lexical, now.all)
		return
	}
	for _, h := range got.Lexical {
		chunks, err := s.Chunks(t.Context(), alice, []rag.Ref{h.Ref})
		if err != nil || len(chunks) != 1 || !strings.Contains(chunks[0].Content+chunks[0].Filename, now.ask) {
			t.Errorf("%s: %v leads to %+v, %v", now.name, h.Ref, chunks, err)
		}
	}
}

// TestAdoptedSeesChanges: what the other system does is seen by the next search.
func TestAdoptedSeesChanges(t *testing.T) {
	s, f, db := adopted(t, "text", "vector(16)", postgres.Config{})
	c := cluster(t)
	r := rand.New(rand.NewPCG(1, 1))
	d := rag.Document{ID: uuid.NewString(), Filename: "plan.txt", Model: testModel()}
	if err := f.Fill(t.Context(), alice, d, []rag.Chunk{{Content: "the heron"}, {Index: 1, Content: "the weir"}}, [][]float32{vector(r, 16), vector(r, 16)}); err != nil {
		t.Fatal(err)
	}
	for _, now := range []change{
		{"as it was", "SELECT 1", "heron", 1, 2},
		{"a passage is changed", "UPDATE upload_pipeline.document_chunks SET text = 'an otter' WHERE chunk_ord = 0", "heron", 0, 2},
		{"and found", "SELECT 1", "otter", 1, 2},
		{"one is added", "INSERT INTO upload_pipeline.document_chunks (document_id, chunk_ord, text) SELECT document_id, 7, 'another otter' FROM upload_pipeline.documents", "otter", 2, 3},
		{"one is taken away", "DELETE FROM upload_pipeline.document_chunks WHERE chunk_ord = 0", "otter", 1, 2},
		{"the document is renamed", "UPDATE upload_pipeline.documents SET filename = 'zebra.txt'", "zebra", 2, 2},
		{"rows are moved", "VACUUM FULL upload_pipeline.document_chunks", "otter", 1, 2},
		{"it becomes another user's", "UPDATE upload_pipeline.documents SET user_id = 'bob'", "otter", 0, 0},
	} {
		now.seen(t, s, db, r)
	}
	// The tables change their shape underneath.
	c.SQL(t, db, "ALTER TABLE upload_pipeline.document_chunks DROP COLUMN embed_model")
	wantTold(t, s.Ready(t.Context()), "Ready", rag.Unavailable)
	_, err := s.Candidates(t.Context(), "bob", rag.Query{Text: "otter", Vector: vector(r, 16), Model: testModel(), Limit: 10})
	wantTold(t, err, "a search", rag.Unavailable)
}

// TestAdoptedWritesNothing: not even what a role would be allowed.
func TestAdoptedWritesNothing(t *testing.T) {
	_, f, db := adopted(t, "text", "vector", postgres.Config{})
	c := cluster(t)
	s, err := postgres.Adopt(t.Context(), postgres.Config{Address: c.Superuser(db)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r := rand.New(rand.NewPCG(1, 1))
	if err := f.Fill(t.Context(), alice, rag.Document{ID: uuid.NewString(), Model: testModel()}, []rag.Chunk{{Content: "the heron"}}, [][]float32{vector(r, 16)}); err != nil {
		t.Fatal(err)
	}
	written := "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del)::bigint FROM pg_stat_user_tables"
	objects := "SELECT count(*) FROM pg_class"
	var before [2]int64
	look := func() [2]int64 { return [2]int64{c.Number(t, db, written), c.Number(t, db, objects)} }
	c.SQL(t, db, "SELECT pg_stat_force_next_flush()")
	before = look()
	for range 3 {
		if _, errs := callers(t, s, 5, 10*time.Second); len(errs) > 0 {
			t.Fatal(errs)
		}
		if _, _, err := s.Documents(t.Context(), alice, rag.Page{Limit: 5}); err != nil {
			t.Fatal(err)
		}
	}
	if after := look(); after != before {
		t.Errorf("rows written and objects: %v, were %v", after, before)
	}
}
