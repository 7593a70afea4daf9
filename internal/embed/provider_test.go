package embed_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"weir/internal/chaos"
	"weir/internal/embed"
	"weir/internal/provider"
	"weir/internal/rag"
)

const dim = 24

// meeting is one pipeline at one provider, on real sockets.
type meeting struct {
	*chaos.Provider
	p   *embed.Pipeline
	cfg embed.Config
}

// meet starts both. They end with the test, after which nothing of them may be
// left: TestMain looks for goroutines.
func meet(t *testing.T, f chaos.Entry, cfg embed.Config) *meeting {
	t.Helper()
	m := &meeting{cfg: cfg}
	var err error
	m.Provider, err = chaos.Start(t.Context(), chaos.Config{Dim: dim, Wire: f.Wires[0], Latency: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	m.cfg.BaseURL, m.cfg.Model, m.cfg.Dimensions, m.cfg.RootCAs = m.URL(), "m", dim, m.RootCAs()
	if f.Named {
		m.cfg.BaseURL, m.cfg.Resolver = m.NamedURL(), m.Resolver()
	}
	if m.p, err = embed.New(m.cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.end(t) })
	return m
}

// end closes the pipeline, after which the provider has no connection, and
// then the provider.
func (m *meeting) end(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	if err := m.p.Close(ctx); err != nil {
		t.Error(err)
	}
	if err := m.Await(ctx, func(s chaos.Stats) bool { return s.Open == 0 && s.InFlight == 0 }); err != nil {
		t.Errorf("long after Close the provider still has %d connections, %d calls", m.Stats().Open, m.Stats().InFlight)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}

// set makes the provider misbehave; a fault that cannot be had here skips the
// test.
func (m *meeting) set(t *testing.T, f chaos.Fault) {
	t.Helper()
	switch err := m.Set(t.Context(), f); {
	case errors.Is(err, chaos.ErrSystem):
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
}

func (m *meeting) heal(t *testing.T) {
	t.Helper()
	if err := m.Heal(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// answer is what one caller got.
type answer struct {
	text string
	err  error
	took time.Duration
	late time.Duration // how long after its deadline it was back
}

// ask makes one call, and checks that what it gets is its own, or an error that
// says what and where.
func (m *meeting) ask(t *testing.T, user int, text string, limit time.Duration) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	began := time.Now()
	got, err := m.p.Embed(ctx, rag.User(fmt.Sprint("user ", user)), rag.ForQuery, []string{text})
	a := answer{text: text, err: err, took: time.Since(began)}
	a.late = max(0, a.took-limit)
	var e *rag.Error
	switch {
	case err == nil && (len(got) != 1 || !chaos.Matches(text, got[0])):
		t.Errorf("%q has a vector that is not its own", text)
	case err != nil && (!errors.As(err, &e) || e.Code == "" || e.Phase == ""):
		t.Errorf("%q: an error without code or phase: %v", text, err)
	}
	return a
}

func row(t *testing.T, f chaos.Fault) chaos.Entry {
	t.Helper()
	e, ok := chaos.Lookup(f)
	if !ok {
		t.Fatalf("there is no fault %s", f)
	}
	return e
}

// TestReplaysAreBounded: a provider that gives each request back is not asked
// thousands of times, by nobody's decision, within one attempt.
func TestReplaysAreBounded(t *testing.T) {
	m := meet(t, row(t, chaos.HTTP2GoAwayAlways), embed.Config{MaxAttempts: 1})
	m.set(t, chaos.HTTP2GoAwayAlways)
	a := m.ask(t, 1, "a text", 5*time.Second)
	var e *rag.Error
	if !errors.As(a.err, &e) || e.Code != rag.Unavailable || e.Phase != "headers" {
		t.Errorf("%v, want unavailable in headers", a.err)
	}
	if n := m.Stats().Calls; n < 1 || n > 2 {
		t.Errorf("%d requests for one attempt, want 2 at most", n)
	}
	m.heal(t)
	if a := m.ask(t, 1, "a text", 5*time.Second); a.err != nil {
		t.Error(a.err)
	}
}

// TestLookupsEnd: a look-up that is not answered ends with the dial it is for,
// and leaves nothing, however many callers there are and whether they wait or
// not.
func TestLookupsEnd(t *testing.T) {
	for _, f := range []chaos.Fault{chaos.DNSSilent, chaos.DNSFails, chaos.DNSUnknown} {
		t.Run(string(f), func(t *testing.T) {
			t.Parallel()
			e := row(t, f)
			m := meet(t, e, embed.Config{MaxAttempts: 1, MaxBatch: 1, Network: provider.Network{DialTimeout: 300 * time.Millisecond}})
			m.set(t, f)
			a := m.ask(t, 1, "patient", 5*time.Second)
			if c := rag.CodeOf(a.err); (c != rag.Timeout && c != rag.Unavailable) || a.took > 300*time.Millisecond+patience {
				t.Errorf("%v after %s, with a dial timeout of 300 ms", a.err, a.took)
			}
			if a := m.ask(t, 1, "hasty", 100*time.Millisecond); a.late > patience {
				t.Errorf("%s late", a.late)
			}
			m.heal(t)
			m.recovers(t, 1)
		})
	}
}

// recovers waits until n callers at a time are all answered, and returns how
// long that took.
func (m *meeting) recovers(t *testing.T, n int) time.Duration {
	t.Helper()
	began := time.Now()
	for wave := 0; ; wave++ {
		as := m.wave(t, n, time.Second+patience, func(i int) string { return fmt.Sprint("afterwards ", wave, " ", i) })
		failed, wait := 0, 20*time.Millisecond
		for _, a := range as {
			var e *rag.Error
			if a.err != nil {
				failed++
			}
			if errors.As(a.err, &e) {
				wait = max(wait, min(e.RetryAfter, 500*time.Millisecond))
			}
		}
		took := time.Since(began)
		if failed*100 <= n {
			return took
		}
		if took > 5*time.Second+patience {
			t.Errorf("%s after the end of it %d of %d fail: %+v", took, failed, n, m.p.Stats())
			return took
		}
		<-time.NewTimer(wait).C // when it was told to come back
	}
}

// wave makes n calls at a time.
func (m *meeting) wave(t *testing.T, n int, limit time.Duration, text func(i int) string) []answer {
	t.Helper()
	back := make(chan answer, n)
	for i := range n {
		go func() { back <- m.ask(t, i%7, text(i), limit) }()
	}
	as := make([]answer, 0, n)
	for range n {
		as = append(as, <-back)
	}
	return as
}
