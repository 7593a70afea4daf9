package identity

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"weir/internal/rag"
)

func newTestLimits(perMinute, burst int) (*Limits, *time.Time) {
	now := noon()
	l := NewLimits(perMinute, burst)
	l.now = func() time.Time { return now }
	return l, &now
}

func TestLimitsOfOneUser(t *testing.T) {
	l, now := newTestLimits(60, 3)
	for want := 2; want >= 0; want-- {
		q, err := l.Take("ann")
		if err != nil || q.Left != want || q.PerMinute != 60 || q.Full != time.Duration(3-want)*time.Second {
			t.Fatalf("got %+v, %v; want %d left", q, err, want)
		}
	}
	q, err := l.Take("ann")
	var e *rag.Error
	if !errors.As(err, &e) || e.Code != rag.RateLimited || e.RetryAfter != time.Second || q.Left != 0 || q.Full != 3*time.Second {
		t.Fatalf("got %+v, %v", q, err)
	}
	*now = now.Add(e.RetryAfter - time.Nanosecond)
	if _, err := l.Take("ann"); err == nil {
		t.Error("a call came through before Retry-After")
	}
	*now = now.Add(time.Nanosecond)
	if _, err := l.Take("ann"); err != nil {
		t.Errorf("no call came through after Retry-After: %v", err)
	}
	*now = now.Add(time.Hour)
	if q, err := l.Take("ann"); err != nil || q.Left != 2 {
		t.Errorf("an hour's rest gave %+v, %v", q, err)
	}
}

// In the long run a user gets its rate, however it asks; and what is refused costs
// nothing.
func TestLimitsInTheLongRun(t *testing.T) {
	l, now := newTestLimits(600, 20)
	let := 0
	for range 60_000 { // a thousand a second
		if _, err := l.Take("ann"); err == nil {
			let++
		}
		*now = now.Add(time.Millisecond)
	}
	if let < 600 || let > 600+20 {
		t.Errorf("%d calls in a minute, of 600 and a burst of 20", let)
	}
}

// One user's calls leave all others theirs.
func TestLimitsAreFair(t *testing.T) {
	l, _ := newTestLimits(60, 2)
	for range 1000 {
		_, _ = l.Take("greedy") // most are refused
	}
	for i := range 1000 {
		if q, err := l.Take(rag.User(fmt.Sprint("user-", i))); err != nil || q.Left != 1 {
			t.Fatalf("user %d: %+v, %v", i, q, err)
		}
	}
}

func TestLimitsChange(t *testing.T) {
	l, _ := newTestLimits(60, 1)
	_, _ = l.Take("ann")
	if _, err := l.Take("ann"); err == nil {
		t.Fatal("no bound")
	}
	l.Set(6000, 100)
	if q, err := l.Take("ann"); err != nil || q.PerMinute != 6000 {
		t.Errorf("after the change: %+v, %v", q, err)
	}
}

// The memory is bounded, and callers who are due for nothing are forgotten first.
func TestMeterForgets(t *testing.T) {
	const most = 100
	m := newMeter[int](60, 1, most)
	now := noon()
	for i := range most {
		m.take(i, now)
	}
	now = now.Add(time.Minute)
	for i := range most {
		m.take(most+i, now)
	}
	if len(m.due) != most || m.forgot != 0 {
		t.Errorf("%d are remembered, %d were forgotten too early", len(m.due), m.forgot)
	}
	for i := range 10 * most {
		m.take(1000+i, now)
	}
	if len(m.due) > most || m.forgot != 10*most {
		t.Errorf("%d are remembered, %d were forgotten too early", len(m.due), m.forgot)
	}
}
