package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"weir/internal/rag"
)

// testEndedContext: with a ctx that has ended, every method says so and does nothing.
func testEndedContext(t *testing.T, s rag.Store) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	why := errors.New("a reason of its own")
	caused, cancelCause := context.WithCancelCause(t.Context())
	cancelCause(why)

	ready := ingest(t, s, alice, "ready.txt", "the heron", "the weir")
	staged := add(t, s, alice, upload("staged.txt", "one", "two"))
	job := lease(t, s)
	if err := s.Stage(t.Context(), job, extracted([]byte("one\ntwo"))); err != nil {
		t.Fatal(err)
	}
	staged = get(t, s, alice, staged.ID)
	fresh := add(t, s, alice, upload("fresh.txt", "fresh"))
	freshJob := lease(t, s)
	fresh = get(t, s, alice, fresh.ID)
	queued := add(t, s, alice, upload("queued.txt", "queued"))

	for _, method := range methods(s, ready.ID, queued.ID, job, freshJob) {
		err := method.call(cancelled)
		wantCode(t, err, rag.Canceled, method.name)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v does not wrap context.Canceled", method.name, err)
		}
		err = method.call(late)
		wantCode(t, err, rag.Timeout, method.name)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v does not wrap context.DeadlineExceeded", method.name, err)
		}
		wantCode(t, method.call(caused), rag.Canceled, method.name+", with a cause")
	}
	for _, want := range []rag.Document{ready, staged, fresh, queued} {
		if got := get(t, s, alice, want.ID); got != want {
			t.Errorf("now %+v, was %+v", got, want)
		}
	}
	if got := pages(t, s, alice, rag.Page{Limit: 10}); len(got) != 4 {
		t.Errorf("%d documents, want 4", len(got))
	}
	pending(t, s, 1, 2)
	if chunks, left, err := s.Unembedded(t.Context(), job, model(), 10); err != nil || left != 2 || len(chunks) != 2 {
		t.Errorf("Unembedded: %v, %d, %v", chunks, left, err)
	}
	if c := search(t, s, alice, rag.Query{Text: "heron one"}); c.Chunks != 2 || len(c.Lexical) != 1 {
		t.Errorf("found %+v", c)
	}
}

// testContextEndsMidway: a call whose ctx ends while it is under way has done
// all of its work and says so, or none and says why.
func testContextEndsMidway(t *testing.T, s rag.Store) {
	const documents, each = 30, 40
	r := rand.New(rand.NewPCG(1, 2))
	// The time given moves around what the machine needs: twice as much after a failure, less after a success.
	most := 3 * time.Millisecond
	briefly := func() (context.Context, context.CancelFunc) {
		return context.WithTimeout(t.Context(), time.Duration(r.Int64N(int64(most))))
	}
	judge := func(doing string, err error, happened bool) {
		t.Helper()
		if err != nil && rag.CodeOf(err) != rag.Timeout {
			t.Fatalf("%s: %v", doing, err)
		}
		if err != nil {
			most *= 2
		} else {
			most = max(most/3, time.Millisecond)
		}
		if (err == nil) != happened {
			t.Errorf("%s: %v, but it has happened: %t", doing, err, happened)
		}
	}
	want := 0
	check := func() {
		t.Helper()
		c := search(t, s, alice, rag.Query{Text: "heron", Vector: vectorOf("x", model().Dim), Model: model(), Limit: 1 << 20})
		if len(c.Lexical) != want || len(c.Vector) != want || c.Chunks != want {
			t.Fatalf("found %d, %d, of %d; want %d", len(c.Lexical), len(c.Vector), c.Chunks, want)
		}
	}
	for i := range documents {
		var lines []string
		for j := range each {
			lines = append(lines, fmt.Sprintf("heron %d of %d", j, i))
		}
		d := add(t, s, alice, upload("a.txt", lines...))
		job := lease(t, s)
		staged := extracted([]byte(strings.Join(lines, "\n")))
		for err := context.Canceled; err != nil; { // until it succeeds
			ctx, cancel := briefly()
			err = s.Stage(ctx, job, staged)
			cancel()
			judge("Stage", err, get(t, s, alice, d.ID).Chunks == each)
		}
		if err := put(t, s, job, model(), staged.Chunks); err != nil {
			t.Fatal(err)
		}
		for {
			ctx, cancel := briefly()
			err := s.Publish(ctx, job, model())
			cancel()
			ready := get(t, s, alice, d.ID).Status == rag.Ready
			judge("Publish", err, ready)
			if ready {
				want += each
			}
			check()
			if ready {
				break
			}
		}
		ctx, cancel := briefly()
		c, err := s.Candidates(ctx, alice, rag.Query{Text: "heron", Vector: vectorOf("x", model().Dim), Model: model(), Limit: 1 << 20})
		cancel()
		judge("Candidates", err, len(c.Lexical) == want && len(c.Vector) == want)
		for i%3 == 0 {
			ctx, cancel := briefly()
			err := s.Delete(ctx, alice, d.ID)
			cancel()
			_, gone := s.Document(t.Context(), alice, d.ID)
			judge("Delete", err, rag.CodeOf(gone) == rag.NotFound)
			if err == nil {
				want -= each
			}
			check()
			if err == nil {
				break
			}
		}
	}
}

