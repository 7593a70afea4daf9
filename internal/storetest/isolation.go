package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"weir/internal/rag"
)

func testIsolation(t *testing.T, s rag.Store) {
	ctx := t.Context()
	mine := ingest(t, s, alice, "mine.txt", "heron of alice")
	theirs := ingest(t, s, bob, "theirs.txt", "heron of bob", "weir of bob")
	queued := add(t, s, bob, upload("queued.txt", "queued by bob"))

	// A foreign id answers exactly as one that does not exist.
	same := func(doing string, call func(id string) error) {
		t.Helper()
		unknown := strings.Repeat("0", len(theirs.ID))
		a, b := call(theirs.ID), call(unknown)
		if a == nil || b == nil {
			t.Fatalf("%s: %v for a foreign id, %v for an unknown one", doing, a, b)
		}
		wantCode(t, a, rag.NotFound, doing)
		if x, y := strings.ReplaceAll(a.Error(), theirs.ID, "ID"), strings.ReplaceAll(b.Error(), unknown, "ID"); x != y {
			t.Errorf("%s: %q for a foreign id, %q for an unknown one", doing, x, y)
		}
	}
	same("Document", func(id string) error { _, err := s.Document(ctx, alice, id); return err })
	same("Delete", func(id string) error { return s.Delete(ctx, alice, id) })
	same("Cancel", func(id string) error { _, err := s.Cancel(ctx, alice, id); return err })
	_, err := s.Cancel(ctx, alice, queued.ID)
	wantCode(t, err, rag.NotFound, "Cancel of a foreign queued document")

	// A cursor of bob's list is none of alice's.
	_, cursor, err := s.Documents(ctx, bob, rag.Page{Limit: 1})
	if err != nil || cursor == "" {
		t.Fatalf("cursor %q, %v", cursor, err)
	}
	_, _, err = s.Documents(ctx, alice, rag.Page{Limit: 10, Cursor: cursor})
	wantCode(t, err, rag.Invalid, "a cursor of another user")
	for _, d := range pages(t, s, alice, rag.Page{Limit: 10}) {
		if d.ID != mine.ID {
			t.Errorf("listed a foreign document: %+v", d)
		}
	}
	chunks, err := s.Chunks(ctx, alice, []rag.Ref{{DocID: theirs.ID, Index: 0}, {DocID: mine.ID, Index: 0}})
	if err != nil || len(chunks) != 1 || chunks[0].Content != "heron of alice" {
		t.Errorf("Chunks: %+v, %v", chunks, err)
	}
	c := search(t, s, alice, rag.Query{Text: "heron weir bob", Vector: vectorOf("heron of bob", model().Dim), Model: model(), Documents: []string{theirs.ID}})
	if len(c.Lexical)+len(c.Vector)+c.Chunks+c.NoVector != 0 {
		t.Errorf("a foreign document as filter: %+v", c)
	}
	c = search(t, s, alice, rag.Query{Text: "heron weir bob", Vector: vectorOf("heron of bob", model().Dim), Model: model()})
	for _, hit := range append(c.Lexical, c.Vector...) {
		if hit.DocID != mine.ID {
			t.Errorf("a foreign hit: %+v", hit)
		}
	}
	if counts, err := s.Counts(ctx, alice, []string{theirs.ID, queued.ID}); err != nil || len(counts) != 0 {
		t.Errorf("Counts of foreign ids: %v, %v", counts, err)
	}
	if counts, err := s.Counts(ctx, alice, nil); err != nil || counts[rag.Ready] != 1 || counts[rag.Queued] != 0 {
		t.Errorf("Counts: %v, %v", counts, err)
	}
	// Nothing of all that did anything.
	if got := get(t, s, bob, theirs.ID); got != theirs {
		t.Errorf("now %+v, was %+v", got, theirs)
	}
	if got := get(t, s, bob, queued.ID); got != queued {
		t.Errorf("now %+v, was %+v", got, queued)
	}
}

