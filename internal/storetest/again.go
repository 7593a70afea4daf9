package storetest

import (
	"testing"

	"weir/internal/rag"
)

// testAskedForAgain goes back to a first edition while a second one waits to
// replace it. Who was told that the first is there must not lose it to an
// upload made before.
func testAskedForAgain(t *testing.T, s rag.Store) {
	tests := []struct {
		name    string
		replace bool
		second  rag.Status
	}{
		{"to replace in turn", true, rag.Cancelled},
		{"to stand beside", false, rag.Ready},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			user, file := rag.User("again "+tt.name), "plan.txt"
			first := ingest(t, s, user, file, "first heron")
			n := upload(file, "second heron")
			n.Replace = true
			second := add(t, s, user, n)
			job := lease(t, s)

			again := upload(file, "first heron")
			again.SHA256, again.Replace = first.SHA256, tt.replace
			doc, created, err := s.Add(t.Context(), user, again)
			if err != nil || created || doc.ID != first.ID || doc.Status != rag.Ready {
				t.Fatalf("got %+v, created %v, %v", doc, created, err)
			}
			if tt.replace {
				wantLostAll(t, s, job)
			} else if err := work(t, s, job, model()); err != nil {
				t.Fatal(err)
			}
			if doc, err := s.Document(t.Context(), user, second.ID); err != nil || doc.Status != tt.second {
				t.Errorf("the second is %v, %v; want %s", doc.Status, err, tt.second)
			}
			if doc, err := s.Document(t.Context(), user, first.ID); err != nil || doc.Status != rag.Ready {
				t.Errorf("the first is %v, %v", doc.Status, err)
			}
		})
	}
}
