package scan

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"testing"
)

func TestSearchIsExact(t *testing.T) {
	for _, dim := range dims {
		for _, kind := range kinds {
			n := 700
			if dim > 1000 {
				n = 300
			}
			src := newSource(kind, dim, n)
			lib := build(t, src.many(1, n), 7, 1<<30)
			for _, use := range sets() {
				lib.use = use
				for i, q := range src.many(2, 4) { // the first finds nothing kept, the last nearly all it needs
					want := lib.exact(q, 10)
					got, st, err := lib.Search(t.Context(), q, 10, nil, lib.shelf)
					ok(t, err)
					if !slices.Equal(got, want) {
						t.Errorf("%s %d, set %d, query %d:\ngot  %v\nwant %v", kind, dim, use, i, got, want)
					}
					if st.Scanned != n && st.Rescored != n {
						t.Errorf("%s %d: %+v of %d", kind, dim, st, n)
					}
				}
			}
		}
	}
}

func TestSearchOfEverything(t *testing.T) {
	src := newSource("clustered", 100, 900)
	lib := build(t, src.many(1, 900), 9, 1<<30)
	q := src.many(2, 1)[0]
	for _, k := range []int{1, 2, 899, 900, 901, 5000} {
		got, _, err := lib.Search(t.Context(), q, k, nil, lib.shelf)
		ok(t, err)
		if want := lib.exact(q, k); !slices.Equal(got, want) {
			t.Errorf("k = %d: %d hits, want %d", k, len(got), len(want))
		}
	}
}

// Vectors that are equal, that are the center, that are its opposite: whatever makes a residual zero or a tie.
func TestDegenerateVectors(t *testing.T) {
	const dim = 100
	axis := func(i int, sign float32) []float32 {
		v := make([]float32, dim)
		v[i] = sign
		return v
	}
	repeat := func(n int, v []float32) [][]float32 { return slices.Repeat([][]float32{v}, n) }
	random := newSource("isotropic", dim, 400).many(1, 400)
	for _, tt := range []struct {
		name string
		vecs [][]float32
	}{
		{"all equal", repeat(500, random[0])},
		{"all the same axis", repeat(500, axis(3, 1))},
		{"pairs", append(slices.Clone(random), random...)},
		{"two opposites, mean zero", append(repeat(200, axis(3, 1)), repeat(200, axis(3, -1))...)},
		{"one apart", append(repeat(300, random[0]), random[1])},
		{"axes", append(repeat(150, axis(0, 1)), append(repeat(150, axis(1, 1)), repeat(3, axis(2, -1))...)...)},
	} {
		for _, keep := range []int64{0, 1 << 30} {
			lib := build(t, tt.vecs, 11, keep)
			lib.small = 0
			mean := slices.Clone(lib.center.mean)
			if dot64(mean, mean) > 0 {
				unit(mean)
			} else {
				mean = axis(0, 1)
			}
			for name, q := range map[string][]float32{
				"a vector": tt.vecs[0], "the last": tt.vecs[len(tt.vecs)-1], "the center": mean, "another": random[7],
				"an axis": axis(3, 1), "its opposite": axis(3, -1),
			} {
				for _, k := range []int{1, 10, 350} {
					got, _, err := lib.Search(t.Context(), q, k, nil, lib.shelf)
					ok(t, err)
					if want := lib.exact(q, k); !slices.Equal(got, want) {
						t.Errorf("%s, query %s, k %d:\ngot  %.12v\nwant %.12v", tt.name, name, k, got, want)
					}
				}
			}
		}
	}
}

func TestFilter(t *testing.T) {
	src := newSource("clustered", 64, 1000)
	lib := build(t, src.many(1, 1000), 5, 1<<30)
	q := src.many(2, 1)[0]
	all := lib.exact(q, 1000)
	for _, tt := range []struct {
		name   string
		filter []int64
	}{
		{"none", []int64{}},
		{"one", []int64{17}},
		{"first and last", []int64{199, 0}},
		{"twice", []int64{4, 4, 4}},
		{"unknown", []int64{-5, 200, 1 << 60}},
		{"half, backwards", func() (f []int64) {
			for i := int64(198); i >= 0; i -= 2 {
				f = append(f, i)
			}
			return f
		}()},
		{"a stretch", []int64{50, 51, 52, 53, 54, 55, 56}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, k := range []int{1, 10, 1000} {
				want := []Hit{}
				for _, h := range all {
					if slices.Contains(tt.filter, h.Doc) && len(want) < k {
						want = append(want, h)
					}
				}
				got, _, err := lib.Search(t.Context(), q, k, tt.filter, lib.shelf)
				ok(t, err)
				if !slices.Equal(got, want) {
					t.Errorf("k %d:\ngot  %v\nwant %v", k, got, want)
				}
			}
		})
	}
}

