package chat

import (
	"context"
	"slices"
	"sync"
	"testing"

	"weir/internal/rag"
)

// teller is a Tracer that notes attempts.
type teller struct {
	mu    sync.Mutex
	began []int
	ended []rag.Code
}

func (tl *teller) AnswerBegan(_ context.Context, try int) (string, func(rag.Code, string)) {
	tl.mu.Lock()
	defer tl.mu.Unlock()
	tl.began = append(tl.began, try)
	return "00-of-the-attempt", func(c rag.Code, _ string) {
		tl.mu.Lock()
		defer tl.mu.Unlock()
		tl.ended = append(tl.ended, c)
	}
}

// TestAttemptsAreTraced: each has a span that ends, also when its reader fails,
// and the provider is told of it.
func TestAttemptsAreTraced(t *testing.T) {
	tl := &teller{}
	s := &scripted{always: well(), next: []script{failing(503)}}
	bubble(t, Config{Tracer: tl}, s, func(t *testing.T, p *Pipeline) {
		if h := chat(t.Context(), p, "u"); h.err != nil {
			t.Error(h.err)
		}
		func() {
			defer func() { _ = recover() }()
			_, _ = p.Chat(t.Context(), "u", question(), func(string) error { panic("no") })
		}()
	})
	if !slices.Equal(tl.began, []int{1, 2, 1}) || !slices.Equal(tl.ended, []rag.Code{rag.Unavailable, "", rag.Canceled}) {
		t.Errorf("began %v, ended %q", tl.began, tl.ended)
	}
	if got := s.head.Get("Traceparent"); got != "00-of-the-attempt" {
		t.Errorf("the provider was told %q", got)
	}
}
