package chat

import (
	"context"

	"weir/internal/rag"
)

// Tracer follows attempts at the provider. It is called without any lock held,
// by many goroutines at a time, and must not block.
type Tracer interface {
	// AnswerBegan begins the span of an attempt, inside of what ctx is a part of.
	// sent is the traceparent that the provider gets; "": none. end is called
	// once; code is "" for an answer.
	AnswerBegan(ctx context.Context, try int) (sent string, end func(code rag.Code, phase string))
}

// trace begins the span of an attempt.
func (p *Pipeline) trace(ctx context.Context, try int) (sent string, end func(rag.Code, string)) {
	if p.cfg.Tracer == nil {
		return "", func(rag.Code, string) {}
	}
	return p.cfg.Tracer.AnswerBegan(ctx, try)
}
