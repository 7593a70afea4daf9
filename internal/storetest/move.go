package storetest

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"weir/internal/rag"
)

// RunReembedder tests a store that is a rag.Reembedder. place is that of
// [RunReopen].
func RunReembedder(t *testing.T, place func(t *testing.T) (open func() rag.Store)) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(t *testing.T, open func() rag.Store)
	}{
		{"move", testMove},
		{"a move is resumed", testMoveResumed},
		{"one move at a time", testOneMove},
		{"a move is taken over", testMoveTakenOver},
		{"what a move begins from", testMoveFrom},
		{"the model in use", testModelInUse},
		{"a move and ended contexts", testMoveEndedContext},
		{"a sample of a move", testSampleOfMove},
		{"searches during moves", testSearchDuringMoves},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, place(t)) })
	}
}

// other is a model beside model().
func other() rag.Model { return rag.Model{Name: "others", Dim: 48} }

func mover(t testing.TB, s rag.Store) rag.Reembedder {
	t.Helper()
	m, ok := s.(rag.Reembedder)
	if !ok {
		t.Fatalf("%T is no Reembedder", s)
	}
	return m
}

// beginMove takes the lease on a move to m, which nobody else has.
func beginMove(t testing.TB, s rag.Store, m rag.Model) rag.MoveLease {
	t.Helper()
	l, err := mover(t, s).BeginMove(t.Context(), m, time.Hour)
	if err != nil {
		t.Fatalf("BeginMove: %v", err)
	}
	if l.To != m || l.Token == "" {
		t.Fatalf("BeginMove: %+v", l)
	}
	return l
}

func endMove(t testing.TB, s rag.Store, l rag.MoveLease) {
	t.Helper()
	if err := mover(t, s).EndMove(t.Context(), l); err != nil {
		t.Fatalf("EndMove: %v", err)
	}
}

// moveSome prepares documents for a model, at most chunks passages of them; a
// negative number is all. It reports whether all were.
func moveSome(t testing.TB, s rag.Store, m rag.Model, chunks int) bool {
	t.Helper()
	l := beginMove(t, s, m)
	defer endMove(t, s, l)
	return moveOn(t, s, l, chunks)
}

// moveOn is moveSome of who has the lease.
func moveOn(t testing.TB, s rag.Store, l rag.MoveLease, chunks int) bool {
	t.Helper()
	ctx, r, m := t.Context(), mover(t, s), l.To
	after := int64(0)
	for {
		o, err := r.Outdated(ctx, m, after)
		if err != nil {
			t.Fatalf("Outdated: %v", err)
		}
		if o == nil {
			return true
		}
		if o.Order <= after {
			t.Fatalf("Outdated after %d: %d", after, o.Order)
		}
		after = o.Order
		for {
			if chunks == 0 {
				return false
			}
			missing, err := r.Unmoved(ctx, *o, m, 1)
			if err != nil {
				t.Fatalf("Unmoved: %v", err)
			}
			if len(missing) == 0 {
				break
			}
			wantCode(t, r.Prepare(ctx, l, *o), rag.Conflict, "Prepare without all vectors")
			if err := r.PutMoved(ctx, l, *o, []int{missing[0].Index}, [][]float32{vectorOf(missing[0].Content, m.Dim)}); err != nil {
				t.Fatalf("PutMoved: %v", err)
			}
			chunks--
		}
		if err := r.Prepare(ctx, l, *o); err != nil {
			t.Fatalf("Prepare: %v", err)
		}
	}
}

// wantIn checks that the user's documents are found by vectors of m alone.
func wantIn(t testing.TB, s rag.Store, m rag.Model, user rag.User, line string) {
	t.Helper()
	for _, q := range []rag.Model{model(), other()} {
		got := search(t, s, user, rag.Query{Vector: vectorOf(line, q.Dim), Model: q, Text: line})
		if q != m {
			if len(got.Vector) != 0 || got.NoVector != got.Chunks {
				t.Errorf("%s: %d hits of %s, which is not in use; %d of %d without a vector", user, len(got.Vector), q.Name, got.NoVector, got.Chunks)
			}
			continue
		}
		if got.NoVector != 0 || len(got.Vector) == 0 || math.Abs(got.Vector[0].Cosine-1) > 1e-5 {
			t.Errorf("%s, %q in %s: %+v", user, line, q.Name, got)
		}
		for _, c := range got.Lexical {
			if !c.HasCosine {
				t.Errorf("%s: a lexical hit without a cosine in %s", user, q.Name)
			}
		}
	}
}

