package postgres_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"weir/internal/postgres"
	"weir/internal/rag"
)

// TestAdoptedThroughIndex: of a user who has most of the vectors the index of
// all finds nearly what comparing every one finds, with the cosines to the digit;
// a user with few is not searched through it.
func TestAdoptedThroughIndex(t *testing.T) {
	for _, index := range []string{"hnsw (embedding public.vector_cosine_ops)", "ivfflat (embedding public.vector_cosine_ops) WITH (lists = 12)"} {
		t.Run(index[:4], func(t *testing.T) { testThroughIndex(t, index) })
	}
}

func testThroughIndex(t *testing.T, index string) {
	const many, few, limit = 3000, 40, 20
	s, f, db := adopted(t, "text", "vector(16)", postgres.Config{Graphs: postgres.Graphs{From: 1000}})
	c := cluster(t)
	r := rand.New(rand.NewPCG(5, 6))
	for user, n := range map[rag.User]int{alice: many, "bob": few} {
		for doc := 0; doc < n; doc += 500 {
			var chunks []rag.Chunk
			var vectors [][]float32
			for i := range min(500, n-doc) {
				chunks, vectors = append(chunks, rag.Chunk{Index: i, Content: fmt.Sprintf("heron %d", doc+i)}), append(vectors, vector(r, 16))
			}
			if err := f.Fill(t.Context(), user, rag.Document{ID: uuid.NewString(), Model: testModel()}, chunks, vectors); err != nil {
				t.Fatal(err)
			}
		}
	}
	ask := func(user rag.User, q []float32, limit int) []rag.Candidate {
		t.Helper()
		got, err := s.Candidates(t.Context(), user, rag.Query{Text: "heron 7", Vector: q, Model: testModel(), Limit: limit})
		if err != nil {
			t.Fatal(err)
		}
		return got.Vector
	}
	var questions [][]float32
	var exact [][]rag.Candidate
	for range 20 {
		q := vector(r, 16)
		questions, exact = append(questions, q), append(exact, ask(alice, q, limit))
	}
	if s.IndexSearches() != 0 {
		t.Fatal("there is no index yet")
	}
	c.SQL(t, db, "CREATE INDEX near ON upload_pipeline.document_chunks USING "+index+"; ANALYZE upload_pipeline.document_chunks")
	if err := s.Ready(t.Context()); err != nil { // and sees it
		t.Fatal(err)
	}
	found, wanted := 0, 0
	for i, q := range questions {
		got := ask(alice, q, limit)
		if len(got) != limit {
			t.Errorf("%d hits of %d", len(got), limit)
		}
		for _, want := range exact[i] {
			wanted++
			if j := slices.IndexFunc(got, func(c rag.Candidate) bool { return c.Ref == want.Ref }); j >= 0 {
				found++
				if got[j].Cosine != want.Cosine {
					t.Errorf("cosine %v, compared one by one it is %v", got[j].Cosine, want.Cosine)
				}
			}
		}
	}
	if n := s.IndexSearches(); n != int64(len(questions)) {
		t.Errorf("%d searches went through the index, want %d", n, len(questions))
	}
	if recall := float64(found) / float64(wanted); recall < 0.9 {
		t.Errorf("recall %.3f", recall)
	}
	before := s.IndexSearches()
	if got := ask("bob", questions[0], 100); len(got) != few {
		t.Errorf("%d of bob's %d", len(got), few)
	}
	if got := ask(alice, questions[0], 1000); len(got) != 1000 {
		t.Errorf("%d of 1000", len(got))
	}
	if s.IndexSearches() != before {
		t.Error("small users, and those who ask for much, are compared one by one")
	}
	// Rows of another user's model take the places that were looked at.
	c.SQL(t, db, "UPDATE upload_pipeline.document_chunks SET embed_model = 'other' WHERE chunk_ord < 300")
	got := ask(alice, questions[0], 100)
	if len(got) != 100 {
		t.Errorf("%d of 100 where others are nearer", len(got))
	}
	for _, h := range got {
		if h.Index < 300 {
			t.Errorf("a vector of another model: %+v", h)
		}
	}
}

