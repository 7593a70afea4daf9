package e2e

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/internal/httpapi"
	"weir/internal/rag"
)

const (
	user    = rag.User("kill")
	common  = "harbour" // in every passage of every document
	defined = 5         // rounds when WEIR_E2E_ROUNDS does not say
)

// killDocuments is how many documents a round has.
const killDocuments = 50

// TestKill kills the server at random moments of the ingest of 50 documents.
// Every document that was answered as ready must still be whole and findable,
// none half there, none twice, and the rest must finish by themselves.
func TestKill(t *testing.T) {
	rounds := defined
	if v := os.Getenv("WEIR_E2E_ROUNDS"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil {
			t.Fatal(err)
		}
		rounds = n
	}
	docs := make(map[string]string, killDocuments)
	for i := range killDocuments {
		docs[fmt.Sprintf("log-%02d.md", i)] = logbook(i)
	}
	whole, took := undisturbed(t, docs)
	t.Logf("undisturbed: %d passages of %d documents in %v", total(whole), len(whole), took)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var inWork, acked int
	// More of them while chance, or a machine that was busy when it was undisturbed,
	// has had none meet a document in work.
	for round := 0; round < rounds || rounds >= defined && inWork == 0 && round < rounds+20; round++ {
		k := &killing{docs: docs, whole: whole, data: filepath.Join(t.TempDir(), "data")}
		k.begin()
		// The first at any moment of the ingest, the second (in every other
		// round) while what the first left is taken up again.
		k.killAfter(t, time.Duration(random.Float64()*1.1*float64(took)))
		inWork += len(k.acked) - len(k.ready)
		acked += len(k.acked)
		if round%2 == 1 {
			k.killAfter(t, time.Duration(random.Float64()*0.3*float64(took)))
		}
		k.finish(t)
		if t.Failed() {
			t.Fatalf("round %d; the folder was %s", round, k.data)
		}
	}
	t.Logf("%d rounds: of %d documents accepted before the first kill, %d were not ready yet", rounds, acked, inWork)
	if rounds >= defined && inWork == 0 {
		t.Error("no kill met a document in work: the rounds show nothing")
	}
}

// logbook is a document of several sections. Every paragraph has the common
// word, a word of its document and one of its own.
func logbook(n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Logbook %d\n\n", n)
	for s := range 9 {
		fmt.Fprintf(&b, "## Watch %d\n\n", s)
		for p := range 6 {
			fmt.Fprintf(&b, "In the %s of ship%02d the watch%02dx%dx%d noted wind, tide, depth and the names of all vessels that passed; "+
				"the log was signed, the lamps were trimmed, and the bell was rung as the rules of the %s ask.\n\n", common, n, n, s, p, common)
		}
	}
	return b.String()
}

// undisturbed ingests all documents and returns how many passages each has
// when it is whole, and how long it took.
func undisturbed(t *testing.T, docs map[string]string) (whole map[string]int, took time.Duration) {
	t.Helper()
	s := serve(t, filepath.Join(t.TempDir(), "data"))
	began := time.Now()
	k := &killing{docs: docs}
	k.begin()
	k.upload(t, s.Client)
	whole = k.waitForAll(t, s.Client)
	took = time.Since(began)
	if code := s.stop(t); code != 0 {
		t.Errorf("exit %d: %s", code, s.Stderr)
	}
	if len(whole) != len(docs) || total(whole) < 3*len(docs) || total(whole) > rag.MaxChunks {
		t.Fatalf("%d passages of %d documents make no good test", total(whole), len(whole))
	}
	return whole, took
}

func total(passages map[string]int) int {
	n := 0
	for _, c := range passages {
		n += c
	}
	return n
}

// killing is one round.
type killing struct {
	docs  map[string]string // content by filename
	whole map[string]int    // passages by filename
	data  string

	mu    sync.Mutex
	acked map[string]string // filename by id, of documents the server said it has
	ready map[string]string // of documents it said are ready
}

func (k *killing) begin() { k.acked, k.ready = map[string]string{}, map[string]string{} }

// killAfter starts the server, uploads what is not known to be there, watches
// which documents it says are ready, and kills it.
func (k *killing) killAfter(t *testing.T, moment time.Duration) {
	t.Helper()
	s := serve(t, k.data)
	k.check(t, s.Client)
	timer := time.NewTimer(moment)
	defer timer.Stop()
	var work sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	work.Go(func() { k.upload(t, s.Client) })
	work.Go(func() {
		for ctx.Err() == nil {
			k.look(ctx, s.Client)
		}
	})
	<-timer.C
	s.Kill()
	cancel()
	work.Wait()
}

// upload sends what the server has not confirmed; that the server dies on the
// way is no error.
func (k *killing) upload(t *testing.T, c *httpapi.Client) {
	t.Helper()
	k.mu.Lock()
	confirmed := slices.Collect(maps.Values(k.acked))
	k.mu.Unlock()
	names := slices.Sorted(maps.Keys(k.docs))
	names = slices.DeleteFunc(names, func(n string) bool { return slices.Contains(confirmed, n) })
	var senders sync.WaitGroup
	next := make(chan string, len(names))
	for _, n := range names {
		next <- n
	}
	close(next)
	for range 4 {
		senders.Go(func() {
			for name := range next {
				doc, _, err := c.Upload(t.Context(), user, rag.NewDocument{Filename: name, Content: []byte(k.docs[name])})
				if err == nil {
					k.mu.Lock()
					k.acked[doc.ID] = name
					k.mu.Unlock()
				} else if rag.CodeOf(err) != rag.Unavailable {
					t.Errorf("upload of %s: %v", name, err)
				}
			}
		})
	}
	senders.Wait()
}

