package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"weir/internal/rag"
)

// bare is a store without what the tests put in front of it.
func bare(s rag.Store) rag.Store {
	if f, ok := s.(*filled); ok {
		return f.Store
	}
	return s
}

// testSample: whoever is to be believed is held against a passage that really
// has the vector it is shown with.
func testSample(t *testing.T, s rag.Store) {
	sampler, ok := bare(s).(rag.Sampler)
	if !ok {
		t.Fatalf("%T is no Sampler", bare(s))
	}
	none := func(when string, m rag.Model) {
		t.Helper()
		if one, err := sampler.Sample(t.Context(), m); err != nil || one.Vector != nil || one.Chunk.Content != "" {
			t.Errorf("%s: %+v, %v", when, one, err)
		}
	}
	none("of an empty store", model())
	ingestAs(t, s, bob, rag.Model{}, upload("plain.txt", "without a vector"))
	none("of documents without vectors", model())
	d := ingest(t, s, alice, "a.txt", "the heron", "a weir", "an otter")
	wantOthers(t, sampler, d.ID, 4)
	one, err := sampler.Sample(t.Context(), model())
	if err != nil || len(one.Vector) != model().Dim || one.Chunk.Content == "" {
		t.Fatalf("%+v, %v", one, err)
	}
	if one.Chunk.DocID != d.ID {
		t.Errorf("it is of %q, not of %q", one.Chunk.DocID, d.ID)
	}
	wantVector(t, one)
	none("of another model", other())
	none("of another size", rag.Model{Name: model().Name, Dim: model().Dim + 1})
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = sampler.Sample(cancelled, model())
	wantCode(t, err, rag.Canceled, "Sample")
	if err := s.Delete(t.Context(), alice, d.ID); err != nil {
		t.Fatal(err)
	}
	none("of what was deleted", model())
	testOthers(t, s, sampler)
}

// testOthers: whoever differs from one document is held against several others.
func testOthers(t *testing.T, s rag.Store, sampler rag.Sampler) {
	var all []string
	for i := range 3 {
		for _, user := range []rag.User{alice, bob} {
			all = append(all, ingest(t, s, user, fmt.Sprintf("%d.txt", i), fmt.Sprintf("heron %d of %s", i, user), "a weir").ID)
		}
	}
	for _, but := range all {
		var others []string
		for _, id := range all {
			if id != but {
				others = append(others, id)
			}
		}
		wantOthers(t, sampler, but, 9, others...)
		some := wantOthers(t, sampler, but, 3, others...)
		if again := wantOthers(t, sampler, but, 3, others...); !slices.Equal(some, again) {
			t.Errorf("but %s: %q, and then %q", but, some, again)
		}
	}
	wantOthers(t, sampler, "", 9, all...)
	if got, err := sampler.Others(t.Context(), other(), "", 9); err != nil || len(got) != 0 {
		t.Errorf("of another model: %+v, %v", got, err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := sampler.Others(cancelled, model(), "", 9)
	wantCode(t, err, rag.Canceled, "Others")
}

// wantOthers checks that there are as many of some documents as may be, each once.
func wantOthers(t *testing.T, s rag.Sampler, but string, n int, of ...string) (ids []string) {
	t.Helper()
	got, err := s.Others(t.Context(), model(), but, n)
	if err != nil || len(got) != min(n, len(of)) {
		t.Errorf("%d but %q: %+v, %v", n, but, got, err)
	}
	for _, o := range got {
		if !slices.Contains(of, o.Chunk.DocID) || slices.Contains(ids, o.Chunk.DocID) {
			t.Errorf("%d but %q: %q after %q", n, but, o.Chunk.DocID, ids)
		}
		ids = append(ids, o.Chunk.DocID)
		wantVector(t, o)
	}
	return ids
}

func wantVector(t *testing.T, s rag.Sample) {
	t.Helper()
	var cosine float64
	for i, x := range vectorOf(s.Chunk.Content, model().Dim) {
		cosine += float64(x) * float64(s.Vector[i])
	}
	if cosine < 0.99 || cosine > 1.01 {
		t.Errorf("%q is shown with the vector of something else: cosine %v", s.Chunk.Content, cosine)
	}
}