// TestAdoptedIndexThatMisses: one that was made before its rows came finds a part
// of what is nearest; that is noticed, and everything is found all the same.
func TestAdoptedIndexThatMisses(t *testing.T) {
	const many, limit, checked = 3000, 20, 8
	var log bytes.Buffer
	s, f, db := adopted(t, "text", "vector(16)", postgres.Config{Graphs: postgres.Graphs{From: 1000}, Log: slog.New(slog.NewTextHandler(&log, nil))})
	c := cluster(t)
	r := rand.New(rand.NewPCG(5, 6))
	fill := func(user rag.User, n int, next func() []float32) {
		t.Helper()
		var chunks []rag.Chunk
		var vectors [][]float32
		for i := range n {
			chunks, vectors = append(chunks, rag.Chunk{Index: i, Content: "heron"}), append(vectors, next())
		}
		if err := f.Fill(t.Context(), user, rag.Document{ID: uuid.NewString(), Model: testModel()}, chunks, vectors); err != nil {
			t.Fatal(err)
		}
	}
	// Its lists are told apart by the first half of a vector, and what lies near
	// what is decided by the second.
	scaled := func(first, second float32) func() []float32 {
		return func() []float32 {
			v, length := vector(r, 16), 0.0
			for i := range v {
				if i < 8 {
					v[i] *= first
				} else {
					v[i] *= second
				}
				length += float64(v[i]) * float64(v[i])
			}
			for i := range v {
				v[i] /= float32(math.Sqrt(length))
			}
			return v
		}
	}
	fill("bob", 500, scaled(1, 0))
	c.SQL(t, db, "CREATE INDEX ON upload_pipeline.document_chunks USING ivfflat (embedding public.vector_cosine_ops) WITH (lists = 50); DELETE FROM upload_pipeline.documents")
	fill(alice, many, scaled(0.01, 1))
	c.SQL(t, db, "VACUUM ANALYZE upload_pipeline.document_chunks")
	if err := s.Ready(t.Context()); err != nil { // and sees the index
		t.Fatal(err)
	}
	ask := func(q []float32, limit int) []rag.Candidate {
		t.Helper()
		got, err := s.Candidates(t.Context(), alice, rag.Query{Vector: q, Model: testModel(), Limit: limit})
		if err != nil || len(got.Vector) != limit {
			t.Fatalf("%d of %d, %v", len(got.Vector), limit, err)
		}
		return got.Vector
	}
	for i := range 2 * checked {
		q := scaled(0.01, 1)()
		exact := ask(q, 1000)[:limit] // more than is asked of an index
		if got := ask(q, limit); !slices.Equal(got, exact) {
			t.Errorf("search %d: %+v, want %+v", i, got, exact)
		}
	}
	if n := s.IndexSearches(); n != checked {
		t.Errorf("%d searches went through the index, want %d", n, checked)
	}
	if n := strings.Count(log.String(), "misses too much"); n != 1 {
		t.Errorf("told %d times: %s", n, log.String())
	}
}

// TestAdoptedSample: a stored passage and its vector, of the model asked for.
func TestAdoptedSample(t *testing.T) {
	s, f, _ := adopted(t, "text", "vector", postgres.Config{})
	if one, err := s.Sample(t.Context(), testModel()); err != nil || one.Vector != nil {
		t.Errorf("of nothing: %+v, %v", one, err)
	}
	r := rand.New(rand.NewPCG(5, 6))
	stored := vector(r, 16)
	long := slices.Clone(stored)
	for i := range long {
		long[i] *= 3
	}
	odd := []rag.Chunk{{Content: " \t\n"}, {Index: 1, Content: strings.Repeat("heron ", 2000)}, {Index: 2, Content: "zeros"}, {Index: 3, Content: "the heron"}}
	if err := f.Fill(t.Context(), alice, rag.Document{ID: uuid.NewString(), Model: testModel()}, odd, [][]float32{vector(r, 16), vector(r, 16), make([]float32, 16), long}); err != nil {
		t.Fatal(err)
	}
	one, err := s.Sample(t.Context(), testModel())
	if v := one.Vector; err != nil || one.Chunk.Content != "the heron" || len(v) != 16 || v[0]-stored[0] > 1e-6 || stored[0]-v[0] > 1e-6 {
		t.Errorf("%+v, %v", one, err)
	}
	for _, m := range []rag.Model{{Name: "test", Dim: 8}, {Name: "other", Dim: 16}} {
		if one, err := s.Sample(t.Context(), m); err != nil || one.Vector != nil {
			t.Errorf("of %v: %+v, %v", m, one, err)
		}
	}
}

