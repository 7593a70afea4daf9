package httpapi

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/internal/rag"
)

// shelf is a store in memory: documents by user, and one chunk of content for
// each that is ready. hook, when set, runs before every operation and its
// error is the operation's.
type shelf struct {
	rag.Store // the queue, which no door touches

	mu   sync.Mutex
	docs []shelved // oldest first
	hook func(ctx context.Context, operation string) error
}

type shelved struct {
	user    rag.User
	doc     rag.Document
	content string
}

func (s *shelf) setHook(f func(ctx context.Context, operation string) error) {
	s.mu.Lock()
	s.hook = f
	s.mu.Unlock()
}

func (s *shelf) enter(ctx context.Context, operation string) error {
	s.mu.Lock()
	f := s.hook
	s.mu.Unlock()
	if f != nil {
		return f(ctx, operation)
	}
	return ctx.Err()
}

func (s *shelf) Ready(ctx context.Context) error { return s.enter(ctx, "ready") }
func (s *shelf) Close() error                    { return nil }

func (s *shelf) Pending(ctx context.Context) (queued, working int, err error) {
	return 1, 2, s.enter(ctx, "pending")
}

func (s *shelf) Add(ctx context.Context, user rag.User, n rag.NewDocument) (rag.Document, bool, error) {
	if err := s.enter(ctx, "add"); err != nil {
		return rag.Document{}, false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.docs {
		if d.user == user && d.doc.SHA256 == n.SHA256 {
			return d.doc, false, nil
		}
	}
	d := shelved{user: user, content: string(n.Content), doc: rag.Document{
		ID: fmt.Sprintf("doc-%d", len(s.docs)+1), Filename: n.Filename, Status: rag.Queued,
		Bytes: int64(len(n.Content)), SHA256: n.SHA256, CreatedAt: time.Unix(int64(len(s.docs)), 0).UTC(),
	}}
	s.docs = append(s.docs, d)
	return d.doc, true, nil
}

func (s *shelf) find(user rag.User, id string) (int, error) {
	i := slices.IndexFunc(s.docs, func(d shelved) bool { return d.user == user && d.doc.ID == id })
	if i < 0 {
		return i, rag.Errorf(rag.NotFound, "there is no document with this id")
	}
	return i, nil
}

func (s *shelf) Document(ctx context.Context, user rag.User, id string) (rag.Document, error) {
	if err := s.enter(ctx, "document"); err != nil {
		return rag.Document{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i, err := s.find(user, id)
	if err != nil {
		return rag.Document{}, err
	}
	return s.docs[i].doc, nil
}

func (s *shelf) Documents(ctx context.Context, user rag.User, p rag.Page) (docs []rag.Document, next string, err error) {
	if err := s.enter(ctx, "documents"); err != nil {
		return nil, "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range slices.Backward(s.docs) {
		if d.user != user || (p.Status != "" && d.doc.Status != p.Status) || !strings.Contains(d.doc.Filename, p.Filename) ||
			(p.Cursor != "" && d.doc.ID >= p.Cursor) {
			continue
		}
		if len(docs) == p.Limit {
			return docs, docs[len(docs)-1].ID, nil
		}
		docs = append(docs, d.doc)
	}
	return docs, "", nil
}

func (s *shelf) Delete(ctx context.Context, user rag.User, id string) error {
	if err := s.enter(ctx, "delete"); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i, err := s.find(user, id)
	if err == nil {
		s.docs = slices.Delete(s.docs, i, i+1)
	}
	return err
}

func (s *shelf) Cancel(ctx context.Context, user rag.User, id string) (rag.Document, error) {
	if err := s.enter(ctx, "cancel"); err != nil {
		return rag.Document{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i, err := s.find(user, id)
	if err != nil {
		return rag.Document{}, err
	}
	if st := s.docs[i].doc.Status; st == rag.Ready || st == rag.Failed {
		return rag.Document{}, rag.Errorf(rag.Conflict, "the document is %s already", st)
	}
	s.docs[i].doc.Status = rag.Cancelled
	return s.docs[i].doc, nil
}

func (s *shelf) Counts(ctx context.Context, user rag.User, _ []string) (map[rag.Status]int, error) {
	if err := s.enter(ctx, "counts"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := map[rag.Status]int{}
	for _, d := range s.docs {
		if d.user == user {
			counts[d.doc.Status]++
		}
	}
	return counts, nil
}

func (s *shelf) Candidates(ctx context.Context, user rag.User, q rag.Query) (rag.Candidates, error) {
	if err := s.enter(ctx, "candidates"); err != nil {
		return rag.Candidates{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var found rag.Candidates
	for _, d := range s.docs {
		if d.user != user || d.doc.Status != rag.Ready {
			continue
		}
		found.Chunks++
		if strings.Contains(d.content, q.Text) {
			found.Lexical = append(found.Lexical, rag.Candidate{Ref: rag.Ref{DocID: d.doc.ID}, Lexical: 1})
		}
	}
	return found, nil
}

func (s *shelf) Chunks(ctx context.Context, user rag.User, refs []rag.Ref) (chunks []rag.Chunk, err error) {
	if err := s.enter(ctx, "chunks"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range refs {
		if i, err := s.find(user, r.DocID); err == nil && r.Index == 0 {
			d := s.docs[i]
			chunks = append(chunks, rag.Chunk{ID: r.DocID + ":0", DocID: r.DocID, Filename: d.doc.Filename, Content: d.content, Tokens: 1})
		}
	}
	return chunks, nil
}

// put adds a document of status st and returns its id.
func (s *shelf) put(user rag.User, filename, content string, st rag.Status) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := fmt.Sprintf("doc-%d", len(s.docs)+1)
	s.docs = append(s.docs, shelved{user, rag.Document{ID: id, Filename: filename, Status: st, SHA256: fmt.Sprintf("%064x", len(s.docs))}, content})
	return id
}

// change lets f change a document, as the ingest would.
func (s *shelf) change(id string, f func(*rag.Document)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.docs {
		if s.docs[i].doc.ID == id {
			f(&s.docs[i].doc)
		}
	}
}

// noModel is an embedder that there is none of.
type noModel struct{}

func (noModel) Model() rag.Model { return rag.Model{} }
func (noModel) MaxBatch() int    { return 1 }

func (noModel) Embed(context.Context, rag.User, rag.Purpose, []string) ([][]float32, error) {
	return nil, rag.Errorf(rag.Unavailable, "there is no model")
}

// letters is an embedder whose vectors say how often a text has each of the
// first four letters, and one. hook, when set, runs before, and its error is
// the answer.
type letters struct {
	hook func(ctx context.Context) error
}

func (*letters) Model() rag.Model  { return rag.Model{Name: "maker/letters-1", Dim: 5} }
func (*letters) MaxBatch() int     { return 2 }
func (*letters) Shortens(int) bool { return true }

func (l *letters) Embed(ctx context.Context, _ rag.User, _ rag.Purpose, texts []string) ([][]float32, error) {
	if l.hook != nil {
		if err := l.hook(ctx); err != nil {
			return nil, err
		}
	}
	vectors := make([][]float32, len(texts))
	for i, t := range texts {
		vectors[i] = vectorOf(t)
	}
	return vectors, ctx.Err()
}

func vectorOf(text string) []float32 {
	v := []float32{1}
	sum := 1.0
	for _, letter := range []string{"a", "b", "c", "d"} {
		n := strings.Count(text, letter)
		v = append(v, float32(n))
		sum += float64(n * n)
	}
	for i := range v {
		v[i] = float32(float64(v[i]) / math.Sqrt(sum))
	}
	return v
}

type noExtractor struct{}

func (noExtractor) Extract(context.Context, string, []byte, func(rag.Progress)) (rag.Extracted, error) {
	return rag.Extracted{}, rag.Errorf(rag.UnsupportedMedia, "nothing is read here")
}

func newService(t testing.TB, cfg rag.Config, s rag.Store) *rag.Service {
	t.Helper()
	return newServiceWith(t, cfg, s, noModel{})
}

// newServiceWith has a token for each word; as ids, a is 97 and so on.
func newServiceWith(t testing.TB, cfg rag.Config, s rag.Store, e rag.Embedder) *rag.Service {
	t.Helper()
	cfg.CountTokens = func(s string) int { return len(strings.Fields(s)) }
	cfg.DecodeTokens = func(ids []int) (string, error) {
		var b strings.Builder
		for _, id := range ids {
			if id < ' ' || id > '~' {
				return "", fmt.Errorf("holds %d, which is no token", id)
			}
			b.WriteByte(byte(id))
		}
		return b.String(), nil
	}
	svc, err := rag.New(cfg, s, e, noExtractor{})
	if err != nil {
		t.Fatal(err)
	}
	return svc
}

// house is a server on a free port, for one test.
type house struct {
	*Server
	shelf *shelf
	log   *logLines
	stop  context.CancelFunc
	done  chan error // what Serve returned
}

func newHouse(t *testing.T, cfg Config, service rag.Config) *house {
	t.Helper()
	return newHouseWith(t, cfg, service, noModel{})
}

func newHouseWith(t *testing.T, cfg Config, service rag.Config, e rag.Embedder) *house {
	t.Helper()
	h := &house{shelf: &shelf{}, log: &logLines{}, done: make(chan error, 1)}
	cfg.Log = newLogger(h.log)
	srv, err := Listen(t.Context(), "127.0.0.1:0", cfg, newServiceWith(t, service, h.shelf, e))
	if err != nil {
		t.Fatal(err)
	}
	h.Server = srv
	ctx, cancel := context.WithCancel(t.Context())
	h.stop = cancel
	ended := make(chan struct{})
	go func() { defer close(ended); h.done <- srv.Serve(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	return h
}

func (h *house) dial(t *testing.T) net.Conn {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", h.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func (h *house) client(t *testing.T) *Client {
	t.Helper()
	c, err := NewClient(ClientConfig{BaseURL: h.URL()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// logLines collects log lines and lets tests wait for one.
type logLines struct {
	mu      sync.Mutex
	lines   []string
	waiting []chan struct{}
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, string(p))
	for _, w := range l.waiting {
		close(w)
	}
	l.waiting = nil
	return len(p), nil
}

// wait returns the first line that has all of words.
func (l *logLines) wait(t *testing.T, words ...string) string {
	t.Helper()
	for {
		l.mu.Lock()
		for _, line := range l.lines {
			if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
				l.mu.Unlock()
				return line
			}
		}
		w := make(chan struct{})
		l.waiting = append(l.waiting, w)
		l.mu.Unlock()
		select {
		case <-w:
		case <-t.Context().Done():
			t.Fatalf("no log line with %q", words)
		}
	}
}

// ask sends one request to h by way of a recorder, and holds the answer against
// the document that h gives.
func ask(t testing.TB, h http.Handler, r *http.Request) *response {
	t.Helper()
	got := askUnchecked(t, h, r)
	check(t, h, r, got)
	return got
}

// askUnchecked is ask for errors that no real store or embedder makes on the
// route.
func askUnchecked(t testing.TB, h http.Handler, r *http.Request) *response {
	t.Helper()
	w := newRecorder()
	h.ServeHTTP(w, r)
	return w.answer(t)
}

func newLogger(l *logLines) *slog.Logger {
	return slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// pass lets virtual time go by, in a bubble of synctest.
func pass(d time.Duration) { <-time.NewTimer(d).C }
