package scan

import (
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
)

// kinds of data that the tests and benchmarks run on.
var kinds = []string{"clustered", "isotropic", "biased"}

// source draws unit vectors of one kind; every vector depends only on (kind, dim, stream, i).
type source struct {
	kind    string
	dim     int
	centers [][]float32
	common  []float32
	scale   []float32
}

// newSource draws for a library of about n vectors: clustered data has some 50 to a cluster, at most 200 clusters.
func newSource(kind string, dim, n int) *source {
	s := &source{kind: kind, dim: dim}
	rng := rand.New(rand.NewPCG(uint64(dim), 1))
	switch kind {
	case "clustered":
		for range min(max(n/50, 4), 200) {
			c := make([]float32, dim)
			normal(rng, c)
			unit(c)
			s.centers = append(s.centers, c)
		}
	case "biased":
		s.common = make([]float32, dim)
		normal(rng, s.common)
		unit(s.common)
		s.scale = make([]float32, dim) // along the axes, which is the harder case for a rotation
		for i := range s.scale {
			s.scale[i] = float32(1 / math.Sqrt(float64(i+1)))
		}
		unit(s.scale)
	case "isotropic":
	default:
		panic(kind)
	}
	return s
}

func (s *source) draw(stream, i int, v []float32) {
	rng := rand.New(rand.NewPCG(uint64(stream), uint64(i)))
	normal(rng, v)
	switch s.kind {
	case "clustered": // cosine to its center about 0.8
		c := s.centers[rng.IntN(len(s.centers))]
		f := float32(0.75 / math.Sqrt(float64(s.dim)))
		for j := range v {
			v[j] = v[j]*f + c[j]
		}
	case "biased": // cosine between any two about 0.7
		for j := range v {
			v[j] = v[j]*s.scale[j]*0.65 + s.common[j]
		}
	}
	unit(v)
}

func (s *source) many(stream, n int) [][]float32 {
	flat := make([]float32, n*s.dim)
	vecs := make([][]float32, n)
	spread(n, func(i int) {
		vecs[i] = flat[i*s.dim : (i+1)*s.dim : (i+1)*s.dim]
		s.draw(stream, i, vecs[i])
	})
	return vecs
}

// spread calls f for 0..n-1 on all cores.
func spread(n int, f func(i int)) {
	var wg sync.WaitGroup
	cores := runtime.GOMAXPROCS(0)
	for c := range cores {
		wg.Go(func() {
			for i := c * n / cores; i < (c+1)*n/cores; i++ {
				f(i)
			}
		})
	}
	wg.Wait()
}

func normal(rng *rand.Rand, v []float32) {
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
}

func unit(v []float32) {
	n := math.Sqrt(dot64(v, v))
	for i := range v {
		v[i] = float32(float64(v[i]) / n)
	}
}

// shelf is a Fetcher over vectors in memory; documents are keyed as they were cut.
type shelf struct {
	mu   sync.RWMutex
	docs map[int64][][]float32
}

func newShelf() *shelf { return &shelf{docs: map[int64][][]float32{}} }

func (s *shelf) put(doc int64, vecs [][]float32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.docs[doc] = vecs
}

func (s *shelf) drop(doc int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.docs, doc)
}

func (s *shelf) Fetch(_ context.Context, refs []Ref, dst [][]float32, found []bool) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for i, r := range refs {
		if i > 0 && refs[i-1].Compare(r) >= 0 {
			panic("refs out of order")
		}
		if vecs, ok := s.docs[r.Doc]; ok {
			copy(dst[i], vecs[r.Pos])
			found[i] = true
		}
	}
	return nil
}

// library is an index with the vectors behind it.
type library struct {
	*Index
	shelf  *shelf
	center *Center
	per    int
	vecs   [][]float32
}

// build makes an index of vecs cut into documents of per vectors, keys 0, 1, …, keeping up to keep bytes of vectors.
func build(tb testing.TB, vecs [][]float32, per int, keep int64) *library {
	tb.Helper()
	dim := len(vecs[0])
	mean, err := NewMean(dim)
	ok(tb, err)
	for _, v := range vecs[:min(len(vecs), 4096)] {
		ok(tb, mean.Add(v))
	}
	c, err := mean.Center(1)
	ok(tb, err)
	kept, err := NewVectors(dim, keep)
	ok(tb, err)
	x, err := New(Config{Dim: dim, Vectors: kept})
	ok(tb, err)
	tb.Cleanup(x.Close)
	ok(tb, x.AddCenter(tb.Context(), c))
	lib := &library{Index: x, shelf: newShelf(), center: c, per: per, vecs: vecs}
	docs := make([]Document, (len(vecs)+per-1)/per)
	spread(len(docs), func(i int) {
		part := vecs[i*per : min((i+1)*per, len(vecs))]
		b, err := Encode(c, part)
		if err != nil {
			tb.Error(err)
		}
		docs[i] = Document{Key: int64(i), Block: b}
		lib.shelf.put(int64(i), part)
	})
	ok(tb, x.AddAll(tb.Context(), docs))
	return lib
}

// warm fills the kept vectors.
func (l *library) warm(tb testing.TB) {
	tb.Helper()
	snap, err := l.acquire()
	ok(tb, err)
	defer snap.release()
	for i, v := range l.vecs {
		snap.keep(Ref{int64(i / l.per), i % l.per}, v)
	}
}

// exact is the brute-force answer, in the order that Search promises.
func (l *library) exact(query []float32, k int) []Hit {
	b := best{k: min(k, len(l.vecs))}
	for i, v := range l.vecs {
		b.offer(dot(isaGo, query, v), Ref{int64(i / l.per), i % l.per})
	}
	return b.sorted()
}

// recall is the share of want's cosines that got reaches: a hit as good as the exact k-th is right, whichever it is.
func recall(got, want []Hit) float64 {
	if len(want) == 0 {
		return 1
	}
	n := 0
	for _, h := range got {
		if h.Cosine >= want[len(want)-1].Cosine {
			n++
		}
	}
	return float64(min(n, len(want))) / float64(len(want))
}

func ok(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
