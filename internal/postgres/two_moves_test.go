package postgres_test

import (
	"math/rand/v2"
	"testing"

	"weir/internal/postgres"
	"weir/internal/rag"
)

// TestTwoMovesAtOnce: while one server moves the documents to a model, another
// finishes a move to another. What is removed after that must not be what the
// first has made already and is about to change over to.
func TestTwoMovesAtOnce(t *testing.T) {
	s := open(t, postgres.Config{Address: address(t)})
	r := rand.New(rand.NewPCG(7, 8))
	publish(t, s, alice, "a.txt", 3, testModel(), r)
	ctx, second, third := t.Context(), rag.Model{Name: "second", Dim: 8}, rag.Model{Name: "third", Dim: 12}
	put := func(m rag.Model) *rag.Outdated {
		t.Helper()
		o, err := s.Outdated(ctx, m, 0)
		if err != nil || o == nil {
			t.Fatalf("Outdated: %v, %v", o, err)
		}
		if err := s.PutMoved(ctx, *o, m, []int{0, 1, 2}, [][]float32{vector(r, m.Dim), vector(r, m.Dim), vector(r, m.Dim)}); err != nil {
			t.Fatal(err)
		}
		return o
	}
	of := put(second)
	if err := s.Prepare(ctx, *put(third), third); err != nil {
		t.Fatal(err)
	}
	if left, err := s.SwitchModel(ctx, third); err != nil || left != 0 {
		t.Fatalf("SwitchModel: %d, %v", left, err)
	}
	if err := s.Prepare(ctx, *of, second); err != nil && rag.CodeOf(err) != rag.Conflict { // they may be gone by now
		t.Fatal(err)
	}
	if err := s.SweepAll(ctx); err != nil {
		t.Fatal(err)
	}
	left, err := s.SwitchModel(ctx, second)
	if err != nil {
		t.Fatal(err)
	}
	want := third
	if left == 0 {
		want = second
	}
	got, err := s.Candidates(ctx, alice, rag.Query{Vector: vector(r, want.Dim), Model: want, Limit: 5})
	if err != nil || len(got.Vector) != 3 || got.NoVector != 0 {
		t.Errorf("of %v: %d of 3 passages by vectors, %d known to have none, %v", want, len(got.Vector), got.NoVector, err)
	}
}
