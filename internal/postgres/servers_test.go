package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"weir/internal/postgres"
	"weir/internal/postgres/pgtest"
	"weir/internal/rag"
)

// TestServersStartAtOnce: one migrates, the others wait for it.
func TestServersStartAtOnce(t *testing.T) {
	c := cluster(t)
	for _, test := range []struct {
		name    string
		address func(db string) string
	}{
		{"directly", func(db string) string { return c.URL(pgtest.Role, db) }},
		{"behind a pooler", func(db string) string { return c.Pooler(t, db, 3) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			db := c.Database(t)
			a := test.address(db)
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					s, err := postgres.Open(t.Context(), postgres.Config{Address: a})
					if err != nil {
						t.Errorf("Open: %v", err)
						return
					}
					defer s.Close()
					if err := s.Ready(t.Context()); err != nil {
						t.Errorf("Ready: %v", err)
					}
				})
			}
			wg.Wait()
			if n := c.Number(t, db, "SELECT count(*) FROM weir.schema_versions WHERE version_id > 0"); n != c.Number(t, db, "SELECT max(version_id) FROM weir.schema_versions") {
				t.Errorf("%d migrations were recorded", n)
			}
			if n := c.Number(t, db, "SELECT count(*) FROM weir.secrets"); n != 1 {
				t.Errorf("%d keys for cursors", n)
			}
		})
	}
}

// TestServersSeeEachOther: what one server does is seen by the next call on
// another, whatever it has in memory.
func TestServersSeeEachOther(t *testing.T) {
	a := address(t)
	servers := []*postgres.Store{open(t, postgres.Config{Address: a}), open(t, postgres.Config{Address: a}), open(t, postgres.Config{Address: a})}
	r := rand.New(rand.NewPCG(3, 4))
	var docs []rag.Document
	for i := range 12 {
		docs = append(docs, publish(t, servers[i%3], alice, fmt.Sprintf("%d.txt", i), 3, testModel(), r))
		if i%4 == 3 {
			if err := servers[(i+1)%3].Delete(t.Context(), alice, docs[0].ID); err != nil {
				t.Fatal(err)
			}
			docs = docs[1:]
		}
		for n, s := range servers {
			c, err := s.Candidates(t.Context(), alice, rag.Query{Text: "heron", Vector: vector(r, 16), Model: testModel(), Limit: 100})
			if err != nil || len(c.Lexical) != 3*len(docs) || len(c.Vector) != 3*len(docs) {
				t.Fatalf("server %d after document %d: %d and %d of %d, %v", n, i, len(c.Lexical), len(c.Vector), 3*len(docs), err)
			}
			list, next, err := s.Documents(t.Context(), alice, rag.Page{Limit: 2})
			if err != nil || len(list) != min(2, len(docs)) {
				t.Fatalf("server %d: %v, %v", n, list, err)
			}
			if next == "" {
				continue
			}
			if _, _, err := servers[(n+1)%3].Documents(t.Context(), alice, rag.Page{Limit: 2, Cursor: next}); err != nil {
				t.Errorf("a cursor of another server: %v", err)
			}
		}
	}
}

