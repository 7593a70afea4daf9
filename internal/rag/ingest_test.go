package rag

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// ingest runs the workers until the document is settled or lost.
func ingest(t *testing.T, q *fakeQueue, e Embedder, x Extractor) {
	t.Helper()
	s := newService(t, Config{IngestWorkers: 1}, q, e, x)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan struct{})
	go func() { s.Run(ctx); close(done) }()
	<-q.settled
	cancel()
	<-done
}

func TestADocumentIsReadEmbeddedAndPublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue("one\ntwo\nthree")
		var sent []string
		e := &fakeEmbedder{batch: 2}
		e.embed = func(ctx context.Context, texts []string) ([][]float32, error) {
			sent = append(sent, texts...)
			return (&fakeEmbedder{}).Embed(ctx, "u", ForIngest, texts)
		}
		ingest(t, q, e, fakeExtractor(byLine))
		if q.outcome != "ready" || !slices.Equal(sent, []string{"one", "two", "three"}) || len(q.vectors) != 3 {
			t.Errorf("got %q, sent %q", q.outcome, sent)
		}
	})
}

func TestAnUnembeddedDocumentIsPublishedWithoutVectors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue("one")
		ingest(t, q, &fakeEmbedder{none: true}, fakeExtractor(byLine))
		if q.outcome != "ready" || len(q.vectors) != 0 {
			t.Errorf("got %q", q.outcome)
		}
	})
}

func TestAResumedDocumentSendsOnlyWhatIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue("")
		q.job.Staged, q.job.Attempt = true, 2
		q.staged, _ = byLine(t.Context(), []byte("one\ntwo\nthree"))
		q.vectors[1] = []float32{0, 1}
		var sent []string
		e := &fakeEmbedder{batch: 8, embed: func(ctx context.Context, texts []string) ([][]float32, error) {
			sent = append(sent, texts...)
			return (&fakeEmbedder{}).Embed(ctx, "u", ForIngest, texts)
		}}
		x := fakeExtractor(func(context.Context, []byte) ([]Chunk, error) { t.Error("read again"); return nil, nil })
		ingest(t, q, e, x)
		if q.outcome != "ready" || !slices.Equal(sent, []string{"one", "three"}) {
			t.Errorf("got %q, sent %q", q.outcome, sent)
		}
	})
}

func TestWhatBecomesOfADocumentThatDoesNotSucceed(t *testing.T) {
	fails := func(err error) Extractor {
		return fakeExtractor(func(context.Context, []byte) ([]Chunk, error) { return nil, err })
	}
	down := &Error{Code: Unavailable, Msg: "the provider is down", RetryAfter: 2 * time.Minute}
	tests := []struct {
		name    string
		attempt int
		x       Extractor
		embed   error
		want    string
		least   time.Duration // before it is tried again
	}{
		{"unreadable", 1, fails(Errorf(Invalid, "f.txt is encrypted")), nil, "failed: invalid: f.txt is encrypted", 0},
		{"too large", 1, fails(Errorf(TooLarge, "f.txt has too many pages")), nil, "failed: too_large: f.txt has too many pages", 0},
		{"read too slowly", 1, fails(Errorf(Timeout, "f.txt took too long")), nil, "failed: timeout: f.txt took too long", 0},
		{"nothing in it", 1, fakeExtractor(func(context.Context, []byte) ([]Chunk, error) { return nil, nil }), nil, "failed: invalid: f.txt has no text in it", 0},
		{"its own context's end", 1, fails(context.DeadlineExceeded), nil, "failed: timeout: an internal error; the server's log has the details", 0},
		{"provider down", 3, fakeExtractor(byLine), down, "retry: the provider is down", 2 * time.Minute},
		{"an absurd wish", 1, fakeExtractor(byLine), &Error{Code: Unavailable, Msg: "asked too often", RetryAfter: 24 * time.Hour}, "retry: asked too often", 5 * time.Minute},
		{"provider down for long", 400, nil, down, "retry: the provider is down", 2 * time.Minute},
		{"an internal fault", maxFaults - 1, fails(errors.New("a bug")), nil, "retry: an internal error; the server's log has the details", time.Second},
		{"an internal fault, again and again", maxFaults, fails(errors.New("a bug")), nil, "failed: internal: an internal error; the server's log has the details", 0},
		{"a full disk, for long", 40, fails(Errorf(Unavailable, "no room")), nil, "retry: no room", time.Second},
		{"a text that is refused", 1, fakeExtractor(byLine), Errorf(Invalid, "text 1 is too long"), "failed: invalid: text 1 is too long", 0},
		{"a reader that ends the process", maxReadAttempts + 1, fakeExtractor(byLine), nil, "failed: invalid: f.txt: reading it was begun 50 times and never ended", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := newQueue("one")
				q.job.Attempt = tt.attempt
				if tt.x == nil {
					q.job.Staged, q.staged = true, []Chunk{{Content: "one"}}
				}
				e := &fakeEmbedder{}
				if tt.embed != nil {
					e.embed = func(context.Context, []string) ([][]float32, error) { return nil, tt.embed }
				}
				ingest(t, q, e, tt.x)
				if q.outcome != tt.want || (tt.least > 0 && (time.Until(q.retryAt) < tt.least || time.Until(q.retryAt) > 10*time.Minute)) {
					t.Errorf("got %q, again in %v", q.outcome, time.Until(q.retryAt))
				}
			})
		})
	}
}

func TestALostLeaseStopsTheWorkAndSettlesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue("one")
		stopped := make(chan struct{})
		x := fakeExtractor(func(ctx context.Context, _ []byte) ([]Chunk, error) {
			<-ctx.Done()
			close(stopped)
			return nil, ctx.Err()
		})
		s := newService(t, Config{IngestWorkers: 1}, q, &fakeEmbedder{none: true}, x)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { s.Run(ctx); close(done) }()
		synctest.Wait()
		q.mu.Lock()
		q.lost = true // canceled elsewhere
		q.mu.Unlock()
		began := time.Now()
		<-stopped
		if took := time.Since(began); took > 15*time.Second {
			t.Errorf("stopped after %v", took)
		}
		cancel()
		<-done
		if q.outcome != "" {
			t.Errorf("settled: %q", q.outcome)
		}
	})
}

func TestAStopGivesTheDocumentBackAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue("one")
		wait := hang(t)
		x := fakeExtractor(func(context.Context, []byte) ([]Chunk, error) { wait(); return nil, nil }) // deaf to its ctx
		s := newService(t, Config{IngestWorkers: 1}, q, &fakeEmbedder{none: true}, x)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { s.Run(ctx); close(done) }()
		synctest.Wait()
		began := time.Now()
		cancel()
		<-done
		if !strings.HasPrefix(q.outcome, "retry") || q.retryAt.After(time.Now()) || time.Since(began) > partingTime {
			t.Errorf("got %q at %v after %v", q.outcome, q.retryAt, time.Since(began))
		}
	})
}

func TestADocumentHasATimeLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue("one")
		wait := hang(t)
		x := fakeExtractor(func(context.Context, []byte) ([]Chunk, error) { wait(); return nil, nil })
		began := time.Now()
		ingest(t, q, &fakeEmbedder{none: true}, x)
		if !strings.HasPrefix(q.outcome, "failed: timeout: f.txt took longer than 30m") || time.Since(began) != 30*time.Minute {
			t.Errorf("got %q after %v", q.outcome, time.Since(began))
		}
		if len(q.statuses) < 30*60/11 || !slices.Contains(q.statuses, Parsing) {
			t.Errorf("%d signs of life", len(q.statuses))
		}
	})
}
