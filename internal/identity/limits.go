package identity

import (
	"fmt"
	"sync"
	"time"

	"weir/internal/rag"
)

// meter counts calls by whom they come from, each against a bound of its own:
// the generic cell rate algorithm (ITU-T I.371), which keeps one time per
// caller. A caller whose time has passed is as good as one who was never seen, so
// that forgetting it loses nothing.
type meter[K comparable] struct {
	mu     sync.Mutex
	every  time.Duration // between two calls, in the long run
	burst  int           // calls at once
	most   int           // callers that are remembered
	due    map[K]time.Time
	swept  time.Time
	forgot int64 // callers that were forgotten before their time
}

func newMeter[K comparable](perMinute, burst, most int) *meter[K] {
	m := &meter[K]{most: most, due: map[K]time.Time{}}
	m.set(perMinute, burst)
	return m
}

func (m *meter[K]) set(perMinute, burst int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.every, m.burst = time.Minute/time.Duration(perMinute), burst
	clear(m.due) // what was due by other bounds says nothing by these
}

// take counts one call. left is how many may follow at once, full when there
// are as many as ever; with ok false the call is one too many, and the next may
// come after wait.
func (m *meter[K]) take(who K, now time.Time) (left int, full, wait time.Duration, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	due := m.due[who]
	if due.Before(now) {
		due = now
	}
	room := time.Duration(m.burst) * m.every
	next := due.Add(m.every)
	if over := next.Sub(now) - room; over > 0 {
		return 0, due.Sub(now), over, false
	}
	if _, known := m.due[who]; !known {
		m.makeRoom(now)
	}
	m.due[who] = next
	full = next.Sub(now)
	return int((room - full) / m.every), full, 0, true
}

// makeRoom has a place free for one more caller.
func (m *meter[K]) makeRoom(now time.Time) {
	if len(m.due) < m.most {
		return
	}
	if now.Sub(m.swept) >= time.Second { // to look at all is not for every call
		m.swept = now
		for who, due := range m.due {
			if !due.After(now) {
				delete(m.due, who)
			}
		}
	}
	for who := range m.due {
		if len(m.due) < m.most {
			return
		}
		delete(m.due, who)
		m.forgot++
	}
}

// maxMetered bounds the users, and the addresses, that are counted.
const maxMetered = 1 << 16

// Limits bounds what one user asks. It is safe for concurrent use.
type Limits struct {
	meter *meter[rag.User]
	now   func() time.Time

	mu        sync.Mutex
	perMinute int
}

// NewLimits lets each user make perMinute calls, and burst of them at once.
// Both are at least 1.
func NewLimits(perMinute, burst int) *Limits {
	return &Limits{meter: newMeter[rag.User](perMinute, burst, maxMetered), now: time.Now, perMinute: perMinute}
}

// Set changes the bounds for all calls to come.
func (l *Limits) Set(perMinute, burst int) {
	l.mu.Lock()
	l.perMinute = perMinute
	l.mu.Unlock()
	l.meter.set(perMinute, burst)
}

// Take counts one call of user. Its error is RateLimited, with when to try
// again.
func (l *Limits) Take(user rag.User) (rag.Quota, error) {
	l.mu.Lock()
	perMinute := l.perMinute
	l.mu.Unlock()
	left, full, wait, ok := l.meter.take(user, l.now())
	q := rag.Quota{PerMinute: perMinute, Left: left, Full: full}
	if ok {
		return q, nil
	}
	return q, &rag.Error{
		Code: rag.RateLimited, Phase: "queue", RetryAfter: wait,
		Msg: fmt.Sprintf("this user has made more calls than the %d a minute that one user may", perMinute),
	}
}
