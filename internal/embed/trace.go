package embed

import (
	"context"

	"weir/internal/rag"
)

// Tracer follows attempts at the provider. It is called without any lock held,
// by many goroutines at a time, and must not block.
type Tracer interface {
	// Parent names what ctx is a part of, in the form of W3C's traceparent; "":
	// nothing that is recorded.
	Parent(ctx context.Context) string
	// AttemptBegan begins the span of an attempt for calls of these parents, of
	// which there may be none. sent is the traceparent that the provider gets; "":
	// none. end is called once; code is "" for an answer.
	AttemptBegan(ctx context.Context, parents []string, purpose rag.Purpose, texts, try int) (sent string, end func(code rag.Code, phase string))
}

// maxParents is how many of the calls that share an attempt its span names.
const maxParents = 16

// parents are those of the calls that wait for b, each once.
func (p *Pipeline) parents(b *batch) (parents []string) {
	if p.cfg.Tracer == nil {
		return nil
	}
	seen := map[string]bool{"": true}
	for _, f := range b.flights {
		for c := range f.members {
			if len(parents) == maxParents {
				return parents
			}
			if !seen[c.trace] {
				seen[c.trace] = true
				parents = append(parents, c.trace)
			}
		}
	}
	return parents
}

// trace begins the span of an attempt, and has its requests name it.
func (p *Pipeline) trace(ctx context.Context, parents []string, of AttemptEnd) (context.Context, func(rag.Code, string)) {
	if p.cfg.Tracer == nil {
		return ctx, func(rag.Code, string) {}
	}
	sent, end := p.cfg.Tracer.AttemptBegan(ctx, parents, of.Purpose, of.Texts, of.Try)
	return context.WithValue(ctx, traceparentKey{}, sent), end
}

type traceparentKey struct{}

func traceparent(ctx context.Context) string {
	parent, _ := ctx.Value(traceparentKey{}).(string)
	return parent
}
