package rag

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeStore answers by script; what a test did not script panics.
type fakeStore struct {
	Store
	candidates func(ctx context.Context, user User, q Query) (Candidates, error)
	chunks     map[Ref]Chunk
	counts     map[Status]int
}

func (f *fakeStore) Candidates(ctx context.Context, user User, q Query) (Candidates, error) {
	return f.candidates(ctx, user, q)
}

func (f *fakeStore) Chunks(_ context.Context, _ User, refs []Ref) ([]Chunk, error) {
	var got []Chunk
	for _, r := range refs {
		if c, ok := f.chunks[r]; ok {
			got = append(got, c)
		}
	}
	return got, nil
}

func (f *fakeStore) Counts(context.Context, User, []string) (map[Status]int, error) {
	return f.counts, nil
}

func (f *fakeStore) Pending(context.Context) (queued, working int, err error) { return 0, 0, nil }

// fakeEmbedder is a model of two dimensions.
type fakeEmbedder struct {
	none  bool
	embed func(ctx context.Context, texts []string) ([][]float32, error)
	batch int
}

func (f *fakeEmbedder) Model() Model {
	if f.none {
		return Model{}
	}
	return Model{"fake", 2}
}

func (f *fakeEmbedder) MaxBatch() int { return max(f.batch, 1) }

func (f *fakeEmbedder) Embed(ctx context.Context, _ User, _ Purpose, texts []string) ([][]float32, error) {
	if f.embed != nil {
		return f.embed(ctx, texts)
	}
	vs := make([][]float32, len(texts))
	for i := range vs {
		vs[i] = []float32{1, 0}
	}
	return vs, nil
}

func words(s string) int { return len(strings.Fields(s)) }

func newService(t *testing.T, cfg Config, store Store, e Embedder, x Extractor) *Service {
	t.Helper()
	cfg.CountTokens = words
	s, err := New(cfg, store, e, x)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// book is a store of one document "d" with n chunks of ten tokens each; a
// search finds lexical and vector chunks in the order given.
func book(n int, lexical, vector []Candidate) *fakeStore {
	f := &fakeStore{chunks: map[Ref]Chunk{}, counts: map[Status]int{Ready: 1}}
	for i := range n {
		f.chunks[Ref{"d", i}] = Chunk{ID: "d:" + string(rune('a'+i)), DocID: "d", Index: i, Content: "text", Tokens: 10, Filename: "book.txt"}
	}
	f.candidates = func(_ context.Context, _ User, q Query) (Candidates, error) {
		found := Candidates{Chunks: n}
		if q.Text != "" {
			found.Lexical = lexical
		}
		if q.Vector != nil {
			found.Vector = vector
		}
		return found, nil
	}
	return f
}

func lex(i int, score float64) Candidate {
	return Candidate{Ref: Ref{"d", i}, Lexical: score}
}

func cos(i int, cosine float64) Candidate {
	return Candidate{Ref: Ref{"d", i}, Cosine: cosine, HasCosine: true}
}

// fakeQueue holds one document and records what became of it.
type fakeQueue struct {
	fakeStore
	mu       sync.Mutex
	content  []byte
	staged   []Chunk
	vectors  map[int][]float32
	offered  bool
	job      Job
	lost     bool
	outcome  string
	retryAt  time.Time
	statuses []Status
	settled  chan struct{}
}

func newQueue(content string) *fakeQueue {
	return &fakeQueue{
		content: []byte(content), vectors: map[int][]float32{}, settled: make(chan struct{}, 16),
		job: Job{User: "u", Document: Document{ID: "doc", Filename: "f.txt"}, Lease: "l", Attempt: 1},
	}
}

func (f *fakeQueue) check() error {
	if f.lost {
		return ErrLeaseLost
	}
	return nil
}

func (f *fakeQueue) Lease(context.Context, time.Duration) (*Job, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.offered {
		return nil, nil
	}
	f.offered = true
	j := f.job
	return &j, nil
}

func (f *fakeQueue) Renew(_ context.Context, _ Job, _ time.Duration, s Status, _ Progress) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.statuses = append(f.statuses, s)
	return f.check()
}

func (f *fakeQueue) Content(context.Context, Job) ([]byte, error) { return f.content, f.check() }

func (f *fakeQueue) Stage(_ context.Context, _ Job, x Extracted) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.staged = x.Chunks
	return f.check()
}

func (f *fakeQueue) Unembedded(_ context.Context, _ Job, _ Model, limit int) ([]Chunk, int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var left []Chunk
	for _, c := range f.staged {
		if f.vectors[c.Index] == nil {
			left = append(left, c)
		}
	}
	return left[:min(limit, len(left))], len(left), f.check()
}

func (f *fakeQueue) PutVectors(_ context.Context, _ Job, _ Model, indexes []int, vectors [][]float32) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, index := range indexes {
		f.vectors[index] = vectors[i]
	}
	return f.check()
}

func (f *fakeQueue) settle(outcome string, at time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.check(); err != nil {
		return err
	}
	f.outcome, f.retryAt = outcome, at
	f.settled <- struct{}{}
	return nil
}

func (f *fakeQueue) Publish(context.Context, Job, Model) error {
	return f.settle("ready", time.Time{})
}

func (f *fakeQueue) Retry(_ context.Context, _ Job, at time.Time, why string) error {
	return f.settle("retry: "+why, at)
}

func (f *fakeQueue) Fail(_ context.Context, _ Job, e DocumentError) error {
	return f.settle("failed: "+string(e.Code)+": "+e.Message, time.Time{})
}

// fakeExtractor cuts at lines.
type fakeExtractor func(ctx context.Context, content []byte) ([]Chunk, error)

func (f fakeExtractor) Extract(ctx context.Context, _ string, content []byte, progress func(Progress)) (Extracted, error) {
	progress(Progress{Done: 1, Total: 1})
	chunks, err := f(ctx, content)
	return Extracted{Chunks: chunks}, err
}

func byLine(_ context.Context, content []byte) ([]Chunk, error) {
	var chunks []Chunk
	for i, line := range strings.Split(string(content), "\n") {
		chunks = append(chunks, Chunk{Index: i, Content: line})
	}
	return chunks, nil
}
