package embed

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/rag"
)

// notes keeps what it is told. It looks at the pipeline each time, which it
// could not if a lock were held.
type notes struct {
	mu       sync.Mutex
	p        *Pipeline
	attempts []AttemptEnd
	embeds   []EmbedEnd
}

func (n *notes) AttemptEnded(a AttemptEnd) {
	n.p.Stats()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.attempts = append(n.attempts, a)
}

func (n *notes) EmbedEnded(e EmbedEnd) {
	n.p.Stats()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.embeds = append(n.embeds, e)
}

// TestObserver is what an observer is told of calls and attempts of each kind.
func TestObserver(t *testing.T) {
	texts := []string{"a b", "c d"}
	tests := []struct {
		name     string
		next     []mood // then right answers, after a tick
		cfg      Config
		purpose  rag.Purpose
		texts    []string
		limit    time.Duration // 0: none
		twice    bool          // the call is made twice
		attempts []AttemptEnd
		embeds   []EmbedEnd
	}{
		{
			name: "answered, then from the cache", cfg: Config{CacheBytes: 1 << 20}, texts: texts, twice: true,
			attempts: []AttemptEnd{{Texts: 2, Try: 1, Took: tick}},
			embeds:   []EmbedEnd{{Texts: 2, Attempts: 1, Took: tick}, {Texts: 2, CacheHits: 2}},
		},
		{
			name: "ingest, the second time", purpose: rag.ForIngest, next: []mood{{status: 503, header: []string{"Retry-After", "2"}}},
			cfg: Config{Backoff: 1, MaxBackoff: 3 * time.Second}, texts: texts,
			attempts: []AttemptEnd{
				{Purpose: rag.ForIngest, Texts: 2, Try: 1, Code: rag.Unavailable, Phase: "headers"},
				{Purpose: rag.ForIngest, Texts: 2, Try: 2, Waited: 2 * time.Second, Took: tick},
			},
			embeds: []EmbedEnd{{Purpose: rag.ForIngest, Texts: 2, Attempts: 2, Took: 2*time.Second + tick}},
		},
		{
			name: "refused", next: []mood{{status: 401}}, texts: texts[:1],
			attempts: []AttemptEnd{{Texts: 1, Try: 1, Code: rag.Unavailable, Phase: "headers"}},
			embeds:   []EmbedEnd{{Texts: 1, Attempts: 1, Code: rag.Unavailable, Phase: "headers"}},
		},
		{
			name: "out of time", next: []mood{{hang: true}}, cfg: Config{ColdTimeout: 1, AttemptTimeout: 5 * time.Second}, texts: texts[:1], limit: tick,
			attempts: []AttemptEnd{{Texts: 1, Try: 1, Took: 5 * time.Second, Code: rag.Timeout, Phase: "queue"}}, // the pioneer goes on
			embeds:   []EmbedEnd{{Texts: 1, Attempts: 1, Took: tick, Code: rag.Timeout, Phase: "queue"}},
		},
		{
			name: "an empty text", texts: []string{"a", " "},
			embeds: []EmbedEnd{{Texts: 2, Code: rag.Invalid, Phase: "validate"}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScripted(mood{after: tick})
				s.next = tt.next
				n := &notes{}
				cfg := tt.cfg
				cfg.Observer = n
				n.p = timed(t, cfg, s)
				for range map[bool]int{false: 1, true: 2}[tt.twice] {
					ctx := t.Context()
					if tt.limit > 0 {
						var cancel context.CancelFunc
						ctx, cancel = context.WithTimeout(ctx, tt.limit)
						defer cancel()
					}
					_, _ = n.p.Embed(ctx, "u", tt.purpose, tt.texts)
				}
				after(10 * time.Second)
				if err := n.p.Close(t.Context()); err != nil {
					t.Error(err)
				}
				if !slices.Equal(n.embeds, tt.embeds) {
					t.Errorf("calls %+v\nwant  %+v", n.embeds, tt.embeds)
				}
				for i := range n.attempts { // a little of the backoff is chance
					n.attempts[i].Waited = n.attempts[i].Waited.Truncate(time.Second)
				}
				if !slices.Equal(n.attempts, tt.attempts) {
					t.Errorf("attempts %+v\nwant     %+v", n.attempts, tt.attempts)
				}
			})
		})
	}
}

func TestShortens(t *testing.T) {
	tests := []struct {
		model string
		dim   int
		want  bool
	}{
		{"text-embedding-3-small", 256, true},
		{"text-embedding-3-small", 1536, true},
		{"openai/text-embedding-3-large", 3072, true},
		{"text-embedding-3-small", 1537, false},
		{"text-embedding-3-small", 0, false},
		{"text-embedding-3-small", -1, false},
		{"text-embedding-ada-002", 256, false},
		{"nomic-embed-text:latest", 256, false},
	}
	for _, tt := range tests {
		p := open(t, Config{Model: tt.model})
		if got := p.Shortens(tt.dim); got != tt.want {
			t.Errorf("%s to %d: %t, want %t", tt.model, tt.dim, got, tt.want)
		}
	}
}
