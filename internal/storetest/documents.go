package storetest

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/internal/rag"
)

func testAdd(t *testing.T, s rag.Store) {
	n := upload("notes.txt", "one", "two")
	before := time.Now().Add(-time.Minute)
	d := add(t, s, alice, n)
	if d.ID == "" || d.Filename != n.Filename || d.Status != rag.Queued || d.Bytes != int64(len(n.Content)) || d.SHA256 != n.SHA256 {
		t.Errorf("added %+v", d)
	}
	if d.CreatedAt.Before(before) || d.UpdatedAt.Before(d.CreatedAt) {
		t.Errorf("created %v, updated %v", d.CreatedAt, d.UpdatedAt)
	}
	if got := get(t, s, alice, d.ID); got != d {
		t.Errorf("Document: %+v, want what Add returned: %+v", got, d)
	}
	job := lease(t, s)
	content, err := s.Content(t.Context(), job)
	if err != nil || !bytes.Equal(content, n.Content) {
		t.Errorf("Content: %q, %v", content, err)
	}
	_, err = s.Document(t.Context(), alice, "no such id")
	wantCode(t, err, rag.NotFound, "Document of an unknown id")
}

func testAddLarge(t *testing.T, s rag.Store) {
	for _, size := range []int{0, 1, 1<<20 - 1, 1 << 20, 1<<20 + 1, 20<<20 + 7} {
		content := bytes.Repeat([]byte("0123456789abcde\n"), size/16+1)[:size]
		n := upload(fmt.Sprintf("%d.txt", size))
		n.Content, n.SHA256 = content, fmt.Sprintf("%064d", size)
		d := add(t, s, alice, n)
		job := lease(t, s)
		if job.Document.ID != d.ID {
			t.Fatalf("leased %s, want %s", job.Document.ID, d.ID)
		}
		got, err := s.Content(t.Context(), job)
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("%d bytes: got %d bytes back, %v", size, len(got), err)
		}
		again, created, err := s.Add(t.Context(), alice, n)
		if err != nil || created || again.ID != d.ID {
			t.Errorf("%d bytes again: %v, created %t, %v", size, again.ID, created, err)
		}
	}
}

func testDedup(t *testing.T, s rag.Store) {
	ctx := t.Context()
	n := upload("a.txt", "the same")
	again := func(want string) {
		t.Helper()
		n := n
		n.Filename = "another name.txt"
		d, created, err := s.Add(ctx, alice, n)
		if err != nil || created || d.ID != want {
			t.Errorf("again: %s, created %t, %v; want %s", d.ID, created, err, want)
		}
	}
	d := add(t, s, alice, n)
	again(d.ID)
	job := lease(t, s)
	again(d.ID)
	if err := s.Renew(ctx, job, time.Hour, rag.Embedding, rag.Progress{}); err != nil {
		t.Fatal(err)
	}
	again(d.ID)
	if err := work(t, s, job, model()); err != nil {
		t.Fatal(err)
	}
	again(d.ID)
	if other := add(t, s, bob, n); other.ID == d.ID {
		t.Error("bob got the document of alice")
	}
	if _, err := s.Cancel(ctx, bob, lease(t, s).Document.ID); err != nil {
		t.Fatal(err)
	}

	// A document that is gone, failed or cancelled is not in the way.
	if err := s.Delete(ctx, alice, d.ID); err != nil {
		t.Fatal(err)
	}
	second := add(t, s, alice, n)
	if second.ID == d.ID {
		t.Error("an id was used again")
	}
	if err := s.Fail(ctx, lease(t, s), rag.DocumentError{Code: rag.Invalid, Message: "no"}); err != nil {
		t.Fatal(err)
	}
	third := add(t, s, alice, n)
	if _, err := s.Cancel(ctx, alice, third.ID); err != nil {
		t.Fatal(err)
	}
	add(t, s, alice, n)
	if err := work(t, s, lease(t, s), model()); err != nil {
		t.Fatal(err)
	}
	if c := search(t, s, alice, rag.Query{Text: "same"}); len(c.Lexical) != 1 {
		t.Errorf("found %d times", len(c.Lexical))
	}
}

