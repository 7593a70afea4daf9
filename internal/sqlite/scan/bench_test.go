package scan

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/philippgille/chromem-go"
)

// All benchmarks search for the best 10. Queries run on as many goroutines as -cpu says, so with -cpu 4 ns/op is the time
// between two answers of four cores at work. recall@10 and rescored are means over the benchmark's queries, all of which
// were answered once before the clock started; 100 vectors to a document.
const (
	benchK       = 10
	benchQueries = 100
	benchPer     = 100
)

func BenchmarkSearch(b *testing.B) {
	for _, dim := range []int{384, 1536} {
		for _, n := range []int{1000, 10_000, 100_000} {
			for _, kind := range kinds {
				b.Run(fmt.Sprintf("%dx%d/%s", n, dim, kind), func(b *testing.B) {
					src := newSource(kind, dim, n)
					vecs := src.many(1, n)
					queries := src.many(2, benchQueries)
					lib := build(b, vecs, benchPer, int64(4*n*dim))
					want := make([][]Hit, len(queries))
					spread(len(queries), func(i int) { want[i] = lib.exact(queries[i], benchK) })

					cold := build(b, vecs, benchPer, 0)
					b.Run("cold", func(b *testing.B) { benchIndex(b, cold, queries, want) })
					cold.Close()
					lib.warm(b)
					b.Run("codes", func(b *testing.B) { benchIndex(b, lib, queries, want) })
					if kind != "biased" { // the others look at every vector, whatever it is
						return
					}
					if lib.use != isaGo {
						lib.use = isaGo
						b.Run("codes-in-go", func(b *testing.B) { benchIndex(b, lib, queries, want) })
					}
					b.Run("floats", func(b *testing.B) { benchFloats(b, vecs, queries, want) })
					b.Run("chromem", func(b *testing.B) { benchChromem(b, vecs, queries, want) })
				})
			}
		}
	}
}

// BenchmarkUser asks a random one of 1,000 users, each with an index of their own of 1,000 vectors.
func BenchmarkUser(b *testing.B) {
	const users, n, dim = 1000, 1000, 384
	for _, kind := range kinds {
		b.Run(kind, func(b *testing.B) {
			src := newSource(kind, dim, n)
			queries := src.many(2, benchQueries)
			libs := make([]*library, users)
			var right, rescored float64
			for u := range libs {
				lib := build(b, src.many(1000+u, n), benchPer, 4*n*dim)
				lib.warm(b)
				q := queries[u%len(queries)]
				hits, st, err := lib.Search(b.Context(), q, benchK, nil, lib.shelf)
				ok(b, err)
				right += recall(hits, lib.exact(q, benchK)) / users
				rescored += float64(st.Rescored) / users
				lib.vecs, lib.shelf = nil, newShelf() // all is kept: nobody reads them again
				libs[u] = lib
			}
			b.Run("codes", func(b *testing.B) {
				var seed atomic.Uint64
				b.RunParallel(func(pb *testing.PB) {
					rng := rand.New(rand.NewPCG(seed.Add(1), 0))
					for pb.Next() {
						lib := libs[rng.IntN(users)]
						hits, _, err := lib.Search(context.Background(), queries[rng.IntN(len(queries))], benchK, nil, lib.shelf)
						if err != nil || len(hits) != benchK {
							b.Error(len(hits), err)
							return
						}
					}
				})
				b.ReportMetric(right, "recall@10")
				b.ReportMetric(rescored, "rescored")
			})
			for _, lib := range libs {
				lib.Close()
			}
		})
	}
}

// BenchmarkEncode is the time for one vector.
func BenchmarkEncode(b *testing.B) {
	for _, dim := range []int{384, 1536} {
		b.Run(strconv.Itoa(dim), func(b *testing.B) {
			c := testCenter(b, dim)
			vecs := newSource("biased", dim, 1).many(1, 1)
			for b.Loop() {
				if _, err := Encode(c, vecs); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// measure runs one search per operation and reports what answer gave for each query before.
func measure(b *testing.B, queries [][]float32, want [][]Hit, answer func(q []float32) ([]Hit, Stats, error)) {
	b.Helper()
	right := make([]float64, len(queries))
	stats := make([]Stats, len(queries))
	spread(len(queries), func(i int) {
		hits, st, err := answer(queries[i])
		if err != nil {
			b.Error(err)
		}
		right[i], stats[i] = recall(hits, want[i]), st
	})
	var at atomic.Int64
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := at.Add(31); pb.Next(); i++ {
			if _, _, err := answer(queries[int(i)%len(queries)]); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.StopTimer()
	var r, rescored, fetched float64
	for i := range right {
		r += right[i]
		rescored += float64(stats[i].Rescored)
		fetched += float64(stats[i].Fetched)
	}
	n := float64(len(queries))
	b.ReportMetric(r/n, "recall@10")
	b.ReportMetric(rescored/n, "rescored")
	b.ReportMetric(fetched/n, "fetched")
}

func benchIndex(b *testing.B, lib *library, queries [][]float32, want [][]Hit) {
	b.Helper()
	measure(b, queries, want, func(q []float32) ([]Hit, Stats, error) {
		return lib.Search(context.Background(), q, benchK, nil, lib.shelf)
	})
	b.ReportMetric(float64(lib.Bytes()-lib.vectors.Bytes())/float64(lib.Len()), "B/vector")
}

// benchFloats is the plain scan: one float32 dot product per vector, in Go.
func benchFloats(b *testing.B, vecs, queries [][]float32, want [][]Hit) {
	b.Helper()
	measure(b, queries, want, func(q []float32) ([]Hit, Stats, error) {
		top := best{k: benchK}
		for i, v := range vecs {
			top.offer(dot(isaGo, q, v), Ref{int64(i / benchPer), i % benchPer})
		}
		return top.sorted(), Stats{Rescored: len(vecs)}, nil
	})
}

func benchChromem(b *testing.B, vecs, queries [][]float32, want [][]Hit) {
	b.Helper()
	db := chromem.NewDB()
	never := func(context.Context, string) ([]float32, error) { panic("nothing is to be embedded") }
	col, err := db.CreateCollection("bench", nil, never)
	ok(b, err)
	docs := make([]chromem.Document, len(vecs))
	for i, v := range vecs {
		docs[i] = chromem.Document{ID: strconv.Itoa(i), Embedding: v, Content: "x"}
	}
	ok(b, col.AddDocuments(b.Context(), docs, 4))
	measure(b, queries, want, func(q []float32) ([]Hit, Stats, error) {
		found, err := col.QueryEmbedding(context.Background(), q, benchK, nil, nil)
		if err != nil {
			return nil, Stats{}, err
		}
		hits := make([]Hit, len(found))
		for i, f := range found {
			id, err := strconv.Atoi(f.ID)
			if err != nil {
				return nil, Stats{}, err
			}
			hits[i] = Hit{Ref{int64(id / benchPer), id % benchPer}, dot(isaGo, q, vecs[id])}
		}
		return hits, Stats{Rescored: len(vecs)}, nil
	})
}
