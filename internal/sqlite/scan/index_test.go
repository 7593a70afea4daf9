package scan

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// A long random life of an index, against a map that does the same: documents of all sizes and of several centers come in
// any order and go again, and every answer is the map's.
func TestLife(t *testing.T) {
	for _, dim := range []int{3, 65, 384} {
		for _, keep := range []int64{0, 40 << 10, 1 << 30} {
			live(t, dim, keep)
		}
	}
}

func live(t *testing.T, dim int, keep int64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(uint64(dim), uint64(keep)))
	kept, err := NewVectors(dim, keep)
	ok(t, err)
	x, err := New(Config{Dim: dim, Vectors: kept})
	ok(t, err)
	defer x.Close()
	x.small = rng.IntN(2) * smallRows
	src := newSource("clustered", dim, 1000)
	var centers []*Center
	shelf := newShelf()
	queries := src.many(2, 8)
	total, last, drawn, packed := 0, 0, 0, 0
	var keys []int64
	for step := range 400 {
		if rng.IntN(100) < 60 || len(keys) == 0 {
			n := rng.IntN(30)
			if rng.IntN(20) == 0 {
				n = 150
			}
			vecs := make([][]float32, n)
			for i := range vecs {
				vecs[i] = make([]float32, dim)
				src.draw(1, drawn, vecs[i])
				drawn++
			}
			if CenterDue(total+n, last) {
				m, err := NewMean(dim)
				ok(t, err)
				for _, v := range vecs {
					ok(t, m.Add(v))
				}
				c, err := m.Center(int64(len(centers)))
				ok(t, err)
				ok(t, x.AddCenter(t.Context(), c))
				centers, last = append(centers, c), total+n
			}
			key := rng.Int64() - rng.Int64()
			b, err := Encode(centers[max(0, len(centers)-1-rng.IntN(2))], vecs)
			ok(t, err)
			ok(t, x.Add(t.Context(), key, b))
			shelf.put(key, vecs)
			keys, total = append(keys, key), total+n
		} else {
			i := rng.IntN(len(keys))
			before := len(x.cur.Load().segs)
			there, err := x.Remove(t.Context(), keys[i])
			if !there || err != nil {
				t.Fatal(there, err)
			}
			if len(x.cur.Load().segs) < before {
				packed++
			}
			total -= len(shelf.docs[keys[i]])
			shelf.drop(keys[i])
			keys = slices.Delete(keys, i, i+1)
		}
		if x.Len() != total || x.Docs() != len(keys) {
			t.Fatalf("step %d: %d vectors in %d documents, want %d in %d", step, x.Len(), x.Docs(), total, len(keys))
		}
		if b := kept.Bytes() - int64(8*len(kept.slabs)); b > keep {
			t.Fatalf("step %d: %d bytes of vectors kept, limit %d", step, b, keep)
		}
		if step%5 == 0 {
			same(t, x, shelf, queries[step/5%len(queries)], 7)
		}
	}
	if dim == 384 && packed == 0 {
		t.Error("memory was never packed, the test sees too little")
	}
	for _, key := range keys {
		_, err := x.Remove(t.Context(), key)
		ok(t, err)
	}
	if x.Len() != 0 || len(x.cur.Load().segs) != 0 || kept.Len() != 0 {
		t.Errorf("left behind: %d vectors, %d segments, %d kept", x.Len(), len(x.cur.Load().segs), kept.Len())
	}
}

// same compares a search with brute force over the shelf.
func same(t *testing.T, x *Index, shelf *shelf, q []float32, k int) {
	t.Helper()
	all := best{k: k}
	for doc, vecs := range shelf.docs {
		for i, v := range vecs {
			all.offer(dot(isaGo, q, v), Ref{doc, i})
		}
	}
	got, _, err := x.Search(t.Context(), q, k, nil, shelf)
	ok(t, err)
	if want := all.sorted(); !slices.Equal(got, want) {
		t.Fatalf("got  %v\nwant %v", got, want)
	}
}

