package postgres

import (
	"context"
	"fmt"
	"sync"

	"weir/internal/rag"
)

// An index of vectors finds what is nearest as well as it was made: an IVFFlat
// one that was made before its rows came misses a third and more, and nothing in
// the database says so. So it is held against comparing every vector, for each
// user who is searched through it.
const (
	trustedFrom  = 8   // searches that were compared, before an index is judged: it may have all for one question and next to nothing for another
	trustedHits  = 100 // of them, at least
	trustedRate  = 0.9 // of these must have been found
	trustedFor   = 128 // searches, until it is looked at again
	trustedUsers = 64  // more than are ever large enough at a time
	tooLong      = 16  // times as seldom where it takes too long
	sameCosine   = 1e-6
)

// trust is what is known of the index of the tables, by user.
type trust struct {
	mu sync.Mutex
	of map[trustKey]*evidence
}

// trustKey has the index too: another one is judged anew.
type trustKey struct {
	user   rag.User
	method string
	lists  int
}

// evidence is how many hits of those looked for were found.
type evidence struct {
	found, wanted int
	checks        int
	since         int  // searches
	told          bool // that it is bad
}

func (e *evidence) judged() bool { return e.checks >= trustedFrom && e.wanted >= trustedHits }

func (e *evidence) bad() bool {
	return e.judged() && float64(e.found) < trustedRate*float64(e.wanted)
}

// ask tells whether the next search of a user goes through the index, and
// whether it is to be held against comparing every vector.
func (t *trust) ask(k trustKey) (use, check bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.of[k]
	if e == nil {
		if t.of == nil || len(t.of) >= trustedUsers {
			t.of = map[trustKey]*evidence{}
		}
		e = &evidence{}
		t.of[k] = e
	}
	e.since++
	check = !e.judged() || e.since >= trustedFor
	return check || !e.bad(), check
}

// tell takes note of what a search has found, and reports whether the index has
// turned out to be bad and nobody knows.
func (t *trust) tell(k trustKey, found, wanted int) (news bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.of[k]
	if e == nil {
		return false // forgotten in between
	}
	switch {
	case e.bad():
		e.found, e.wanted, e.checks = 0, 0, 0 // it may have been made anew
	case e.checks >= 4*trustedFrom && e.wanted >= 2*trustedHits:
		e.found, e.wanted, e.checks = e.found/2, e.wanted/2, e.checks/2 // what was long ago counts less
	}
	e.found, e.wanted, e.checks, e.since = e.found+found, e.wanted+wanted, e.checks+1, 0
	if !e.judged() {
		return false
	}
	news = e.bad() && !e.told
	e.told = e.bad()
	return news
}

// pass believes an index that cannot be judged in the time that there is.
func (t *trust) pass(k trustKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.of[k]; e != nil {
		e.found, e.wanted, e.checks, e.since = trustedHits, trustedHits, trustedFrom, -trustedFor*(tooLong-1)
	}
}

// check compares every vector, and returns what that finds. Where it takes more
// than a quarter of the time that is left, near, which the index has found, is as good
// as it gets.
func (h *adoptedSearch) check(ctx context.Context, k trustKey, near []neighbor, limit int) ([]neighbor, error) {
	part, err := h.tx.Begin(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := part.Exec(ctx, fmt.Sprintf("SET LOCAL statement_timeout = %d", untilEnd(ctx).Milliseconds()/4+1)); err != nil {
		return nil, err
	}
	exact, err := h.compare(ctx, nil, limit)
	if err != nil && (stateOf(err) != queryCanceled || ctx.Err() != nil) {
		return nil, err
	}
	if err := part.Rollback(ctx); err != nil { // and the limit is as it was
		return nil, err
	}
	if err != nil {
		h.trust.pass(k)
		return near, nil // what could not be had in time is no failure
	}
	found := 0
	for _, n := range near {
		if len(exact) > 0 && n.cosine >= exact[len(exact)-1].cosine-sameCosine {
			found++
		}
	}
	if h.trust.tell(k, found, len(exact)) {
		h.log.WarnContext(ctx, "the index of document_chunks on vectors misses too much of what is nearest: every vector of this user is compared; REINDEX helps where it was made before the rows",
			"index", k.method, "found", found, "of", len(exact))
	}
	return exact, nil
}
