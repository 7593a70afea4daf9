package embed

import (
	"container/list"
	"time"

	"weir/internal/rag"
)

// flight is one text on its way to a vector, for however many callers want
// it. It owns its result; a call owns no more than its membership. All of it
// is under the pipeline's mutex, but vector, which does not change any more
// once a call that has it was told.
type flight struct {
	key     digest
	text    string
	user    rag.User // who asked first: in whose turn it goes
	purpose rag.Purpose
	members map[*call]struct{}

	since    time.Time     // when it came into line
	line     *line         // where it waits; nil: it is in batch, or over
	elem     *list.Element // its place there
	batch    *batch        // nil: it waits in line, or is over
	attempts int           // that it took part in
	era      int           // of the cache that may keep its vector
	alone    bool          // asked for by itself, because its vector was ill
	last     *rag.Error    // how its last try failed

	over   bool // delivered, failed or dropped
	vector []float32
}

// never is the era of a flight the vector of which is not kept.
const never = -1

// expired reports whether nobody who wants it has time left for an attempt
// that takes typical. What did not have to wait is asked for in any case: an
// idle provider may be faster than it was.
func (f *flight) expired(now time.Time, typical time.Duration) bool {
	need := now
	if now.Sub(f.since) >= typical/2 {
		need = now.Add(typical)
	}
	for c := range f.members {
		if c.deadline.IsZero() || c.deadline.After(need) {
			return false
		}
	}
	return true
}

// table is the flights that callers wait for, by text.
type table struct {
	byKey  map[digest]*flight
	bytes  int // of their texts
	ingest int // how many were begun for ingest
}

func newTable() table { return table{byKey: map[digest]*flight{}} }

func (t *table) add(f *flight) {
	t.byKey[f.key] = f
	t.bytes += len(f.text)
	if f.purpose == rag.ForIngest {
		t.ingest++
	}
}

func (t *table) remove(f *flight) {
	if t.byKey[f.key] != f {
		return
	}
	delete(t.byKey, f.key)
	t.bytes -= len(f.text)
	if f.purpose == rag.ForIngest {
		t.ingest--
	}
}
