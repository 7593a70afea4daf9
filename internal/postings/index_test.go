package postings_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"weir/internal/postings"
)

// plainDoc is a document as lists of terms, for tests that need no language.
type plainDoc struct {
	key  int64
	body [][]string
	head []string
}

func (d plainDoc) segment(tb testing.TB) []byte {
	tb.Helper()
	var b postings.Builder
	for _, terms := range d.body {
		b.Add(postings.Field{Terms: terms, Words: len(terms)}, postings.Field{Terms: d.head, Words: len(d.head)})
	}
	seg, err := b.Segment("en")
	if err != nil {
		tb.Fatal(err)
	}
	return seg
}

func loadPlain(tb testing.TB, docs []plainDoc) *postings.Index {
	tb.Helper()
	ix, err := postings.Load(tb.Context(), postings.Config{}, func(yield func(postings.Document, error) bool) {
		for _, d := range docs {
			if !yield(postings.Document{Key: d.key, Segment: d.segment(tb)}, nil) {
				return
			}
		}
	})
	if err != nil {
		tb.Fatal(err)
	}
	return ix
}

// randomDocs makes documents over a small Zipfian vocabulary, so that lists
// are long, many scores tie, and blocks have different bounds.
func randomDocs(rng *rand.Rand, n, maxChunks, vocab int) []plainDoc {
	docs := make([]plainDoc, n)
	word := func() string { return fmt.Sprint("w", int(math.Exp(rng.Float64()*math.Log(float64(vocab))))) }
	for i := range docs {
		docs[i].key = int64(i*7%n) + 1
		for range 1 + rng.IntN(maxChunks) {
			chunk := make([]string, 3+rng.IntN(30))
			for j := range chunk {
				chunk[j] = word()
			}
			docs[i].body = append(docs[i].body, chunk)
		}
		if rng.IntN(2) == 0 {
			docs[i].head = []string{word(), word()}
		}
	}
	seen := make(map[int64]bool)
	return slices.DeleteFunc(docs, func(d plainDoc) bool { was := seen[d.key]; seen[d.key] = true; return was })
}

// exhaustive scores every chunk by the formulas of the package, from the texts.
func exhaustive(docs []plainDoc, groups []postings.Group, limit int, only []int64) []postings.Hit {
	const k1, b, head = 1.8, 0.6, 2
	n, words := 0, 0
	df := make(map[string]int)
	for _, d := range docs {
		for _, c := range d.body {
			n++
			words += len(c) + len(d.head)
			in := make(map[string]bool)
			for _, w := range slices.Concat(c, d.head) {
				in[w] = true
			}
			for w := range in {
				df[w]++
			}
		}
	}
	mean := max(float64(words)/float64(n), 1)
	fixed, slope := float32(2*k1*(1-b)), float32(2*k1*b/mean)
	var hits []postings.Hit
	for _, d := range docs {
		if only != nil && !slices.Contains(only, d.key) {
			continue
		}
		for pos, c := range d.body {
			tf := make(map[string]int)
			for _, w := range c {
				tf[w] += 2
			}
			for _, w := range d.head {
				tf[w] += 2 * head
			}
			sum := int32(0)
			for _, g := range groups {
				most := 0
				for _, alt := range g {
					most = max(most, df[alt.Term])
				}
				idf := math.Log1p((float64(n) - float64(most) + 0.5) / (float64(most) + 0.5))
				best := int32(0)
				for _, alt := range g {
					f := float32(min(tf[alt.Term], 255))
					if f == 0 {
						continue
					}
					gain := float32(float64(alt.Weight) * idf * (k1 + 1) * 65536)
					k := float32(slope*float32(len(c)+len(d.head))) + fixed
					best = max(best, int32(float32(gain*f)/float32(f+k))+1)
				}
				sum += best
			}
			if sum > 0 {
				hits = append(hits, postings.Hit{Key: d.key, Chunk: pos, Score: float64(sum) / 65536})
			}
		}
	}
	sort.Slice(hits, func(i, j int) bool {
		a, b := hits[i], hits[j]
		if a.Score != b.Score {
			return a.Score > b.Score
		}
		if a.Key != b.Key {
			return a.Key < b.Key
		}
		return a.Chunk < b.Chunk
	})
	return hits[:min(limit, len(hits))]
}

func randomQuery(rng *rand.Rand, vocab int) []postings.Group {
	groups := make([]postings.Group, 1+rng.IntN(6))
	for i := range groups {
		for range 1 + rng.IntN(3) {
			w := fmt.Sprint("w", int(math.Exp(rng.Float64()*math.Log(float64(vocab+20)))))
			groups[i] = append(groups[i], postings.Alternative{Term: w, Weight: []float32{1, 0.95, 0.3}[rng.IntN(3)]})
		}
	}
	return groups
}

