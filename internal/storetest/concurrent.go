package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/internal/rag"
)

// testAtomicDocuments: whoever searches while documents come and go sees each
// whole or not at all, in both halves.
func testAtomicDocuments(t *testing.T, s rag.Store) {
	const documents, each = 24, 15
	lines := func(word string, i int) (out []string) {
		for j := range each {
			out = append(out, fmt.Sprintf("%s %d of %d", word, j, i))
		}
		return out
	}
	ingest(t, s, alice, "stays.txt", lines("heron", -1)...)
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for n := 0; !stop.Load() && !t.Failed(); n++ {
				checkWhole(t, s, rag.Query{
					Text: "heron", Vector: vectorOf(fmt.Sprint(n), model().Dim), Model: model(), Limit: 10 * documents * each,
				}, each)
				// One that is not there yet, or no longer, must not stand in the place of one that is.
				c, err := s.Candidates(t.Context(), alice, rag.Query{Text: "heron", Vector: vectorOf(fmt.Sprint(n), model().Dim), Model: model(), Limit: each})
				if err != nil || len(c.Lexical) != each || len(c.Vector) != each {
					t.Errorf("%d and %d passages of the best %d, %v", len(c.Lexical), len(c.Vector), each, err)
				}
			}
		})
	}
	var ready []rag.Document
	for i := range documents {
		n := upload(fmt.Sprintf("%d.txt", i/2), lines("heron heron", i)...)
		n.Replace = i%4 == 3
		ready = append(ready, ingestAs(t, s, alice, model(), n))
		if n.Replace { // the one before had the same name
			ready = append(ready[:len(ready)-2], ready[len(ready)-1])
		}
		if i%5 == 4 {
			if err := s.Delete(t.Context(), alice, ready[0].ID); err != nil {
				t.Errorf("Delete: %v", err)
			}
			ready = ready[1:]
		}
		// What was acknowledged is seen at once.
		c := search(t, s, alice, rag.Query{Text: "heron", Limit: 10 * documents * each})
		if len(c.Lexical) != each*(1+len(ready)) {
			t.Errorf("after document %d: %d passages, want %d", i, len(c.Lexical), each*(1+len(ready)))
		}
	}
	stop.Store(true)
	wg.Wait()
}

// checkWhole checks that a search which finds everything finds all passages of
// each document, in both halves.
func checkWhole(t *testing.T, s rag.Store, q rag.Query, each int) {
	t.Helper()
	c, err := s.Candidates(t.Context(), alice, q)
	if err != nil {
		t.Errorf("Candidates: %v", err)
		return
	}
	lexical, vector := map[string]int{}, map[string]int{}
	for _, hit := range c.Lexical {
		lexical[hit.DocID]++
		if !hit.HasCosine {
			t.Error("a lexical hit without cosine")
		}
	}
	for _, hit := range c.Vector {
		vector[hit.DocID]++
	}
	for id, n := range lexical {
		if n != each || vector[id] != each {
			t.Errorf("a document shows %d and %d of %d passages", n, vector[id], each)
		}
	}
	if len(lexical) != len(vector) || c.Chunks != each*len(lexical) || c.NoVector != 0 {
		t.Errorf("%d documents in one half, %d in the other, %d chunks, %d without vector", len(lexical), len(vector), c.Chunks, c.NoVector)
	}
}

