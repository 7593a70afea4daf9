package embed

import (
	"time"

	"weir/internal/provider"
	"weir/internal/rag"
)

// Observer is told what ended, for metrics. It is called without any lock
// held, by many goroutines at a time, and must not block: the caller and
// Close wait for it.
type Observer interface {
	AttemptEnded(AttemptEnd)
	EmbedEnded(EmbedEnd)
}

// AttemptEnd is how one attempt at the provider ended.
type AttemptEnd struct {
	Purpose rag.Purpose
	Texts   int
	Try     int           // 1: the first of its batch
	Waited  time.Duration // age of the batch's oldest text when it got its slot
	Took    time.Duration
	Code    rag.Code // "": answered
	Phase   string   // where it failed; "": answered
}

// EmbedEnd is how one call of Embed ended.
type EmbedEnd struct { //nolint:revive // a CallEnd is another thing: rag.CallEnd
	Purpose   rag.Purpose
	Texts     int
	CacheHits int // of these, answered by the cache
	Attempts  int // attempts its texts took part in, most of any text
	Took      time.Duration
	Code      rag.Code // "": answered
	Phase     string   // of the error; "": answered
}

// attemptEnd is what is to be told of b, which begins now.
func attemptEnd(b *batch, now time.Time) AttemptEnd {
	end := AttemptEnd{Purpose: b.purpose, Texts: len(b.flights), Try: b.tries}
	for _, f := range b.flights {
		end.Waited = max(end.Waited, now.Sub(f.since))
	}
	return end
}

// outcome adds how it ended. late: it was given up for want of time.
func (end *AttemptEnd) outcome(fault *provider.Fault, late bool, took time.Duration) {
	end.Took = took
	if fault == nil {
		return
	}
	end.Code, end.Phase = fault.Code, fault.Phase
	if late && end.Code == rag.Canceled { // by the pipeline, not by a caller
		end.Code = rag.Timeout
	}
}

// embedEnd tells the observer of a call that took its time since began.
func (p *Pipeline) embedEnd(c *call, began time.Time, err *rag.Error) {
	if p.cfg.Observer == nil {
		return
	}
	end := EmbedEnd{
		Purpose: c.purpose, Texts: len(c.texts), CacheHits: c.hits, Attempts: c.attempts, Took: time.Since(began),
	}
	if err != nil {
		end.Code, end.Phase = err.Code, err.Phase
	}
	p.cfg.Observer.EmbedEnded(end)
}
