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

func testStage(t *testing.T, s rag.Store) {
	ctx := t.Context()
	d := add(t, s, alice, upload("a.txt", "raw"))
	job := lease(t, s)
	_, _, err := s.Unembedded(ctx, job, model(), 1)
	wantCode(t, err, rag.Conflict, "Unembedded before Stage")
	wantCode(t, s.PutVectors(ctx, job, model(), []int{0}, [][]float32{vectorOf("x", model().Dim)}), rag.Conflict, "PutVectors before Stage")
	wantCode(t, s.Publish(ctx, job, rag.Model{}), rag.Conflict, "Publish before Stage")
	x := rag.Extracted{MediaType: "application/pdf", Title: "Der Titel", Pages: 12, Warning: "page 7 of 12 cannot be read", Chunks: []rag.Chunk{
		{Index: 0, Content: "no section", Tokens: 2},
		{Index: 1, Content: "in a section", SectionPath: []int{4, 2, 1}, SectionTitle: "Four > Two > One", PageStart: 3, PageEnd: 4, Tokens: 3},
		{Index: 2, Content: "", SectionPath: []int{}, Tokens: 0},
	}}
	if err := s.Stage(ctx, job, x); err != nil {
		t.Fatal(err)
	}
	got := get(t, s, alice, d.ID)
	if got.MediaType != x.MediaType || got.Title != x.Title || got.Pages != 12 || got.Warning != x.Warning || got.Chunks != 3 || got.Tokens != 5 || got.Status.Final() {
		t.Errorf("staged: %+v", got)
	}
	if c := search(t, s, alice, rag.Query{Text: "section"}); c.Chunks != 0 || len(c.Lexical) != 0 {
		t.Errorf("a staged document is found: %+v", c)
	}
	if chunks, err := s.Chunks(ctx, alice, []rag.Ref{{DocID: d.ID, Index: 0}}); err != nil || len(chunks) != 0 {
		t.Errorf("a staged chunk is read: %v, %v", chunks, err)
	}
	if err := s.Publish(ctx, job, rag.Model{}); err != nil {
		t.Fatal(err)
	}
	if got := get(t, s, alice, d.ID); got.Warning != x.Warning {
		t.Errorf("ready with the warning %q", got.Warning)
	}
	chunks, err := s.Chunks(ctx, alice, []rag.Ref{{DocID: d.ID, Index: 0}, {DocID: d.ID, Index: 1}, {DocID: d.ID, Index: 2}})
	if err != nil || len(chunks) != 3 {
		t.Fatalf("Chunks: %v, %v", chunks, err)
	}
	for i, c := range chunks {
		want := x.Chunks[i]
		if c.Content != want.Content || !slices.Equal(c.SectionPath, want.SectionPath) || (c.SectionPath == nil) != (want.SectionPath == nil) ||
			c.SectionTitle != want.SectionTitle || c.PageStart != want.PageStart || c.PageEnd != want.PageEnd || c.Tokens != want.Tokens ||
			c.DocID != d.ID || c.Filename != "a.txt" || c.Index != i || c.ID == "" {
			t.Errorf("chunk %d: %+v, want %+v", i, c, want)
		}
	}
}

func testStageAgain(t *testing.T, s rag.Store) {
	ctx := t.Context()
	add(t, s, alice, upload("a.txt", "raw"))
	job := lease(t, s)
	if err := s.Stage(ctx, job, extracted([]byte("old heron\nold weir\nold reed"))); err != nil {
		t.Fatal(err)
	}
	if err := s.PutVectors(ctx, job, model(), []int{0, 1}, [][]float32{vectorOf("a", model().Dim), vectorOf("b", model().Dim)}); err != nil {
		t.Fatal(err)
	}
	if err := s.Stage(ctx, job, extracted([]byte("new heron\nnew weir"))); err != nil {
		t.Fatal(err)
	}
	chunks, left, err := s.Unembedded(ctx, job, model(), 10)
	if err != nil || left != 2 || len(chunks) != 2 || chunks[0].Content != "new heron" {
		t.Errorf("Unembedded: %v, %d, %v", chunks, left, err)
	}
	if err := work(t, s, withStaged(job), model()); err != nil {
		t.Fatal(err)
	}
	c := search(t, s, alice, rag.Query{Text: "old heron reed", Vector: vectorOf("new weir", model().Dim), Model: model()})
	if len(c.Lexical) != 1 || len(c.Vector) != 2 || c.Chunks != 2 || c.Vector[0].Index != 1 {
		t.Errorf("found %+v", c)
	}
}

