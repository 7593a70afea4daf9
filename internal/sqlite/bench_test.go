package sqlite

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"weir/internal/rag"
)

const benchDim = 384

// prose makes passages of about 120 words whose frequencies follow Zipf's law.
type prose struct {
	r *rand.Rand
	z *rand.Zipf
}

func newProse(seed uint64) prose {
	r := rand.New(rand.NewPCG(seed, 1))
	return prose{r: r, z: rand.NewZipf(r, 1.1, 4, 50_000)}
}

func (p prose) word() string {
	n := p.z.Uint64()
	var b strings.Builder
	for n += 26; n > 0; n /= 26 {
		b.WriteByte("etaoinshrdlucmfwypvbgkjqxz"[n%26])
	}
	return b.String()
}

func (p prose) text(words int) string {
	out := make([]string, words)
	for i := range out {
		out[i] = p.word()
	}
	return strings.Join(out, " ")
}

// clustered makes a vector near one of 200 centers, all of which share a direction.
func (p prose) clustered(dim int) []float32 {
	c := rand.New(rand.NewPCG(p.r.Uint64N(200), 2))
	v := make([]float32, dim)
	n := 0.0
	for i := range v {
		x := 0.6 + c.NormFloat64() + 0.7*p.r.NormFloat64()
		v[i], n = float32(x), n+x*x
	}
	for i := range v {
		v[i] = float32(float64(v[i]) / math.Sqrt(n))
	}
	return v
}

// benchStore holds one user of so many chunks, in documents of 100.
func benchStore(b *testing.B, cfg Config, chunks int) *Store {
	b.Helper()
	ctx := b.Context()
	s, err := Open(ctx, cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	p := newProse(7)
	model := rag.Model{Name: "bench", Dim: benchDim}
	start := time.Now()
	const each = 100
	for i := range chunks / each {
		if _, _, err := s.Add(ctx, "u", rag.NewDocument{Filename: "a.txt", Content: []byte("x"), SHA256: fmt.Sprintf("%064d", i)}); err != nil {
			b.Fatal(err)
		}
		job, err := s.Lease(ctx, time.Hour)
		if err != nil || job == nil {
			b.Fatal(err)
		}
		x := rag.Extracted{Chunks: make([]rag.Chunk, each)}
		indexes, vectors := make([]int, each), make([][]float32, each)
		for j := range each {
			x.Chunks[j] = rag.Chunk{Index: j, Content: p.text(120)}
			indexes[j], vectors[j] = j, p.clustered(benchDim)
		}
		for _, err := range []error{s.Stage(ctx, *job, x), s.PutVectors(ctx, *job, model, indexes, vectors), s.Publish(ctx, *job, model)} {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Logf("%d chunks ingested in %v", chunks, time.Since(start).Round(time.Millisecond))
	return s
}

// BenchmarkCandidates is a whole search, from the call to the candidates.
func BenchmarkCandidates(b *testing.B) {
	for _, chunks := range []int{1000, 10_000, 100_000} {
		b.Run(fmt.Sprint(chunks), func(b *testing.B) {
			s := benchStore(b, Config{Dir: b.TempDir()}, chunks)
			model := rag.Model{Name: "bench", Dim: benchDim}
			for _, half := range []string{"lexical", "vector", "hybrid"} {
				b.Run(half, func(b *testing.B) {
					p := newProse(99)
					var took []time.Duration
					for b.Loop() {
						q := rag.Query{Limit: 50}
						if half != "vector" {
							q.Text = p.text(6)
						}
						if half != "lexical" {
							q.Vector, q.Model = p.clustered(benchDim), model
						}
						start := time.Now()
						c, err := s.Candidates(b.Context(), "u", q)
						if err != nil || c.Chunks != chunks || (q.Vector != nil && len(c.Vector) != 50) {
							b.Fatal(err)
						}
						took = append(took, time.Since(start))
					}
					slices.Sort(took)
					b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
					b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
				})
			}
			b.Run("parallel", func(b *testing.B) {
				b.RunParallel(func(pb *testing.PB) {
					p := newProse(98)
					for pb.Next() {
						q := rag.Query{Text: p.text(6), Vector: p.clustered(benchDim), Model: model, Limit: 50}
						if _, err := s.Candidates(b.Context(), "u", q); err != nil {
							b.Error(err)
						}
					}
				})
			})
			b.Run("load", func(b *testing.B) {
				for b.Loop() {
					x, err := s.loadIndex(b.Context(), "u")
					if err != nil {
						b.Fatal(err)
					}
					b.ReportMetric(float64(x.bytes())/1e6, "MB")
					x.close()
				}
			})
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	for b.Loop() {
		s, err := Open(b.Context(), Config{Dir: dir})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPointRead(b *testing.B) {
	s := benchStore(b, Config{Dir: b.TempDir()}, 10_000)
	err := s.read(b.Context(), s.other, "read", func(c *conn) error {
		i := 0
		for b.Loop() {
			i = (i + 7919) % 10_000
			if _, err := c.row("SELECT data FROM vectors WHERE id = ?", func(*sqlite3.Stmt) {}, vectorID(int64(2+i/100*2), i%100, 1)); err != nil {
				return err
			}
		}
		return context.Cause(b.Context())
	})
	if err != nil {
		b.Fatal(err)
	}
}