// testSearchWhileIngesting: 64 goroutines of 16 users search while 4 ingest.
func testSearchWhileIngesting(t *testing.T, s rag.Store) {
	const users, searchers, workers, documents, each = 16, 64, 4, 6, 8
	document := func(u, d int) rag.NewDocument {
		var lines []string
		for j := range each {
			lines = append(lines, fmt.Sprintf("common owner%d passage %d of document %d", u, j, d))
		}
		return upload(fmt.Sprintf("%d.txt", d), lines...)
	}
	for u := range users { // what was there before
		ingestAs(t, s, numbered(u), model(), document(u, 0))
	}
	var done [users]atomic.Int64 // documents acknowledged as ready
	for u := range users {
		done[u].Store(1)
		for d := 1; d < documents; d++ {
			add(t, s, numbered(u), document(u, d))
		}
	}
	var ingesting sync.WaitGroup
	for range workers {
		ingesting.Go(func() {
			for !t.Failed() {
				job, err := s.Lease(t.Context(), time.Hour)
				if err != nil {
					t.Errorf("Lease: %v", err)
					return
				}
				if job == nil {
					return
				}
				if err := work(t, s, *job, model()); err != nil {
					t.Error(err)
					return
				}
				var u int
				if _, err := fmt.Sscanf(string(job.User), "user %d", &u); err != nil {
					t.Error(err)
					return
				}
				done[u].Add(1)
			}
		})
	}
	var stop atomic.Bool
	var searching sync.WaitGroup
	for i := range searchers {
		u := i % users
		searching.Go(func() {
			for n := 0; n < 3 || !stop.Load(); n++ {
				if t.Failed() {
					return
				}
				checkOwn(t, s, u, n, int(done[u].Load())*each, each)
			}
		})
	}
	ingesting.Wait()
	stop.Store(true)
	searching.Wait()
	for u := range users {
		if c := search(t, s, numbered(u), rag.Query{Text: "common", Limit: 1000}); len(c.Lexical) != documents*each {
			t.Errorf("%s in the end: %d passages, want %d", numbered(u), len(c.Lexical), documents*each)
		}
	}
}

func numbered(u int) rag.User { return rag.User(fmt.Sprintf("user %d", u)) }

// checkOwn checks that a search finds at least so many passages, whole
// documents, and nothing of another user's.
func checkOwn(t *testing.T, s rag.Store, u, n, least, each int) {
	t.Helper()
	q := rag.Query{Text: "common", Vector: vectorOf(fmt.Sprint(n), model().Dim), Model: model(), Limit: 1000}
	c, err := s.Candidates(t.Context(), numbered(u), q)
	if err != nil {
		t.Errorf("Candidates: %v", err)
		return
	}
	if len(c.Lexical) < least || len(c.Vector) < least || len(c.Lexical) != len(c.Vector) || len(c.Lexical)%each != 0 {
		t.Errorf("%d and %d passages, at least %d are ready", len(c.Lexical), len(c.Vector), least)
	}
	refs := make([]rag.Ref, 0, len(c.Lexical)+len(c.Vector))
	for _, hit := range append(c.Lexical, c.Vector...) {
		refs = append(refs, hit.Ref)
	}
	chunks, err := s.Chunks(t.Context(), numbered(u), refs)
	if err != nil || len(chunks) != len(refs) {
		t.Errorf("Chunks: %d of %d, %v", len(chunks), len(refs), err)
	}
	for _, ch := range chunks {
		if !strings.Contains(ch.Content, fmt.Sprintf("owner%d ", u)) {
			t.Errorf("%s got %q", numbered(u), ch.Content)
		}
	}
}

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

func testClosed(t *testing.T, s rag.Store) {
	ingest(t, s, alice, "a.txt", "the heron")
	search(t, s, alice, rag.Query{Text: "heron"})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				_, err := s.Candidates(t.Context(), alice, rag.Query{Text: "heron", Vector: vectorOf("x", model().Dim), Model: model(), Limit: 5})
				if err != nil {
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
	_, _, err := s.Add(t.Context(), alice, upload("b.txt", "late"))
	wantCode(t, err, rag.Unavailable, "Add")
	_, err = s.Candidates(t.Context(), alice, rag.Query{Text: "heron", Limit: 5})
	wantCode(t, err, rag.Unavailable, "Candidates")
	_, err = s.Candidates(t.Context(), bob, rag.Query{Text: "heron", Limit: 5})
	wantCode(t, err, rag.Unavailable, "Candidates of a user not loaded")
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
