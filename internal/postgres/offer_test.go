package postgres_test

import (
	"context"
	"testing"
	"time"

	"weir/internal/postgres"
)

// TestOffersOfVectors are seen by other servers, until the last has run out.
func TestOffersOfVectors(t *testing.T) {
	a := address(t)
	s, other := open(t, postgres.Config{Address: a}), open(t, postgres.Config{Address: a})
	want := func(want bool, when string) {
		t.Helper()
		if got, err := other.VectorsOffered(t.Context()); err != nil || got != want {
			t.Errorf("%s: %t, %v", when, got, err)
		}
	}
	want(false, "of nobody")
	for _, step := range []struct {
		ttl  time.Duration
		want bool
		when string
	}{
		{time.Nanosecond, false, "when it has run out"},
		{time.Hour, true, "while it lasts"},
		{time.Nanosecond, true, "when a shorter one has run out"},
	} {
		if err := s.OfferVectors(t.Context(), step.ttl); err != nil {
			t.Fatal(err)
		}
		want(step.want, step.when)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.VectorsOffered(ctx); err == nil {
		t.Error("an ended context")
	}
}