func TestEmptyIndex(t *testing.T) {
	x, err := New(Config{Dim: 3})
	ok(t, err)
	defer x.Close()
	q := []float32{0, 1, 0}
	hits, st, err := x.Search(t.Context(), q, 5, nil, newShelf())
	if err != nil || len(hits) != 0 || st != (Stats{}) {
		t.Errorf("%v, %+v, %v", hits, st, err)
	}
	c := testCenter(t, 3)
	ok(t, x.AddCenter(t.Context(), c))
	b, err := Encode(c, nil)
	ok(t, err)
	ok(t, x.Add(t.Context(), 1, b))
	if hits, _, err = x.Search(t.Context(), q, 5, []int64{1}, newShelf()); err != nil || len(hits) != 0 || x.Docs() != 1 {
		t.Errorf("a document without vectors: %v, %v, %d documents", hits, err, x.Docs())
	}
	if there, err := x.Remove(t.Context(), 1); !there || err != nil || x.Docs() != 0 {
		t.Errorf("removed: %v, %v", there, err)
	}
}

func TestSearchRefuses(t *testing.T) {
	lib := build(t, newSource("isotropic", 3, 20).many(1, 20), 5, 0)
	good := []float32{0, 1, 0}
	nan := float32(math.NaN())
	for _, tt := range []struct {
		name  string
		query []float32
		k     int
		fetch Fetcher
		want  error
	}{
		{"too short", []float32{1, 0}, 1, lib.shelf, ErrVector},
		{"too long", []float32{1, 0, 0, 0}, 1, lib.shelf, ErrVector},
		{"NaN", []float32{nan, 0, 0}, 1, lib.shelf, ErrVector},
		{"zero", []float32{0, 0, 0}, 1, lib.shelf, ErrVector},
		{"not of unit length", []float32{3, 0, 0}, 1, lib.shelf, ErrVector},
		{"no k", good, 0, lib.shelf, nil},
		{"no fetcher", good, 1, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			hits, _, err := lib.Search(t.Context(), tt.query, tt.k, nil, tt.fetch)
			if err == nil || hits != nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("%v, %v", hits, err)
			}
		})
	}
	lib.Close()
	if _, _, err := lib.Search(t.Context(), good, 1, nil, lib.shelf); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if _, _, err := lib.Cosines(t.Context(), good, nil, lib.shelf); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

type fetchFunc func(ctx context.Context, refs []Ref, dst [][]float32, found []bool) error

func (f fetchFunc) Fetch(ctx context.Context, refs []Ref, dst [][]float32, found []bool) error {
	return f(ctx, refs, dst, found)
}

// ticket is a context that ends at the n-th look at it.
type ticket struct {
	context.Context
	mu   sync.Mutex
	left int
	seen int
}

func (c *ticket) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen++
	if c.left--; c.left < 0 {
		return context.DeadlineExceeded
	}
	return nil
}

// Wherever ctx ends, the call ends with its error and without a part of the answer; and it is looked at often enough.
func TestCtxEndsSearch(t *testing.T) {
	src := newSource("isotropic", 384, 20000)
	lib := build(t, src.many(1, 20000), 50, 1<<30)
	lib.warm(t)
	q := src.many(2, 1)[0]
	free := &ticket{Context: t.Context(), left: math.MaxInt}
	hits, st, err := lib.Search(free, q, 10, nil, lib.shelf)
	ok(t, err)
	if len(hits) != 10 {
		t.Fatal(len(hits))
	}
	work := st.Scanned*6/wordsPerCheck + st.Rescored*384/floatsPerCheck
	if free.seen < work {
		t.Errorf("ctx was looked at %d times, want at least %d", free.seen, work)
	}
	for left := range free.seen {
		hits, _, err := lib.Search(&ticket{Context: t.Context(), left: left}, q, 10, nil, lib.shelf)
		if !errors.Is(err, context.DeadlineExceeded) || hits != nil {
			t.Fatalf("ended at look %d: %d hits, %v", left, len(hits), err)
		}
	}
}

func TestCtxEndsWhileFetching(t *testing.T) {
	lib := build(t, newSource("isotropic", 64, 900).many(1, 900), 10, 0)
	q := newSource("isotropic", 64, 900).many(2, 1)[0]
	for name, answer := range map[string]error{"and says so": context.Canceled, "and does not": nil} {
		ctx, cancel := context.WithCancel(t.Context())
		fetch := fetchFunc(func(ctx context.Context, refs []Ref, dst [][]float32, found []bool) error {
			cancel()
			if answer == nil {
				return lib.shelf.Fetch(ctx, refs, dst, found)
			}
			return answer
		})
		if hits, _, err := lib.Search(ctx, q, 10, nil, fetch); !errors.Is(err, context.Canceled) || hits != nil {
			t.Errorf("the fetcher is cancelled %s: %v, %v", name, hits, err)
		}
		if got, _, err := lib.Cosines(ctx, q, []Ref{{0, 0}}, fetch); !errors.Is(err, context.Canceled) || got != nil {
			t.Errorf("cancelled before: %v, %v", got, err)
		}
	}
}