func TestAddRefuses(t *testing.T) {
	ctx := t.Context()
	x, err := New(Config{Dim: 64})
	ok(t, err)
	defer x.Close()
	c := testCenter(t, 64)
	ok(t, x.AddCenter(ctx, c))
	ok(t, x.AddCenter(ctx, c))
	vecs := newSource("isotropic", 64, 9).many(1, 9)
	good, err := Encode(c, vecs)
	ok(t, err)
	ok(t, x.Add(ctx, 1, good))

	mean := slices.Clone(c.mean)
	mean[0]++
	impostor, err := NewCenter(c.id, mean)
	ok(t, err)
	wrong, err := Encode(impostor, vecs)
	ok(t, err)
	stranger, err := NewCenter(99, mean)
	ok(t, err)
	unknown, err := Encode(stranger, vecs)
	ok(t, err)
	narrow, err := Encode(testCenter(t, 63), newSource("isotropic", 63, 9).many(1, 9))
	ok(t, err)
	gone, cancel := context.WithCancel(ctx)
	cancel()

	for _, tt := range []struct {
		name string
		ctx  context.Context
		docs []Document
		want error
	}{
		{"there already", ctx, []Document{{1, good}}, ErrExists},
		{"second of two is there already", ctx, []Document{{2, good}, {1, good}}, ErrExists},
		{"twice the same key", ctx, []Document{{2, good}, {2, good}}, ErrExists},
		{"impostor of a center", ctx, []Document{{2, wrong}}, ErrCenter},
		{"unknown center", ctx, []Document{{2, unknown}}, ErrCenter},
		{"other dimension", ctx, []Document{{2, narrow}}, ErrVector},
		{"corrupt", ctx, []Document{{2, good}, {3, good[:50]}}, ErrCorrupt},
		{"ended", gone, []Document{{2, good}}, context.Canceled},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := x.AddAll(tt.ctx, tt.docs); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if x.Docs() != 1 || x.Len() != 9 || x.Has(2) {
				t.Errorf("changed: %d documents, %d vectors", x.Docs(), x.Len())
			}
		})
	}
	if err := x.AddCenter(ctx, impostor); !errors.Is(err, ErrCenter) {
		t.Errorf("impostor: %v", err)
	}
	if err := x.AddCenter(ctx, testCenter(t, 63)); !errors.Is(err, ErrCenter) {
		t.Errorf("narrow center: %v", err)
	}
	if there, err := x.Remove(gone, 1); there || !errors.Is(err, context.Canceled) || !x.Has(1) {
		t.Errorf("ended remove: %v, %v", there, err)
	}
	if there, err := x.Remove(ctx, 55); there || err != nil {
		t.Errorf("removed what was never there: %v, %v", there, err)
	}
}

// A writer that waits for its turn stops waiting when its ctx ends.
func TestWaitingWriterLeaves(t *testing.T) {
	x, err := New(Config{Dim: 3})
	ok(t, err)
	defer x.Close()
	x.writing <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- x.AddCenter(ctx, testCenter(t, 3)) }()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	<-x.writing
	ok(t, x.AddCenter(t.Context(), testCenter(t, 3)))
}