func testIsolationOfNames(t *testing.T, s rag.Store) {
	names := []rag.User{
		"alice", "Alice", "ALICE", "alice ", " alice", "alice\x00", "alice\x00x", "alice'", "alice%", "a_ice", "%", "é", "e\u0301", "ALİCE", "alıce",
		rag.User(strings.Repeat("x", rag.MaxUserBytes)), rag.User(strings.Repeat("x", rag.MaxUserBytes-1)), "0", "00", "1", "1.0", "null",
	}
	docs := map[rag.User]rag.Document{}
	for i, user := range names {
		docs[user] = ingest(t, s, user, "a.txt", "the heron", fmt.Sprintf("number%d", i))
	}
	for _, user := range names {
		list := pages(t, s, user, rag.Page{Limit: 100})
		c := search(t, s, user, rag.Query{Text: "heron", Vector: vectorOf("the heron", model().Dim), Model: model(), Limit: 100})
		if len(list) != 1 || list[0].ID != docs[user].ID || len(c.Lexical) != 1 || len(c.Vector) != 2 || c.Lexical[0].DocID != docs[user].ID {
			t.Errorf("%q: %d documents, %+v", user, len(list), c)
		}
	}
}

func testIsolationOfStatistics(t *testing.T, s rag.Store) {
	ingest(t, s, alice, "a.txt", "heron and weir", "a weir of stone and a long line of other words", "heron heron")
	q := rag.Query{Text: "heron weir stone", Vector: vectorOf("heron", model().Dim), Model: model()}
	before := search(t, s, alice, q)
	for i := range 20 {
		var lines []string
		for j := range 20 {
			lines = append(lines, fmt.Sprintf("heron heron weir number %d %d", i, j))
		}
		d := ingest(t, s, bob, "b.txt", lines...)
		if i%3 == 0 {
			if err := s.Delete(t.Context(), bob, d.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	after := search(t, s, alice, q)
	if a, b := fmt.Sprintf("%+v", before), fmt.Sprintf("%+v", after); a != b {
		t.Errorf("another user's documents changed a search:\n%s\n%s", a, b)
	}
}

func testIsolationOfJobs(t *testing.T, s rag.Store) {
	add(t, s, alice, upload("a.txt", "text of alice"))
	add(t, s, bob, upload("b.txt", "text of bob"))
	a, b := lease(t, s), lease(t, s)
	stolen := []rag.Job{}
	for _, change := range []func(j *rag.Job){
		func(j *rag.Job) { j.User = bob },
		func(j *rag.Job) { j.User = "" },
		func(j *rag.Job) { j.Document.ID = b.Document.ID },
		func(j *rag.Job) { j.Lease = b.Lease },
		func(j *rag.Job) { j.Lease = "" },
		func(j *rag.Job) { j.User, j.Document.ID = b.User, b.Document.ID },
	} {
		j := a
		change(&j)
		stolen = append(stolen, j)
	}
	for _, job := range stolen {
		wantLostAll(t, s, job)
	}
	for _, job := range []rag.Job{a, b} {
		if err := s.Renew(t.Context(), job, time.Hour, rag.Parsing, rag.Progress{}); err != nil {
			t.Errorf("Renew: %v", err)
		}
		if err := work(t, s, job, model()); err != nil {
			t.Error(err)
		}
	}
	// A job whose lease was never taken has an empty token; it is nobody's.
	d := add(t, s, alice, upload("c.txt", "queued"))
	wantLostAll(t, s, rag.Job{User: alice, Document: d})
}

// testTinyBesideHuge: a user with 20 passages beside one with 20,000.
func testTinyBesideHuge(t *testing.T, s rag.Store) {
	var want []string
	for i := range 4 {
		var lines []string
		for j := range 5 {
			lines = append(lines, fmt.Sprintf("the plan covers item %d of part %d", j, i))
			want = append(want, lines[j])
		}
		ingest(t, s, alice, fmt.Sprintf("%d.txt", i), lines...)
		lines = nil
		for j := range 5000 {
			lines = append(lines, fmt.Sprintf("the plan covers item %d of part %d of the other", j, i))
		}
		ingest(t, s, bob, fmt.Sprintf("%d.txt", i), lines...)
	}
	for range 2 {
		for i, line := range want {
			c := search(t, s, alice, rag.Query{Text: "plan covers", Vector: vectorOf(line, model().Dim), Model: model(), Limit: 20})
			if len(c.Lexical) != 20 || len(c.Vector) != 20 || c.Chunks != 20 {
				t.Fatalf("found %d, %d of 20", len(c.Lexical), len(c.Vector))
			}
			if c.Vector[0].Index != i%5 {
				t.Errorf("%q: nearest is passage %d", line, c.Vector[0].Index)
			}
		}
		c := search(t, s, bob, rag.Query{Text: "plan covers", Vector: vectorOf("x", model().Dim), Model: model(), Limit: 500})
		if len(c.Lexical) != 500 || len(c.Vector) != 500 || c.Chunks != 20_000 {
			t.Errorf("of the other: %d, %d of %d", len(c.Lexical), len(c.Vector), c.Chunks)
		}
	}
}
