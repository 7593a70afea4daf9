package chat

import (
	"errors"
	"net/http"
	"time"

	"weir/internal/provider"
	"weir/internal/rag"
)

const (
	breakerLeast = 4               // outcomes without which nothing is concluded
	breakerAge   = 2 * time.Minute // older ones do not count
	// lateLeast is how long an attempt has to have been under way that its caller
	// ran out of time says anything of the provider.
	lateLeast = 2 * time.Second
)

var errOpen = errors.New("the breaker is open")

// gate reports why the provider is not to be asked now, or how long to wait
// before asking again. A call that it lets through while the breaker is half-open
// is the probe.
func (p *Pipeline) gate(c *call, left time.Duration, now time.Time) (pause time.Duration, err *rag.Error) {
	p.breaker.Check(now, p.places.taken >= int(p.places.limit))
	switch p.breaker.State {
	case provider.Opened:
		return 0, p.openError(c, p.breaker.Until.Sub(now))
	case provider.HalfOpen:
		if next := p.probed.Add(p.cfg.ProbePatience); now.Before(next) {
			return 0, p.openError(c, next.Sub(now))
		}
		p.probed, c.probe = now, now
	case provider.Closed:
	}
	wait := p.paused.Sub(now)
	if wait > 0 && !p.cfg.backoff().Fits(left, wait, p.first.Typical()) {
		c.refused = true
		return 0, &rag.Error{
			Code: rag.Unavailable, Phase: provider.Queue.String(), RetryAfter: wait,
			Msg: "the chat model asked not to be asked for a while",
		}
	}
	return max(wait, 0), nil
}

func (p *Pipeline) openError(c *call, after time.Duration) *rag.Error {
	c.refused = true
	return &rag.Error{
		Code: rag.Unavailable, Phase: provider.Queue.String(), RetryAfter: max(after, leastRetryAfter), Err: errOpen,
		Msg: "the chat model does not answer, and is left alone for a moment",
	}
}

// learn tells breaker, pause and paces how an attempt ended.
func (p *Pipeline) learn(c *call, a *attempt, fault *provider.Fault, left bool) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	took := now.Sub(a.began)
	if !a.firstAt.IsZero() {
		p.first.Learn(a.firstAt.Sub(a.began))
	}
	// A refusal, or being asked too often, is an answer. Who has sent words is
	// there, whatever ended them; who broke them off is ill all the same.
	alive := fault == nil || !fault.Retry || fault.Status == http.StatusTooManyRequests
	told := true
	switch {
	case left: // the end of it is the caller's doing
		alive = !a.firstAt.IsZero()
		late := fault != nil && fault.Code == rag.Timeout && took > max(p.first.Typical()*3/2, lateLeast)
		told = alive || late
	case fault == nil:
		p.whole.Learn(took)
		p.places.answered()
	default:
		p.count.failed++
		if fault.Status == http.StatusTooManyRequests {
			p.places.strained(a.began, now)
		}
	}
	if fault != nil && provider.IsBusy(fault.Status) && fault.RetryAfter > 0 {
		pause := fault.RetryAfter
		if pause > p.cfg.MaxPause {
			pause = 2 * p.cfg.OpenFor
		}
		p.paused = later(p.paused, now.Add(pause))
	}
	p.unprobe(c)
	if !told {
		return
	}
	was := p.breaker.State
	p.breaker.Note(now, alive, false)
	if was == provider.HalfOpen {
		p.breaker.Probed(now, alive)
	}
	if p.breaker.State == provider.Opened && was != provider.Opened {
		p.places.refuse(p.openError(new(call), p.cfg.OpenFor))
	}
}

// unprobe lets the next call be the probe, if c was.
func (p *Pipeline) unprobe(c *call) {
	if !c.probe.IsZero() && p.probed.Equal(c.probe) {
		p.probed = time.Time{}
	}
	c.probe = time.Time{}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