// testEndedAgain: what came of the same file before goes when it is tried
// again, and nothing else does.
func testEndedAgain(t *testing.T, s rag.Store) {
	n := upload("a.txt", "the same")
	end := func(user rag.User, n rag.NewDocument, status rag.Status) string {
		t.Helper()
		d := add(t, s, user, n)
		var err error
		if status == rag.Failed {
			err = s.Fail(t.Context(), lease(t, s), rag.DocumentError{Code: rag.Invalid, Message: "no"})
		} else {
			_, err = s.Cancel(t.Context(), user, d.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
		return d.ID
	}
	renamed := n
	renamed.Filename = "b.txt"
	keep := []string{end(alice, renamed, rag.Failed), end(alice, upload("a.txt", "other"), rag.Cancelled)}
	foreign := end(bob, n, rag.Failed)
	for _, status := range []rag.Status{rag.Failed, rag.Cancelled, rag.Failed} {
		again := end(alice, n, status)
		want := append([]string{again}, keep[1], keep[0])
		if got := ids(pages(t, s, alice, rag.Page{Limit: 10})); !slices.Equal(got, want) {
			t.Errorf("after it was %s: %v, want %v", status, got, want)
		}
	}
	// One that is there is no reason to delete those of before.
	ready := ingest(t, s, alice, "a.txt", "the same")
	if _, created, err := s.Add(t.Context(), alice, renamed); err != nil || created {
		t.Errorf("created %t, %v", created, err)
	}
	if got, want := ids(pages(t, s, alice, rag.Page{Limit: 10})), []string{ready.ID, keep[1], keep[0]}; !slices.Equal(got, want) {
		t.Errorf("at last %v, want %v", got, want)
	}
	get(t, s, bob, foreign)
}

func testCounts(t *testing.T, s rag.Store) {
	ctx := t.Context()
	var all []string
	for i := range 5 {
		all = append(all, add(t, s, alice, upload("a.txt", fmt.Sprint("text ", i))).ID)
	}
	other := add(t, s, bob, upload("b.txt", "other")).ID
	for job := lease(t, s); ; job = lease(t, s) {
		if job.User == bob {
			continue
		}
		if job.Document.ID != all[0] {
			t.Fatalf("leased %s, want the oldest", job.Document.ID)
		}
		if err := work(t, s, job, model()); err != nil {
			t.Fatal(err)
		}
		break
	}
	if _, err := s.Cancel(ctx, alice, all[4]); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		ids  []string
		want map[rag.Status]int
	}{
		{"all", nil, map[rag.Status]int{rag.Ready: 1, rag.Queued: 3, rag.Cancelled: 1}},
		{"some", []string{all[0], all[1], all[1]}, map[rag.Status]int{rag.Ready: 1, rag.Queued: 1}},
		{"foreign and unknown", []string{other, "unknown", ""}, map[rag.Status]int{}},
	} {
		got, err := s.Counts(ctx, alice, test.ids)
		maps.DeleteFunc(got, func(_ rag.Status, n int) bool { return n == 0 })
		if err != nil || !maps.Equal(got, test.want) {
			t.Errorf("%s: %v, %v; want %v", test.name, got, err, test.want)
		}
	}
	if got, err := s.Counts(ctx, "nobody", nil); err != nil || len(got) != 0 {
		t.Errorf("of nobody: %v, %v", got, err)
	}
}

func testBadArguments(t *testing.T, s rag.Store) {
	ctx := t.Context()
	good := upload("a.txt", "text")
	with := func(change func(n *rag.NewDocument)) error {
		n := good
		change(&n)
		_, _, err := s.Add(ctx, alice, n)
		return err
	}
	wantCode(t, with(func(n *rag.NewDocument) { n.Filename = "" }), rag.Invalid, "no filename")
	wantCode(t, with(func(n *rag.NewDocument) { n.Filename = strings.Repeat("x", 5000) }), rag.Invalid, "a filename of 5,000 bytes")
	wantCode(t, with(func(n *rag.NewDocument) { n.Filename = "\xff" }), rag.Invalid, "a filename that is not UTF-8")
	wantCode(t, with(func(n *rag.NewDocument) { n.SHA256 = "" }), rag.Invalid, "no hash")
	for _, user := range []rag.User{"", rag.User(strings.Repeat("u", rag.MaxUserBytes+1))} {
		_, _, err := s.Add(ctx, user, good)
		wantCode(t, err, rag.Invalid, "Add of a bad user")
		_, err = s.Candidates(ctx, user, rag.Query{Text: "text", Limit: 1})
		wantCode(t, err, rag.Invalid, "Candidates of a bad user")
	}
	for _, p := range []rag.Page{{Limit: 0}, {Limit: -1}, {Limit: 1, Cursor: "!"}, {Limit: 1, Cursor: "-5"}, {Limit: 1, Cursor: "2"}, {Limit: 1, Cursor: "zzz"}, {Limit: 1, Cursor: strings.Repeat("A", 22)}, {Limit: 1, Status: "lost"}} {
		_, _, err := s.Documents(ctx, alice, p)
		wantCode(t, err, rag.Invalid, fmt.Sprintf("page %+v", p))
	}
	nan := vectorOf("x", model().Dim)
	nan[3] = float32(nanValue())
	for _, q := range []rag.Query{
		{Text: "text"},
		{Text: "text", Limit: -1},
		{Vector: vectorOf("x", 7), Model: model(), Limit: 1},
		{Vector: make([]float32, model().Dim), Model: model(), Limit: 1},
		{Vector: nan, Model: model(), Limit: 1},
		{Vector: vectorOf("x", 7), Limit: 1},
	} {
		_, err := s.Candidates(ctx, alice, q)
		wantCode(t, err, rag.Invalid, fmt.Sprintf("query %+v", q))
	}
	if _, _, err := s.Documents(ctx, alice, rag.Page{Limit: 1}); err != nil {
		t.Errorf("after all that: %v", err)
	}
}

func testDelete(t *testing.T, s rag.Store) {
	ctx := t.Context()
	wantCode(t, s.Delete(ctx, alice, "unknown"), rag.NotFound, "Delete of an unknown id")
	keep := ingest(t, s, alice, "keep.txt", "the heron waits", "the weir holds")
	for _, stage := range []string{"queued", "leased", "staged", "embedded", "ready", "failed", "cancelled"} {
		d := add(t, s, alice, upload(stage+".txt", "the heron flies "+stage, "the weir breaks "+stage))
		var job rag.Job
		if stage != "queued" && stage != "cancelled" {
			job = lease(t, s)
		}
		var err error
		switch stage {
		case "staged", "embedded":
			err = s.Stage(ctx, job, extracted([]byte("the heron")))
			if err == nil && stage == "embedded" {
				err = s.PutVectors(ctx, job, model(), []int{0}, [][]float32{vectorOf("x", model().Dim)})
			}
		case "ready":
			err = work(t, s, job, model())
		case "failed":
			err = s.Fail(ctx, job, rag.DocumentError{Code: rag.Invalid, Message: "no"})
		case "cancelled":
			_, err = s.Cancel(ctx, alice, d.ID)
		}
		if err != nil {
			t.Fatalf("%s: %v", stage, err)
		}
		wantCode(t, s.Delete(ctx, bob, d.ID), rag.NotFound, stage+": Delete by another")
		if err := s.Delete(ctx, alice, d.ID); err != nil {
			t.Fatalf("%s: Delete: %v", stage, err)
		}
		_, err = s.Document(ctx, alice, d.ID)
		wantCode(t, err, rag.NotFound, stage+": Document")
		wantCode(t, s.Delete(ctx, alice, d.ID), rag.NotFound, stage+": Delete again")
		if job.Lease != "" {
			wantLostAll(t, s, job)
		}
		c := search(t, s, alice, rag.Query{Text: "heron weir", Vector: vectorOf("the heron waits", model().Dim), Model: model()})
		if got := found(t, s, alice, c.Lexical); c.Chunks != 2 || c.NoVector != 0 || len(c.Vector) != 2 ||
			!slices.Equal(slices.Sorted(slices.Values(got)), []string{"keep.txt:0", "keep.txt:1"}) {
			t.Errorf("%s: found %v of %d", stage, got, c.Chunks)
		}
	}
	if got := pages(t, s, alice, rag.Page{Limit: 10}); len(got) != 1 || got[0].ID != keep.ID {
		t.Errorf("left: %v", ids(got))
	}
	// The same content may come again, and is found again.
	if err := s.Delete(ctx, alice, keep.ID); err != nil {
		t.Fatal(err)
	}
	again := ingest(t, s, alice, "keep.txt", "the heron waits", "the weir holds")
	if c := search(t, s, alice, rag.Query{Text: "heron"}); len(c.Lexical) != 1 || c.Lexical[0].DocID != again.ID {
		t.Errorf("after coming again: %+v", c)
	}
}

func testCancel(t *testing.T, s rag.Store) {
	ctx := t.Context()
	_, err := s.Cancel(ctx, alice, "unknown")
	wantCode(t, err, rag.NotFound, "Cancel of an unknown id")
	for _, stage := range []string{"queued", "leased", "staged", "retried"} {
		d := add(t, s, alice, upload(stage+".txt", "text "+stage))
		var job rag.Job
		if stage != "queued" {
			job = lease(t, s)
		}
		var err error
		switch stage {
		case "staged":
			err = s.Stage(ctx, job, extracted([]byte("text")))
		case "retried":
			err = s.Retry(ctx, job, time.Now().Add(-time.Second), "again")
		}
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Cancel(ctx, bob, d.ID)
		wantCode(t, err, rag.NotFound, stage+": Cancel by another")
		for range 2 {
			got, err := s.Cancel(ctx, alice, d.ID)
			if err != nil || got.Status != rag.Cancelled || got.ID != d.ID {
				t.Fatalf("%s: %+v, %v", stage, got, err)
			}
		}
		if job.Lease != "" {
			wantLostAll(t, s, job)
		}
		if got := get(t, s, alice, d.ID); got.Status != rag.Cancelled {
			t.Errorf("%s: is %s again", stage, got.Status)
		}
		if job, err := s.Lease(ctx, time.Hour); err != nil || job != nil {
			t.Fatalf("%s: leased %v, %v", stage, job, err)
		}
	}
	ready := ingest(t, s, alice, "ready.txt", "ready text")
	_, err = s.Cancel(ctx, alice, ready.ID)
	wantCode(t, err, rag.Conflict, "Cancel of a ready document")
	failed := add(t, s, alice, upload("failed.txt", "failed text"))
	if err := s.Fail(ctx, lease(t, s), rag.DocumentError{Code: rag.Invalid, Message: "no"}); err != nil {
		t.Fatal(err)
	}
	_, err = s.Cancel(ctx, alice, failed.ID)
	wantCode(t, err, rag.Conflict, "Cancel of a failed document")
	if c := search(t, s, alice, rag.Query{Text: "text"}); c.Chunks != 1 || len(c.Lexical) != 1 {
		t.Errorf("found %+v", c)
	}
}

func testReplace(t *testing.T, s rag.Store) {
	first := ingest(t, s, alice, "plan.txt", "first edition heron", "more of the first")
	other := ingest(t, s, alice, "other.txt", "other heron")
	foreign := ingest(t, s, bob, "plan.txt", "foreign heron")
	waiting := add(t, s, alice, upload("plan.txt", "never came to be"))
	hold := lease(t, s)
	n := upload("plan.txt", "second edition heron")
	n.Replace = true
	second := add(t, s, alice, n)
	job := lease(t, s)
	if c := search(t, s, alice, rag.Query{Text: "heron"}); len(c.Lexical) != 2 {
		t.Errorf("before: %+v", c)
	}
	if err := work(t, s, job, model()); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{first.ID, waiting.ID} {
		_, err := s.Document(t.Context(), alice, id)
		wantCode(t, err, rag.NotFound, "a replaced document")
	}
	wantLostAll(t, s, hold)
	c := search(t, s, alice, rag.Query{Text: "heron", Vector: vectorOf("x", model().Dim), Model: model()})
	got := map[string]bool{}
	for _, hit := range append(c.Lexical, c.Vector...) {
		got[hit.DocID] = true
	}
	if want := map[string]bool{second.ID: true, other.ID: true}; !maps.Equal(got, want) || c.Chunks != 2 {
		t.Errorf("after: %v of %d chunks, want %v", got, c.Chunks, want)
	}
	if c := search(t, s, bob, rag.Query{Text: "heron"}); len(c.Lexical) != 1 || c.Lexical[0].DocID != foreign.ID {
		t.Errorf("of bob: %+v", c)
	}
	// Without Replace two of a name live side by side.
	ingest(t, s, alice, "plan.txt", "third edition heron")
	if c := search(t, s, alice, rag.Query{Text: "edition"}); len(c.Lexical) != 2 {
		t.Errorf("side by side: %+v", c)
	}
}
