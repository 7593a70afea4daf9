package sqlite

import (
	"strings"
	"testing"
	"time"

	"weir/internal/rag"
)

// TestOldModelsAreSwept checks that nothing is left of a model that is no
// longer in use, and nothing taken of one that documents are moved to.
func TestOldModelsAreSwept(t *testing.T) {
	s, err := Open(t.Context(), Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	ctx := t.Context()
	from, to := rag.Model{Name: "from", Dim: 2}, rag.Model{Name: "to", Dim: 3}
	if err := s.UseModel(ctx, from); err != nil {
		t.Fatal(err)
	}
	const chunks = 2*sweepRows + 7
	publish(t, s, from, chunks)
	count := func(model int64) (n int64) {
		t.Helper()
		if err := s.read(ctx, s.other, "count", func(c *conn) (err error) {
			n, err = c.number("SELECT count(*) FROM vectors WHERE id & 255 = ?", model)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	o, err := s.Outdated(ctx, to, 0)
	if err != nil || o == nil {
		t.Fatalf("Outdated: %v, %v", o, err)
	}
	indexes, vectors := many(chunks, to.Dim)
	l, err := s.BeginMove(ctx, to, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.PutMoved(ctx, l, *o, indexes, vectors); err != nil {
		t.Fatal(err)
	}
	if err := s.sweepAll(ctx); err != nil || count(1) != chunks || count(2) != chunks {
		t.Fatalf("before the switch: %d and %d vectors, %v", count(1), count(2), err)
	}
	if err := s.Prepare(ctx, l, *o); err != nil {
		t.Fatal(err)
	}
	if left, err := s.SwitchModel(ctx, l); err != nil || left != 0 {
		t.Fatalf("SwitchModel: %d, %v", left, err)
	}
	if err := s.sweepAll(ctx); err != nil || count(1) != 0 || count(2) != chunks {
		t.Fatalf("after the switch: %d and %d vectors, %v", count(1), count(2), err)
	}
	var blobs, coverages int64
	if err := s.read(ctx, s.other, "count", func(c *conn) (err error) {
		if blobs, err = c.number("SELECT count(*) FROM blobs WHERE id >> ? & 3 = ?", partBits, int64(blockBlob)); err != nil {
			return err
		}
		coverages, err = c.number("SELECT count(*) FROM coverage")
		return err
	}); err != nil || blobs != 0 || coverages != 1 {
		t.Errorf("%d parts of old blocks and %d coverages are left, %v", blobs, coverages, err)
	}
	got, err := s.Candidates(ctx, "u", rag.Query{Vector: []float32{0, 0, 1}, Model: to, Limit: 3})
	if err != nil || len(got.Vector) != 3 || got.NoVector != 0 {
		t.Errorf("Candidates: %+v, %v", got, err)
	}
}

// many makes n unit vectors.
func many(n, dim int) (indexes []int, vectors [][]float32) {
	for i := range n {
		v := make([]float32, dim)
		v[i%dim] = 1
		indexes, vectors = append(indexes, i), append(vectors, v)
	}
	return indexes, vectors
}

// publish brings a document of n chunks to Ready.
func publish(t *testing.T, s *Store, m rag.Model, n int) {
	t.Helper()
	ctx := t.Context()
	if _, _, err := s.Add(ctx, "u", rag.NewDocument{Filename: "a.txt", Content: []byte("a"), SHA256: strings.Repeat("a", 64)}); err != nil {
		t.Fatal(err)
	}
	job, err := s.Lease(ctx, time.Hour)
	if err != nil || job == nil {
		t.Fatalf("Lease: %v, %v", job, err)
	}
	x := rag.Extracted{MediaType: "text/plain"}
	for i := range n {
		x.Chunks = append(x.Chunks, rag.Chunk{Index: i, Content: "a word", Tokens: 2})
	}
	if err := s.Stage(ctx, *job, x); err != nil {
		t.Fatal(err)
	}
	indexes, vectors := many(n, m.Dim)
	if err := s.PutVectors(ctx, *job, m, indexes, vectors); err != nil {
		t.Fatal(err)
	}
	if err := s.Publish(ctx, *job, m); err != nil {
		t.Fatal(err)
	}
}
