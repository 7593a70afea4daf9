package storetest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"weir/internal/rag"
)

// Run runs the conformance tests. open returns a new, empty store each time and
// arranges for it to be closed.
func Run(t *testing.T, open func(t *testing.T) rag.Store) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s rag.Store)
	}{
		{"add", testAdd},
		{"add large", testAddLarge},
		{"dedup", testDedup},
		{"failed and again", testEndedAgain},
		{"list", testList},
		{"list cursors", testListCursors},
		{"list while adding", testListWhileAdding},
		{"list by filename", testListByFilename},
		{"counts", testCounts},
		{"bad arguments", testBadArguments},
		{"delete", testDelete},
		{"cancel", testCancel},
		{"replace", testReplace},
		{"asked for again", testAskedForAgain},
		{"lease", testLease},
		{"lease runs out", testLeaseRunsOut},
		{"lease is fair", testLeaseFair},
		{"lease races", testLeaseRaces},
		{"renew", testRenew},
		{"retry", testRetry},
		{"fail", testFail},
		{"stage", testStage},
		{"stage again", testStageAgain},
		{"unembedded", testUnembedded},
		{"publish", testPublish},
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
		{"unicode", testUnicode},
		{"odd inputs", testOddInputs},
		{"isolation", testIsolation},
		{"isolation of names", testIsolationOfNames},
		{"isolation of statistics", testIsolationOfStatistics},
		{"isolation of jobs", testIsolationOfJobs},
		{"tiny beside huge", testTinyBesideHuge},
		{"atomic documents", testAtomicDocuments},
		{"ended context", testEndedContext},
		{"context ends midway", testContextEndsMidway},
		{"search while ingesting", testSearchWhileIngesting},
		{"closed", testClosed},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

const (
	alice = rag.User("alice")
	bob   = rag.User("bob")
)

// model is what most tests embed with.
func model() rag.Model { return rag.Model{Name: "words", Dim: 32} }

// vectorOf makes a unit vector of a text: the same text, the same vector, and
// any other text one in quite another direction.
func vectorOf(text string, dim int) []float32 {
	sum := sha256.Sum256([]byte(text))
	r := rand.New(rand.NewChaCha8(sum))
	v := make([]float32, dim)
	n := 0.0
	for i := range v {
		x := r.NormFloat64()
		v[i] = float32(x)
		n += x * x
	}
	for i := range v {
		v[i] = float32(float64(v[i]) / math.Sqrt(n))
	}
	return v
}

// upload makes a NewDocument of lines, each of which is to become a chunk.
func upload(filename string, lines ...string) rag.NewDocument {
	content := []byte(strings.Join(lines, "\n"))
	sum := sha256.Sum256(content)
	return rag.NewDocument{Filename: filename, Content: content, SHA256: hex.EncodeToString(sum[:])}
}

func add(t testing.TB, s rag.Store, user rag.User, n rag.NewDocument) rag.Document {
	t.Helper()
	d, created, err := s.Add(t.Context(), user, n)
	if err != nil {
		t.Fatalf("Add: %v", err)
	}
	if !created {
		t.Fatalf("Add of %s found %s", n.Filename, d.ID)
	}
	return d
}

// lease takes the next job, which must be there.
func lease(t testing.TB, s rag.Store) rag.Job {
	t.Helper()
	job, err := s.Lease(t.Context(), time.Hour)
	if err != nil {
		t.Fatalf("Lease: %v", err)
	}
	if job == nil {
		t.Fatal("Lease: nothing is due")
	}
	return *job
}

// extracted makes chunks of the lines of a content.
func extracted(content []byte) rag.Extracted {
	x := rag.Extracted{MediaType: "text/plain", Title: "A title", Pages: 3}
	for i, line := range strings.Split(string(content), "\n") {
		x.Chunks = append(x.Chunks, rag.Chunk{
			Index: i, Content: line, SectionPath: []int{1, i + 1}, SectionTitle: fmt.Sprintf("Part > Section %d", i+1),
			PageStart: i + 1, PageEnd: i + 2, Tokens: 1 + len(line)/4,
		})
	}
	return x
}

// work does everything that is to be done of a job.
func work(t testing.TB, s rag.Store, job rag.Job, m rag.Model) error {
	t.Helper()
	ctx := t.Context()
	if !job.Staged {
		content, err := s.Content(ctx, job)
		if err != nil {
			return fmt.Errorf("calling Content: %w", err)
		}
		if err := s.Stage(ctx, job, extracted(content)); err != nil {
			return fmt.Errorf("calling Stage: %w", err)
		}
	}
	for m != (rag.Model{}) {
		chunks, left, err := s.Unembedded(ctx, job, m, 256)
		if err != nil {
			return fmt.Errorf("calling Unembedded: %w", err)
		}
		if left == 0 {
			break
		}
		if err := put(t, s, job, m, chunks); err != nil {
			return err
		}
	}
	if err := s.Publish(ctx, job, m); err != nil {
		return fmt.Errorf("calling Publish: %w", err)
	}
	return nil
}

// put stores the vectors of chunks.
func put(t testing.TB, s rag.Store, job rag.Job, m rag.Model, chunks []rag.Chunk) error {
	t.Helper()
	indexes, vectors := make([]int, len(chunks)), make([][]float32, len(chunks))
	for i, c := range chunks {
		indexes[i], vectors[i] = c.Index, vectorOf(c.Content, m.Dim)
	}
	if err := s.PutVectors(t.Context(), job, m, indexes, vectors); err != nil {
		return fmt.Errorf("calling PutVectors: %w", err)
	}
	return nil
}

// ingest brings a document of lines to Ready. Nothing else may be queued.
func ingest(t testing.TB, s rag.Store, user rag.User, filename string, lines ...string) rag.Document {
	t.Helper()
	return ingestAs(t, s, user, model(), upload(filename, lines...))
}

func ingestAs(t testing.TB, s rag.Store, user rag.User, m rag.Model, n rag.NewDocument) rag.Document {
	t.Helper()
	d := add(t, s, user, n)
	job := lease(t, s)
	if job.Document.ID != d.ID || job.User != user {
		t.Fatalf("leased %s of %q, want %s of %q", job.Document.ID, job.User, d.ID, user)
	}
	if err := work(t, s, job, m); err != nil {
		t.Fatal(err)
	}
	return get(t, s, user, d.ID)
}

func get(t testing.TB, s rag.Store, user rag.User, id string) rag.Document {
	t.Helper()
	d, err := s.Document(t.Context(), user, id)
	if err != nil {
		t.Fatalf("Document: %v", err)
	}
	return d
}

func search(t testing.TB, s rag.Store, user rag.User, q rag.Query) rag.Candidates {
	t.Helper()
	if q.Limit == 0 {
		q.Limit = 10
	}
	c, err := s.Candidates(t.Context(), user, q)
	if err != nil {
		t.Fatalf("Candidates: %v", err)
	}
	return c
}

// found lists the chunks of candidates as "filename:index".
func found(t testing.TB, s rag.Store, user rag.User, of []rag.Candidate) []string {
	t.Helper()
	refs := make([]rag.Ref, len(of))
	for i, c := range of {
		refs[i] = c.Ref
	}
	chunks, err := s.Chunks(t.Context(), user, refs)
	if err != nil {
		t.Fatalf("Chunks: %v", err)
	}
	if len(chunks) != len(refs) {
		t.Fatalf("%d of %d candidates have a chunk", len(chunks), len(refs))
	}
	names := make([]string, len(chunks))
	for i, c := range chunks {
		names[i] = fmt.Sprintf("%s:%d", c.Filename, c.Index)
	}
	return names
}

func wantCode(t testing.TB, err error, want rag.Code, doing string) {
	t.Helper()
	if got := rag.CodeOf(err); got != want {
		t.Errorf("%s: code %q (%v), want %q", doing, got, err, want)
	}
}

func wantLost(t testing.TB, err error, doing string) {
	t.Helper()
	if !errors.Is(err, rag.ErrLeaseLost) {
		t.Errorf("%s: %v, want ErrLeaseLost", doing, err)
	}
}

// wantLostAll checks that nothing can be done with a job.
func wantLostAll(t testing.TB, s rag.Store, job rag.Job) {
	t.Helper()
	ctx := t.Context()
	_, err := s.Content(ctx, job)
	wantLost(t, err, "Content")
	wantLost(t, s.Stage(ctx, job, extracted([]byte("stolen"))), "Stage")
	_, _, err = s.Unembedded(ctx, job, model(), 1)
	wantLost(t, err, "Unembedded")
	wantLost(t, s.PutVectors(ctx, job, model(), []int{0}, [][]float32{vectorOf("stolen", model().Dim)}), "PutVectors")
	wantLost(t, s.Renew(ctx, job, time.Hour, rag.Parsing, rag.Progress{Done: 99, Total: 99}), "Renew")
	wantLost(t, s.Publish(ctx, job, model()), "Publish")
	wantLost(t, s.Publish(ctx, job, rag.Model{}), "Publish without vectors")
	wantLost(t, s.Retry(ctx, job, time.Now(), "stolen"), "Retry")
	wantLost(t, s.Fail(ctx, job, rag.DocumentError{Code: rag.Invalid, Message: "stolen"}), "Fail")
}
