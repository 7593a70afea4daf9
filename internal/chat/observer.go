package chat

import (
	"time"

	"weir/internal/provider"
	"weir/internal/rag"
)

// Observer is told what ended, for metrics. It is called without any lock
// held, by many goroutines at a time, and must not block: the caller waits for
// it.
type Observer interface {
	ChatAttemptEnded(AttemptEnd)
	ChatEnded(End)
}

// AttemptEnd is how one attempt at the provider ended.
type AttemptEnd struct {
	Try        int           // 1: the first of its call
	FirstToken time.Duration // until the first word; 0: there was none
	Took       time.Duration
	Code       rag.Code // "": answered whole
	Phase      string   // where it failed; "": answered
}

// End is how one call of Chat ended.
type End struct {
	Attempts     int
	Waited       time.Duration // for its first place
	FirstToken   time.Duration // until the first word was there; 0: there was none
	Took         time.Duration
	FinishReason string   // of an answer that is whole
	Code         rag.Code // "": answered whole; canceled: the caller left
	Phase        string   // of the error; "": answered
}

func (p *Pipeline) tellAttempt(a *attempt, out outcome) {
	if p.cfg.Observer == nil {
		return
	}
	end := AttemptEnd{Try: a.try, Took: time.Since(a.began)}
	if !a.firstAt.IsZero() {
		end.FirstToken = a.firstAt.Sub(a.began)
	}
	end.Code, end.Phase = out.words(a.where.Phase())
	p.cfg.Observer.ChatAttemptEnded(end)
}

func (p *Pipeline) tellEnd(c *call, out outcome, began time.Time) {
	if p.cfg.Observer == nil {
		return
	}
	end := End{Attempts: c.attempts, Took: time.Since(began), FinishReason: out.end.FinishReason}
	if !c.entered.IsZero() {
		end.Waited = c.entered.Sub(began)
	}
	if !c.firstAt.IsZero() {
		end.FirstToken = c.firstAt.Sub(began)
	}
	end.Code, end.Phase = out.words(provider.Token)
	p.cfg.Observer.ChatEnded(end)
}

// words are how an outcome is told to an observer.
func (o outcome) words(at provider.Phase) (code rag.Code, phase string) {
	switch {
	case o.emit != nil:
		return rag.Canceled, at.String()
	case o.fault != nil:
		return o.fault.Code, o.fault.Phase
	default:
		return "", ""
	}
}
