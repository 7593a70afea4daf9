package embed

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/rag"
)

// local is a provider that loads its model when it is asked, gives up loading
// when nobody waits for it any more, and unloads after five minutes.
type local struct {
	load time.Duration

	mu      sync.Mutex
	loading int           // who waits for it
	loaded  chan struct{} // closed when it is; nil: nobody loads
	until   time.Time     // it is loaded
	aborted int
	most    int
}

func (l *local) RoundTrip(r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	if time.Now().After(l.until) && l.loaded == nil {
		l.loaded = make(chan struct{})
		done := l.loaded
		go func() {
			after(l.load)
			l.mu.Lock()
			defer l.mu.Unlock()
			if l.loaded == done {
				l.loaded, l.until = nil, time.Now().Add(5*time.Minute)
				close(done)
			}
		}()
	}
	loaded := l.loaded
	l.loading++
	l.most = max(l.most, l.loading)
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.loading--; l.loading == 0 && l.loaded != nil {
			l.loaded, l.aborted = nil, l.aborted+1
		}
	}()
	if loaded != nil {
		select {
		case <-loaded:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	after(tick)
	l.mu.Lock()
	l.until = time.Now().Add(5 * time.Minute)
	l.mu.Unlock()
	return right(r)
}

// TestColdModel: a provider that loads its model for longer than anybody waits
// becomes of use all the same, at the start and when it has unloaded it.
func TestColdModel(t *testing.T) {
	for _, slots := range []int{1, 8} {
		for _, load := range []time.Duration{20 * time.Second, 60 * time.Second} {
			for _, callers := range []int{1, 20} {
				t.Run(fmt.Sprintf("%s, %d slots, %d callers", load, slots, callers), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						l := &local{load: load}
						p := timed(t, Config{MaxConcurrent: slots}, l)
						defer p.Close(t.Context())
						for _, when := range []string{"at the start", "after an hour"} {
							coldStart(t, p, when, load, callers)
							after(time.Hour)
						}
						if l.aborted > 0 || l.most > slots {
							t.Errorf("loading was given up %d times; up to %d calls at a time", l.aborted, l.most)
						}
					})
				})
			}
		}
	}
}

// coldStart asks again and again, and wants answers as soon as the model is
// there and errors in time before.
func coldStart(t *testing.T, p *Pipeline, when string, load time.Duration, callers int) {
	t.Helper()
	const limit = 10 * time.Second
	began := time.Now()
	for round := 0; time.Since(began) < 3*time.Minute; round++ {
		var all sync.WaitGroup
		var mu sync.Mutex
		failed := 0
		for i := range callers {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				start := time.Now()
				_, err := p.Embed(ctx, "u", rag.ForQuery, []string{fmt.Sprint(when, round, " ", i)})
				if took := time.Since(start); took > limit {
					t.Errorf("%s late", took-limit)
				}
				if err != nil {
					mu.Lock()
					defer mu.Unlock()
					failed++
				}
			})
		}
		all.Wait()
		if failed == 0 {
			if took := time.Since(began); took > load+limit+5*time.Second {
				t.Errorf("%s: of use after %s, the model took %s", when, took, load)
			}
			return
		}
		after(time.Second)
	}
	t.Errorf("%s: never of use: %+v", when, p.Stats())
}

// TestColdHang: a provider that only seems to be loading costs one slot and no
// caller his deadline, and is found well again in seconds; a caller who leaves
// of its own will takes its attempt along.
func TestColdHang(t *testing.T) {
	s := newScripted(mood{hang: true})
	bubble(t, Config{}, s, func(t *testing.T, p *Pipeline) {
		cs := &callers{t: t, p: p}
		ctx, cancel := context.WithCancel(t.Context())
		cs.ask(ctx, "u", rag.ForQuery, "who leaves")
		cancel()
		cs.all.Wait()
		synctest.Wait()
		if st := p.Stats(); st.Slots != 0 || s.canceled != 1 {
			t.Errorf("left by its caller: %+v", st)
		}
		for i := range 30 {
			a := cs.within(3*time.Second, fmt.Sprint("t ", i))
			after(time.Second)
			if a.done.Load() && a.took > 3*time.Second {
				t.Fatalf("back after %s", a.took)
			}
		}
		cs.all.Wait()
		if st := p.Stats(); st.Slots != 1 || !st.Warming {
			t.Errorf("%+v", st)
		}
		s.set(mood{after: tick})
		after(5 * time.Second)
		if a := cs.query("after it"); true {
			cs.all.Wait()
			if a.err != nil || a.took != tick {
				t.Errorf("%v after %s", a.err, a.took)
			}
		}
		after(2 * time.Minute)
		if st := p.Stats(); st.Slots != 0 || st.Warming {
			t.Errorf("it has no end: %+v", st)
		}
	})
}
