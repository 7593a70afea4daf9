package sqlite_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"weir/internal/rag"
	"weir/internal/sqlite"
)

const (
	crashDir    = "WEIR_TEST_CRASH_DIR" // tells the test binary that it is the child
	crashChunks = 60
	crashRounds = 12
)

func crashModel() rag.Model { return rag.Model{Name: "axes", Dim: 64} }

func axis(i int) []float32 {
	v := make([]float32, crashModel().Dim)
	v[i%len(v)] = 1
	return v
}

// TestCrash kills a process that ingests, at random moments. Whatever it was
// told is done must be there when the folder is opened again, and nothing may
// be there in part.
func TestCrash(t *testing.T) {
	if dir := os.Getenv(crashDir); dir != "" {
		crashChild(t, dir)
		return
	}
	if testing.Short() {
		t.Skip("starts a dozen processes")
	}
	dir := t.TempDir()
	ready, deleted := map[string]bool{}, map[string]bool{}
	deleting := map[string]bool{}
	for round := range crashRounds {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrash$", "-test.count=1")
		cmd.Env = append(os.Environ(), crashDir+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// Die at a moment that has nothing to do with what was last said.
		lines := bufio.NewScanner(out)
		left := 1 + rand.IntN(12)
		for lines.Scan() {
			word, id, ok := strings.Cut(lines.Text(), " ")
			switch word {
			case "ready":
				ready[id] = true
			case "deleting":
				deleting[id] = true
			case "deleted":
				deleted[id] = true
			case "failed":
				t.Errorf("round %d: the child %s", round, id)
			default:
				ok = false
			}
			if ok {
				left--
			}
			if left == 0 {
				timer := time.NewTimer(time.Duration(rand.IntN(20_000)) * time.Microsecond)
				<-timer.C
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait() // it was killed
		crashCheck(t, dir, round, ready, deleting, deleted)
		if t.Failed() {
			return
		}
	}
	t.Logf("%d documents ready, %d deleted over %d crashes", len(ready), len(deleted), crashRounds)
	if len(ready) < crashRounds {
		t.Errorf("only %d documents were acknowledged", len(ready))
	}
}

func crashCheck(t *testing.T, dir string, round int, ready, deleting, deleted map[string]bool) {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Config{Dir: dir})
	if err != nil {
		t.Fatalf("round %d: Open: %v", round, err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Errorf("round %d: Close: %v", round, err)
		}
	}()
	c, err := s.Candidates(t.Context(), "u", rag.Query{Text: "heron", Vector: axis(1), Model: crashModel(), Limit: 1 << 20})
	if err != nil {
		t.Fatalf("round %d: Candidates: %v", round, err)
	}
	lexical, vector := map[string]int{}, map[string]int{}
	for _, hit := range c.Lexical {
		lexical[hit.DocID]++
	}
	for _, hit := range c.Vector {
		vector[hit.DocID]++
	}
	for id, n := range lexical {
		if n != crashChunks || vector[id] != n {
			t.Errorf("round %d: %s shows %d and %d of %d passages", round, id, n, vector[id], crashChunks)
		}
		if deleted[id] {
			t.Errorf("round %d: %s is back", round, id)
		}
	}
	for id := range ready {
		if lexical[id] == 0 && !deleting[id] {
			t.Errorf("round %d: %s was ready and is lost", round, id)
		}
	}
	if c.Chunks != len(lexical)*crashChunks || len(lexical) != len(vector) {
		t.Errorf("round %d: %d chunks of %d and %d documents", round, c.Chunks, len(lexical), len(vector))
	}
}

// crashChild ingests and deletes until it is killed, and says what was done.
func crashChild(t *testing.T, dir string) {
	ctx := t.Context()
	s, err := sqlite.Open(ctx, sqlite.Config{Dir: dir})
	must := func(doing string, err error) {
		if err != nil {
			fmt.Printf("failed %s: %v\n", doing, err)
			os.Exit(1)
		}
	}
	must("Open", err)
	must("Reclaim", s.Reclaim(ctx)) // those of earlier rounds go on
	model := crashModel()
	for i := 0; ; i++ {
		content := fmt.Appendf(nil, "%d %d", i, rand.Uint64())
		sum := sha256.Sum256(content)
		_, _, err := s.Add(ctx, "u", rag.NewDocument{Filename: "a.txt", Content: content, SHA256: hex.EncodeToString(sum[:])})
		must("Add", err)
		job, err := s.Lease(ctx, time.Minute)
		must("Lease", err)
		if job == nil {
			continue
		}
		must("Renew", s.Renew(ctx, *job, time.Minute, rag.Parsing, rag.Progress{}))
		if !job.Staged {
			var x rag.Extracted
			for j := range crashChunks {
				x.Chunks = append(x.Chunks, rag.Chunk{Index: j, Content: fmt.Sprintf("heron %d %s", j, strings.Repeat("reed ", 50))})
			}
			must("Stage", s.Stage(ctx, *job, x))
		}
		for {
			chunks, left, err := s.Unembedded(ctx, *job, model, 16)
			must("Unembedded", err)
			if left == 0 {
				break
			}
			var indexes []int
			var vectors [][]float32
			for _, c := range chunks {
				indexes, vectors = append(indexes, c.Index), append(vectors, axis(c.Index))
			}
			must("PutVectors", s.PutVectors(ctx, *job, model, indexes, vectors))
		}
		must("Publish", s.Publish(ctx, *job, model))
		fmt.Println("ready", job.Document.ID)
		if i%4 == 3 {
			fmt.Println("deleting", job.Document.ID)
			must("Delete", s.Delete(ctx, "u", job.Document.ID))
			fmt.Println("deleted", job.Document.ID)
		}
	}
}
