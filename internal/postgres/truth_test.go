package postgres_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"weir/internal/postgres"
	"weir/internal/postgres/pgtest"
	"weir/internal/rag"
	"weir/internal/storetest"
)

// readyNow asks once, with a deadline.
func readyNow(t testing.TB, s interface{ Ready(context.Context) error }) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	return s.Ready(ctx)
}

// TestReadyIsTrueOfSearches: whatever takes away from searches what they need
// is seen, and that it is there again too.
func TestReadyIsTrueOfSearches(t *testing.T) {
	c := cluster(t)
	for _, table := range []string{"documents", "chunks", "vectors", "blobs", "owners", "moves", "models"} {
		t.Run("may not read "+table, func(t *testing.T) {
			db := c.Database(t)
			s := open(t, postgres.Config{Address: c.URL(pgtest.Role, db), IndexMemory: 1})
			publish(t, s, alice, "a.txt", 5, testModel(), rand.New(rand.NewPCG(1, 2)))
			if err := readyNow(t, s); err != nil {
				t.Fatal(err)
			}
			c.SQL(t, db, fmt.Sprintf("REVOKE SELECT ON weir.%s FROM %s", table, pgtest.Role))
			wantTold(t, readyNow(t, s), "Ready", rag.Unavailable)
			c.SQL(t, db, fmt.Sprintf("GRANT SELECT ON weir.%s TO %s", table, pgtest.Role))
			whole(t, s)
		})
	}
	t.Run("moves is locked", func(t *testing.T) {
		db := c.Database(t)
		s := open(t, postgres.Config{Address: c.URL(pgtest.Role, db)})
		publish(t, s, alice, "a.txt", 5, testModel(), rand.New(rand.NewPCG(1, 2)))
		conn := connection(t, c.Superuser(db))
		if _, err := conn.Exec(t.Context(), "BEGIN; LOCK TABLE weir.moves IN ACCESS EXCLUSIVE MODE"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if err := s.Readable(ctx); err != nil {
			t.Errorf("Readable: %v", err)
		}
		if _, errs := callers(t, s, 5, 5*time.Second); len(errs) > 0 {
			t.Error(errs)
		}
	})
	t.Run("may not write", func(t *testing.T) {
		db := c.Database(t)
		s := open(t, postgres.Config{Address: c.URL(pgtest.Role, db)})
		for _, right := range []string{"INSERT ON weir.blobs", "UPDATE ON weir.moves", "INSERT ON weir.models", "USAGE, UPDATE ON SEQUENCE weir.keys"} {
			c.SQL(t, db, "REVOKE "+right+" FROM "+pgtest.Role)
			wantTold(t, readyNow(t, s), "Ready without "+right, rag.Unavailable)
			if err := s.Readable(t.Context()); err != nil {
				t.Errorf("Readable without %s: %v", right, err)
			}
			c.SQL(t, db, "GRANT "+right+" TO "+pgtest.Role)
			whole(t, s)
		}
	})
	t.Run("no connection for searches", func(t *testing.T) {
		db := c.Database(t)
		s := open(t, postgres.Config{Address: c.URL(pgtest.Role, db), Searches: 2, Others: 2, AcquireTimeout: 3 * time.Second})
		publish(t, s, alice, "a.txt", 5, testModel(), rand.New(rand.NewPCG(1, 2)))
		release := lock(t, c, db)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{}, 2)
		for range 2 {
			go func() {
				_, _ = s.Candidates(ctx, alice, question(rand.New(rand.NewPCG(1, 2))))
				done <- struct{}{}
			}()
		}
		await(t, c, db, true)
		for c.Number(t, "postgres", fmt.Sprintf("SELECT count(*) FROM pg_stat_activity WHERE datname = '%s' AND application_name = 'weir' AND state = 'active'", db)) < 2 {
			if t.Context().Err() != nil || len(done) > 0 {
				t.Fatal("the searches do not wait")
			}
		}
		wantTold(t, readyNow(t, s), "Ready", rag.Unavailable)
		cancel()
		<-done
		<-done
		release()
		whole(t, s)
	})
}