func testUnembedded(t *testing.T, s rag.Store) {
	ctx := t.Context()
	add(t, s, alice, upload("a.txt", "raw"))
	job := lease(t, s)
	if err := s.Stage(ctx, job, extracted([]byte("0\n1\n2\n3\n4\n5\n6\n7\n8\n9"))); err != nil {
		t.Fatal(err)
	}
	putAt := func(indexes ...int) error {
		var vectors [][]float32
		for _, i := range indexes {
			vectors = append(vectors, vectorOf(fmt.Sprint(i), model().Dim))
		}
		return s.PutVectors(ctx, job, model(), indexes, vectors)
	}
	want := func(limit, wantLeft int, want ...int) {
		t.Helper()
		chunks, left, err := s.Unembedded(ctx, job, model(), limit)
		var got []int
		for _, c := range chunks {
			got = append(got, c.Index)
		}
		if err != nil || left != wantLeft || !slices.Equal(got, want) {
			t.Errorf("Unembedded: %v, %d left, %v; want %v, %d left", got, left, err, want, wantLeft)
		}
	}
	want(3, 10, 0, 1, 2)
	if err := putAt(1, 5); err != nil {
		t.Fatal(err)
	}
	want(3, 8, 0, 2, 3)
	if err := putAt(0, 1, 2, 3); err != nil { // 1 once more
		t.Fatal(err)
	}
	want(100, 5, 4, 6, 7, 8, 9)
	wantCode(t, s.Publish(ctx, job, model()), rag.Conflict, "Publish with chunks that have no vector")
	if err := putAt(9, 8, 7, 6, 4); err != nil {
		t.Fatal(err)
	}
	want(100, 0)
	// What cannot be right is refused whole.
	unit := vectorOf("x", model().Dim)
	for _, test := range []struct {
		name    string
		indexes []int
		vectors [][]float32
	}{
		{"no such chunk", []int{0, 10}, [][]float32{unit, unit}},
		{"negative", []int{-1}, [][]float32{unit}},
		{"too few vectors", []int{0, 1}, [][]float32{unit}},
		{"wrong dimension", []int{0}, [][]float32{unit[1:]}},
		{"zero", []int{0}, [][]float32{make([]float32, model().Dim)}},
	} {
		wantCode(t, s.PutVectors(ctx, job, model(), test.indexes, test.vectors), rag.Invalid, test.name)
	}
	if err := s.Publish(ctx, job, model()); err != nil {
		t.Fatal(err)
	}
	c := search(t, s, alice, rag.Query{Vector: vectorOf("7", model().Dim), Model: model(), Limit: 1})
	if len(c.Vector) != 1 || c.Vector[0].Index != 7 || c.Vector[0].Cosine < 0.9999 {
		t.Errorf("found %+v", c.Vector)
	}
}

func testPublish(t *testing.T, s rag.Store) {
	d := ingest(t, s, alice, "a.txt", "one", "two", "three")
	if d.Status != rag.Ready || d.Chunks != 3 || d.Tokens == 0 || d.Pages != 3 || d.Model != model() || d.Error != nil || d.Waiting != "" {
		t.Errorf("ready: %+v", d)
	}
	pending(t, s, 0, 0)
	if job, err := s.Lease(t.Context(), time.Hour); err != nil || job != nil {
		t.Errorf("leased a ready document: %v, %v", job, err)
	}
}