func switchTo(t testing.TB, s rag.Store, m rag.Model, want int) {
	t.Helper()
	l := beginMove(t, s, m)
	defer endMove(t, s, l)
	left, err := mover(t, s).SwitchModel(t.Context(), l)
	if err != nil || left != want {
		t.Fatalf("SwitchModel: %d left, %v; want %d", left, err, want)
	}
}

func testMove(t *testing.T, open func() rag.Store) {
	s := open()
	defer closeStore(t, s)
	ctx, r := t.Context(), mover(t, s)
	if m, err := r.LiveModel(ctx); err != nil || m != (rag.Model{}) {
		t.Errorf("of an empty store: %v, %v", m, err)
	}
	for i := range 4 {
		ingest(t, s, alice, fmt.Sprintf("%d.txt", i), fmt.Sprintf("heron %d", i), "a weir", fmt.Sprintf("an otter %d", i))
		ingest(t, s, bob, fmt.Sprintf("%d.txt", i), fmt.Sprintf("a duck %d", i))
	}
	plain := ingestAs(t, s, bob, rag.Model{}, upload("plain.txt", "without a vector"))
	if m, err := r.LiveModel(ctx); err != nil || m != model() {
		t.Errorf("LiveModel: %v, %v", m, err)
	}
	if err := s.Delete(ctx, bob, plain.ID); err != nil {
		t.Fatal(err)
	}
	for _, m := range []rag.Model{other(), model(), other()} {
		from := model()
		if m == from {
			from = other()
		}
		switchTo(t, s, m, 8)
		wantIn(t, s, from, alice, "an otter 3")
		if !moveSome(t, s, m, -1) {
			t.Error("not all were moved")
		}
		if p, err := r.Moved(ctx, m); err != nil || p.Done != p.Total || p.Total != 16 {
			t.Errorf("Moved: %+v, %v", p, err)
		}
		wantIn(t, s, from, alice, "an otter 3") // until the switch
		late := ingestAs(t, s, alice, from, upload("late.txt", "came late"))
		switchTo(t, s, m, 1)
		wantIn(t, s, from, alice, "came late")
		moveSome(t, s, m, -1)
		switchTo(t, s, m, 0)
		wantIn(t, s, m, alice, "came late")
		wantIn(t, s, m, alice, "an otter 3")
		wantIn(t, s, m, bob, "a duck 2")
		if d := get(t, s, alice, late.ID); d.Model != m {
			t.Errorf("after the move: a document of %v", d.Model)
		}
		if got, err := r.LiveModel(ctx); err != nil || got != m {
			t.Errorf("LiveModel: %v, %v", got, err)
		}
		if err := s.Delete(ctx, alice, late.ID); err != nil {
			t.Fatal(err)
		}
	}
}

func testMoveResumed(t *testing.T, open func() rag.Store) {
	s := open()
	for i := range 5 {
		ingest(t, s, alice, fmt.Sprintf("%d.txt", i), fmt.Sprintf("heron %d", i), "a weir", fmt.Sprintf("an otter %d", i))
	}
	// One that is broken off, and taken back.
	moveSome(t, s, other(), 4)
	switchTo(t, s, model(), 0)
	wantIn(t, s, model(), alice, "an otter 0")
	done := false
	for rounds := 0; !done; rounds++ {
		if rounds > 20 {
			t.Fatal("it gets nowhere: what was done is not kept")
		}
		done = moveSome(t, s, other(), 2)
		wantIn(t, s, model(), alice, "an otter 3")
		closeStore(t, s)
		s = open()
		wantIn(t, s, model(), alice, "an otter 4")
	}
	switchTo(t, s, other(), 0)
	closeStore(t, s)
	s = open()
	wantIn(t, s, other(), alice, "an otter 4")
	// One who is gone while it is moved.
	d := ingestAs(t, s, alice, other(), upload("gone.txt", "will be gone"))
	o, err := mover(t, s).Outdated(t.Context(), model(), 0)
	if err != nil || o == nil {
		t.Fatalf("Outdated: %v, %v", o, err)
	}
	gone := rag.Outdated{User: alice, DocID: d.ID}
	if err := s.Delete(t.Context(), alice, d.ID); err != nil {
		t.Fatal(err)
	}
	_, err = mover(t, s).Unmoved(t.Context(), gone, model(), 1)
	wantCode(t, err, rag.NotFound, "Unmoved of a deleted document")
	l := beginMove(t, s, model())
	wantCode(t, mover(t, s).PutMoved(t.Context(), l, gone, []int{0}, [][]float32{vectorOf("x", model().Dim)}), rag.NotFound, "PutMoved of a deleted document")
	wantCode(t, mover(t, s).Prepare(t.Context(), l, gone), rag.NotFound, "Prepare of a deleted document")
	o.User = bob
	_, err = mover(t, s).Unmoved(t.Context(), *o, model(), 1)
	wantCode(t, err, rag.NotFound, "Unmoved of another's document")
	closeStore(t, s)
}