func testReadEndedContext(t *testing.T, s rag.Store) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	d := ingest(t, s, alice, "a.txt", "the heron")
	for _, m := range methods(s, d.ID, d.ID, rag.Job{}, rag.Job{}) {
		switch m.name {
		case "Ready", "Candidates", "Candidates of nobody", "Chunks", "Chunks of no refs", "Document", "Documents", "Counts", "Counts of some":
			wantCode(t, m.call(cancelled), rag.Canceled, m.name)
			wantCode(t, m.call(late), rag.Timeout, m.name)
		}
	}
}

// method is a call of a Store's method that would do something.
type method struct {
	name string
	call func(ctx context.Context) error
}

func methods(s rag.Store, ready, queued string, staged, fresh rag.Job) []method {
	unit := vectorOf("x", model().Dim)
	return []method{
		{"Ready", func(ctx context.Context) error { return s.Ready(ctx) }},
		{"Candidates", func(ctx context.Context) error {
			_, err := s.Candidates(ctx, alice, rag.Query{Text: "heron", Vector: unit, Model: model(), Limit: 1})
			return err
		}},
		{"Candidates of nobody", func(ctx context.Context) error {
			_, err := s.Candidates(ctx, "nobody", rag.Query{Text: "heron", Limit: 1})
			return err
		}},
		{"Chunks", func(ctx context.Context) error {
			_, err := s.Chunks(ctx, alice, []rag.Ref{{DocID: ready}})
			return err
		}},
		{"Chunks of no refs", func(ctx context.Context) error { _, err := s.Chunks(ctx, alice, nil); return err }},
		{"Add", func(ctx context.Context) error { _, _, err := s.Add(ctx, alice, upload("new.txt", "new")); return err }},
		{"Add again", func(ctx context.Context) error {
			_, _, err := s.Add(ctx, alice, upload("queued.txt", "queued"))
			return err
		}},
		{"Document", func(ctx context.Context) error { _, err := s.Document(ctx, alice, ready); return err }},
		{"Documents", func(ctx context.Context) error {
			_, _, err := s.Documents(ctx, alice, rag.Page{Limit: 1})
			return err
		}},
		{"Delete", func(ctx context.Context) error { return s.Delete(ctx, alice, ready) }},
		{"Cancel", func(ctx context.Context) error { _, err := s.Cancel(ctx, alice, queued); return err }},
		{"Counts", func(ctx context.Context) error { _, err := s.Counts(ctx, alice, nil); return err }},
		{"Counts of some", func(ctx context.Context) error { _, err := s.Counts(ctx, alice, []string{ready}); return err }},
		{"Lease", func(ctx context.Context) error { _, err := s.Lease(ctx, time.Hour); return err }},
		{"Pending", func(ctx context.Context) error { _, _, err := s.Pending(ctx); return err }},
		{"Renew", func(ctx context.Context) error {
			return s.Renew(ctx, staged, time.Nanosecond, rag.Embedding, rag.Progress{Done: 1})
		}},
		{"Content", func(ctx context.Context) error { _, err := s.Content(ctx, fresh); return err }},
		{"Stage", func(ctx context.Context) error { return s.Stage(ctx, fresh, extracted([]byte("x"))) }},
		{"Unembedded", func(ctx context.Context) error { _, _, err := s.Unembedded(ctx, staged, model(), 1); return err }},
		{"PutVectors", func(ctx context.Context) error {
			return s.PutVectors(ctx, staged, model(), []int{0}, [][]float32{unit})
		}},
		{"Publish", func(ctx context.Context) error { return s.Publish(ctx, staged, rag.Model{}) }},
		{"Retry", func(ctx context.Context) error { return s.Retry(ctx, staged, time.Now(), "no") }},
		{"Fail", func(ctx context.Context) error { return s.Fail(ctx, staged, rag.DocumentError{Code: rag.Internal}) }},
	}
}