// look notes which documents the server says are ready.
func (k *killing) look(ctx context.Context, c *httpapi.Client) {
	docs, _, err := c.Documents(ctx, user, rag.Page{Limit: rag.MaxPage, Status: rag.Ready})
	if err != nil {
		return // it was killed
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, d := range docs {
		k.ready[d.ID] = d.Filename
	}
}

// check compares what the server has with what it said before it was killed.
func (k *killing) check(t *testing.T, c *httpapi.Client) {
	t.Helper()
	before, _, err := c.Documents(t.Context(), user, rag.Page{Limit: rag.MaxPage})
	if err != nil {
		t.Fatal(err)
	}
	found := k.findable(t, c)
	after, _, err := c.Documents(t.Context(), user, rag.Page{Limit: rag.MaxPage})
	if err != nil {
		t.Fatal(err)
	}
	status := map[string]rag.Status{}
	seen := map[string]bool{}
	for _, d := range after {
		status[d.ID] = d.Status
		if seen[d.Filename] {
			t.Errorf("%s is there twice", d.Filename)
		}
		seen[d.Filename] = true
		if d.Status == rag.Failed || d.Status == rag.Cancelled {
			t.Errorf("%s is %s: %+v", d.Filename, d.Status, d.Error)
		}
	}
	for id, name := range k.acked {
		if status[id] == "" {
			t.Errorf("%s was accepted and is gone", name)
		}
	}
	for id, name := range k.ready {
		if status[id] != rag.Ready {
			t.Errorf("%s was ready and is now %q", name, status[id])
		}
	}
	// What was ready before the search must be found by it, what is not ready
	// after it must not; found or not, never a part.
	for _, d := range before {
		if d.Status == rag.Ready && found[d.ID] == 0 {
			t.Errorf("%s is ready and cannot be found", d.Filename)
		}
	}
	for id, n := range found {
		switch name := k.nameOf(after, id); {
		case status[id] != rag.Ready:
			t.Errorf("%s is %q and was found", name, status[id])
		case n != k.whole[name]:
			t.Errorf("%d of %d passages of %s are there", n, k.whole[name], name)
		}
	}
}

func (k *killing) nameOf(docs []rag.Document, id string) string {
	for _, d := range docs {
		if d.ID == id {
			return d.Filename
		}
	}
	return id
}

// findable returns how many passages of each document a search finds, and
// fails on any that is found twice or in the wrong document.
func (k *killing) findable(t *testing.T, c *httpapi.Client) map[string]int {
	t.Helper()
	most, budget := rag.MaxChunks, rag.MaxTokenBudget
	resp, err := c.Retrieve(t.Context(), user, rag.Request{Query: common, MaxChunks: &most, TokenBudget: &budget})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	seen := map[rag.Ref]bool{}
	for _, p := range resp.Chunks {
		ref := rag.Ref{DocID: p.DocID, Index: p.ChunkIndex}
		if seen[ref] {
			t.Errorf("passage %d of %s was found twice", p.ChunkIndex, p.Filename)
		}
		seen[ref] = true
		found[p.DocID]++
		number := strings.TrimSuffix(strings.TrimPrefix(p.Filename, "log-"), ".md")
		if !strings.Contains(p.Content, "ship"+number) {
			t.Errorf("passage %d of %s has the text of another document", p.ChunkIndex, p.Filename)
		}
	}
	return found
}

// waitForAll waits until every document of the round is ready, and returns how
// many passages each has.
func (k *killing) waitForAll(t *testing.T, c *httpapi.Client) map[string]int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	passages := map[string]int{}
	for id, name := range k.acked {
		doc, err := c.Wait(ctx, user, id)
		if err != nil || doc.Status != rag.Ready {
			t.Fatalf("%s did not finish: %+v, %v", name, doc, err)
		}
		passages[name] = doc.Chunks
	}
	return passages
}

// finish starts the server a last time. What was accepted finishes by itself,
// and in the end everything is there once.
func (k *killing) finish(t *testing.T) {
	t.Helper()
	s := serve(t, k.data)
	k.check(t, s.Client)
	k.waitForAll(t, s.Client)
	k.upload(t, s.Client)
	if len(k.acked) != len(k.docs) {
		t.Errorf("%d ids for %d documents: one content has two", len(k.acked), len(k.docs))
	}
	got := k.waitForAll(t, s.Client)
	if !maps.Equal(got, k.whole) {
		t.Errorf("in the end there are %v, want %v", got, k.whole)
	}
	k.look(t.Context(), s.Client)
	k.check(t, s.Client)
	if found := k.findable(t, s.Client); len(found) != len(k.docs) || total(found) != total(k.whole) {
		t.Errorf("%d passages of %d documents are found, want %d of %d", total(found), len(found), total(k.whole), len(k.docs))
	}
	if code := s.stop(t); code != 0 {
		t.Errorf("exit %d: %s", code, s.Stderr)
	}
}
