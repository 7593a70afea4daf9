package storetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"weir/internal/rag"
)

func testLease(t *testing.T, s rag.Store) {
	ctx := t.Context()
	if job, err := s.Lease(ctx, time.Hour); err != nil || job != nil {
		t.Errorf("of an empty queue: %v, %v", job, err)
	}
	var want []string
	for i := range 3 {
		want = append(want, add(t, s, alice, upload("a.txt", fmt.Sprint("text ", i))).ID)
	}
	pending(t, s, 3, 0)
	for i, id := range want {
		job := lease(t, s)
		if job.Document.ID != id || job.User != alice || job.Attempt != 1 || job.Staged || job.Lease == "" {
			t.Errorf("job %d: %+v, want document %s", i, job, id)
		}
		if d := get(t, s, alice, id); d.Status != rag.Parsing {
			t.Errorf("a leased document is %s", d.Status)
		}
		pending(t, s, 2-i, i+1)
	}
	if job, err := s.Lease(ctx, time.Hour); err != nil || job != nil {
		t.Errorf("when all are leased: %v, %v", job, err)
	}
}

func pending(t *testing.T, s rag.Store, wantQueued, wantWorking int) {
	t.Helper()
	queued, working, err := s.Pending(t.Context())
	if err != nil || queued != wantQueued || working != wantWorking {
		t.Errorf("Pending: %d, %d, %v; want %d, %d", queued, working, err, wantQueued, wantWorking)
	}
}

// expired leases a document in such a way that the lease has run out.
func expired(t *testing.T, s rag.Store) rag.Job {
	t.Helper()
	job, err := s.Lease(t.Context(), time.Nanosecond)
	if err != nil || job == nil {
		t.Fatalf("Lease: %v, %v", job, err)
	}
	return *job
}

func testLeaseRunsOut(t *testing.T, s rag.Store) {
	d := add(t, s, alice, upload("a.txt", "one", "two"))
	first := expired(t, s)
	wantLostAll(t, s, first) // nobody else has it yet, and still
	pending(t, s, 1, 0)

	second := lease(t, s)
	if second.Document.ID != d.ID || second.Attempt != 2 || second.Lease == first.Lease {
		t.Errorf("leased again: %+v", second)
	}
	wantLostAll(t, s, first)
	content, err := s.Content(t.Context(), second)
	if err != nil || string(content) != "one\ntwo" {
		t.Errorf("Content: %q, %v", content, err)
	}
	if err := s.Stage(t.Context(), second, extracted(content)); err != nil {
		t.Fatal(err)
	}
	wantLostAll(t, s, first)
	if err := work(t, s, withStaged(second), model()); err != nil {
		t.Fatal(err)
	}
	wantLostAll(t, s, first)
	wantLostAll(t, s, second) // it is done
	if got := get(t, s, alice, d.ID); got.Status != rag.Ready || got.Chunks != 2 || got.Progress.Done == 99 {
		t.Errorf("in the end: %+v", got)
	}
}

func withStaged(job rag.Job) rag.Job {
	job.Staged = true
	return job
}

func testLeaseFair(t *testing.T, s rag.Store) {
	for i := range 6 {
		add(t, s, alice, upload("a.txt", fmt.Sprint("text ", i)))
	}
	for i := range 2 {
		add(t, s, bob, upload("b.txt", fmt.Sprint("text ", i)))
	}
	add(t, s, "carol", upload("c.txt", "text"))
	var got []rag.User
	var jobs []rag.Job
	for range 6 {
		jobs = append(jobs, lease(t, s))
		got = append(got, jobs[len(jobs)-1].User)
	}
	if want := []rag.User{alice, bob, "carol", alice, bob, alice}; !slices.Equal(got, want) {
		t.Errorf("turns: %v, want %v", got, want)
	}
	// Who has finished is next again, though the others' documents are older.
	if err := work(t, s, jobs[2], model()); err != nil {
		t.Fatal(err)
	}
	add(t, s, "carol", upload("c.txt", "more"))
	if job := lease(t, s); job.User != "carol" {
		t.Errorf("next: %s, want carol, who has nothing in work", job.User)
	}
}