// TestAdoptedIndexFindsTooFew: where all that is nearest in the index is of few
// passages, every vector is compared after all.
func TestAdoptedIndexFindsTooFew(t *testing.T) {
	const copies, others, limit = 400, 60, 20
	s, f, db := adopted(t, "text", "vector(16)", postgres.Config{Graphs: postgres.Graphs{From: 10, Sparse: 100}})
	c := cluster(t)
	c.SQL(t, db, "ALTER TABLE upload_pipeline.document_chunks DROP CONSTRAINT document_chunks_document_id_chunk_ord_key; CREATE INDEX ON upload_pipeline.document_chunks (document_id)")
	r := rand.New(rand.NewPCG(5, 6))
	q := vector(r, 16)
	far := func() []float32 {
		v := vector(r, 16)
		for i := range v {
			v[i] -= 3 * q[i]
		}
		return v
	}
	chunks, vectors := []rag.Chunk{{Content: "heron 0"}}, [][]float32{q}
	for i := 1; i <= others; i++ {
		chunks, vectors = append(chunks, rag.Chunk{Index: i, Content: fmt.Sprint("heron ", i)}), append(vectors, far())
	}
	if err := f.Fill(t.Context(), alice, rag.Document{ID: uuid.NewString(), Model: testModel()}, chunks, vectors); err != nil {
		t.Fatal(err)
	}
	c.SQL(t, db, fmt.Sprintf(`
INSERT INTO upload_pipeline.document_chunks (document_id, chunk_ord, text, embedding, embed_model)
SELECT document_id, 0, text, embedding, embed_model FROM upload_pipeline.document_chunks, generate_series(1, %d) WHERE chunk_ord = 0;
CREATE INDEX ON upload_pipeline.document_chunks USING hnsw (embedding public.vector_cosine_ops); ANALYZE upload_pipeline.document_chunks`, copies))
	if err := s.Ready(t.Context()); err != nil { // and sees the index
		t.Fatal(err)
	}
	ask := func(limit int) []rag.Candidate {
		t.Helper()
		got, err := s.Candidates(t.Context(), alice, rag.Query{Vector: q, Model: testModel(), Limit: limit})
		if err != nil || got.Chunks != others+1 || got.NoVector != 0 {
			t.Fatalf("%+v, %v", got, err)
		}
		return got.Vector
	}
	if got := ask(1); len(got) != 1 || s.IndexSearches() != 1 {
		t.Errorf("what is enough: %+v, %d searches through the index", got, s.IndexSearches())
	}
	got := ask(limit)
	if s.IndexSearches() != 1 {
		t.Error("a search through the index cannot have found enough")
	}
	seen := map[int]bool{}
	for i, h := range got {
		if seen[h.Index] || i > 0 && h.Cosine > got[i-1].Cosine {
			t.Errorf("hit %d: %+v", i, h)
		}
		seen[h.Index] = true
	}
	if len(got) != limit || !seen[0] {
		t.Errorf("%d hits of %d: %+v", len(got), limit, got)
	}
}

// TestAdoptedIndexOfAnOlderExtension: one that cannot scan on and on is not asked to.
func TestAdoptedIndexOfAnOlderExtension(t *testing.T) {
	s, f, db := adopted(t, "text", "vector(16)", postgres.Config{Graphs: postgres.Graphs{From: 1, Sparse: 100}})
	c := cluster(t)
	r := rand.New(rand.NewPCG(5, 6))
	if err := f.Fill(t.Context(), alice, rag.Document{ID: uuid.NewString(), Model: testModel()}, []rag.Chunk{{Content: "the heron"}}, [][]float32{vector(r, 16)}); err != nil {
		t.Fatal(err)
	}
	c.SQL(t, db, "CREATE INDEX ON upload_pipeline.document_chunks USING hnsw (embedding public.vector_cosine_ops); ANALYZE upload_pipeline.document_chunks")
	want := int64(0)
	for _, test := range []struct {
		version string
		through bool
	}{{"0.8.0", true}, {"0.7.4", false}, {"0.10.1", true}, {"1.0", true}, {"0.4", false}} {
		c.SQL(t, db, "UPDATE pg_extension SET extversion = '"+test.version+"' WHERE extname = 'vector'")
		if err := s.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		if test.through {
			want++
		}
		got, err := s.Candidates(t.Context(), alice, rag.Query{Vector: vector(r, 16), Model: testModel(), Limit: 1})
		if err != nil || len(got.Vector) != 1 || s.IndexSearches() != want {
			t.Errorf("%s: %+v, %v, %d searches through the index, want %d", test.version, got, err, s.IndexSearches(), want)
		}
	}
}
