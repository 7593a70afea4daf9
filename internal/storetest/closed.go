package storetest

import (
	"sync"
	"testing"

	"weir/internal/rag"
)

func testClosed(t *testing.T, s rag.Store) {
	testClosedReader(t, s)
	_, _, err := s.Add(t.Context(), alice, upload("b.txt", "late"))
	wantCode(t, err, rag.Unavailable, "Add")
}

// testClosedReader: who asks while a store is closed, or after that, is told.
func testClosedReader(t *testing.T, s rag.Store) {
	ingest(t, s, alice, "a.txt", "the heron")
	q := rag.Query{Text: "heron", Vector: vectorOf("x", model().Dim), Model: model(), Limit: 5}
	search(t, s, alice, q)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				if _, err := s.Candidates(t.Context(), alice, q); err != nil {
					wantCode(t, err, rag.Unavailable, "Candidates while closing")
					return
				}
			}
		})
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	wg.Wait()
	if err := s.Close(); err != nil {
		t.Errorf("Close again: %v", err)
	}
	wantCode(t, s.Ready(t.Context()), rag.Unavailable, "Ready")
	_, err := s.Document(t.Context(), alice, "x")
	wantCode(t, err, rag.Unavailable, "Document")
	for _, user := range []rag.User{alice, bob} { // one of them is not loaded
		_, err := s.Candidates(t.Context(), user, rag.Query{Text: "heron", Limit: 5})
		wantCode(t, err, rag.Unavailable, "Candidates of "+string(user))
	}
}