func TestFetcherFails(t *testing.T) {
	src := newSource("isotropic", 64, 900)
	lib := build(t, src.many(1, 900), 10, 1<<20)
	q := src.many(2, 1)[0]
	broken := errors.New("disk on fire")
	fail := fetchFunc(func(context.Context, []Ref, [][]float32, []bool) error { return broken })
	if hits, _, err := lib.Search(t.Context(), q, 10, nil, fail); !errors.Is(err, broken) || hits != nil {
		t.Errorf("%v, %v", hits, err)
	}
	rubbish := fetchFunc(func(_ context.Context, _ []Ref, dst [][]float32, found []bool) error {
		for i := range dst {
			found[i] = true
			for j := range dst[i] {
				dst[i][j] = float32(math.NaN())
			}
		}
		return nil
	})
	if hits, _, err := lib.Search(t.Context(), q, 10, nil, rubbish); !errors.Is(err, ErrVector) || hits != nil {
		t.Errorf("%v, %v", hits, err)
	}
	if got, _, err := lib.Cosines(t.Context(), q, []Ref{{1, 1}}, rubbish); !errors.Is(err, ErrVector) || got != nil {
		t.Errorf("%v, %v", got, err)
	}
	if lib.vectors.Len() != 0 {
		t.Errorf("%d vectors of rubbish were kept", lib.vectors.Len())
	}
	got, _, err := lib.Search(t.Context(), q, 10, nil, lib.shelf)
	ok(t, err)
	if !slices.Equal(got, lib.exact(q, 10)) {
		t.Error("wrong answer after the failures")
	}
}

// Vectors that vanish between the codes and the reading are left out, and those next in line take their places.
func TestGoneVectors(t *testing.T) {
	src := newSource("clustered", 384, 3000)
	for _, keep := range []int64{0, 1 << 30} {
		lib := build(t, src.many(1, 3000), 10, keep)
		for _, q := range src.many(2, 5) {
			for _, h := range lib.exact(q, 12) {
				lib.shelf.drop(h.Doc)
			}
			var want []Hit
			for _, h := range lib.exact(q, 3000) {
				if _, there := lib.shelf.docs[h.Doc]; there && len(want) < 10 {
					want = append(want, h)
				}
			}
			got, _, err := lib.Search(t.Context(), q, 10, nil, lib.shelf)
			ok(t, err)
			if keep == 0 && !slices.Equal(got, want) {
				t.Errorf("got  %v\nwant %v", got, want)
			}
			if len(got) != 10 {
				t.Errorf("%d hits", len(got))
			}
		}
	}
	lib := build(t, src.many(1, 300), 10, 0)
	none := newShelf()
	if got, _, err := lib.Search(t.Context(), src.many(2, 1)[0], 10, nil, none); err != nil || len(got) != 0 {
		t.Errorf("all gone: %v, %v", got, err)
	}
}

func TestCosines(t *testing.T) {
	src := newSource("biased", 100, 500)
	lib := build(t, src.many(1, 500), 10, 1<<20)
	q := src.many(2, 1)[0]
	lib.shelf.put(1000, src.many(3, 2)) // known to the fetcher, not to the index
	refs := []Ref{{3, 4}, {49, 9}, {3, 4}, {1000, 1}, {77, 0}, {0, 0}}
	for round := range 2 {
		got, found, err := lib.Cosines(t.Context(), q, refs, lib.shelf)
		ok(t, err)
		for i, r := range refs {
			vecs, there := lib.shelf.docs[r.Doc]
			if found[i] != there {
				t.Errorf("round %d: %v found: %v", round, r, found[i])
			}
			if there && got[i] != dot(isaGo, q, vecs[r.Pos]) {
				t.Errorf("round %d: %v has %v", round, r, got[i])
			}
		}
	}
	if lib.vectors.Len() != 3 {
		t.Errorf("%d vectors kept, want 3", lib.vectors.Len())
	}
	many := make([]Ref, 0, 500)
	for i := range 500 {
		many = append(many, Ref{int64(i / 10), i % 10})
	}
	got, found, err := lib.Cosines(t.Context(), q, many, lib.shelf)
	ok(t, err)
	for i := range many {
		if !found[i] || got[i] != dot(isaGo, q, lib.vecs[i]) {
			t.Fatalf("%v: %v, %v", many[i], got[i], found[i])
		}
	}
}
