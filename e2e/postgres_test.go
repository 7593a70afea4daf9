package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"weir/internal/postgres/pgtest"
	"weir/internal/rag"
)

// TestThreeServersOneDatabase has 200 documents uploaded to three servers, of
// which each is killed in turn and started again. All must become ready, each
// once and whole, and every server must find them.
func TestThreeServersOneDatabase(t *testing.T) {
	db := pgtest.Start(t, pgtest.Settings{})
	database := db.Database(t)
	config := write(t, t.TempDir(), "weir.yaml", "database_url: "+db.URL(pgtest.Role, database)+"\n")
	args := []string{"--config", config, "--store", "postgres"}
	const servers, documents = 3, 200
	var mu sync.Mutex
	up := make([]*server, servers)
	start := func(i int) {
		s := serve(t, filepath.Join(t.TempDir(), "data"), args...)
		mu.Lock()
		up[i] = s
		mu.Unlock()
	}
	at := func(i int) *server {
		mu.Lock()
		defer mu.Unlock()
		return up[i%servers]
	}
	for i := range servers {
		start(i)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var uploads sync.WaitGroup
	next := make(chan int)
	for range 4 {
		uploads.Go(func() {
			for i := range next {
				for try := i; ; try++ { // at another server, where one was killed
					_, _, err := at(try).Client.Upload(ctx, user, rag.NewDocument{Filename: fmt.Sprintf("%03d.md", i), Content: []byte(logbook(i))})
					if err == nil {
						break
					}
					if rag.CodeOf(err) != rag.Unavailable || ctx.Err() != nil {
						t.Errorf("document %d: %v", i, err)
						break
					}
				}
			}
		})
	}
	for i := range documents {
		select {
		case next <- i:
		case <-ctx.Done():
			t.Fatal("the uploads take too long")
		}
		if i%(documents/servers) == documents/servers/2 {
			victim := i / (documents / servers)
			at(victim).Kill()
			start(victim)
		}
	}
	close(next)
	uploads.Wait()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		ready, _, err := at(0).Client.Documents(ctx, user, rag.Page{Limit: rag.MaxPage, Status: rag.Ready})
		if err != nil {
			t.Fatal(err)
		}
		if len(ready) == documents {
			break
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%d of %d are ready", len(ready), documents)
		}
	}
	for i := range servers {
		c := at(i).Client
		all, _, err := c.Documents(ctx, user, rag.Page{Limit: rag.MaxPage})
		if err != nil || len(all) != documents {
			t.Errorf("server %d has %d documents, %v", i, len(all), err)
		}
		whole := map[int]int{}
		for _, d := range all {
			whole[d.Chunks]++
		}
		for n := range 5 {
			n *= 41
			got, err := c.Retrieve(ctx, user, rag.Request{Query: fmt.Sprintf("ship%02d watch%02dx3x2", n, n)})
			if err != nil || len(got.Chunks) == 0 || got.Chunks[0].Filename != fmt.Sprintf("%03d.md", n) || len(got.Degraded) > 0 {
				t.Errorf("server %d, document %d: %+v, %v", i, n, got, err)
			}
		}
		t.Logf("server %d: documents by their number of passages: %v", i, whole)
	}
	var chunks int64
	for _, d := range must(at(0).Client.Documents(ctx, user, rag.Page{Limit: rag.MaxPage})) {
		chunks += int64(d.Chunks)
	}
	if n := db.Number(t, database, "SELECT count(*) FROM weir.vectors"); n != chunks {
		t.Errorf("%d vectors for %d passages", n, chunks)
	}
}

func must(docs []rag.Document, _ string, err error) []rag.Document {
	if err != nil {
		panic(err)
	}
	return docs
}