func testModelInUse(t *testing.T, open func() rag.Store) {
	s := open()
	defer closeStore(t, s)
	ctx, r := t.Context(), mover(t, s)
	// Without documents the latest to say it decides, and all are told.
	for _, m := range []rag.Model{other(), model(), model()} {
		if err := r.UseModel(ctx, m); err != nil {
			t.Fatal(err)
		}
		if got, err := r.LiveModel(ctx); err != nil || got != m {
			t.Errorf("LiveModel: %v, %v, want %v", got, err, m)
		}
	}
	add(t, s, alice, upload("a.txt", "in work while the model changes"))
	job := lease(t, s)
	ingestAs2 := func(m rag.Model) error { return work(t, s, job, m) }
	if err := ingestAs2(other()); rag.CodeOf(err) != rag.Conflict {
		t.Errorf("published with a model that is not in use: %v", err)
	}
	switchTo(t, s, other(), 0)
	job.Staged = true
	if err := ingestAs2(model()); rag.CodeOf(err) != rag.Conflict {
		t.Errorf("published with the model of before: %v", err)
	}
	if err := ingestAs2(other()); err != nil {
		t.Errorf("with the model in use: %v", err)
	}
	wantCode(t, r.UseModel(ctx, model()), rag.Conflict, "UseModel beside vectors of another")
	if err := r.UseModel(ctx, other()); err != nil {
		t.Errorf("UseModel of the one in use: %v", err)
	}
	wantIn(t, s, other(), alice, "in work while the model changes")
}

// testMoveEndedContext: none of the methods waits for anything, or does anything.
func testMoveEndedContext(t *testing.T, open func() rag.Store) {
	s := open()
	defer closeStore(t, s)
	r := mover(t, s)
	d := ingest(t, s, alice, "a.txt", "the heron")
	o := rag.Outdated{User: alice, DocID: d.ID}
	l := beginMove(t, s, other())
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	for ctx, want := range map[context.Context]rag.Code{cancelled: rag.Canceled, late: rag.Timeout} {
		_, err := r.LiveModel(ctx)
		wantCode(t, err, want, "LiveModel")
		wantCode(t, r.UseModel(ctx, model()), want, "UseModel")
		_, err = r.Outdated(ctx, other(), 0)
		wantCode(t, err, want, "Outdated")
		_, err = r.Unmoved(ctx, o, other(), 1)
		wantCode(t, err, want, "Unmoved")
		wantCode(t, r.PutMoved(ctx, l, o, []int{0}, [][]float32{vectorOf("the heron", other().Dim)}), want, "PutMoved")
		wantCode(t, r.Prepare(ctx, l, o), want, "Prepare")
		_, err = r.Moved(ctx, other())
		wantCode(t, err, want, "Moved")
		_, err = r.SwitchModel(ctx, l)
		wantCode(t, err, want, "SwitchModel")
		_, err = r.BeginMove(ctx, other(), time.Hour)
		wantCode(t, err, want, "BeginMove")
		wantCode(t, r.RenewMove(ctx, l, time.Hour), want, "RenewMove")
		wantCode(t, r.EndMove(ctx, l), want, "EndMove")
	}
	wantIn(t, s, model(), alice, "the heron")
}

// testSampleOfMove: a move that is resumed can be held against what it had made.
func testSampleOfMove(t *testing.T, open func() rag.Store) {
	s := open()
	defer closeStore(t, s)
	ingest(t, s, alice, "a.txt", "the heron")
	ingest(t, s, alice, "b.txt", "the weir")
	moveSome(t, s, other(), 1)
	sampler, ok := s.(rag.Sampler)
	if !ok {
		t.Fatalf("%T is no Sampler", s)
	}
	o, err := mover(t, s).Outdated(t.Context(), other(), 0)
	if err != nil || o == nil {
		t.Fatalf("Outdated: %v, %v", o, err)
	}
	if err := mover(t, s).Prepare(t.Context(), beginMove(t, s, other()), *o); err != nil {
		t.Fatal(err)
	}
	for _, m := range []rag.Model{model(), other()} {
		if one, err := sampler.Sample(t.Context(), m); err != nil || len(one.Vector) != m.Dim || one.Chunk.Content == "" {
			t.Errorf("of %v: %+v, %v", m, one, err)
		}
	}
}
