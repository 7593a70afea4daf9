package storetest

import (
	"fmt"
	"testing"

	"weir/internal/rag"
)

// testPassages reads a document through, page by page.
func testPassages(t *testing.T, s rag.Store) {
	var lines []string
	for i := range 7 {
		lines = append(lines, fmt.Sprintf("heron %d", i))
	}
	d := ingest(t, s, alice, "a.txt", lines...)
	svc, err := rag.New(rag.Config{CountTokens: func(s string) int { return len(s) / 4 }}, bare(s), Embedder(model()), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, limit := range []int{1, 3, 6, 7, 8, rag.MaxPassages} {
		ReadThrough(t, svc, alice, d.ID, limit, lines)
	}
	if got, next, err := svc.Passages(t.Context(), alice, d.ID, 7, 5); err != nil || len(got) != 0 || next != 0 {
		t.Errorf("behind the last: %v, %d, %v", got, next, err)
	}
	_, _, err = svc.Passages(t.Context(), bob, d.ID, 0, 5)
	wantCode(t, err, rag.NotFound, "Passages of another's document")
}

// ReadThrough checks that the pages of a document's passages have what is
// wanted, each once, and no page is empty.
func ReadThrough(t testing.TB, svc *rag.Service, user rag.User, id string, limit int, want []string) {
	t.Helper()
	var got []rag.Passage
	for first := 0; ; {
		page, next, err := svc.Passages(t.Context(), user, id, first, limit)
		if err != nil || len(page) == 0 || len(page) > limit || next != 0 && next <= first {
			t.Fatalf("by %d from %d on: %d passages, next %d, %v", limit, first, len(page), next, err)
		}
		got = append(got, page...)
		if first = next; next == 0 {
			break
		}
	}
	if len(got) != len(want) {
		t.Fatalf("by %d: %d passages of %d", limit, len(got), len(want))
	}
	for i, p := range got {
		if p.Content != want[i] || p.DocID != id {
			t.Errorf("by %d: passage %d is %q of %s, want %q", limit, i, p.Content, p.DocID, want[i])
		}
	}
}