// TestServersShareTheQueue: three servers, 60 documents of several users; one of
// the servers leaves with documents in hand.
func TestServersShareTheQueue(t *testing.T) {
	a := address(t)
	const documents, ttl = 60, 300 * time.Millisecond
	first := open(t, postgres.Config{Address: a})
	for i := range documents {
		if _, _, err := first.Add(t.Context(), rag.User(fmt.Sprint("user ", i%7)), upload(fmt.Sprint(i), fmt.Sprint("text ", i))); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	published := map[string]int{}
	var wg sync.WaitGroup
	for n := range 3 {
		s := first
		if n > 0 {
			s = open(t, postgres.Config{Address: a})
		}
		wg.Go(func() {
			for taken := 0; ; taken++ {
				job, err := s.Lease(t.Context(), ttl)
				if err != nil {
					t.Errorf("Lease: %v", err)
					return
				}
				if job == nil {
					mu.Lock()
					all := len(published) == documents
					mu.Unlock()
					if all {
						return
					}
					wait, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
					<-wait.Done()
					cancel()
					continue
				}
				if n == 2 && taken == 5 {
					return // with a document in hand
				}
				err = s.Stage(t.Context(), *job, rag.Extracted{Chunks: []rag.Chunk{{Content: "heron"}}})
				if err == nil {
					err = s.Publish(t.Context(), *job, rag.Model{})
				}
				if errors.Is(err, rag.ErrLeaseLost) {
					continue // the machine was slow; somebody else has it
				}
				if err != nil {
					t.Errorf("work: %v", err)
					return
				}
				mu.Lock()
				published[job.Document.ID]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for id, n := range published {
		if n != 1 {
			t.Errorf("%s was published %d times", id, n)
		}
	}
	if queued, working, err := first.Pending(t.Context()); queued+working != 0 || err != nil || len(published) != documents {
		t.Errorf("%d published, %d and %d left, %v", len(published), queued, working, err)
	}
}

// TestRowLevelSecurity: what a connection does not say whose it is sees nothing,
// and what it says it is for is all it sees, in the tables and their partitions.
func TestRowLevelSecurity(t *testing.T) {
	c := cluster(t)
	db := c.Database(t)
	s := open(t, postgres.Config{Address: c.URL(pgtest.Role, db)})
	r := rand.New(rand.NewPCG(5, 6))
	publish(t, s, alice, "a.txt", 3, testModel(), r)
	publish(t, s, "bob", "b.txt", 4, testModel(), r)
	if _, _, err := s.Add(t.Context(), "bob", upload("c.txt", "queued")); err != nil {
		t.Fatal(err)
	}
	swept(t, s, func() error {
		if n := c.Number(t, db, "SELECT count(*) FROM weir.waste"); n != 0 {
			return fmt.Errorf("%d rows of waste", n)
		}
		return nil
	})
	conn, err := pgx.Connect(t.Context(), c.URL(pgtest.Role, db))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	count := func(owner, table string) (n int) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), fmt.Sprintf("SET weir.owner = '%s'", owner)); err != nil {
			t.Fatal(err)
		}
		if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM weir."+table).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	partitions := func(owner, table string) (n int) {
		for i := range 16 {
			n += count(owner, fmt.Sprintf("%s_%d", table, i))
		}
		return n
	}
	for _, test := range []struct {
		table               string
		nobody, alice, bobs int
	}{
		{"documents", 0, 1, 2}, {"chunks", 0, 3, 4}, {"vectors", 0, 3, 4}, {"owners", 0, 1, 1}, {"blobs", 0, -1, -1}, {"waste", 0, 0, 0},
	} {
		for owner, want := range map[string]int{"": test.nobody, postgres.OwnerOf(alice): test.alice, postgres.OwnerOf("bob"): test.bobs} {
			got := count(owner, test.table)
			if (want >= 0 && got != want) || (want < 0 && got == 0) || partitions(owner, test.table) != got {
				t.Errorf("%s as %q: %d rows, want %d; %d in the partitions", test.table, owner, got, want, partitions(owner, test.table))
			}
		}
	}
	count(postgres.OwnerOf(alice), "documents")
	if _, err := conn.Exec(t.Context(), "INSERT INTO weir.waste (owner, body, keep_until) VALUES ($1, 1, now())", postgres.OwnerOf("bob")); err == nil {
		t.Error("a row was written for another")
	}
	if tag, err := conn.Exec(t.Context(), "UPDATE weir.documents SET title = 'mine' WHERE owner = $1", postgres.OwnerOf("bob")); err != nil || tag.RowsAffected() != 0 {
		t.Errorf("%d rows of another were changed, %v", tag.RowsAffected(), err)
	}
	// The queue sees documents, and nothing of what is in them.
	if _, err := conn.Exec(t.Context(), "SET weir.scope = 'queue'"); err != nil {
		t.Fatal(err)
	}
	if n := count("", "documents"); n != 3 {
		t.Errorf("the queue sees %d documents, want 3", n)
	}
	if n := count("", "chunks") + count("", "vectors") + count("", "blobs"); n != 0 {
		t.Errorf("the queue sees %d rows of what is in documents", n)
	}
}

// swept sweeps until check is content: the store's own sweeper may be holding
// what there is to be swept.
func swept(t testing.TB, s *postgres.Store, check func() error) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var err error
	for range 250 {
		if err := s.SweepAll(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err = check(); err == nil {
			return
		}
		<-tick.C
	}
	t.Error(err)
}

// TestSweep: what is replaced, deleted or given up leaves nothing behind.
func TestSweep(t *testing.T) {
	c := cluster(t)
	db := c.Database(t)
	s := open(t, postgres.Config{Address: c.URL(pgtest.Role, db)})
	r := rand.New(rand.NewPCG(5, 6))
	keep := publish(t, s, alice, "keep.txt", 3, testModel(), r)
	for range 3 {
		d := publish(t, s, alice, "gone.txt", 1500, testModel(), r)
		if err := s.Delete(t.Context(), alice, d.ID); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := s.Add(t.Context(), alice, upload("given up", "x")); err != nil {
		t.Fatal(err)
	}
	job, err := s.Lease(t.Context(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Stage(t.Context(), *job, rag.Extracted{Chunks: []rag.Chunk{{Content: "a"}, {Index: 1, Content: "b"}}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Cancel(t.Context(), alice, job.Document.ID); err != nil {
		t.Fatal(err)
	}
	swept(t, s, func() (err error) {
		for table, want := range map[string]int64{"chunks": 3, "vectors": 3, "blobs": 1, "waste": 0, "documents": 2} {
			if n := c.Number(t, db, "SELECT count(*) FROM weir."+table); n != want {
				err = errors.Join(err, fmt.Errorf("%s: %d rows, want %d", table, n, want))
			}
		}
		return err
	})
	if got, err := s.Chunks(t.Context(), alice, []rag.Ref{{DocID: keep.ID, Index: 2}}); err != nil || len(got) != 1 {
		t.Errorf("%v, %v", got, err)
	}
}

// TestOldModelsAreSwept: nothing is left of a model that is no longer in use, and
// nothing taken of one that documents are moved to.
func TestOldModelsAreSwept(t *testing.T) {
	c := cluster(t)
	db := c.Database(t)
	s := open(t, postgres.Config{Address: c.URL(pgtest.Role, db)})
	r := rand.New(rand.NewPCG(5, 6))
	const n = 2300
	publish(t, s, alice, "a.txt", n, testModel(), r)
	to := rag.Model{Name: "to", Dim: 3}
	o, err := s.Outdated(t.Context(), to, 0)
	if err != nil || o == nil {
		t.Fatalf("Outdated: %v, %v", o, err)
	}
	var indexes []int
	var vectors [][]float32
	for i := range n {
		indexes, vectors = append(indexes, i), append(vectors, vector(r, to.Dim))
	}
	l, err := s.BeginMove(t.Context(), to, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.PutMoved(t.Context(), l, *o, indexes, vectors); err != nil {
		t.Fatal(err)
	}
	want := func(all int64) {
		t.Helper()
		swept(t, s, func() error {
			if got := c.Number(t, db, "SELECT count(*) FROM weir.vectors"); got != all {
				return fmt.Errorf("%d vectors, want %d", got, all)
			}
			return nil
		})
	}
	want(2 * n)
	if err := s.Prepare(t.Context(), l, *o); err != nil {
		t.Fatal(err)
	}
	want(2 * n)
	if left, err := s.SwitchModel(t.Context(), l); err != nil || left != 0 {
		t.Fatalf("SwitchModel: %d, %v", left, err)
	}
	want(n)
	got, err := s.Candidates(t.Context(), alice, rag.Query{Vector: vector(r, 3), Model: to, Limit: 10})
	if err != nil || len(got.Vector) != 10 || got.NoVector != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestGraphs: a large user is searched through a graph and finds what the exact
// search finds; small users, other models and filters are as they were.
func TestGraphs(t *testing.T) {
	a := address(t)
	s := open(t, postgres.Config{Address: a, Graphs: postgres.Graphs{From: 2000}})
	exact := open(t, postgres.Config{Address: a, Graphs: postgres.Graphs{From: -1}})
	r := rand.New(rand.NewPCG(8, 9))
	m := rag.Model{Name: "large", Dim: 64}
	other := rag.Model{Name: "other", Dim: 64}
	var big []rag.Document
	for i := range 4 {
		big = append(big, publish(t, s, alice, fmt.Sprintf("%d.txt", i), 1000, m, r))
	}
	publish(t, s, alice, "other.txt", 30, other, r)
	var tiny rag.User
	for n := 0; tiny == ""; n++ { // one in the same partition
		user := rag.User(fmt.Sprint("tiny ", n))
		publish(t, s, user, "t.txt", 20, m, r)
		if cluster(t) != nil && samePartition(t, a, alice, user) {
			tiny = user
		}
	}
	ask := func(s *postgres.Store, user rag.User, q rag.Query) []rag.Candidate {
		t.Helper()
		c, err := s.Candidates(t.Context(), user, q)
		if err != nil {
			t.Fatal(err)
		}
		return c.Vector
	}
	recall := func() (found float64) {
		hits, all := 0, 0
		for range 50 {
			q := rag.Query{Vector: vector(r, 64), Model: m, Limit: 10}
			want := map[rag.Ref]bool{}
			for _, h := range ask(exact, alice, q) {
				want[h.Ref] = true
			}
			got := ask(s, alice, q)
			if len(got) != 10 {
				t.Errorf("%d hits", len(got))
			}
			for i, h := range got {
				if i > 0 && h.Cosine > got[i-1].Cosine {
					t.Error("not best first")
				}
				if want[h.Ref] {
					hits++
				}
				all++
			}
		}
		return float64(hits) / float64(all)
	}
	if got := recall(); got != 1 || s.GraphSearches() != 0 {
		t.Errorf("without a graph: recall %v, %d searches through one", got, s.GraphSearches())
	}
	if err := s.MakeGraphs(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := recall(); got < 0.97 || s.GraphSearches() != 50 {
		t.Errorf("recall %v, %d of 50 searches through the graph", got, s.GraphSearches())
	}
	if got := ask(s, tiny, rag.Query{Vector: vector(r, 64), Model: m, Limit: 20}); len(got) != 20 {
		t.Errorf("a tiny user gets %d of 20", len(got))
	}
	if got := ask(s, alice, rag.Query{Vector: vector(r, 64), Model: other, Limit: 100}); len(got) != 30 {
		t.Errorf("%d vectors of the other model, want 30", len(got))
	}
	if got := ask(s, alice, rag.Query{Vector: vector(r, 64), Model: m, Limit: 100, Documents: []string{big[2].ID}}); len(got) != 100 || got[0].DocID != big[2].ID {
		t.Errorf("%d hits in one document", len(got))
	}
	before := s.GraphSearches()
	// What was deleted is not found, though the graph may know it.
	for _, d := range big[:3] {
		if err := s.Delete(t.Context(), alice, d.ID); err != nil {
			t.Fatal(err)
		}
	}
	for _, h := range ask(s, alice, rag.Query{Vector: vector(r, 64), Model: m, Limit: 400}) {
		if h.DocID != big[3].ID {
			t.Fatalf("found %s, which is gone", h.DocID)
		}
	}
	if s.GraphSearches() != before {
		t.Error("a user who is small again is searched through the graph")
	}
	if err := s.MakeGraphs(t.Context()); err != nil {
		t.Errorf("again: %v", err)
	}
}

// TestGraphBrokenOff: what is left of a making that broke off is not used, and
// made anew.
func TestGraphBrokenOff(t *testing.T) {
	c := cluster(t)
	db := c.Database(t)
	s := open(t, postgres.Config{Address: c.URL(pgtest.Role, db), Graphs: postgres.Graphs{From: 100}})
	r := rand.New(rand.NewPCG(8, 9))
	publish(t, s, alice, "a.txt", 200, testModel(), r)
	if err := s.MakeGraphs(t.Context()); err != nil {
		t.Fatal(err)
	}
	through := func() bool {
		t.Helper()
		before := s.GraphSearches()
		got, err := s.Candidates(t.Context(), alice, question(r))
		if err != nil || len(got.Vector) != 5 {
			t.Fatalf("%+v, %v", got, err)
		}
		return s.GraphSearches() > before
	}
	if !through() {
		t.Error("no search through the graph")
	}
	c.SQL(t, db, "UPDATE pg_index SET indisvalid = false WHERE indexrelid IN (SELECT oid FROM pg_class WHERE relname LIKE '%_graph_%')")
	if through() {
		t.Error("a search through what is not finished")
	}
	// Another server is at it.
	c.SQL(t, db, "UPDATE weir.chores SET until = now() + interval '1 hour'")
	if err := s.MakeGraphs(t.Context()); err != nil || through() {
		t.Errorf("made although another server is at it; %v", err)
	}
	c.SQL(t, db, "UPDATE weir.chores SET until = now()")
	if err := s.MakeGraphs(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !through() {
		t.Error("not made anew")
	}
	if n := c.Number(t, db, "SELECT count(*) FROM pg_class WHERE relname LIKE '%_graph_%'"); n != 1 {
		t.Errorf("%d graphs", n)
	}
}

// TestCloseLeavesNothing: no goroutine and no connection, also of calls that
// were given up.
func TestCloseLeavesNothing(t *testing.T) {
	c := cluster(t)
	db := c.Database(t)
	before := goleak.IgnoreCurrent()
	s, err := postgres.Open(t.Context(), postgres.Config{Address: c.URL(pgtest.Role, db)})
	if err != nil {
		t.Fatal(err)
	}
	publish(t, s, alice, "a.txt", 20, testModel(), rand.New(rand.NewPCG(1, 2)))
	release := lock(t, c, db)
	if _, errs := callers(t, s, 4, 50*time.Millisecond); len(errs) != 4 {
		t.Errorf("%v", errs)
	}
	release()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	goleak.VerifyNone(t, before)
	// A backend of the database goes some moments after its client.
	tick, bound := time.NewTicker(20*time.Millisecond), time.NewTimer(5*time.Second)
	defer tick.Stop()
	defer bound.Stop()
	for n := connections(t, c, db); n != 0; n = connections(t, c, db) {
		select {
		case <-tick.C:
		case <-bound.C:
			t.Fatalf("%d connections are left", n)
		}
	}
}

func samePartition(t testing.TB, address string, a, b rag.User) bool {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	part := func(user rag.User) (oid uint32) {
		if _, err := conn.Exec(t.Context(), fmt.Sprintf("SET weir.owner = '%s'", postgres.OwnerOf(user))); err != nil {
			t.Fatal(err)
		}
		if err := conn.QueryRow(t.Context(), "SELECT tableoid FROM weir.vectors LIMIT 1").Scan(&oid); err != nil {
			t.Fatal(err)
		}
		return oid
	}
	return part(a) == part(b)
}

// TestLargeVectors: beyond what an index can hold, and what a page of the
// database can.
func TestLargeVectors(t *testing.T) {
	s := open(t, postgres.Config{Address: address(t), Graphs: postgres.Graphs{From: 20}})
	r := rand.New(rand.NewPCG(8, 9))
	for _, test := range []struct {
		dim     int
		indexed bool
	}{{1536, true}, {3072, true}, {4000, true}, {4096, false}} {
		m := rag.Model{Name: "large", Dim: test.dim}
		user := rag.User(fmt.Sprint("user of ", test.dim))
		publish(t, s, user, "a.txt", 30, m, r)
		if err := s.MakeGraphs(t.Context()); err != nil {
			t.Fatal(err)
		}
		before := s.GraphSearches()
		c, err := s.Candidates(t.Context(), user, rag.Query{Vector: vector(r, test.dim), Model: m, Limit: 30})
		if err != nil || len(c.Vector) != 30 {
			t.Errorf("%d dimensions: %d of 30, %v", test.dim, len(c.Vector), err)
		}
		if got := s.GraphSearches() > before; got != test.indexed {
			t.Errorf("%d dimensions: through a graph: %t", test.dim, got)
		}
	}
}

// TestExtensionElsewhere: pgvector may be in any schema, and the tables in any
// other.
func TestExtensionElsewhere(t *testing.T) {
	c := cluster(t)
	db := c.Database(t)
	c.SQL(t, db, "DROP EXTENSION vector; CREATE SCHEMA extensions; CREATE EXTENSION vector SCHEMA extensions; GRANT USAGE ON SCHEMA extensions TO "+pgtest.Role)
	s := open(t, postgres.Config{Address: c.URL(pgtest.Role, db), Schema: "passages_2", Graphs: postgres.Graphs{From: 10}})
	publish(t, s, alice, "a.txt", 50, testModel(), rand.New(rand.NewPCG(1, 2)))
	if err := s.MakeGraphs(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, errs := callers(t, s, 5, 10*time.Second); len(errs) > 0 || s.GraphSearches() != 5 {
		t.Errorf("%v, %d searches through the graph", errs, s.GraphSearches())
	}
	c.SQL(t, db, `CREATE SCHEMA "Old Tables"; CREATE TABLE "Old Tables".documents (document_id uuid, user_id text);
CREATE TABLE "Old Tables".document_chunks (document_id uuid, chunk_ord int, text text, embedding extensions.vector(16), embed_model text)`)
	old, err := postgres.Adopt(t.Context(), postgres.Config{Address: c.Superuser(db), Schema: "Old Tables"})
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	if got, err := old.Candidates(t.Context(), alice, question(rand.New(rand.NewPCG(1, 2)))); err != nil || got.Chunks != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	for _, schema := range []string{"With Space", "1st", "pg_own", "a;b", "Ä"} {
		_, err := postgres.Open(t.Context(), postgres.Config{Address: c.URL(pgtest.Role, db), Schema: schema})
		if rag.CodeOf(err) != rag.Invalid {
			t.Errorf("schema %q: %v", schema, err)
		}
	}
}

// TestServerFallsSilent: what a server holds that was stopped in the middle of a
// transaction is taken from it, by the database, soon after its time.
func TestServerFallsSilent(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: takes seconds")
	}
	a := address(t)
	silent, other := open(t, postgres.Config{Address: a}), open(t, postgres.Config{Address: a})
	d := publish(t, other, alice, "a.txt", 3, testModel(), rand.New(rand.NewPCG(1, 2)))
	holds, release, left := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		left <- silent.Hold(ctx, alice, holds, release)
	}()
	select {
	case <-holds:
	case err := <-left:
		t.Fatalf("nothing is held: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	wantTold(t, other.Delete(ctx, alice, d.ID), "Delete while another holds it", rag.Timeout)
	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := other.Delete(ctx, alice, d.ID); err != nil {
		t.Errorf("Delete: %v", err)
	}
	close(release)
	if err := <-left; err == nil {
		t.Error("what was taken away was committed")
	}
}
