package postgres

import "testing"

// TestTrust: an index is judged by some searches and enough hits, and judged
// again later.
func TestTrust(t *testing.T) {
	var s trust
	k := trustKey{user: "alice", method: "ivfflat", lists: 100}
	step := func(name string, use, check bool) {
		t.Helper()
		if u, c := s.ask(k); u != use || c != check {
			t.Errorf("%s: used %t and checked %t, want %t and %t", name, u, c, use, check)
		}
	}
	// checked has n searches compared, of which the last brings news or does not.
	checked := func(name string, n, found, wanted int, news bool) {
		t.Helper()
		for i := range n {
			step(name, true, true)
			if got := s.tell(k, found, wanted); got != (news && i == n-1) {
				t.Errorf("%s: search %d of %d brings news: %t", name, i+1, n, got)
			}
		}
	}
	rest := func(name string, use bool) {
		t.Helper()
		for range trustedFor - 1 {
			step(name, use, false)
		}
	}
	checked("bad", trustedFrom, 10, 20, true)
	rest("bad", false)
	checked("still bad", trustedFrom, 10, 20, false)
	rest("still bad", false)
	checked("good now", trustedFrom, 20, 20, false)
	for range 8 * trustedFrom {
		rest("good", true)
		checked("good", 1, 95, 100, false)
	}
	for range 100 * trustedFrom {
		rest("worse", true)
		step("worse", true, true)
		if s.tell(k, 50, 100) {
			break
		}
	}
	rest("bad again", false)
	s.pass(k)
	for range tooLong - 1 {
		step("not to be judged", true, false)
		rest("not to be judged", true)
	}
	rest("not to be judged", true)
	step("not to be judged, for long", true, true)

	k.method = "hnsw"
	checked("another, of few hits", trustedHits, 1, 1, false)
	for range 4 * trustedHits {
		rest("another, of few hits", true)
		checked("another, of few hits", 1, 1, 1, false)
	}
	for i := range 3 * trustedUsers {
		s.ask(trustKey{user: k.user, lists: i})
	}
	if len(s.of) > trustedUsers {
		t.Errorf("%d are remembered", len(s.of))
	}
	s.tell(k, 1, 1) // of one that was forgotten
}
