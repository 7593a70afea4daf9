package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

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

// filled is a store that only reads, and a queue in memory in front of what
// fills it, so that it can be tested like one that writes.
type filled struct {
	rag.Store
	filler Filler

	mu   sync.Mutex
	jobs map[string]*filling
	next []string
}

type filling struct {
	job     rag.Job
	new     rag.NewDocument
	chunks  []rag.Chunk
	vectors map[rag.Model]map[int][]float32
}

func (s *filled) Add(_ context.Context, user rag.User, n rag.NewDocument) (rag.Document, bool, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return rag.Document{}, false, err
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	d := rag.Document{ID: id.String(), Filename: n.Filename, Status: rag.Queued, Bytes: int64(len(n.Content)), SHA256: n.SHA256, CreatedAt: now, UpdatedAt: now}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jobs[d.ID] = &filling{job: rag.Job{User: user, Document: d, Lease: d.ID, Attempt: 1}, new: n, vectors: map[rag.Model]map[int][]float32{}}
	s.next = append(s.next, d.ID)
	return d, true, nil
}

func (s *filled) Lease(context.Context, time.Duration) (*rag.Job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.next) == 0 {
		return nil, nil //nolint:nilnil // as rag.Queue says
	}
	job := s.jobs[s.next[0]].job
	s.next = s.next[1:]
	return &job, nil
}

func (s *filled) of(job rag.Job) *filling {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.jobs[job.Document.ID]
}

func (s *filled) Content(_ context.Context, job rag.Job) ([]byte, error) {
	return s.of(job).new.Content, nil
}

func (s *filled) Stage(_ context.Context, job rag.Job, x rag.Extracted) error {
	s.of(job).chunks = x.Chunks
	return nil
}

func (s *filled) Unembedded(_ context.Context, job rag.Job, m rag.Model, limit int) (chunks []rag.Chunk, left int, err error) {
	f := s.of(job)
	for _, ch := range f.chunks {
		if _, has := f.vectors[m][ch.Index]; has {
			continue
		}
		if left++; len(chunks) < limit {
			chunks = append(chunks, ch)
		}
	}
	return chunks, left, nil
}

func (s *filled) PutVectors(_ context.Context, job rag.Job, m rag.Model, indexes []int, vectors [][]float32) error {
	f := s.of(job)
	if f.vectors[m] == nil {
		f.vectors[m] = map[int][]float32{}
	}
	for i, index := range indexes {
		f.vectors[m][index] = vectors[i]
	}
	return nil
}

func (s *filled) Publish(ctx context.Context, job rag.Job, m rag.Model) error {
	f := s.of(job)
	var vectors [][]float32
	for _, ch := range f.chunks {
		if m == (rag.Model{}) {
			break
		}
		v, has := f.vectors[m][ch.Index]
		if !has {
			return rag.Errorf(rag.Conflict, "passage %d has no vector of %s", ch.Index, m.Name)
		}
		vectors = append(vectors, v)
	}
	if f.new.Replace {
		for page, cursor := 0, ""; page == 0 || cursor != ""; page++ {
			docs, next, err := s.Documents(ctx, job.User, rag.Page{Limit: 100, Cursor: cursor})
			if err != nil {
				return err
			}
			for _, d := range docs {
				if d.Filename == f.new.Filename {
					if err := s.filler.Remove(ctx, job.User, d.ID); err != nil {
						return err
					}
				}
			}
			cursor = next
		}
	}
	d := job.Document
	d.Model = m
	return s.filler.Fill(ctx, job.User, d, f.chunks, vectors)
}

func (s *filled) Delete(ctx context.Context, user rag.User, id string) error {
	return s.filler.Remove(ctx, user, id)
}

func testClosedReader(t *testing.T, s rag.Store) {
	ingest(t, s, alice, "a.txt", "the heron")
	q := rag.Query{Text: "heron", Vector: vectorOf("x", model().Dim), Model: model(), Limit: 5}
	search(t, s, alice, q)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				if _, err := s.Candidates(t.Context(), alice, q); err != nil {
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
	_, err := s.Document(t.Context(), alice, "x")
	wantCode(t, err, rag.Unavailable, "Document")
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
