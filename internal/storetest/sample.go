package storetest

import (
	"context"
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
		if ch, v, err := sampler.Sample(t.Context(), m); err != nil || v != nil || ch.Content != "" {
			t.Errorf("%s: %+v, %v, %v", when, ch, v, err)
		}
	}
	none("of an empty store", model())
	ingestAs(t, s, bob, rag.Model{}, upload("plain.txt", "without a vector"))
	none("of documents without vectors", model())
	d := ingest(t, s, alice, "a.txt", "the heron", "a weir", "an otter")
	ch, v, err := sampler.Sample(t.Context(), model())
	if err != nil || len(v) != model().Dim || ch.Content == "" {
		t.Fatalf("%+v, %v, %v", ch, v, err)
	}
	var cosine float64
	for i, x := range vectorOf(ch.Content, model().Dim) {
		cosine += float64(x) * float64(v[i])
	}
	if cosine < 0.99 || cosine > 1.01 {
		t.Errorf("%q is shown with the vector of something else: cosine %v", ch.Content, cosine)
	}
	none("of another model", other())
	none("of another size", rag.Model{Name: model().Name, Dim: model().Dim + 1})
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err = sampler.Sample(cancelled, model())
	wantCode(t, err, rag.Canceled, "Sample")
	if err := s.Delete(t.Context(), alice, d.ID); err != nil {
		t.Fatal(err)
	}
	none("of what was deleted", model())
}
