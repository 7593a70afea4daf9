package storetest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/internal/rag"
)

// wantMoveLost checks that nothing can be done with a lease, nor undone.
func wantMoveLost(t testing.TB, s rag.Store, l rag.MoveLease, o rag.Outdated) {
	t.Helper()
	ctx, r := t.Context(), mover(t, s)
	_, switched := r.SwitchModel(ctx, l)
	for doing, err := range map[string]error{
		"RenewMove":   r.RenewMove(ctx, l, time.Hour),
		"PutMoved":    r.PutMoved(ctx, l, o, []int{0}, [][]float32{vectorOf("stolen", l.To.Dim)}),
		"Prepare":     r.Prepare(ctx, l, o),
		"SwitchModel": switched,
	} {
		if !errors.Is(err, rag.ErrMoveLost) {
			t.Errorf("%s: %v, want ErrMoveLost", doing, err)
		}
	}
	if err := r.EndMove(ctx, l); err != nil {
		t.Errorf("EndMove: %v", err)
	}
}

// wantUnderWay checks that nobody can begin a move beside one to a model.
func wantUnderWay(t testing.TB, s rag.Store, to rag.Model) {
	t.Helper()
	for _, m := range []rag.Model{model(), other(), {Name: "a third", Dim: 8}} {
		_, err := mover(t, s).BeginMove(t.Context(), m, time.Hour)
		wantCode(t, err, rag.Conflict, "a second move, to "+m.Name)
		if year := fmt.Sprintf("since %d-", time.Now().UTC().Year()); err != nil && (!strings.Contains(err.Error(), "moved to "+to.Name) || !strings.Contains(err.Error(), year)) {
			t.Errorf("the second one is told %q", err)
		}
	}
}

// outdated returns a document that is to be moved to a model.
func outdated(t testing.TB, s rag.Store, m rag.Model) rag.Outdated {
	t.Helper()
	o, err := mover(t, s).Outdated(t.Context(), m, 0)
	if err != nil || o == nil {
		t.Fatalf("Outdated: %v, %v", o, err)
	}
	return *o
}

func testOneMove(t *testing.T, open func() rag.Store) {
	s := open()
	defer closeStore(t, s)
	ingest(t, s, alice, "a.txt", "the heron", "the weir")
	o := outdated(t, s, other())
	for _, token := range []string{"", "made up"} {
		wantMoveLost(t, s, rag.MoveLease{To: other(), Token: token}, o)
	}
	first := beginMove(t, s, other())
	wantUnderWay(t, s, other())
	wantMoveLost(t, s, rag.MoveLease{To: other()}, o)
	wantUnderWay(t, s, other()) // nobody else can give it back
	if err := mover(t, s).RenewMove(t.Context(), first, time.Hour); err != nil {
		t.Errorf("RenewMove: %v", err)
	}
	wantCode(t, mover(t, s).RenewMove(t.Context(), first, time.Hour), "", "RenewMove")
	endMove(t, s, first)
	wantMoveLost(t, s, first, o)

	var mu sync.Mutex
	var begun []rag.MoveLease
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			l, err := mover(t, s).BeginMove(t.Context(), []rag.Model{model(), other()}[i%2], time.Hour)
			if err != nil {
				wantCode(t, err, rag.Conflict, "of eight at once")
				return
			}
			mu.Lock()
			defer mu.Unlock()
			begun = append(begun, l)
		})
	}
	wg.Wait()
	if len(begun) != 1 {
		t.Fatalf("%d of eight have the lease", len(begun))
	}
	wantUnderWay(t, s, begun[0].To)
	endMove(t, s, begun[0])
	if !moveSome(t, s, other(), -1) {
		t.Error("not all were moved")
	}
	switchTo(t, s, other(), 0)
	wantIn(t, s, other(), alice, "the heron")
}

// testMoveTakenOver: one who gave no sign of life is succeeded, by one who goes
// on, and does nothing more when it wakes up.
func testMoveTakenOver(t *testing.T, open func() rag.Store) {
	s := open()
	defer closeStore(t, s)
	ctx, r := t.Context(), mover(t, s)
	for i := range 3 {
		ingest(t, s, alice, fmt.Sprintf("%d.txt", i), fmt.Sprintf("heron %d", i), "a weir")
	}
	begin := func(m rag.Model, ttl time.Duration) rag.MoveLease {
		t.Helper()
		l, err := r.BeginMove(ctx, m, ttl)
		if err != nil {
			t.Fatalf("BeginMove: %v", err)
		}
		return l
	}
	o := outdated(t, s, other())
	late := begin(other(), time.Nanosecond)
	moveOn(t, s, late, 2) // it has run out, and nobody took it
	stalled := late
	late = begin(other(), time.Nanosecond)
	wantMoveLost(t, s, stalled, o)
	if missing, err := r.Unmoved(ctx, o, other(), 10); err != nil || len(missing) != 0 {
		t.Errorf("what the first had made: %d passages to be made again, %v", len(missing), err)
	}
	if err := r.RenewMove(ctx, late, time.Hour); err != nil { // late, and in time
		t.Errorf("RenewMove: %v", err)
	}
	wantUnderWay(t, s, other())
	if err := r.RenewMove(ctx, late, time.Nanosecond); err != nil {
		t.Errorf("RenewMove: %v", err)
	}
	if !moveOn(t, s, late, -1) {
		t.Error("not all were moved")
	}

	// Another takes it, to quite another model, before all is changed over.
	third := rag.Model{Name: "a third", Dim: 8}
	next := begin(third, time.Hour)
	wantMoveLost(t, s, late, o)
	wantIn(t, s, model(), alice, "heron 1")
	if !moveOn(t, s, next, -1) {
		t.Error("not all were moved")
	}
	wantMoveLost(t, s, late, o)
	if left, err := r.SwitchModel(ctx, next); err != nil || left != 0 {
		t.Errorf("SwitchModel: %d, %v", left, err)
	}
	wantMoveLost(t, s, stalled, o)
	endMove(t, s, next)
	wantMoveLost(t, s, late, o)
	if m, err := r.LiveModel(ctx); err != nil || m != third {
		t.Errorf("in the end: %v, %v", m, err)
	}
	got := search(t, s, alice, rag.Query{Vector: vectorOf("heron 1", third.Dim), Model: third})
	if got.NoVector != 0 || len(got.Vector) != 6 {
		t.Errorf("in the end: %d passages by vectors, %d without", len(got.Vector), got.NoVector)
	}
}

func testMoveFrom(t *testing.T, open func() rag.Store) {
	s := open()
	defer closeStore(t, s)
	begin := func(m, want rag.Model, of string) {
		t.Helper()
		l := beginMove(t, s, m)
		if l.From != want {
			t.Errorf("%s: from %v, want %v", of, l.From, want)
		}
		endMove(t, s, l)
	}
	if err := mover(t, s).UseModel(t.Context(), model()); err != nil {
		t.Fatal(err)
	}
	begin(model(), rag.Model{}, "no documents")
	ingestAs(t, s, alice, rag.Model{}, upload("plain.txt", "without a vector"))
	begin(model(), rag.Model{}, "no vectors")
	moveSome(t, s, model(), -1)
	begin(model(), rag.Model{}, "no vectors in use")
	switchTo(t, s, model(), 0)
	begin(model(), model(), "all have vectors")
	begin(other(), model(), "all have vectors of another")
	ingestAs(t, s, bob, rag.Model{}, upload("plain.txt", "without a vector"))
	begin(model(), model(), "some have vectors")
}