func TestNewRefuses(t *testing.T) {
	v, err := NewVectors(4, 100)
	ok(t, err)
	x, err := New(Config{Dim: 4, Vectors: v})
	ok(t, err)
	defer x.Close()
	for name, cfg := range map[string]Config{
		"no dimensions": {}, "too many": {Dim: MaxDim + 1}, "another's vectors": {Dim: 4, Vectors: v}, "other vectors": {Dim: 5, Vectors: v},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := NewVectors(4, -1); err == nil {
		t.Error("negative limit: no error")
	}
}

// Memory is returned exactly when the last who could look at it is gone.
func TestMemoryIsReturned(t *testing.T) {
	src := newSource("biased", 384, 3000)
	lib := build(t, src.many(1, 3000), 10, 1<<30)
	lib.warm(t)
	full := lib.Bytes()
	if per := float64(full-lib.vectors.Bytes()) / 3000; per > 72 {
		t.Errorf("%.1f bytes for a vector of 384 dimensions", per)
	}
	reader, err := lib.acquire()
	ok(t, err)
	old := reader.segs[0].store
	for doc := range int64(280) {
		_, err := lib.Remove(t.Context(), doc)
		ok(t, err)
	}
	if lib.cur.Load().segs[0].store == old {
		t.Fatal("memory was not packed")
	}
	if old.refs.Load() != 1 || old.codes.words == nil || reader.segs[0].vector(17) == nil {
		t.Fatal("memory was returned under a reader")
	}
	reader.release()
	if old.codes.words != nil || lib.vectors.Len() > 200+packFloor || lib.Bytes() > full/5 {
		t.Errorf("memory was not returned: %d vectors kept, %d bytes of %d", lib.vectors.Len(), lib.Bytes(), full)
	}

	lib.vecs = nil
	reader, err = lib.acquire()
	ok(t, err)
	last := reader.segs[0].store
	lib.Close()
	lib.Close()
	if last.codes.words == nil || reader.segs[0].vector(3) == nil {
		t.Fatal("memory was returned under a reader")
	}
	if err := lib.Add(t.Context(), 1, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	reader.release()
	if last.codes.words != nil || lib.vectors.slabs[0].Load() != nil || lib.Bytes() != 0 || lib.Len() != 0 {
		t.Error("memory was not returned")
	}
}

// Readers, writers and the odd Close at the same moment: every answer holds whole documents, all that never change, and
// cosines that are those of the vectors.
func TestConcurrent(t *testing.T) {
	const dim, fixed, per = 64, 40, 12
	src := newSource("clustered", dim, 1000)
	c := testCenter(t, dim)
	kept, err := NewVectors(dim, 200<<10) // fewer than all
	ok(t, err)
	x, err := New(Config{Dim: dim, Vectors: kept})
	ok(t, err)
	ok(t, x.AddCenter(t.Context(), c))
	shelf := newShelf()
	document := func(doc int64) Document {
		vecs := make([][]float32, per)
		for i := range vecs {
			vecs[i] = make([]float32, dim)
			src.draw(1, int(doc)*per+i, vecs[i])
		}
		shelf.put(doc, vecs) // stays: that a removed one can still be read is the harder case
		b, err := Encode(c, vecs)
		if err != nil {
			t.Error(err)
		}
		return Document{doc, b}
	}
	for doc := range int64(fixed) {
		d := document(doc)
		ok(t, x.Add(t.Context(), d.Key, d.Block))
	}
	queries := src.many(2, 16)
	var stop atomic.Bool
	var writers, readers sync.WaitGroup
	for w := range 3 {
		writers.Go(func() {
			rng := rand.New(rand.NewPCG(9, uint64(w)))
			var mine []int64
			for i := range 150 {
				doc := int64(1000*(w+1) + i)
				if rng.IntN(2) == 0 {
					doc = -doc
				}
				d := document(doc)
				if err := x.Add(t.Context(), d.Key, d.Block); err != nil {
					t.Error(err)
				}
				mine = append(mine, doc)
				for len(mine) > 20 || len(mine) > 0 && rng.IntN(4) == 0 {
					j := rng.IntN(len(mine))
					if there, err := x.Remove(t.Context(), mine[j]); !there || err != nil {
						t.Error(there, err)
					}
					mine = slices.Delete(mine, j, j+1)
				}
			}
		})
	}
	for r := range 4 {
		readers.Go(func() {
			for i := r; !stop.Load(); i++ {
				q := queries[i%len(queries)]
				k := []int{5, 100000}[i%2]
				hits, _, err := x.Search(t.Context(), q, k, nil, shelf)
				if err != nil {
					t.Error(err)
					return
				}
				check(t, hits, shelf, q, k, fixed, per)
				if _, _, err := x.Cosines(t.Context(), q, []Ref{{1, 2}, {1001, 3}}, shelf); err != nil {
					t.Error(err)
				}
				_ = x.Bytes()
			}
		})
	}
	writers.Wait()
	stop.Store(true)
	readers.Wait()
	if kept.Len() == 0 || kept.Bytes() > 201<<10 {
		t.Errorf("%d vectors kept in %d bytes", kept.Len(), kept.Bytes())
	}

	// Close under readers.
	var closing sync.WaitGroup
	for range 4 {
		closing.Go(func() {
			for {
				if _, _, err := x.Search(t.Context(), queries[0], 50, nil, shelf); err != nil {
					if !errors.Is(err, ErrClosed) {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	x.Close()
	closing.Wait()
	if kept.slabs[0].Load() != nil {
		t.Error("memory was not returned")
	}
}

func check(t *testing.T, hits []Hit, shelf *shelf, q []float32, k, fixed, per int) {
	t.Helper()
	if !slices.IsSortedFunc(hits, Hit.compare) {
		t.Error("hits out of order")
	}
	count := map[int64]int{}
	shelf.mu.RLock()
	defer shelf.mu.RUnlock()
	for _, h := range hits {
		if h.Cosine != dot(isaGo, q, shelf.docs[h.Doc][h.Pos]) {
			t.Errorf("%v is not the cosine of its vector", h)
		}
		count[h.Doc]++
	}
	if k < fixed*per {
		if len(hits) != k {
			t.Errorf("%d hits, want %d", len(hits), k)
		}
		return
	}
	for doc := range int64(fixed) {
		if count[doc] == 0 {
			t.Errorf("document %d, which never changes, is missing", doc)
		}
	}
	for doc, n := range count {
		if n != per {
			t.Errorf("document %d is there with %d of %d vectors", doc, n, per)
		}
	}
}

// Many small documents cost little more memory and no more segments than one large one.
func TestManySmallDocuments(t *testing.T) {
	src := newSource("biased", 64, 5000)
	vecs := src.many(1, 5000)
	one, small := build(t, vecs, 5000, 0), build(t, vecs, 10, 0)
	for _, lib := range []*library{one, small} {
		snap := lib.cur.Load()
		if len(snap.segs) != 1 || len(snap.segs[0].live) != 1 {
			t.Errorf("%d segments, %d runs", len(snap.segs), len(snap.segs[0].live))
		}
	}
	if a, b := one.Bytes(), small.Bytes(); b > a+5000*7 {
		t.Errorf("%d bytes in one document, %d in 500", a, b)
	}
	// One by one, as an ingest does it: still only a few segments.
	x, err := New(Config{Dim: 64})
	ok(t, err)
	defer x.Close()
	ok(t, x.AddCenter(t.Context(), small.center))
	for i := range 500 {
		b, err := Encode(small.center, vecs[i*10:(i+1)*10])
		ok(t, err)
		ok(t, x.Add(t.Context(), int64(i), b))
	}
	if n := len(x.cur.Load().segs); n > 8 {
		t.Errorf("%d segments", n)
	}
	same(t, x, small.shelf, vecs[3], 20)
}
