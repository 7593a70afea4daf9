package storetest

import (
	"fmt"
	"slices"
	"testing"

	"weir/internal/rag"
)

// pages lists all documents by pages of limit.
func pages(t *testing.T, s rag.Store, user rag.User, p rag.Page) (all []rag.Document) {
	t.Helper()
	for {
		docs, next, err := s.Documents(t.Context(), user, p)
		if err != nil {
			t.Fatalf("Documents: %v", err)
		}
		if len(docs) > p.Limit {
			t.Fatalf("%d documents on a page of %d", len(docs), p.Limit)
		}
		all = append(all, docs...)
		if next == "" {
			return all
		}
		if p.Cursor = next; len(docs) == 0 {
			t.Fatal("an empty page that is not the last")
		}
	}
}

func ids(docs []rag.Document) []string {
	out := make([]string, len(docs))
	for i, d := range docs {
		out[i] = d.ID
	}
	return out
}

func testList(t *testing.T, s rag.Store) {
	if docs, next, err := s.Documents(t.Context(), alice, rag.Page{Limit: 10}); err != nil || len(docs) != 0 || next != "" {
		t.Errorf("of nobody: %v, %q, %v", docs, next, err)
	}
	var want []string
	for i := range 10 {
		d := add(t, s, alice, upload(fmt.Sprintf("%d.txt", i), fmt.Sprint("text ", i)))
		want = append([]string{d.ID}, want...)
		add(t, s, bob, upload(fmt.Sprintf("%d.txt", i), fmt.Sprint("text ", i)))
	}
	for _, limit := range []int{1, 3, 5, 9, 10, 11, 100} {
		if got := ids(pages(t, s, alice, rag.Page{Limit: limit})); !slices.Equal(got, want) {
			t.Errorf("by %d: %v, want newest first: %v", limit, got, want)
		}
	}
	job := lease(t, s)
	got := pages(t, s, job.User, rag.Page{Limit: 2, Status: rag.Parsing})
	if len(got) != 1 || got[0].ID != job.Document.ID {
		t.Errorf("parsing: %v, want %s", ids(got), job.Document.ID)
	}
	if got := pages(t, s, job.User, rag.Page{Limit: 2, Status: rag.Queued}); len(got) != 9 {
		t.Errorf("%d queued, want 9", len(got))
	}
}

func testListWhileAdding(t *testing.T, s rag.Store) {
	want := map[string]bool{}
	for i := range 12 {
		want[add(t, s, alice, upload("old.txt", fmt.Sprint("old ", i))).ID] = true
	}
	p := rag.Page{Limit: 2}
	seen := map[string]int{}
	for i := 0; ; i++ {
		docs, next, err := s.Documents(t.Context(), alice, p)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range docs {
			seen[d.ID]++
		}
		if next == "" {
			break
		}
		p.Cursor = next
		add(t, s, alice, upload("new.txt", fmt.Sprint("new ", i)))
		// The last one listed goes: its place in the list must not be lost with it.
		if i == 1 {
			if err := s.Delete(t.Context(), alice, docs[len(docs)-1].ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	for id, n := range seen {
		if n != 1 || !want[id] {
			t.Errorf("%s listed %d times, there from the start: %t", id, n, want[id])
		}
	}
	if len(seen) != len(want) {
		t.Errorf("%d listed, want %d", len(seen), len(want))
	}
}

// testListCursors: a cursor is good for the list that it was given out for, and
// does not count.
func testListCursors(t *testing.T, s rag.Store) {
	ctx := t.Context()
	cursor := func(user rag.User) string {
		t.Helper()
		_, next, err := s.Documents(ctx, user, rag.Page{Limit: 1})
		if err != nil || next == "" {
			t.Fatalf("cursor %q, %v", next, err)
		}
		return next
	}
	var last []rag.Document
	for i := range 3 {
		last = []rag.Document{add(t, s, alice, upload("a.txt", fmt.Sprint("text ", i))), add(t, s, bob, upload("a.txt", fmt.Sprint("text ", i)))}
	}
	a, b := cursor(alice), cursor(bob)
	if a == b {
		t.Errorf("lists of the same length have the same cursor %q: it is a number", a)
	}
	// The last byte is left alone: not all of its bits are of the cursor.
	changed := []byte(a)
	for i := range len(changed) - 1 {
		was := changed[i]
		if changed[i] = 'A'; was == 'A' {
			changed[i] = 'B'
		}
		_, _, err := s.Documents(ctx, alice, rag.Page{Limit: 1, Cursor: string(changed)})
		wantCode(t, err, rag.Invalid, fmt.Sprintf("%q for %q", changed, a))
		changed[i] = was
	}
	for _, cursor := range []string{b, a + "A", a[1:], last[0].ID} {
		_, _, err := s.Documents(ctx, alice, rag.Page{Limit: 1, Cursor: cursor})
		wantCode(t, err, rag.Invalid, fmt.Sprintf("cursor %q", cursor))
	}
	if err := s.Delete(ctx, alice, last[0].ID); err != nil {
		t.Fatal(err)
	}
	if docs, next, err := s.Documents(ctx, alice, rag.Page{Limit: 2, Cursor: a}); err != nil || len(docs) != 2 || next != "" {
		t.Errorf("after the document of the cursor is gone: %v, %q, %v", ids(docs), next, err)
	}
}

func testListByFilename(t *testing.T, s rag.Store) {
	for i, name := range []string{"Plan 2025.PDF", "plan_notes.txt", "ÄRZTE-Liste.md", "100%.txt", "straße.txt", "Cafe\u0301.txt", "計画書.docx"} {
		add(t, s, alice, upload(name, fmt.Sprint("text ", i)))
	}
	for _, test := range []struct {
		part string
		want int
	}{
		{"", 7},
		{"plan", 2},
		{"PLAN", 2},
		{"plan_", 1},
		{"pl%n", 0},
		{"%", 1},
		{"ärzte", 1},
		{"STRASSE", 1},
		{"caf\u00e9", 1},
		{"計画", 1},
		{"nothing", 0},
		{"'; DROP TABLE documents; --", 0},
		{"txt\x00", 0},
	} {
		if got := pages(t, s, alice, rag.Page{Limit: 3, Filename: test.part}); len(got) != test.want {
			t.Errorf("%q: %d documents, want %d", test.part, len(got), test.want)
		}
	}
}
