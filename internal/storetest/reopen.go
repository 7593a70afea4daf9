package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"weir/internal/rag"
)

// RunReopen tests what a store keeps when it is closed and opened again. place
// makes a new, empty place and returns the function that opens the store there;
// the stores are closed by the tests.
func RunReopen(t *testing.T, place func(t *testing.T) (open func() rag.Store)) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(t *testing.T, open func() rag.Store)
	}{
		{"everything stays", testEverythingStays},
		{"work goes on", testWorkGoesOn},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, place(t)) })
	}
}

func closeStore(t *testing.T, s rag.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
}

func testEverythingStays(t *testing.T, open func() rag.Store) {
	s := open()
	for i := range 5 {
		ingest(t, s, alice, fmt.Sprintf("%d.txt", i), fmt.Sprintf("heron number%d", i), "a weir", "計画書の内容")
		ingest(t, s, bob, fmt.Sprintf("%d.txt", i), fmt.Sprintf("otter number%d", i))
	}
	gone := ingest(t, s, alice, "gone.txt", "heron that is gone")
	if err := s.Delete(t.Context(), alice, gone.ID); err != nil {
		t.Fatal(err)
	}
	failed := add(t, s, alice, upload("failed.txt", "failed"))
	if err := s.Fail(t.Context(), lease(t, s), rag.DocumentError{Code: rag.Invalid, Message: "why"}); err != nil {
		t.Fatal(err)
	}
	cancelled := add(t, s, alice, upload("cancelled.txt", "cancelled"))
	if _, err := s.Cancel(t.Context(), alice, cancelled.ID); err != nil {
		t.Fatal(err)
	}
	q := rag.Query{Text: "heron 計画書 weir", Vector: vectorOf("a weir", model().Dim), Model: model(), Limit: 100}
	before := pages(t, s, alice, rag.Page{Limit: 100})
	wantHits := fmt.Sprintf("%+v", search(t, s, alice, q))
	for range 2 {
		closeStore(t, s)
		s = open()
		after := pages(t, s, alice, rag.Page{Limit: 100})
		if len(after) != len(before) {
			t.Fatalf("%d documents, were %d", len(after), len(before))
		}
		for i := range after {
			a, b := after[i], before[i]
			if (a.Error == nil) != (b.Error == nil) || (a.Error != nil && *a.Error != *b.Error) {
				t.Errorf("error %+v, was %+v", a.Error, b.Error)
			}
			a.Error, b.Error = nil, nil
			if a != b {
				t.Errorf("now %+v, was %+v", a, b)
			}
		}
		if got := fmt.Sprintf("%+v", search(t, s, alice, q)); got != wantHits {
			t.Errorf("found %s\nwas %s", got, wantHits)
		}
		if got := get(t, s, alice, failed.ID); got.Error == nil || got.Error.Message != "why" {
			t.Errorf("failed: %+v", got)
		}
	}
	// An index that was loaded takes part in what comes.
	ingest(t, s, alice, "late.txt", "heron that came late")
	if c := search(t, s, alice, rag.Query{Text: "heron"}); len(c.Lexical) != 6 {
		t.Errorf("found %d, want 6", len(c.Lexical))
	}
	closeStore(t, s)
}

func testWorkGoesOn(t *testing.T, open func() rag.Store) {
	ctx := t.Context()
	s := open()
	d := add(t, s, alice, upload("a.txt", "0", "1", "2", "3", "4"))
	waiting := add(t, s, alice, upload("b.txt", "heron"))
	job := lease(t, s)
	if err := s.Stage(ctx, job, extracted([]byte("0\n1\n2\n3\n4"))); err != nil {
		t.Fatal(err)
	}
	if err := put(t, s, job, model(), []rag.Chunk{{Index: 0, Content: "0"}, {Index: 3, Content: "3"}}); err != nil {
		t.Fatal(err)
	}
	// The lease outlives the process that held it only until it runs out.
	if err := s.Renew(ctx, job, time.Nanosecond, rag.Embedding, rag.Progress{Done: 2, Total: 5}); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	s = open()
	wantLostAll(t, s, job)
	again := lease(t, s)
	if again.Document.ID != d.ID || !again.Staged || again.Attempt != 2 {
		t.Fatalf("leased %+v", again)
	}
	chunks, left, err := s.Unembedded(ctx, again, model(), 10)
	var got []string
	for _, c := range chunks {
		got = append(got, c.Content)
	}
	if err != nil || left != 3 || !slices.Equal(got, []string{"1", "2", "4"}) {
		t.Errorf("Unembedded: %v, %d, %v", got, left, err)
	}
	if err := work(t, s, again, model()); err != nil {
		t.Fatal(err)
	}
	next := lease(t, s)
	if next.Document.ID != waiting.ID || next.Staged {
		t.Fatalf("leased %+v", next)
	}
	if err := work(t, s, next, model()); err != nil {
		t.Fatal(err)
	}
	c := search(t, s, alice, rag.Query{Text: "heron", Vector: vectorOf("2", model().Dim), Model: model()})
	if len(c.Vector) != 6 || c.Vector[0].DocID != d.ID || c.Vector[0].Index != 2 || len(c.Lexical) != 1 {
		t.Errorf("found %+v", c)
	}
	closeStore(t, s)
}