func testLeaseRaces(t *testing.T, s rag.Store) {
	const documents, workers = 40, 8
	for i := range documents {
		add(t, s, rag.User(fmt.Sprint("user ", i%5)), upload("a.txt", fmt.Sprint("text ", i)))
	}
	var mu sync.Mutex
	times := map[string]int{}
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for {
				job, err := s.Lease(t.Context(), time.Hour)
				if err != nil {
					t.Errorf("Lease: %v", err)
					return
				}
				if job == nil {
					return
				}
				mu.Lock()
				times[job.Document.ID]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for id, n := range times {
		if n != 1 {
			t.Errorf("%s was leased %d times", id, n)
		}
	}
	if len(times) != documents {
		t.Errorf("%d leased, want %d", len(times), documents)
	}
}

func testRenew(t *testing.T, s rag.Store) {
	ctx := t.Context()
	d := add(t, s, alice, upload("a.txt", "text"))
	job := lease(t, s)
	for _, status := range []rag.Status{rag.Parsing, rag.Embedding} {
		p := rag.Progress{Done: 3, Total: 7}
		if err := s.Renew(ctx, job, time.Hour, status, p); err != nil {
			t.Fatal(err)
		}
		if got := get(t, s, alice, d.ID); got.Status != status || got.Progress != p {
			t.Errorf("is %s at %+v, want %s at %+v", got.Status, got.Progress, status, p)
		}
	}
	for _, status := range []rag.Status{rag.Ready, rag.Queued, rag.Failed, rag.Cancelled, ""} {
		wantCode(t, s.Renew(ctx, job, time.Hour, status, rag.Progress{}), rag.Invalid, "Renew to "+string(status))
	}
	if err := s.Renew(ctx, job, time.Nanosecond, rag.Parsing, rag.Progress{}); err != nil {
		t.Fatal(err)
	}
	wantLost(t, s.Renew(ctx, job, time.Hour, rag.Parsing, rag.Progress{}), "Renew after it ran out")
	if again := lease(t, s); again.Document.ID != d.ID {
		t.Errorf("leased %s", again.Document.ID)
	}
}

func testRetry(t *testing.T, s rag.Store) {
	ctx := t.Context()
	d := add(t, s, alice, upload("a.txt", "one", "two"))
	job := lease(t, s)
	if err := s.Stage(ctx, job, extracted([]byte("one\ntwo"))); err != nil {
		t.Fatal(err)
	}
	if err := s.PutVectors(ctx, job, model(), []int{1}, [][]float32{vectorOf("two", model().Dim)}); err != nil {
		t.Fatal(err)
	}
	if err := s.Retry(ctx, job, time.Now().Add(time.Hour), "the provider is down"); err != nil {
		t.Fatal(err)
	}
	wantLostAll(t, s, job)
	if got := get(t, s, alice, d.ID); got.Status != rag.Queued || got.Waiting != "the provider is down" {
		t.Errorf("given back: %+v", got)
	}
	pending(t, s, 1, 0)
	if early, err := s.Lease(ctx, time.Hour); err != nil || early != nil {
		t.Fatalf("leased before its time: %v, %v", early, err)
	}
	// Another one is not held up by it.
	other := add(t, s, alice, upload("b.txt", "three"))
	job = lease(t, s)
	if job.Document.ID != other.ID {
		t.Fatalf("leased %s, want %s", job.Document.ID, other.ID)
	}
	at := time.Now().Add(20 * time.Millisecond)
	if err := s.Retry(ctx, job, at, "soon"); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		again, err := s.Lease(ctx, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if again != nil {
			if time.Now().Before(at) {
				t.Error("leased before its time")
			}
			if again.Document.ID != other.ID || again.Attempt != 2 || again.Staged {
				t.Errorf("leased again: %+v", again)
			}
			break
		}
		<-tick.C
	}
	if got := get(t, s, alice, other.ID); got.Waiting != "" {
		t.Errorf("in work and still waiting for %q", got.Waiting)
	}
}

func testFail(t *testing.T, s rag.Store) {
	ctx := t.Context()
	d := add(t, s, alice, upload("a.txt", "text"))
	job := lease(t, s)
	x := extracted([]byte("text"))
	x.Warning = "page 2 of 3 cannot be read; all else is searched"
	if err := s.Stage(ctx, job, x); err != nil {
		t.Fatal(err)
	}
	want := rag.DocumentError{Code: rag.TooLarge, Message: "a.txt: too large: größer als erlaubt"}
	if err := s.Fail(ctx, job, want); err != nil {
		t.Fatal(err)
	}
	got := get(t, s, alice, d.ID)
	if got.Status != rag.Failed || got.Error == nil || *got.Error != want || got.Waiting != "" || got.Warning != "" {
		t.Errorf("failed: %+v, %+v", got, got.Error)
	}
	wantLostAll(t, s, job)
	if job, err := s.Lease(ctx, time.Hour); err != nil || job != nil {
		t.Errorf("leased a failed document: %v, %v", job, err)
	}
	if c := search(t, s, alice, rag.Query{Text: "text"}); c.Chunks != 0 || len(c.Lexical) != 0 {
		t.Errorf("found %+v", c)
	}
	pending(t, s, 0, 0)
}
