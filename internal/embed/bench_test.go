package embed

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/internal/provider"
	"weir/internal/rag"
)

// narrow is a provider on a real socket that works on 8 calls at a time, 80 ms
// each, whatever is in them; further calls wait.
func narrow(b *testing.B) (url string, calls *atomic.Int64) {
	calls = new(atomic.Int64)
	free := make(chan struct{}, 8)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		free <- struct{}{}
		defer func() { <-free }()
		after(80 * time.Millisecond)
		answer, err := right(r)
		if err != nil {
			b.Error(err)
			return
		}
		_, _ = io.Copy(w, answer.Body)
	}))
	b.Cleanup(s.Close)
	return s.URL + "/v1", calls
}

// BenchmarkThousandQueries is 1,000 callers at once, each with a query of its
// own: through the pipeline, and with one call per text over as many
// connections.
func BenchmarkThousandQueries(b *testing.B) {
	const callers = 1000
	for _, batched := range []bool{true, false} {
		b.Run(fmt.Sprintf("batched=%t", batched), func(b *testing.B) {
			url, calls := narrow(b)
			cfg := Config{BaseURL: url, Model: "m", Dimensions: dim, CacheBytes: 1}
			p, err := New(cfg)
			if err != nil {
				b.Fatal(err)
			}
			defer p.Close(context.Background())
			one := make(chan struct{}, p.cfg.MaxConcurrent)
			ask := func(text string) error {
				if batched {
					_, err := p.Embed(b.Context(), "u", rag.ForQuery, []string{text})
					return err
				}
				one <- struct{}{}
				defer func() { <-one }()
				if _, fault := p.client.Attempt(b.Context(), []string{text}, new(provider.Tracker)); fault != nil {
					return fault.Error
				}
				return nil
			}
			var took []time.Duration
			for round := range b.N {
				took = took[:0]
				var mu sync.Mutex
				var all sync.WaitGroup
				for i := range callers {
					all.Go(func() {
						start := time.Now()
						if err := ask(fmt.Sprintf("round %d query %d", round, i)); err != nil {
							b.Error(err)
						}
						mu.Lock()
						took = append(took, time.Since(start))
						mu.Unlock()
					})
				}
				all.Wait()
			}
			slices.Sort(took)
			b.ReportMetric(float64(calls.Load())/float64(b.N), "calls/op")
			b.ReportMetric(ms(took[len(took)/2]), "p50-ms")
			b.ReportMetric(ms(took[len(took)*99/100]), "p99-ms")
		})
	}
}

// BenchmarkCacheHit is a call that the cache answers.
func BenchmarkCacheHit(b *testing.B) {
	p, err := newPipeline(Config{BaseURL: "http://provider/v1", Model: "m", Dimensions: dim}, roundTrip(right))
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close(context.Background())
	for b.Loop() {
		if _, err := p.Embed(b.Context(), "u", rag.ForQuery, []string{"the same text"}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRefusal is a call that admission refuses with a full table.
func BenchmarkRefusal(b *testing.B) {
	release := make(chan struct{})
	p, err := newPipeline(Config{BaseURL: "http://provider/v1", Model: "m", Dimensions: dim}, roundTrip(func(*http.Request) (*http.Response, error) {
		<-release
		return nil, io.ErrUnexpectedEOF
	}))
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	var all sync.WaitGroup
	for u := range 4 {
		all.Go(func() {
			_, _ = p.Embed(ctx, rag.User(fmt.Sprint(u)), rag.ForQuery, numbered(1024, fmt.Sprintf("user %d text %%d", u)))
		})
	}
	for p.Stats().Pending < 4096 {
		after(time.Millisecond)
	}
	b.ResetTimer()
	for b.Loop() {
		if _, err := p.Embed(b.Context(), "u", rag.ForQuery, []string{"one more"}); rag.CodeOf(err) != rag.Overloaded {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	cancel()
	all.Wait()
	close(release)
	if err := p.Close(context.Background()); err != nil {
		b.Error(err)
	}
}