// sameHits compares hits exactly: documents, order and scores.
func sameHits(t *testing.T, what string, got, want []postings.Hit) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("%s:\ngot  %v\nwant %v", what, got, want)
	}
}

func TestSearchEqualsExhaustive(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 2))
		vocab := []int{5, 40, 400}[rng.IntN(3)]
		docs := randomDocs(rng, 1+rng.IntN(300), 1+rng.IntN(40), vocab)
		ix := loadPlain(t, docs)
		for range 25 {
			groups, limit := randomQuery(rng, vocab), []int{1, 3, 10, 100, 100_000}[rng.IntN(5)]
			var only []int64
			if rng.IntN(3) == 0 {
				only = []int64{}
				for range rng.IntN(20) {
					only = append(only, int64(rng.IntN(len(docs)+5)))
				}
			}
			got, err := ix.Search(t.Context(), groups, limit, only)
			if err != nil {
				t.Fatal(err)
			}
			sameHits(t, fmt.Sprintf("seed %d, %v limit %d only %v", seed, groups, limit, only),
				got, exhaustive(docs, groups, limit, only))
		}
	}
}

// TestGrownEqualsRebuilt adds, replaces and removes documents at random; after
// every step that is looked at, hits and scores are those of a fresh index of
// what is left.
func TestGrownEqualsRebuilt(t *testing.T) {
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 3))
		ix := postings.New(postings.Config{})
		live := make(map[int64]plainDoc)
		for step := range 400 {
			key := int64(rng.IntN(80))
			if rng.IntN(3) > 0 {
				d := randomDocs(rng, 1, 30, 60)[0]
				d.key = key
				live[key] = d
				if err := ix.Add(t.Context(), key, d.segment(t)); err != nil {
					t.Fatal(err)
				}
			} else {
				delete(live, key)
				if err := ix.Remove(t.Context(), key); err != nil {
					t.Fatal(err)
				}
			}
			if step%20 != 19 {
				continue
			}
			var docs []plainDoc
			chunks := 0
			for _, d := range live {
				docs = append(docs, d)
				chunks += len(d.body)
			}
			if ix.Chunks() != chunks || ix.Documents() != len(docs) {
				t.Fatalf("index of %d chunks of %d documents, want %d of %d", ix.Chunks(), ix.Documents(), chunks, len(docs))
			}
			for range 5 {
				groups := randomQuery(rng, 60)
				got, err := ix.Search(t.Context(), groups, 20, nil)
				if err != nil {
					t.Fatal(err)
				}
				sameHits(t, fmt.Sprintf("seed %d step %d", seed, step), got, exhaustive(docs, groups, 20, nil))
			}
		}
	}
}

// TestLargerThanOneShard puts one document across sections and shards.
func TestLargerThanOneShard(t *testing.T) {
	if testing.Short() {
		t.Skip("builds 140,000 chunks")
	}
	big := plainDoc{key: 5}
	for i := range 140_000 {
		big.body = append(big.body, []string{fmt.Sprint("mod", i%1000), fmt.Sprint("no", i)})
	}
	small := plainDoc{key: 4, body: [][]string{{"mod7", "other"}}}
	added := postings.New(postings.Config{})
	for _, d := range []plainDoc{big, small} {
		if err := added.Add(t.Context(), d.key, d.segment(t)); err != nil {
			t.Fatal(err)
		}
	}
	for name, ix := range map[string]*postings.Index{"loaded": loadPlain(t, []plainDoc{big, small}), "added": added} {
		for _, want := range []int{0, 16_383, 16_384, 65_536, 139_999} {
			hits, err := ix.Search(t.Context(), []postings.Group{{{Term: fmt.Sprint("no", want), Weight: 1}}}, 3, nil)
			if err != nil || len(hits) != 1 || hits[0].Key != 5 || hits[0].Chunk != want {
				t.Fatalf("%s: chunk %d: %v, %v", name, want, hits, err)
			}
		}
		hits, err := ix.Search(t.Context(), []postings.Group{{{Term: "mod7", Weight: 1}}}, 1000, nil)
		if err != nil || len(hits) != 141 || hits[0].Key != 4 || hits[1] != (postings.Hit{Key: 5, Chunk: 7, Score: hits[0].Score}) {
			t.Fatalf("%s: %d hits %v, %v", name, len(hits), hits[:min(3, len(hits))], err)
		}
		if err := ix.Remove(t.Context(), 5); err != nil {
			t.Fatal(err)
		}
		if ix.Chunks() != 1 || ix.Frequency("mod7") != 1 || ix.Frequency("no70000") != 0 {
			t.Fatalf("%s: %d chunks left", name, ix.Chunks())
		}
	}
}

