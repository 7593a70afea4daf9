package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"weir/internal/rag"
)

// Filler writes documents where a store that itself only reads finds them, as
// the system does that keeps them.
type Filler interface {
	// Fill stores a document with its passages, all at once. vectors has one for
	// each of them, of the document's Model, or is nil.
	Fill(ctx context.Context, user rag.User, d rag.Document, chunks []rag.Chunk, vectors [][]float32) error
	// Remove takes a document away, with its passages.
	Remove(ctx context.Context, user rag.User, id string) error
}

// RunReadOnly runs the read half of the conformance tests on a store that keeps
// nothing itself: what is searched, and the user's library as far as it is read.
// open returns a new store without documents and what fills it, and arranges
// for both to be closed. ids of documents are UUIDs.
func RunReadOnly(t *testing.T, open func(t *testing.T) (rag.Store, Filler)) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s rag.Store)
	}{
		{"two models", testTwoModels},
		{"without vectors", testWithoutVectors},
		{"hybrid", testHybrid},
		{"nearest", testNearest},
		{"ties", testTies},
		{"filter", testFilter},
		{"chunks", testChunks},
		{"passages", testPassages},
		{"sample", testSample},
		{"languages", testLanguages},
		{"isolation of statistics", testIsolationOfStatistics},
		{"tiny beside huge", testTinyBesideHuge},
		{"atomic documents", testAtomicDocuments},
		{"search while ingesting", testSearchWhileIngesting},
		{"closed", testClosedReader},
		{"library", testReadLibrary},
		{"isolation", testReadIsolation},
		{"writes are refused", testRefusesWrites},
		{"ended context", testReadEndedContext},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, filler := open(t)
			test.run(t, &filled{Store: s, filler: filler, jobs: map[string]*filling{}})
		})
	}
}

func testReadLibrary(t *testing.T, s rag.Store) {
	ctx := t.Context()
	var want []string
	for i := range 7 {
		want = append(want, ingest(t, s, alice, fmt.Sprintf("Plan %d.txt", i), "one heron", fmt.Sprint("two ", i)).ID)
		ingest(t, s, bob, fmt.Sprintf("%d.txt", i), "theirs")
	}
	slices.Reverse(want)
	for _, limit := range []int{1, 3, 7, 100} {
		if got := ids(pages(t, s, alice, rag.Page{Limit: limit})); !slices.Equal(got, want) {
			t.Errorf("by %d: %v, want newest first: %v", limit, got, want)
		}
	}
	if got := pages(t, s, alice, rag.Page{Limit: 10, Filename: "pLAN 3"}); len(got) != 1 {
		t.Errorf("by name: %v", ids(got))
	}
	if got := pages(t, s, alice, rag.Page{Limit: 10, Status: rag.Failed}); len(got) != 0 {
		t.Errorf("failed: %v", ids(got))
	}
	d := get(t, s, alice, want[0])
	if d.Status != rag.Ready || d.Chunks != 2 || d.Model != model() || d.Filename != "Plan 6.txt" {
		t.Errorf("%+v", d)
	}
	counts, err := s.Counts(ctx, alice, nil)
	if err != nil || counts[rag.Ready] != 7 || len(counts) != 1 {
		t.Errorf("counts %v, %v", counts, err)
	}
	_, cursor, err := s.Documents(ctx, alice, rag.Page{Limit: 2})
	if err != nil || cursor == "" {
		t.Fatalf("cursor %q, %v", cursor, err)
	}
	_, _, err = s.Documents(ctx, bob, rag.Page{Limit: 2, Cursor: cursor})
	wantCode(t, err, rag.Invalid, "a cursor of another user")
	_, _, err = s.Documents(ctx, alice, rag.Page{Limit: 2, Cursor: cursor[1:]})
	wantCode(t, err, rag.Invalid, "a cursor made up")
}

func testReadIsolation(t *testing.T, s rag.Store) {
	ctx := t.Context()
	mine := ingest(t, s, alice, "mine.txt", "heron of alice")
	theirs := ingest(t, s, bob, "theirs.txt", "heron of bob", "weir of bob")
	_, err := s.Document(ctx, alice, theirs.ID)
	wantCode(t, err, rag.NotFound, "Document")
	chunks, err := s.Chunks(ctx, alice, []rag.Ref{{DocID: theirs.ID}, {DocID: mine.ID}})
	if err != nil || len(chunks) != 1 || chunks[0].Content != "heron of alice" {
		t.Errorf("Chunks: %+v, %v", chunks, err)
	}
	for _, q := range []rag.Query{
		{Text: "heron weir bob", Vector: vectorOf("heron of bob", model().Dim), Model: model()},
		{Text: "heron weir bob", Vector: vectorOf("heron of bob", model().Dim), Model: model(), Documents: []string{theirs.ID, mine.ID}},
	} {
		c := search(t, s, alice, q)
		for _, hit := range append(c.Lexical, c.Vector...) {
			if hit.DocID != mine.ID {
				t.Errorf("a foreign hit: %+v", hit)
			}
		}
		if c.Chunks != 1 || len(c.Vector) != 1 {
			t.Errorf("%+v", c)
		}
	}
	if counts, err := s.Counts(ctx, alice, []string{theirs.ID}); err != nil || len(counts) != 0 {
		t.Errorf("Counts of foreign ids: %v, %v", counts, err)
	}
	for _, user := range []rag.User{"Alice", "alice ", " alice", "alice\x00", "\xff", "%", "nobody", "' OR true --"} {
		c := search(t, s, user, rag.Query{Text: "heron", Vector: vectorOf("x", model().Dim), Model: model()})
		docs, _, err := s.Documents(ctx, user, rag.Page{Limit: 5})
		if err != nil || len(docs) != 0 || c.Chunks+len(c.Lexical)+len(c.Vector) != 0 {
			t.Errorf("%q: %v, %+v, %v", user, docs, c, err)
		}
	}
}

// testRefusesWrites looks at the store itself, not at what fills it.
func testRefusesWrites(t *testing.T, s rag.Store) {
	f, ok := s.(*filled)
	if !ok {
		t.Fatalf("%T", s)
	}
	d := ingest(t, s, alice, "a.txt", "the heron")
	reader := f.Store
	_, _, err := reader.Add(t.Context(), alice, upload("b.txt", "new"))
	wantCode(t, err, rag.Forbidden, "Add")
	wantCode(t, reader.Delete(t.Context(), alice, d.ID), rag.Forbidden, "Delete")
	_, err = reader.Cancel(t.Context(), alice, d.ID)
	wantCode(t, err, rag.Forbidden, "Cancel")
	if job, err := reader.Lease(t.Context(), time.Hour); job != nil || err != nil {
		t.Errorf("Lease: %v, %v", job, err)
	}
	if queued, working, err := reader.Pending(t.Context()); queued+working != 0 || err != nil {
		t.Errorf("Pending: %d, %d, %v", queued, working, err)
	}
	wantLostAll(t, reader, rag.Job{User: alice, Document: d, Lease: "x"})
	if c := search(t, s, alice, rag.Query{Text: "heron"}); len(c.Lexical) != 1 {
		t.Errorf("%+v", c)
	}
}
