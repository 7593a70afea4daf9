package storetest

import (
	"fmt"
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
