package chat

import (
	"context"
	"errors"
	"time"

	"weir/internal/provider"
	"weir/internal/rag"
)

// tailFor is how long what may follow finish_reason is waited for.
const tailFor = time.Second

// thinkTimes FirstToken is how long a model may think before a word.
const thinkTimes = 2

var errSlow = errors.New("the provider was too slow")

// outcome is how following an attempt ended.
type outcome struct {
	end   rag.ChatEnd
	fault *provider.Fault // nil: the answer is whole
	clean bool            // the attempt ends by itself
	left  bool            // it was the caller who left; fault says why
	emit  error           // why emit did not want more; then left is set
}

// follow hands on what a tells, until the answer ends, or the provider's time or
// the caller's is over. The provider's time runs only while it is waited for.
func (p *Pipeline) follow(ctx context.Context, c *call, a *attempt, emit func(string) error) outcome {
	var (
		waiting  = time.Now() // since when the next word is waited for
		alive    = waiting    // when something was last heard
		thinking bool         // since the last word
		end      rag.ChatEnd  // once finished
		finished bool
	)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		limit := p.limit(c, a, waiting, alive, thinking)
		if finished {
			limit = alive.Add(min(tailFor, p.cfg.TokenGap))
		}
		timer.Reset(time.Until(limit))
		select {
		case n := <-a.news:
			alive = time.Now()
			switch {
			case finished && (n.done || n.fault != nil):
				if n.usage != nil {
					end = chatEnd(end.FinishReason, n.usage)
				}
				return outcome{end: end, clean: true}
			case n.fault != nil:
				return outcome{fault: n.fault}
			case n.done:
				return outcome{end: chatEnd(n.finish, n.usage), clean: true}
			case n.thinking:
				thinking = true
			case n.finish != "":
				end, finished = chatEnd(n.finish, n.usage), true
			default:
				if a.firstAt.IsZero() {
					a.firstAt = alive
				}
				c.emitted = true
				if err := emit(n.piece); err != nil {
					return outcome{left: true, emit: err}
				}
				if ctx.Err() != nil { // of two that are ready select takes either, and pieces may be ready for long
					return outcome{left: true, fault: &provider.Fault{Error: p.peer.Ended(ctx, a.where.Phase(), nil)}}
				}
				waiting = time.Now()
				alive, thinking = waiting, false
			}
		case <-timer.C:
			if finished {
				return outcome{end: end}
			}
			return outcome{fault: p.late(a)}
		case <-ctx.Done():
			if finished { // the answer is whole, whoever waits for what may follow
				return outcome{end: end}
			}
			return outcome{left: true, fault: &provider.Fault{Error: p.peer.Ended(ctx, a.where.Phase(), nil)}}
		case <-p.closing:
			if finished {
				return outcome{end: end}
			}
			return outcome{left: true, fault: &provider.Fault{Error: closedError(a.where.Phase())}}
		}
	}
}

// limit is when the provider has been waited for long enough.
func (p *Pipeline) limit(c *call, a *attempt, waiting, alive time.Time, thinking bool) time.Time {
	switch {
	case a.firstAt.IsZero() && !thinking:
		return c.firstBy
	case a.firstAt.IsZero():
		return sooner(alive.Add(p.cfg.TokenGap), c.firstBy.Add((thinkTimes-1)*p.cfg.FirstToken))
	case thinking:
		return sooner(alive.Add(p.cfg.TokenGap), waiting.Add(thinkTimes*p.cfg.FirstToken))
	default:
		return waiting.Add(p.cfg.TokenGap)
	}
}

func sooner(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// late is the fault of a provider that was waited for long enough.
func (p *Pipeline) late(a *attempt) *provider.Fault {
	at := a.where.Phase()
	f := p.peer.Fault(at, errSlow, "did not answer in time (%s)", at.Doing())
	if at == provider.Token {
		f.Msg = p.peer.Name + " stopped in the middle of its answer"
	}
	f.Code, f.Retry = rag.Timeout, true
	return f
}