func testTwoModels(t *testing.T, s rag.Store) {
	ctx := t.Context()
	small, large := rag.Model{Name: "words", Dim: 16}, rag.Model{Name: "words", Dim: 48}
	sameDim := rag.Model{Name: "other words", Dim: 16}
	ingestAs(t, s, alice, small, upload("small.txt", "the heron"))
	ingestAs(t, s, alice, large, upload("large.txt", "the weir"))
	ingestAs(t, s, alice, rag.Model{}, upload("none.txt", "the reed"))

	// One that was half done with one model goes on with another.
	both := add(t, s, alice, upload("both.txt", "the otter", "the trout"))
	job := lease(t, s)
	if err := s.Stage(ctx, job, extracted([]byte("the otter\nthe trout"))); err != nil {
		t.Fatal(err)
	}
	if err := put(t, s, job, large, []rag.Chunk{{Index: 0, Content: "the otter"}}); err != nil {
		t.Fatal(err)
	}
	if chunks, left, err := s.Unembedded(ctx, job, sameDim, 10); err != nil || left != 2 || len(chunks) != 2 {
		t.Errorf("Unembedded of the other model: %v, %d, %v", chunks, left, err)
	}
	if err := put(t, s, job, sameDim, []rag.Chunk{{Index: 0, Content: "the otter"}, {Index: 1, Content: "the trout"}}); err != nil {
		t.Fatal(err)
	}
	wantCode(t, s.Publish(ctx, job, large), rag.Conflict, "Publish with a model that half the chunks have")
	wantCode(t, s.Publish(ctx, job, small), rag.Conflict, "Publish with a model that no chunk has")
	if err := s.Publish(ctx, job, sameDim); err != nil {
		t.Fatal(err)
	}
	if d := get(t, s, alice, both.ID); d.Model != sameDim {
		t.Errorf("published with %+v", d.Model)
	}
	for _, test := range []struct {
		model    rag.Model
		want     []string
		noVector int
	}{
		{small, []string{"small.txt:0"}, 4},
		{large, []string{"large.txt:0"}, 4},
		{sameDim, []string{"both.txt:0", "both.txt:1"}, 3},
		{rag.Model{Name: "unheard of", Dim: 16}, nil, 5},
		{rag.Model{Name: "words", Dim: 17}, nil, 5},
	} {
		c := search(t, s, alice, rag.Query{Text: "the", Vector: vectorOf("the otter", test.model.Dim), Model: test.model})
		got := found(t, s, alice, c.Vector)
		slices.Sort(got)
		if !slices.Equal(got, test.want) || c.NoVector != test.noVector || c.Chunks != 5 {
			t.Errorf("%v: %v, %d of %d without; want %v, %d of 5", test.model, got, c.NoVector, c.Chunks, test.want, test.noVector)
		}
		with := 0
		for _, hit := range c.Lexical {
			if hit.HasCosine {
				with++
			}
		}
		if len(c.Lexical) != 5 || with != len(test.want) {
			t.Errorf("%v: %d lexical hits, %d with a cosine; want 5, %d", test.model, len(c.Lexical), with, len(test.want))
		}
	}
}

func testWithoutVectors(t *testing.T, s rag.Store) {
	d := ingestAs(t, s, alice, rag.Model{}, upload("a.txt", "the heron", "the weir"))
	if d.Status != rag.Ready || d.Model != (rag.Model{}) {
		t.Errorf("ready: %+v", d)
	}
	c := search(t, s, alice, rag.Query{Text: "heron"})
	if len(c.Lexical) != 1 || c.Lexical[0].HasCosine || c.Chunks != 2 || c.NoVector != 0 || c.Vector != nil {
		t.Errorf("found %+v", c)
	}
	c = search(t, s, alice, rag.Query{Vector: vectorOf("x", model().Dim), Model: model()})
	if len(c.Vector) != 0 || c.Chunks != 2 || c.NoVector != 2 {
		t.Errorf("found %+v", c)
	}
}
