package postgres_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"weir/internal/postgres"
	"weir/internal/postgres/pgtest"
	"weir/internal/rag"
)

// sizes is how many chunks users of a class have, and how many users there are.
type sizes struct {
	class       string
	users       int
	least, most int
	search      int // how many searches are measured
}

func measured() []sizes {
	return []sizes{
		{class: "20–150", users: 472, least: 20, most: 150, search: 200},
		{class: "1,500", users: 20, least: 1500, most: 1500, search: 100},
		{class: "8,000", users: 5, least: 8000, most: 8000, search: 60},
		{class: "20,000", users: 2, least: 20_000, most: 20_000, search: 40},
		{class: "50,000", users: 1, least: 50_000, most: 50_000, search: 40},
	}
}

// topics makes vectors as embeddings lie: one strong common direction, topics of
// which a user has a few, and the rest.
type topics struct {
	dim    int
	common []float32
	all    [][]float32
}

func newTopics(r *rand.Rand, dim, n int) topics {
	t := topics{dim: dim, common: vector(r, dim)}
	for range n {
		t.all = append(t.all, vector(r, dim))
	}
	return t
}

func (t topics) vector(r *rand.Rand, own []int) []float32 {
	v := make([]float32, t.dim)
	topic := t.all[own[r.IntN(len(own))]]
	noise := vector(r, t.dim)
	sum := 0.0
	for i := range v {
		v[i] = 0.6*t.common[i] + 0.5*topic[i] + 0.7*noise[i]
		sum += float64(v[i]) * float64(v[i])
	}
	for i := range v {
		v[i] = float32(float64(v[i]) / math.Sqrt(sum))
	}
	return v
}

// person is a user of the measurement.
type person struct {
	user   rag.User
	class  int
	n      int
	topics []int
}

