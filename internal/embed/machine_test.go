package embed

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"weir/internal/embed/embedtest"
	"weir/internal/rag"
)

// step is one thing that happens to a pipeline.
type step struct {
	kind  string
	user  int
	ask   []int // texts, by number; the same number joins
	limit time.Duration
	n     int // which caller is cancelled; which mood comes; how long a tick is
}

func steps() *rapid.Generator[[]step] {
	one := rapid.Custom(func(t *rapid.T) step {
		return step{
			kind:  rapid.SampledFrom([]string{"query", "query", "query", "ingest", "cancel", "mood", "tick", "tick", "release"}).Draw(t, "kind"),
			user:  rapid.IntRange(0, 3).Draw(t, "user"),
			ask:   rapid.SliceOfN(rapid.IntRange(0, 19), 1, 6).Draw(t, "texts"),
			limit: time.Duration(rapid.SampledFrom([]int{1, 30, 100, 500, 3000, 20000}).Draw(t, "limit")) * time.Millisecond,
			n:     rapid.IntRange(0, 50).Draw(t, "n"),
		}
	})
	return rapid.SliceOfN(one, 1, 60)
}

func moods() []mood {
	return []mood{
		{},
		{after: 20 * time.Millisecond},
		{after: 20 * time.Millisecond},
		{after: 2 * time.Second},
		{status: 500, after: time.Millisecond},
		{status: 503, header: []string{"Retry-After", "1"}},
		{status: 429, header: []string{"Retry-After", "0.2"}},
		{status: 401},
		{hang: true},
		{deaf: true},
	}
}

func textOf(n int) string {
	switch n {
	case 18:
		return "a poison text"
	case 19:
		return "an ill text"
	default:
		return fmt.Sprintf("text number %d", n)
	}
}

// asker is one caller of the machine.
type asker struct {
	cancel   context.CancelFunc
	canceled bool
	done     bool
}

// machine runs steps against a pipeline in virtual time.
type machine struct {
	p   *Pipeline
	s   *scripted
	all sync.WaitGroup

	mu     sync.Mutex
	askers []*asker
	errs   []error
}

func (m *machine) blame(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.errs = append(m.errs, fmt.Errorf(format, args...))
}

// ask is one caller: whatever happens it is back by its deadline, with its own
// vectors or an error that is not of somebody else's making.
func (m *machine) ask(ctx context.Context, st step, purpose rag.Purpose) {
	ctx, cancel := context.WithTimeout(ctx, st.limit)
	me := &asker{cancel: cancel}
	m.mu.Lock()
	m.askers = append(m.askers, me)
	m.mu.Unlock()
	texts := make([]string, len(st.ask))
	for i, n := range st.ask {
		texts[i] = textOf(n)
	}
	deadline := time.Now().Add(st.limit)
	m.all.Go(func() {
		defer cancel()
		got, err := m.embed(ctx, rag.User(fmt.Sprint(st.user)), purpose, texts, st.n)
		if late := time.Since(deadline); late > 0 {
			m.blame("a caller was back %s late", late)
		}
		m.mu.Lock()
		canceled := me.canceled
		me.done = true
		m.mu.Unlock()
		var e *rag.Error
		switch {
		case err == nil:
			for i, text := range texts {
				if !near(got[i], embedtest.Vector(text, dim)) {
					m.blame("%q got another's vector", text)
				}
				got[i][0] = 42 // a caller may do with its vectors what it likes
			}
		case !errors.As(err, &e) || e.Phase == "":
			m.blame("an error without a phase: %v", err)
		case e.Code == rag.Canceled && !canceled:
			m.blame("a caller was cancelled by another: %v", err)
		case e.Code == rag.Invalid && !strings.Contains(strings.Join(texts, " "), "poison"):
			m.blame("a caller pays for another's text: %v", err)
		}
	})
}

// embed asks for what is to be stored with a witness now and then, which must be
// right too.
func (m *machine) embed(ctx context.Context, u rag.User, purpose rag.Purpose, texts []string, n int) ([][]float32, error) {
	if purpose == rag.ForQuery || n%2 == 0 {
		return m.p.Embed(ctx, u, purpose, texts)
	}
	witness := textOf(n % 18)
	got, now, err := m.p.EmbedAfresh(ctx, u, purpose, texts, witness)
	if err == nil && !near(now, embedtest.Vector(witness, dim)) {
		m.blame("the witness %q got another's vector", witness)
	}
	return got, err
}

func near(a, b []float32) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if d := a[i] - b[i]; d > 1e-5 || d < -1e-5 {
			return false
		}
	}
	return true
}

func (m *machine) do(ctx context.Context, st step) {
	switch st.kind {
	case "query":
		m.ask(ctx, st, rag.ForQuery)
	case "ingest":
		m.ask(ctx, st, rag.ForIngest)
	case "cancel":
		m.mu.Lock()
		if len(m.askers) > 0 {
			a := m.askers[st.n%len(m.askers)]
			a.canceled = a.canceled || !a.done
			a.cancel()
		}
		m.mu.Unlock()
	case "mood":
		m.s.set(moods()[st.n%len(moods())])
	case "tick":
		after(time.Duration(st.n*st.n) * time.Millisecond)
	case "release":
		m.s.mu.Lock()
		close(m.s.release)
		m.s.release = make(chan struct{})
		m.s.mu.Unlock()
	}
}

// run returns what was wrong. shutdown closes the pipeline in the middle.
func (m *machine) run(t *testing.T, script []step, shutdown bool) error {
	for _, st := range script {
		m.do(t.Context(), st)
		synctest.Wait()
		if err := sound(m.p); err != nil {
			return fmt.Errorf("after %+v: %w", st, err)
		}
	}
	if shutdown {
		short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		_ = m.p.Close(short) // it may have to wait for the deaf
		cancel()
		synctest.Wait()
		m.mu.Lock()
		for _, a := range m.askers {
			if !a.done {
				m.errs = append(m.errs, errors.New("a caller outlived the pipeline"))
			}
		}
		m.mu.Unlock()
	}
	m.s.set(mood{})
	m.all.Wait()
	close(m.s.release)
	after(2 * time.Minute)
	if err := empty(m.p); err != nil {
		m.blame("at the end: %w", err)
	}
	if !shutdown { // it is whole again
		texts := []string{"after all"}
		got, err := m.p.Embed(t.Context(), "u", rag.ForQuery, texts)
		if err != nil || !near(got[0], embedtest.Vector(texts[0], dim)) {
			m.blame("it did not recover: %w", err)
		}
	}
	if err := m.p.Close(t.Context()); err != nil {
		m.blame("close: %w", err)
	}
	if m.s.mostWay > 3 {
		m.blame("%d attempts at a time", m.s.mostWay)
	}
	return errors.Join(m.errs...)
}

// TestMachine: whatever callers, provider and clock do, nobody is lost, late,
// or given what is another's, and nothing is left.
func TestMachine(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		script := steps().Draw(r, "steps")
		shutdown := rapid.Bool().Draw(r, "shutdown")
		cfg := Config{MaxConcurrent: 3, MaxBatch: 4, MaxPending: 16, CacheBytes: rapid.SampledFrom([]int{1, 2000, 1 << 20}).Draw(r, "cache")}
		var bad error
		synctest.Test(t, func(t *testing.T) {
			m := &machine{s: newScripted(mood{})}
			m.s.release = make(chan struct{})
			m.p = timed(t, cfg, m.s)
			bad = m.run(t, script, shutdown)
		})
		if bad != nil {
			r.Fatal(bad)
		}
	})
}
