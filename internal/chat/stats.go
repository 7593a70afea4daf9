package chat

import (
	"time"

	"weir/internal/rag"
)

// Stats is a look at a Pipeline. The counters only grow.
type Stats struct {
	Model        string  `json:"model"`
	Writing      int     `json:"writing"`       // attempts under way
	Limit        int     `json:"limit"`         // attempts there may be now
	MaxWriting   int     `json:"max_writing"`   // attempts there may be ever
	Waiting      int     `json:"waiting"`       // callers in the line
	MaxWaiting   int     `json:"max_waiting"`   //
	Users        int     `json:"users"`         // who have a place
	Breaker      string  `json:"breaker"`       // closed, open or half-open
	BreakerOpens int64   `json:"breaker_opens"` // how often it opened
	PauseMS      float64 `json:"pause_ms"`      // left of the pause the provider asked for
	OldestMS     float64 `json:"oldest_ms"`     // age of the oldest attempt under way
	FirstTokenMS float64 `json:"first_token_ms"`
	TypicalMS    float64 `json:"typical_ms"` // medians of the last answers: the first word, the whole
	Calls        int64   `json:"calls"`      // of Chat
	Refused      int64   `json:"calls_refused"`
	Attempts     int64   `json:"attempts"`
	Retries      int64   `json:"retries"`
	Failed       int64   `json:"failed"` // attempts
}

// counters only grow.
type counters struct{ calls, refused, attempts, retries, failed int64 }

// Stats waits for nothing but the pipeline's mutex, which is never held for
// long.
func (p *Pipeline) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	all, _ := p.places.waiting(rag.User(""))
	s := Stats{
		Model: p.cfg.Model, Writing: p.places.taken, Limit: int(p.places.limit), MaxWriting: p.places.most, Waiting: all, MaxWaiting: p.cfg.MaxWaiting,
		Users: len(p.places.held), Breaker: p.breaker.State.String(), BreakerOpens: p.breaker.Opens,
		PauseMS: ms(max(0, p.paused.Sub(now))), FirstTokenMS: ms(p.first.Typical()), TypicalMS: ms(p.whole.Typical()),
		Calls: p.count.calls, Refused: p.count.refused, Attempts: p.count.attempts, Retries: p.count.retries, Failed: p.count.failed,
	}
	for a := range p.flying {
		s.OldestMS = max(s.OldestMS, ms(now.Sub(a.began)))
	}
	return s
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