// TestMeasure prints the tables of docs/PERFORMANCE.md. It takes minutes, and
// runs only with WEIR_MEASURE=1; WEIR_MEASURE_DIM and WEIR_MEASURE_SCALE (a
// divisor) make it smaller. WEIR_MEASURE=adopted leaves the own layout
// out, and WEIR_MEASURE_INDEX=hnsw the other index.
func TestMeasure(t *testing.T) {
	if os.Getenv("WEIR_MEASURE") == "" {
		t.Skip("skipped: takes minutes; WEIR_MEASURE=1 runs it")
	}
	dim, scale := number("WEIR_MEASURE_DIM", 1536), number("WEIR_MEASURE_SCALE", 1)
	c := pgtest.Start(t, pgtest.Settings{Extra: []string{
		"shared_buffers=6GB", "maintenance_work_mem=2GB", "max_parallel_maintenance_workers=3", "autovacuum=off", "dynamic_shared_memory_type=mmap",
	}})
	db := c.Database(t)
	s := open(t, postgres.Config{Address: c.URL(pgtest.Role, db), Graphs: postgres.Graphs{From: 4000 / scale, Sparse: 1e9}})
	exact := open(t, postgres.Config{Address: c.URL(pgtest.Role, db), Graphs: postgres.Graphs{From: -1}})
	automatic := open(t, postgres.Config{Address: c.URL(pgtest.Role, db)}) // whose graphs are those that s makes
	pool, err := pgxpool.New(t.Context(), c.Superuser(db))
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	r := rand.New(rand.NewPCG(2026, 11))
	all := newTopics(r, dim, 300)
	people := fillMeasured(t, pool, all, r, dim, scale)
	step := func(name, sql string) {
		t.Helper()
		began := time.Now()
		if _, err := pool.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		t.Logf("%s: %.1fs", name, time.Since(began).Seconds())
	}
	step("analyze", "ANALYZE")
	ownToo := os.Getenv("WEIR_MEASURE") != "adopted"
	if ownToo {
		began := time.Now()
		if err := s.MakeGraphs(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Logf("graphs of the own layout: %.1fs", time.Since(began).Seconds())
	}
	adopt := func(g postgres.Graphs) *postgres.Adopted {
		old, err := postgres.Adopt(t.Context(), postgres.Config{Address: c.Superuser(db), Graphs: g})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = old.Close() })
		return old
	}
	m := rag.Model{Name: "measured", Dim: dim}
	truth := map[string][]string{}
	// As the service asks: for the best hundred, of which the first ten count.
	search := func(s rag.Store) func(p person, q []float32) []string {
		return func(p person, q []float32) []string {
			got, err := s.Candidates(t.Context(), p.user, rag.Query{Vector: q, Model: m, Limit: 100})
			if err != nil {
				t.Fatal(err)
			}
			var out []string
			for _, h := range got.Vector[:min(10, len(got.Vector))] {
				out = append(out, fmt.Sprint(h.DocID, h.Index))
			}
			return out
		}
	}
	oldQuery := func(settings string) func(p person, q []float32) []string {
		return func(p person, q []float32) (out []string) {
			err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
				if _, err := tx.Exec(t.Context(), settings); err != nil {
					return err
				}
				rows, err := tx.Query(t.Context(), fmt.Sprintf(`
SELECT d.document_id::text || dc.chunk_ord FROM upload_pipeline.document_chunks dc JOIN upload_pipeline.documents d ON d.document_id = dc.document_id
WHERE d.user_id = $1 AND dc.embedding IS NOT NULL ORDER BY dc.embedding <=> $2::real[]::vector(%d) LIMIT 10`, dim), string(p.user), q)
				if err != nil {
					return err
				}
				out, err = pgx.CollectRows(rows, pgx.RowTo[string])
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
	}
	t.Log("| | chunks | recall@10 | hits of 10 | p50 ms | p99 ms |")
	t.Log("|---|---|---|---|---|---|")
	report := func(name string, people []person, find func(p person, q []float32) []string) {
		t.Helper()
		for class, size := range measured() {
			var mine []person
			for _, p := range people {
				if p.class == class {
					mine = append(mine, p)
				}
			}
			q := rand.New(rand.NewPCG(99, uint64(class)))
			var took []time.Duration
			hits, whole, got := 0, 0, 0
			for i := range size.search {
				p := mine[i%len(mine)]
				ask := all.vector(q, p.topics)
				if i < len(mine) {
					find(p, ask) // once to warm it
				}
				began := time.Now()
				found := find(p, ask)
				took = append(took, time.Since(began))
				key := fmt.Sprint(class, " ", i)
				if truth[key] == nil {
					truth[key] = found
				}
				whole += len(truth[key])
				got += len(found)
				for _, f := range found {
					if slices.Contains(truth[key], f) {
						hits++
					}
				}
			}
			slices.Sort(took)
			t.Logf("| %s | %s | %.3f | %.1f | %.1f | %.1f |", name, size.class, float64(hits)/float64(whole), float64(got)/float64(size.search),
				ms(took[len(took)/2]), ms(took[len(took)*99/100]))
		}
	}
	if ownToo {
		report("own, one by one", people, search(exact))
		for _, effort := range []int{100, 200, 400, 800} {
			through := open(t, postgres.Config{Address: c.URL(pgtest.Role, db), Graphs: postgres.Graphs{From: 4000 / scale, Sparse: 1e9, Effort: effort}})
			report(fmt.Sprintf("own, through graphs, effort %d", effort), people, search(through))
		}
		report("own, as it decides", people, search(automatic))
	}
	report("adopted, one by one", people, search(adopt(postgres.Graphs{From: -1})))
	through := func(index string) {
		t.Helper()
		report("old query, "+index, people, oldQuery("SELECT 1"))
		for _, effort := range []int{100, 200, 400} {
			old := adopt(postgres.Graphs{From: 1000 / scale, Sparse: 1e9, Effort: effort})
			report(fmt.Sprintf("adopted, always through %s, effort %d", index, effort), people, search(old))
			t.Logf("%d searches went through it", old.IndexSearches())
		}
		report("adopted, as it decides with "+index, people, search(adopt(postgres.Graphs{})))
	}
	if os.Getenv("WEIR_MEASURE_INDEX") != "hnsw" {
		step("IVFFlat (lists 450)", "CREATE INDEX ivf ON upload_pipeline.document_chunks USING ivfflat (embedding vector_cosine_ops) WITH (lists = 450)")
		step("analyze", "ANALYZE upload_pipeline.document_chunks")
		through("IVFFlat")
		step("drop", "DROP INDEX upload_pipeline.ivf")
	}
	step("HNSW", "CREATE INDEX hnsw ON upload_pipeline.document_chunks USING hnsw (embedding vector_cosine_ops)")
	through("HNSW")
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func number(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

// fillMeasured writes the same users, documents and vectors into both layouts.
func fillMeasured(t *testing.T, pool *pgxpool.Pool, all topics, r *rand.Rand, dim, scale int) (people []person) {
	t.Helper()
	ctx := t.Context()
	began := time.Now()
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := pool.Exec(ctx, sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	exec(strings.Split(fmt.Sprintf(oldTables("text", fmt.Sprintf("vector(%d)", dim)), "x"), "CREATE ROLE")[0])
	exec("INSERT INTO weir.models (name, dimensions) VALUES ('measured', $1)", dim)
	exec("CREATE UNLOGGED TABLE public.filling (owner uuid, username text, doc uuid, body bigint, idx int, txt text, v real[])")
	for class, size := range measured() {
		for n := range size.users {
			p := person{user: rag.User(fmt.Sprintf("class %d user %d", class, n)), class: class, n: (size.least + r.IntN(size.most-size.least+1)) / scale}
			for range min(20, 3+p.n/500) {
				p.topics = append(p.topics, r.IntN(len(all.all)))
			}
			people = append(people, p)
		}
	}
	r.Shuffle(len(people), func(i, j int) { people[i], people[j] = people[j], people[i] })
	const perDocument = 200
	var rows [][]any
	flush := func() {
		if _, err := pool.CopyFrom(ctx, pgx.Identifier{"public", "filling"}, []string{"owner", "username", "doc", "body", "idx", "txt", "v"}, pgx.CopyFromRows(rows)); err != nil {
			t.Fatal(err)
		}
		rows = rows[:0]
	}
	body, total := int64(0), 0
	for _, p := range people {
		owner := uuid.MustParse(postgres.OwnerOf(p.user))
		var doc uuid.UUID
		for i := range p.n {
			if i%perDocument == 0 {
				body++
				doc = uuid.New()
			}
			rows = append(rows, []any{owner, string(p.user), doc, body, int32(i % perDocument), fmt.Sprintf("heron %d of %s", i, p.user), all.vector(r, p.topics)})
			if total++; len(rows) == 2000 {
				flush()
			}
		}
	}
	flush()
	exec(`INSERT INTO weir.owners (owner, name, generation) SELECT DISTINCT owner, convert_to(username, 'UTF8'), 1 FROM public.filling`)
	exec(`INSERT INTO weir.documents (owner, id, key, body, filename, folded, status, bytes, sha256, chunks, model, replaces, due_at, created_at, updated_at)
SELECT owner, doc, body, body, 'd' || body, 'd' || body, 'ready', 1, 'x' || body, count(*), 1, false, now(), now(), now() FROM public.filling GROUP BY owner, doc, body`)
	exec(`INSERT INTO weir.chunks SELECT owner, body, idx, txt, NULL, '', 0, 0, 5 FROM public.filling`)
	exec(`INSERT INTO weir.vectors SELECT owner, 1, body, idx, v::vector FROM public.filling`)
	exec(`INSERT INTO upload_pipeline.documents (document_id, user_id, filename) SELECT DISTINCT doc, username, 'd' || body FROM public.filling`)
	exec(`INSERT INTO upload_pipeline.document_chunks (document_id, chunk_ord, text, embedding, embed_model) SELECT doc, idx, txt, v::vector, 'measured' FROM public.filling`)
	exec("DROP TABLE public.filling")
	exec("SELECT setval('weir.keys', $1)", body+1)
	t.Logf("filled %d chunks of %d users in %.0fs", total, len(people), time.Since(began).Seconds())
	return people
}