// TestHeadingInPassage has a word in a heading that the passage repeats, as
// passages do, and expects it to count as three words of the passage.
func TestHeadingInPassage(t *testing.T) {
	docs := []plainDoc{
		{key: 1, head: []string{"flutter"}, body: [][]string{{"flutter", "panel", "skin"}}},
		{key: 2, body: [][]string{{"flutter", "flutter", "flutter", "panel"}}},
		{key: 3, body: [][]string{{"flutter", "flutter", "skin", "panel"}}},
		{key: 4, body: [][]string{{"wing", "tail", "skin", "panel"}}},
	}
	hits, err := loadPlain(t, docs).Search(t.Context(), []postings.Group{{{Term: "flutter", Weight: 1}}}, 10, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(hits) != 3 || hits[0].Score != hits[1].Score || hits[1].Score <= hits[2].Score {
		t.Errorf("hits = %+v, want documents 1 and 2 with the same score, then 3 with less", hits)
	}
}

func TestEdges(t *testing.T) {
	ix := postings.New(postings.Config{})
	word := []postings.Group{{{Term: "a", Weight: 1}}}
	search := func(groups []postings.Group, limit int, only []int64) int {
		t.Helper()
		hits, err := ix.Search(t.Context(), groups, limit, only)
		if err != nil {
			t.Fatal(err)
		}
		return len(hits)
	}
	if n := search(word, 5, nil); n != 0 {
		t.Errorf("%d hits in an empty index", n)
	}
	for key := range int64(3) {
		d := plainDoc{key: key, body: [][]string{{"a", "b"}, {"a"}}}
		if err := ix.Add(t.Context(), key, d.segment(t)); err != nil {
			t.Fatal(err)
		}
	}
	if err := ix.Add(t.Context(), 9, plainDoc{}.segment(t)); err != nil {
		t.Errorf("a document without chunks: %v", err)
	}
	for _, c := range []struct {
		name   string
		groups []postings.Group
		limit  int
		only   []int64
		want   int
	}{
		{"word in every chunk", word, 100, nil, 6},
		{"no word", nil, 100, nil, 0},
		{"empty group", []postings.Group{{}}, 100, nil, 0},
		{"weight zero", []postings.Group{{{Term: "a"}}}, 100, nil, 0},
		{"weight not a number", []postings.Group{{{Term: "a", Weight: float32(math.NaN())}}}, 100, nil, 0},
		{"limit zero", word, 0, nil, 0},
		{"limit negative", word, -1, nil, 0},
		{"limit huge", word, math.MaxInt, nil, 6},
		{"unknown word", []postings.Group{{{Term: "zz", Weight: 1}}}, 5, nil, 0},
		{"no document allowed", word, 5, []int64{}, 0},
		{"unknown document", word, 5, []int64{77}, 0},
		{"document twice", word, 5, []int64{1, 1}, 2},
	} {
		if got := search(c.groups, c.limit, c.only); got != c.want {
			t.Errorf("%s: %d hits, want %d", c.name, got, c.want)
		}
	}
	if _, err := ix.Search(t.Context(), make([]postings.Group, postings.MaxGroups+1), 5, nil); err == nil {
		t.Error("too many words: no error")
	}
	if _, err := ix.Search(t.Context(), []postings.Group{make(postings.Group, postings.MaxAlternatives+1)}, 5, nil); err == nil {
		t.Error("too many alternatives: no error")
	}
	if err := ix.Remove(t.Context(), 1234); err != nil {
		t.Errorf("removing what is not there: %v", err)
	}
	if got := ix.Langs(); !slices.Equal(got, []string{"en"}) {
		t.Errorf("Langs() = %v", got)
	}
}

// TestStatisticsAreOnesOwn shows that an index knows nothing of another: the
// same documents score the same however much another user has of the words.
func TestStatisticsAreOnesOwn(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	mine := randomDocs(rng, 20, 10, 50)
	groups := randomQuery(rng, 50)
	alone := loadPlain(t, mine)
	before, err := alone.Search(t.Context(), groups, 10, nil)
	if err != nil {
		t.Fatal(err)
	}
	loadPlain(t, randomDocs(rng, 200, 10, 50)) // somebody else's
	after, err := alone.Search(t.Context(), groups, 10, nil)
	if err != nil {
		t.Fatal(err)
	}
	sameHits(t, "beside another user", after, before)
}

// countdown is a context that ends at the n-th time it is asked.
type countdown struct {
	context.Context
	left atomic.Int64
}

func (c *countdown) Err() error {
	if c.left.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}

func TestEndedContext(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	docs := randomDocs(rng, 3000, 30, 20)
	ix := loadPlain(t, docs)
	groups := make([]postings.Group, 0, 15)
	for i := range 15 {
		groups = append(groups, postings.Group{{Term: fmt.Sprint("w", i+1), Weight: 1}, {Term: fmt.Sprint("w", i+2), Weight: 0.5}})
	}
	want, err := ix.Search(t.Context(), groups, 1000, nil)
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	for n := int64(0); ; n++ {
		ctx := &countdown{Context: t.Context()}
		ctx.left.Store(n)
		hits, err := ix.Search(ctx, groups, 1000, nil)
		if err == nil {
			sameHits(t, "after interrupted searches", hits, want)
			break
		}
		asked++
		if !errors.Is(err, context.Canceled) || hits != nil {
			t.Fatalf("search with an ended context: %v, %v", hits, err)
		}
	}
	// 45,000 chunks with 30 lists: a few hundred thousand postings.
	if asked < 10 {
		t.Errorf("the context was asked %d times", asked)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := ix.Add(ended, 1, docs[0].segment(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("Add with an ended context: %v", err)
	}
	if err := ix.Remove(ended, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("Remove with an ended context: %v", err)
	}
	if _, err := postings.Load(ended, postings.Config{}, func(yield func(postings.Document, error) bool) {
		yield(postings.Document{Key: 1, Segment: docs[0].segment(t)}, nil)
	}); !errors.Is(err, context.Canceled) {
		t.Errorf("Load with an ended context: %v", err)
	}
	after, err := ix.Search(t.Context(), groups, 1000, nil)
	if err != nil {
		t.Fatal(err)
	}
	sameHits(t, "after refused writes", after, want)
}

func TestLoadErrors(t *testing.T) {
	good := plainDoc{body: [][]string{{"a"}}}.segment(t)
	bad := slices.Clone(good)
	bad[len(bad)/2] ^= 1
	broken := errors.New("disk on fire")
	for _, c := range []struct {
		name string
		docs []postings.Document
		end  error
		is   error
		says string
	}{
		{"damaged", []postings.Document{{Key: 3, Segment: good}, {Key: 42, Segment: bad}}, nil, postings.ErrCorrupt, "document 42"},
		{"empty bytes", []postings.Document{{Key: 42}}, nil, postings.ErrCorrupt, "document 42"},
		{"twice", []postings.Document{{Key: 3, Segment: good}, {Key: 3, Segment: good}}, nil, nil, "twice"},
		{"source fails", []postings.Document{{Key: 3, Segment: good}}, broken, broken, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			ix, err := postings.Load(t.Context(), postings.Config{}, func(yield func(postings.Document, error) bool) {
				for _, d := range c.docs {
					if !yield(d, nil) {
						return
					}
				}
				if c.end != nil {
					yield(postings.Document{}, c.end)
				}
			})
			if err == nil || ix != nil || (c.is != nil && !errors.Is(err, c.is)) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Load: %v, %v", ix, err)
			}
		})
	}
	ix := postings.New(postings.Config{})
	if err := ix.Add(t.Context(), 1, bad); !errors.Is(err, postings.ErrCorrupt) || ix.Chunks() != 0 {
		t.Errorf("Add of damaged bytes: %v, %d chunks", err, ix.Chunks())
	}
}

// TestConcurrently searches while documents come, change and go. Every document
// has the same word in all its chunks and a version of its own in each, so a
// document seen by halves would show as a wrong number of hits.
func TestConcurrently(t *testing.T) {
	ix := postings.New(postings.Config{})
	const keys, chunks = 12, 5
	version := func(key int64, v int) plainDoc {
		d := plainDoc{key: key}
		for range chunks {
			d.body = append(d.body, []string{fmt.Sprint("doc", key), fmt.Sprint("v", v%2), "all"})
		}
		return d
	}
	var writers, readers sync.WaitGroup
	done := make(chan struct{})
	for w := range int64(3) {
		writers.Go(func() {
			for v := range 150 {
				for key := w; key < keys; key += 3 {
					var err error
					if v%7 == 6 {
						err = ix.Remove(t.Context(), key)
					} else {
						err = ix.Add(t.Context(), key, version(key, v).segment(t))
					}
					if err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	for r := range int64(4) {
		readers.Go(func() {
			for i := r; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				key := i % keys
				hits, err := ix.Search(t.Context(), []postings.Group{{{Term: fmt.Sprint("doc", key), Weight: 1}}}, 100, nil)
				if err != nil || (len(hits) != 0 && len(hits) != chunks) {
					t.Errorf("document %d by halves: %v, %v", key, hits, err)
					return
				}
				for _, h := range hits {
					if h.Key != key {
						t.Errorf("asked for %d, got %v", key, h)
					}
				}
				if hits, err := ix.Search(t.Context(), []postings.Group{{{Term: "all", Weight: 1}}}, 1000, nil); err != nil || len(hits)%chunks != 0 {
					t.Errorf("%d hits, %v", len(hits), err)
				}
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
}
