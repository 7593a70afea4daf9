package main

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"weir/internal/rag"
)

// tally counts outcomes.
type tally struct {
	began time.Time

	mu     sync.Mutex
	counts map[string]int
	ready  []rag.Document
}

func newTally() *tally { return &tally{began: time.Now(), counts: map[string]int{}} }

func (t *tally) add(o outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[o.Result]++
	if o.Result == resultReady || o.Result == resultSame {
		t.ready = append(t.ready, *o.Document)
	}
}

// whole reports whether every document is searchable.
func (t *tally) whole() bool {
	return t.counts[resultFailed]+t.counts[resultQueued]+t.counts[resultNotRead] == 0
}

func (t *tally) String() string {
	var parts []string
	for _, p := range []struct{ result, words string }{
		{resultReady, "ready"},
		{resultSame, "there already"},
		{resultFailed, "failed"},
		{resultQueued, "queued"},
		{resultNotRead, "not read"},
	} {
		if n := t.counts[p.result]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, p.words))
		}
	}
	if len(parts) == 0 {
		return "nothing to do"
	}
	return strings.Join(parts, ", ")
}
