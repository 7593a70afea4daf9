package postgres_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/uuid"

	"weir/internal/postgres"
	"weir/internal/postgres/pgtest"
	"weir/internal/rag"
)

// TestAdoptedViews: what an owner calls otherwise may be shown as views, and
// what changes below them is seen.
func TestAdoptedViews(t *testing.T) {
	_, f, db := adopted(t, "text", "vector(16)", postgres.Config{})
	c := cluster(t)
	r := rand.New(rand.NewPCG(1, 1))
	c.SQL(t, db, `CREATE SCHEMA shown;
CREATE VIEW shown.documents AS SELECT document_id, user_id, filename AS title FROM upload_pipeline.documents;
CREATE VIEW shown.document_chunks AS SELECT document_id, chunk_ord, text, embedding, embed_model AS model FROM upload_pipeline.document_chunks`)
	s, err := postgres.Adopt(t.Context(), postgres.Config{Address: c.Superuser(db), Schema: "shown"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	d := rag.Document{ID: uuid.NewString(), Filename: "a.txt", Model: testModel()}
	if err := f.Fill(t.Context(), alice, d, []rag.Chunk{{Content: "the heron"}, {Index: 1, Content: "the weir"}}, [][]float32{vector(r, 16), vector(r, 16)}); err != nil {
		t.Fatal(err)
	}
	for _, now := range []change{
		{"as it was", "SELECT 1", "heron", 1, 2},
		{"a passage is changed", "UPDATE upload_pipeline.document_chunks SET text = 'an otter' WHERE chunk_ord = 0", "otter", 1, 2},
		{"two change places", "UPDATE upload_pipeline.document_chunks SET text = CASE chunk_ord WHEN 0 THEN 'the weir' ELSE 'an otter' END", "otter", 1, 2},
		{"one is added", "INSERT INTO upload_pipeline.document_chunks (document_id, chunk_ord, text) SELECT document_id, 2, 'another otter' FROM upload_pipeline.documents", "otter", 2, 3},
		{"one is taken away", "DELETE FROM upload_pipeline.document_chunks WHERE chunk_ord = 1", "otter", 1, 2},
		{"the document is renamed", "UPDATE upload_pipeline.documents SET filename = 'zebra.txt'", "zebra", 2, 2},
	} {
		now.seen(t, s, db, r)
	}
	if err := s.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestAdoptedKinds: columns that no search can be made of, and rights that are
// too few for one, are told when the tables are opened.
func TestAdoptedKinds(t *testing.T) {
	for _, test := range []struct{ name, sql, want string }{
		{"numbers with a fraction", "ALTER TABLE upload_pipeline.document_chunks ALTER COLUMN chunk_ord TYPE numeric", "the tables in the database are not those that this program knows"},
		{"some columns", "REVOKE SELECT ON upload_pipeline.document_chunks FROM weir; GRANT SELECT (chunk_id, document_id, chunk_ord, text, embedding, embed_model) ON upload_pipeline.document_chunks TO weir", "the database refuses this user what is needed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, _, db := adopted(t, "text", "vector", postgres.Config{})
			c := cluster(t)
			c.SQL(t, db, "GRANT USAGE ON SCHEMA upload_pipeline TO weir; GRANT SELECT ON ALL TABLES IN SCHEMA upload_pipeline TO weir;"+test.sql)
			_, err := postgres.Adopt(t.Context(), postgres.Config{Address: c.URL(pgtest.Role, db)})
			var told *rag.Error
			if !errors.As(err, &told) || told.Code != rag.Unavailable || !strings.Contains(told.Msg, test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if strings.Contains(test.sql, "TYPE") { // it was open before
				wantTold(t, s.Ready(t.Context()), "Ready", rag.Unavailable)
			}
		})
	}
}

// TestAdoptedOddValues: what the other system may have in its columns does not
// keep a list from being read and written.
func TestAdoptedOddValues(t *testing.T) {
	c := cluster(t)
	db := c.Database(t)
	c.SQL(t, db, `CREATE SCHEMA upload_pipeline;
CREATE TABLE upload_pipeline.documents (document_id text, user_id uuid, filename text, created_at timestamptz, updated_at date, size text);
CREATE TABLE upload_pipeline.document_chunks (document_id text, chunk_ord int, text text);
INSERT INTO upload_pipeline.documents VALUES
  ('never', 'abcdef00-0000-4000-8000-000000000000', 'a', 'infinity', 'infinity', '12 kB'),
  ('always', 'abcdef00-0000-4000-8000-000000000000', 'b', '-infinity', '0044-03-15 BC', 'much'),
  ('late', 'abcdef00-0000-4000-8000-000000000000', 'c', '12345-01-01', NULL, NULL);
INSERT INTO upload_pipeline.document_chunks SELECT document_id, 0, 'the heron' FROM upload_pipeline.documents`)
	s, err := postgres.Adopt(t.Context(), postgres.Config{Address: c.Superuser(db)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, user := range []rag.User{"abcdef00-0000-4000-8000-000000000000", "ABCDEF00-0000-4000-8000-000000000000"} {
		var got []string
		p := rag.Page{Limit: 1}
		for range 4 {
			docs, next, err := s.Documents(t.Context(), user, p)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := json.Marshal(docs); err != nil {
				t.Error(err)
			}
			for _, d := range docs {
				got = append(got, d.ID)
			}
			if p.Cursor = next; next == "" {
				break
			}
		}
		if len(got) != 3 || got[2] != "always" {
			t.Errorf("%s: %v", user, got)
		}
		if found, err := s.Candidates(t.Context(), user, rag.Query{Text: "heron", Limit: 5}); err != nil || len(found.Lexical) != 3 {
			t.Errorf("%s: %+v, %v", user, found, err)
		}
	}
	for _, user := range []rag.User{"{abcdef00-0000-4000-8000-000000000000}", "abcdef00000040008000000000000000", "urn:uuid:abcdef00-0000-4000-8000-000000000000"} {
		if found, err := s.Candidates(t.Context(), user, rag.Query{Text: "heron", Limit: 5}); err != nil || found.Chunks != 0 {
			t.Errorf("%s: %+v, %v", user, found, err)
		}
	}
}

// TestAdoptedPolicies: a role to which row-level security shows nothing would
// find nothing, and seem to be right.
func TestAdoptedPolicies(t *testing.T) {
	_, _, db := adopted(t, "text", "vector", postgres.Config{})
	c := cluster(t)
	c.SQL(t, db, "ALTER TABLE upload_pipeline.documents ENABLE ROW LEVEL SECURITY")
	for _, test := range []struct {
		name, address string
		want          bool
	}{
		{"a reader", c.URL("reader_"+db, db), true},
		{"who sees all", c.Superuser(db), false},
	} {
		var log bytes.Buffer
		s, err := postgres.Adopt(t.Context(), postgres.Config{Address: test.address, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if got := strings.Contains(log.String(), "row-level security") && strings.Contains(log.String(), "table=documents"); got != test.want {
			t.Errorf("%s: %s", test.name, log.String())
		}
	}
}
