package postgres_test

import (
	"fmt"
	"testing"

	"github.com/google/uuid"

	"weir/internal/postgres"
	"weir/internal/rag"
	"weir/internal/storetest"
)

// TestAdoptedPassages: however the other system numbers them, a document can be
// read from its first passage to its last.
func TestAdoptedPassages(t *testing.T) {
	s, f, db := adopted(t, "text", "vector(16)", postgres.Config{})
	c := cluster(t)
	c.SQL(t, db, "ALTER TABLE upload_pipeline.document_chunks DROP CONSTRAINT document_chunks_document_id_chunk_ord_key, ALTER COLUMN text DROP NOT NULL")
	svc, err := rag.New(rag.Config{CountTokens: func(s string) int { return len(s) }}, s, storetest.Embedder(testModel()), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		ords []int
		want int // how many of them, the last ones
	}{
		{"from 0", []int{0, 1, 2, 3}, 4},
		{"from 1", []int{1, 2, 3, 4}, 4},
		{"gaps", []int{0, 10, 20, 300, 301, 5000}, 6},
		{"far out", []int{1_000_000}, 1},
		{"some are no numbers of passages", []int{-7, -1, 3, 9}, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			id := uuid.NewString()
			var chunks []rag.Chunk
			var want []string
			for i, ord := range test.ords {
				ch := rag.Chunk{Index: ord, Content: fmt.Sprintf("heron %d", ord)}
				if chunks = append(chunks, ch); i >= len(test.ords)-test.want {
					want = append(want, ch.Content)
				}
			}
			if err := f.Fill(t.Context(), alice, rag.Document{ID: id, Filename: "a.txt"}, chunks, nil); err != nil {
				t.Fatal(err)
			}
			// One row of a number that is there, and one without a text.
			c.SQL(t, db, fmt.Sprintf(`
INSERT INTO upload_pipeline.document_chunks (chunk_id, document_id, chunk_ord, text) SELECT 'ffffffff-ffff-ffff-ffff-ffffffffffff', '%[1]s', %[2]d, 'more of it';
INSERT INTO upload_pipeline.document_chunks (document_id, chunk_ord) SELECT '%[1]s', 2000`, id, test.ords[len(test.ords)-1]))
			for _, limit := range []int{1, 2, 3, 100} {
				storetest.ReadThrough(t, svc, alice, id, limit, want)
			}
			if d, err := s.Document(t.Context(), alice, id); err != nil || d.Chunks != test.want {
				t.Errorf("%d passages, %v, want %d", d.Chunks, err, test.want)
			}
			for user, of := range map[rag.User]string{"bob": id, alice: uuid.NewString()} {
				if got, err := s.ChunksFrom(t.Context(), user, of, 0, 5); err != nil || len(got) != 0 {
					t.Errorf("%s: %v, %v", user, got, err)
				}
			}
			c.SQL(t, db, "TRUNCATE upload_pipeline.documents CASCADE")
		})
	}
}