// TestAdoptedReady: what the other system adds does no harm, and what it takes
// away is seen.
func TestAdoptedReady(t *testing.T) {
	s, f, db := adopted(t, "text", "vector(16)", postgres.Config{})
	c := cluster(t)
	r := rand.New(rand.NewPCG(1, 1))
	d := rag.Document{ID: uuid.NewString(), Filename: "plan.txt", Model: testModel()}
	if err := f.Fill(t.Context(), alice, d, []rag.Chunk{{Content: "the heron"}}, [][]float32{vector(r, 16)}); err != nil {
		t.Fatal(err)
	}
	reader := "reader_" + db
	for _, test := range []struct {
		name, sql string
		red       bool
	}{
		{"an index of words", "CREATE INDEX ON upload_pipeline.document_chunks USING gin (to_tsvector('english', text))", false},
		{"an index of vectors", "CREATE INDEX ON upload_pipeline.document_chunks USING hnsw (embedding vector_cosine_ops)", false},
		{"an index is gone", "ALTER TABLE upload_pipeline.document_chunks DROP CONSTRAINT document_chunks_document_id_chunk_ord_key", false},
		{"a column comes", "ALTER TABLE upload_pipeline.documents ADD COLUMN uploaded_at timestamptz; ALTER TABLE upload_pipeline.document_chunks ADD COLUMN page integer", false},
		{"chunks may not be read", "REVOKE SELECT ON upload_pipeline.document_chunks FROM " + reader, true},
		{"they may again", "GRANT SELECT ON upload_pipeline.document_chunks TO " + reader, false},
		{"documents may not be read", "REVOKE SELECT ON upload_pipeline.documents FROM " + reader, true},
		{"they may again, by the columns that are used", "GRANT SELECT (document_id, user_id, filename, mime, bytes_len, file_sha256, created_at, updated_at) ON upload_pipeline.documents TO " + reader, false},
		{"a column is renamed", "ALTER TABLE upload_pipeline.document_chunks RENAME COLUMN embed_model TO m", true},
		{"and back", "ALTER TABLE upload_pipeline.document_chunks RENAME COLUMN m TO embed_model", false},
		{"a column is of another type", "ALTER TABLE upload_pipeline.documents ALTER COLUMN user_id TYPE varchar(80)", true},
		{"and back again", "ALTER TABLE upload_pipeline.documents ALTER COLUMN user_id TYPE text", false},
		{"a table is gone", "ALTER TABLE upload_pipeline.documents RENAME TO away", true},
		{"and there again", "ALTER TABLE upload_pipeline.away RENAME TO documents", false},
	} {
		c.SQL(t, db, test.sql)
		err := readyNow(t, s)
		if test.red {
			wantTold(t, err, test.name, rag.Unavailable)
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		got, err := s.Candidates(t.Context(), alice, rag.Query{Text: "heron", Vector: vector(r, 16), Model: testModel(), Limit: 5})
		if err != nil || len(got.Lexical) != 1 || len(got.Vector) != 1 {
			t.Errorf("%s: %+v, %v", test.name, got, err)
		}
	}
}

// TestDecoys: tables of the same names elsewhere are never taken for ours, not
// even when ours are gone or not to be seen.
func TestDecoys(t *testing.T) {
	c := cluster(t)
	decoys := func(names ...string) (sql string) {
		for _, name := range names {
			sql += fmt.Sprintf("CREATE TABLE public.%[1]s (LIKE weir.%[1]s INCLUDING ALL); INSERT INTO public.%[1]s SELECT * FROM weir.%[1]s; GRANT ALL ON public.%[1]s TO PUBLIC;", name)
		}
		return sql
	}
	tables := []string{"documents", "chunks", "vectors", "blobs", "owners", "moves", "secrets", "waste", "chores"}
	for _, test := range []struct{ name, hide string }{
		{"gone", "ALTER TABLE weir.documents RENAME TO elsewhere; ALTER TABLE weir.chunks RENAME TO elsewhere2; ALTER TABLE weir.owners RENAME TO elsewhere3; ALTER TABLE weir.moves RENAME TO elsewhere4"},
		{"not to be seen", "ALTER SCHEMA weir OWNER TO postgres; REVOKE ALL ON SCHEMA weir FROM PUBLIC, " + pgtest.Role},
	} {
		t.Run(test.name, func(t *testing.T) {
			db := c.Database(t)
			s := open(t, postgres.Config{Address: c.URL(pgtest.Role, db), IndexMemory: 1})
			d := publish(t, s, alice, "a.txt", 5, testModel(), rand.New(rand.NewPCG(1, 2)))
			c.SQL(t, db, decoys(tables...)+"UPDATE public.chunks SET content = 'a decoy'; UPDATE public.documents SET filename = 'decoy'")
			if _, errs := callers(t, s, 5, 5*time.Second); len(errs) > 0 {
				t.Fatal(errs)
			}
			if err := s.Delete(t.Context(), alice, publish(t, s, alice, "b.txt", 1, testModel(), rand.New(rand.NewPCG(3, 4))).ID); err != nil {
				t.Fatal(err)
			}
			if err := s.SweepAll(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := c.Number(t, db, "SELECT count(*) FROM public.documents"); n != 1 {
				t.Errorf("%d documents among the decoys", n)
			}
			c.SQL(t, db, test.hide)
			wantTold(t, readyNow(t, s), "Ready", rag.Unavailable)
			_, errs := callers(t, s, 5, 5*time.Second)
			if len(errs) != 5 {
				t.Errorf("%d of 5 failed", len(errs))
			}
			if got, err := s.Document(t.Context(), alice, d.ID); err == nil {
				t.Errorf("the decoy was read: %+v", got)
			}
			_, _, err := s.Add(t.Context(), alice, upload("c.txt", "c"))
			wantTold(t, err, "Add", rag.Unavailable)
			if n := c.Number(t, db, "SELECT count(*) FROM public.documents"); n != 1 {
				t.Errorf("%d documents among the decoys", n)
			}
		})
	}
	t.Run("adopted", func(t *testing.T) {
		s, f, db := adopted(t, "text", "vector", postgres.Config{})
		r := rand.New(rand.NewPCG(1, 1))
		if err := f.Fill(t.Context(), alice, rag.Document{ID: uuid.NewString(), Model: testModel()}, []rag.Chunk{{Content: "the heron"}}, [][]float32{vector(r, 16)}); err != nil {
			t.Fatal(err)
		}
		c.SQL(t, db, `CREATE TABLE public.documents AS SELECT * FROM upload_pipeline.documents; CREATE TABLE public.document_chunks AS SELECT * FROM upload_pipeline.document_chunks;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC; REVOKE USAGE ON SCHEMA upload_pipeline FROM reader_`+db)
		wantTold(t, readyNow(t, s), "Ready", rag.Unavailable)
		_, errs := callers(t, s, 5, 5*time.Second)
		if len(errs) != 5 {
			t.Errorf("%d of 5 failed", len(errs))
		}
	})
}

// settled opens a service of a store, as a server does.
func settled(t testing.TB, s rag.Store) *rag.Service {
	t.Helper()
	svc, err := rag.New(rag.Config{CountTokens: func(s string) int { return len(s) / 4 }}, s, storetest.Embedder(testModel()), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := svc.Settle(t.Context()); err != nil {
		t.Fatalf("Settle: %v", err)
	}
	return svc
}

// TestBeginsReadOnly: a server that is started on a database that takes no
// writes answers questions.
func TestBeginsReadOnly(t *testing.T) {
	for _, test := range []struct {
		name  string
		begin func(t *testing.T) (before, after string)
	}{
		{"read-only", func(t *testing.T) (before, after string) {
			c := cluster(t)
			db := c.Database(t)
			a := c.URL(pgtest.Role, db)
			fillOne(t, a)
			c.SQL(t, "postgres", fmt.Sprintf("ALTER DATABASE %s SET default_transaction_read_only = on", db))
			return a, a
		}},
		{"a standby", func(t *testing.T) (before, after string) {
			c := pgtest.Start(t, pgtest.Settings{Extra: []string{"wal_level=replica"}})
			db := c.Database(t)
			a := c.URL(pgtest.Role, db)
			r := c.Replica(t)
			fillOne(t, a)
			c.Follow(t, r)
			return a, r.URL(pgtest.Role, db)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, address := test.begin(t)
			s := open(t, postgres.Config{Address: address})
			svc := settled(t, s)
			got, err := svc.Retrieve(t.Context(), alice, rag.Request{Query: "heron by the weir"})
			if err != nil || got.Mode != rag.Hybrid || len(got.Chunks) != 1 || len(got.Degraded) > 0 {
				t.Errorf("%+v, %v", got, err)
			}
			_, _, err = svc.Upload(t.Context(), alice, rag.NewDocument{Filename: "b.txt", Content: []byte("b")})
			wantTold(t, err, "Upload", rag.Unavailable)
			if err := svc.ReadyToRetrieve(t.Context()); err != nil {
				t.Errorf("ReadyToRetrieve: %v", err)
			}
			wantTold(t, svc.Ready(t.Context()), "Ready", rag.Unavailable)
			if st := svc.Status(t.Context()); st.Writes == "" || st.StoreError != "" {
				t.Errorf("status: writes %q, store %q", st.Writes, st.StoreError)
			}
		})
	}
}

// TestOlderTablesReadOnly: who starts a newer program where the tables cannot be
// brought to its version is told that this is why.
func TestOlderTablesReadOnly(t *testing.T) {
	c := cluster(t)
	db := c.Database(t)
	a := c.URL(pgtest.Role, db)
	fillOne(t, a)
	c.SQL(t, db, toVersion1)
	c.SQL(t, "postgres", fmt.Sprintf("ALTER DATABASE %s SET default_transaction_read_only = on", db))
	_, err := postgres.Open(t.Context(), postgres.Config{Address: a})
	wantTold(t, err, "Open", rag.Unavailable)
	if want := "the tables are of version 1"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("it is told %v, not that %q", err, want)
	}
}

// fillOne has a server of before store a document of one passage.
func fillOne(t testing.TB, address string) {
	t.Helper()
	s, err := postgres.Open(t.Context(), postgres.Config{Address: address})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	settled(t, s)
	e := storetest.Embedder(testModel())
	d, _, err := s.Add(t.Context(), alice, upload("a.txt", "heron by the weir"))
	if err != nil {
		t.Fatal(err)
	}
	job, err := s.Lease(t.Context(), time.Hour)
	if err != nil || job == nil || job.Document.ID != d.ID {
		t.Fatalf("%v, %v", job, err)
	}
	v, err := e.Embed(t.Context(), alice, rag.ForIngest, []string{"heron by the weir"})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []func() error{
		func() error {
			return s.Stage(t.Context(), *job, rag.Extracted{Chunks: []rag.Chunk{{Content: "heron by the weir", Tokens: 4}}})
		},
		func() error { return s.PutVectors(t.Context(), *job, testModel(), []int{0}, v) },
		func() error { return s.Publish(t.Context(), *job, testModel()) },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTemporaryDecoys: a temporary table that a transaction pooler left behind
// in the session is not ours either.
func TestTemporaryDecoys(t *testing.T) {
	c := cluster(t)
	db := c.Database(t)
	fillOne(t, c.URL(pgtest.Role, db)) // to migrate takes more connections
	pooled := c.Pooler(t, db, 1)
	s := open(t, postgres.Config{Address: pooled})
	publish(t, s, alice, "a.txt", 5, testModel(), rand.New(rand.NewPCG(1, 2)))
	conn, err := pgx.Connect(t.Context(), pooled)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), "CREATE TEMP TABLE chunks (owner uuid, body bigint); CREATE TEMP TABLE owners (owner uuid)"); err != nil {
		t.Fatal(err)
	}
	if _, errs := callers(t, s, 5, 5*time.Second); len(errs) > 0 {
		t.Error(errs)
	}
}
