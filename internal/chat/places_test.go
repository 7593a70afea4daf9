package chat

import (
	"testing"

	"weir/internal/rag"
)

// TestTheLineIsFair: the next place goes to whose user has the fewest, then to
// who came first, and nobody has more than a share.
func TestTheLineIsFair(t *testing.T) {
	p := newPlaces(4, 0.75)
	for _, u := range []rag.User{"a", "a", "a", "b"} {
		if !p.take(u) {
			t.Fatalf("no place for %s", u)
		}
	}
	if p.take("c") {
		t.Fatal("a place more than there are")
	}
	line := map[string]*waiter{}
	for _, w := range []struct {
		name string
		user rag.User
	}{{"a4", "a"}, {"b2", "b"}, {"c1", "c"}, {"d1", "d"}} {
		line[w.name] = p.wait(w.user)
	}
	next := func(of rag.User, want string) {
		t.Helper()
		p.give(of)
		for name, w := range line {
			if w.done != (name == want) {
				t.Errorf("%s: %t, want %s", name, w.done, want)
			}
		}
		delete(line, want)
	}
	next("a", "c1")
	next("a", "d1")
	p.quit(line["b2"])
	delete(line, "b2")
	next("b", "a4")
	if p.taken != 4 || p.held["a"] != 2 || len(p.line) != 0 {
		t.Errorf("%+v", p)
	}
	p.quit(&waiter{user: "c", done: true}) // it was given its place as it left
	if p.taken != 3 || p.held["c"] != 0 {
		t.Errorf("%+v", p)
	}
}
