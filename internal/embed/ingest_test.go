package embed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/openai"
	"weir/internal/rag"
)

// ration is a provider that answers queries and bears only so many passages a
// second, over which it answers 429.
type ration struct {
	perSecond int

	mu       sync.Mutex
	second   int64
	used     int
	refused  int
	answered map[string]int // how often each passage was
}

func (p *ration) RoundTrip(r *http.Request) (*http.Response, error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	req, err := openai.DecodeEmbeddingsRequest(raw, openai.Limits{Items: 4096, Values: dim})
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(raw))
	if strings.HasPrefix(req.Input[0], "passage") {
		if answer := p.passages(req.Input); answer != nil {
			return answer, nil
		}
	}
	after(tick)
	return right(r)
}

func (p *ration) passages(texts []string) *http.Response {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now().Unix(); now != p.second {
		p.second, p.used = now, 0
	}
	if p.used+len(texts) > p.perSecond {
		p.refused++
		return response(429, `{"error":{"message":"tokens per minute"}}`, "Retry-After", "2")
	}
	p.used += len(texts)
	for _, text := range texts {
		p.answered[text]++
	}
	return nil
}

// queries makes a call for a query each time it is due, as open-loop load does.
func queries(t *testing.T, p *Pipeline, every, span time.Duration) (answered, failed int, slowest time.Duration) {
	t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range int(span / every) {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			start := time.Now()
			_, err := p.Embed(ctx, rag.User(fmt.Sprint("u", i%5)), rag.ForQuery, []string{fmt.Sprint("query ", i)})
			mu.Lock()
			defer mu.Unlock()
			if slowest = max(slowest, time.Since(start)); err != nil {
				failed++
				return
			}
			answered++
		})
		after(every)
	}
	all.Wait()
	return answered, failed, slowest
}

// TestIngestStorm: a provider that refuses most of ingest with 429 slows
// ingest, and no query; what was embedded is not sent again.
func TestIngestStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &ration{perSecond: 40, answered: map[string]int{}}
		p := timed(t, Config{MaxBatch: 16, CacheBytes: 16 << 20}, s)
		ctx, stop := context.WithCancel(t.Context())
		var done, tries atomic.Int32
		var workers sync.WaitGroup
		for w := range 4 { // as indexing does: a document at a time, tried again when it may pass
			workers.Go(func() {
				for d := 0; ctx.Err() == nil; d++ {
					texts := numbered(40, fmt.Sprintf("passage %d of document %d, %%d", w, d))
					for ctx.Err() == nil {
						_, err := p.Embed(ctx, "library", rag.ForIngest, texts)
						tries.Add(1)
						if err == nil {
							done.Add(1)
							break
						}
						var e *rag.Error
						if errors.As(err, &e) {
							after(max(e.RetryAfter, time.Second))
						}
					}
				}
			})
		}
		answered, failed, slowest := queries(t, p, 20*time.Millisecond, time.Minute)
		stop()
		workers.Wait()
		if failed > 0 || slowest > 3*tick {
			t.Errorf("%d queries answered, %d failed, the slowest after %s", answered, failed, slowest)
		}
		most := 0
		for _, n := range s.answered {
			most = max(most, n)
		}
		if done.Load() < 10 || most > 1 || s.refused == 0 {
			t.Errorf("%d documents in %d calls, a passage was answered %d times, %d requests refused", done.Load(), tries.Load(), most, s.refused)
		}
		t.Logf("%d queries, the slowest after %s; %d documents of 40 in %d calls; %d requests refused, %d passages answered once each",
			answered, slowest, done.Load(), tries.Load(), s.refused, len(s.answered))
	})
}

// TestIngestIsNotStarved: under queries that never cease, on a provider that
// they fill, ingest goes on.
func TestIngestIsNotStarved(t *testing.T) {
	for _, slots := range []int{1, 2, 8} {
		t.Run(fmt.Sprint(slots, " slots"), func(t *testing.T) {
			s := newScripted(mood{after: tick})
			bubble(t, Config{MaxConcurrent: slots, MaxBatch: 1}, s, func(t *testing.T, p *Pipeline) {
				cs := &callers{t: t, p: p}
				cs.query("learn how long it takes")
				cs.all.Wait()
				doc := cs.ask(t.Context(), "library", rag.ForIngest, numbered(20, "passage %d")...)
				answered, failed, _ := queries(t, p, tick/time.Duration(2*slots), 30*time.Second)
				if !doc.done.Load() || doc.err != nil {
					t.Errorf("20 passages in 30 s: %v", doc.err)
				}
				if bears := 30 * 10 * slots; answered < bears*8/10 {
					t.Errorf("%d queries answered, %d not; the provider bears %d", answered, failed, bears)
				}
				cs.all.Wait()
			})
		})
	}
}

// TestHungIngest: an attempt for ingest that hangs in the only slot is given
// up for the queries that wait, and its texts are asked for again.
func TestHungIngest(t *testing.T) {
	s := newScripted(mood{after: tick})
	bubble(t, Config{MaxConcurrent: 1}, s, func(t *testing.T, p *Pipeline) {
		cs := &callers{t: t, p: p}
		cs.query("all is well")
		cs.ask(t.Context(), "library", rag.ForIngest, "how long a passage takes")
		cs.all.Wait()
		s.mu.Lock()
		s.next = []mood{{hang: true}}
		s.mu.Unlock()
		doc := cs.ask(t.Context(), "library", rag.ForIngest, numbered(8, "passage %d")...)
		after(time.Second)
		first := cs.within(9*time.Second, "first")
		after(4 * time.Second)
		second := cs.within(9*time.Second, "second")
		cs.all.Wait()
		if first.err != nil || first.took > 3*time.Second || second.err != nil || second.took > 3*tick {
			t.Errorf("%v after %s, %v after %s", first.err, first.took, second.err, second.took)
		}
		if doc.err != nil || doc.took > 6*time.Second {
			t.Errorf("%v after %s", doc.err, doc.took)
		}
		var n []int
		for _, c := range s.asked() {
			n = append(n, len(c))
		}
		if !slices.Equal(n, []int{1, 1, 8, 1, 4, 4, 1}) && !slices.Equal(n, []int{1, 1, 8, 1, 4, 1, 4}) {
			t.Errorf("calls of %v texts", n)
		}
	})
}

// Slow ingest alone is nobody's trouble: it has until its own limit.
func TestSlowIngestAlone(t *testing.T) {
	s := newScripted(mood{after: 25 * time.Second})
	bubble(t, Config{MaxConcurrent: 1}, s, func(t *testing.T, p *Pipeline) {
		cs := &callers{t: t, p: p}
		doc := cs.ask(t.Context(), "library", rag.ForIngest, numbered(8, "passage %d")...)
		cs.all.Wait()
		if st := p.Stats(); doc.err != nil || len(s.asked()) != 1 || st.BreakerOpens != 0 {
			t.Errorf("%v, %+v", doc.err, st)
		}
	})
}
