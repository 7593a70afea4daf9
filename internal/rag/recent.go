package rag

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Recent is what became of the calls of one operation that ended in the last
// minute.
type Recent struct {
	Operation string  `json:"operation"`
	Calls     int     `json:"calls"`     // the sum of the next four
	Answered  int     `json:"answered"`  //
	Refused   int     `json:"refused"`   // with rate_limited or overloaded
	Canceled  int     `json:"canceled"`  // the caller left
	Failed    int     `json:"failed"`    // with any other code
	Degraded  int     `json:"degraded"`  // of those answered
	P50MS     float64 `json:"p50_ms"`    // of those answered: half took no longer; 0 when there are none
	P95MS     float64 `json:"p95_ms"`    // the same of 95 in 100
	MaxMS     float64 `json:"max_ms"`    //
	WindowMS  float64 `json:"window_ms"` // how far back this goes: a minute, less when there were too many calls to remember
}

const (
	recentWindow = time.Minute
	recentCalls  = 4096 // remembered, of all operations together
)

// recent remembers the last calls that ended.
type recent struct {
	mu   sync.Mutex
	ends []callOver // a ring once it is full
	next int
}

// callOver is what is remembered of a call: no content, and not whose it was.
type callOver struct {
	at        time.Time
	operation string
	code      Code
	degraded  bool
	took      float64 // ms
}

func (r *recent) note(now time.Time, e CallEnd) {
	one := callOver{now, e.Operation, e.Code, len(e.Degraded) > 0, e.Timings.Total}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.ends) < recentCalls {
		r.ends = append(r.ends, one)
		return
	}
	r.ends[r.next] = one
	r.next = (r.next + 1) % recentCalls
}

// look sums up, by operation, those with most calls first.
func (r *recent) look(now time.Time) []Recent {
	r.mu.Lock()
	window := recentWindow
	if len(r.ends) == recentCalls {
		window = min(window, now.Sub(r.ends[r.next].at))
	}
	var ends []callOver
	for _, e := range r.ends {
		if now.Sub(e.at) <= window {
			ends = append(ends, e)
		}
	}
	r.mu.Unlock()

	sums := map[string]*Recent{}
	took := map[string][]float64{}
	for _, e := range ends {
		s := sums[e.operation]
		if s == nil {
			s = &Recent{Operation: e.operation, WindowMS: ms(window)}
			sums[e.operation] = s
		}
		s.Calls++
		switch e.code {
		case "":
			s.Answered++
			took[e.operation] = append(took[e.operation], e.took)
			if e.degraded {
				s.Degraded++
			}
		case RateLimited, Overloaded:
			s.Refused++
		case Canceled:
			s.Canceled++
		default:
			s.Failed++
		}
	}
	list := []Recent{}
	for op, s := range sums {
		if t := took[op]; len(t) > 0 {
			slices.Sort(t)
			s.P50MS, s.P95MS, s.MaxMS = nearestRank(t, 50), nearestRank(t, 95), t[len(t)-1]
		}
		list = append(list, *s)
	}
	slices.SortFunc(list, func(a, b Recent) int {
		return cmp.Or(cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Operation, b.Operation))
	})
	return list
}

// nearestRank is the least of sorted values that percent in 100 do not exceed.
func nearestRank(sorted []float64, percent int) float64 {
	return sorted[(len(sorted)*percent+99)/100-1]
}
