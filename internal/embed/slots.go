package embed

import (
	"slices"
	"time"

	"weir/internal/rag"
)

// slots bounds the attempts under way: never more than hard, usually no more
// than limit, which falls when the provider is too slow or says that it is
// asked too often, and rises by one for each window of good answers (additive
// increase, multiplicative decrease, as TCP does it). Ingest has a limit of its
// own below that: what goes wrong with it slows nobody else. It is not safe for
// concurrent use.
type slots struct {
	hard     int
	window          // of all
	passages window // of ingest
	busy     int    // attempts under way
	ingest   int    // of these, for ingest
	cooling  []time.Time
}

// window is a limit that is found out.
type window struct {
	limit float64   // in [1, hard]
	good  int       // good answers since limit last changed
	cut   time.Time // when limit last fell
}

const shrinkBy = 0.7

func newSlots(hard int) slots {
	return slots{hard: hard, window: window{limit: float64(hard)}, passages: window{limit: float64(hard)}}
}

// used counts the attempts and the slots that cool down.
func (s *slots) used(now time.Time) int {
	s.cooling = slices.DeleteFunc(s.cooling, func(end time.Time) bool { return !end.After(now) })
	return s.busy + len(s.cooling)
}

// full reports whether not even a probe has room.
func (s *slots) full(now time.Time) bool { return s.used(now) >= s.hard }

// free reports whether an attempt for p may begin. A probe is bound by hard
// alone: limit fell because of what the probe is to find out. Ingest leaves a
// quarter, at least one, for queries as long as there is more than one.
func (s *slots) free(now time.Time, p rag.Purpose, probe bool) bool {
	limit := int(s.limit)
	switch used := s.used(now); {
	case used >= s.hard:
		return false
	case probe:
		return true
	case used >= limit:
		return false
	}
	return p != rag.ForIngest || s.ingest < s.forIngest()
}

// forIngest is how many attempts for ingest there may be.
func (s *slots) forIngest() int {
	limit := int(s.limit)
	return min(int(s.passages.limit), max(1, limit-max(1, limit/4)))
}

func (s *slots) take(p rag.Purpose) {
	s.busy++
	if p == rag.ForIngest {
		s.ingest++
	}
}

// release gives a slot back, at once or, when cool is after now, then: a
// provider goes on for a while with what it was told to forget.
func (s *slots) release(p rag.Purpose, now, cool time.Time) {
	s.busy--
	if p == rag.ForIngest {
		s.ingest--
	}
	if cool.After(now) {
		s.cooling = append(s.cooling, cool)
	}
}

// answered notes a good answer.
func (s *slots) answered(p rag.Purpose) {
	s.grow(s.hard)
	if p == rag.ForIngest {
		s.passages.grow(s.hard)
	}
}

// strained notes that an attempt that began then found the provider too busy.
func (s *slots) strained(p rag.Purpose, began, now time.Time) {
	if p == rag.ForIngest {
		s.passages.shrink(began, now)
		return
	}
	s.shrink(began, now)
}

func (w *window) grow(hard int) {
	if w.good++; w.good >= int(w.limit) {
		w.good = 0
		w.limit = min(w.limit+1, float64(hard))
	}
}

// shrink counts attempts that were under way together once.
func (w *window) shrink(began, now time.Time) {
	w.good = 0
	if began.Before(w.cut) {
		return
	}
	w.limit = max(1, w.limit*shrinkBy)
	w.cut = now
}

// cooled returns when the next slot has cooled down; zero: none does.
func (s *slots) cooled() time.Time {
	if len(s.cooling) == 0 {
		return time.Time{}
	}
	return slices.MinFunc(s.cooling, time.Time.Compare)
}
