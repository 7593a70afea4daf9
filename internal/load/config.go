package load

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"
)

// Config says how calls arrive and how long they may take. A zero means the
// default, never "unlimited".
type Config struct {
	// Rate is how many calls arrive a second, whatever becomes of the earlier
	// ones: the open loop. Defaults to none; then Callers call.
	Rate float64
	// Callers is how many call side by side where there is no Rate: the closed
	// loop. Defaults to 1.
	Callers int
	// Rounds is how often the Callers call, all at once; a round begins when all
	// of the one before have ended. Defaults to none: each calls again as soon as
	// its own call has ended, for Duration.
	Rounds int
	// Duration is how long calls arrive. It says nothing where there are Rounds.
	// Defaults to 10 s.
	Duration time.Duration
	// Deadline is when a call must have its answer, counted from when it was
	// due. Defaults to 10 s.
	Deadline time.Duration
	// Grace is how much longer it is waited for; what has not ended then has hung.
	// Defaults to 1 s.
	Grace time.Duration
	// MaxOpen is how many calls are in flight at most; one that is due beyond it
	// is counted as not sent. Defaults to 4096, or to Callers if that is more.
	MaxOpen int
	// MaxTime is how long calls are started at most. Defaults to Duration, or
	// where there are Rounds to 10 min.
	MaxTime time.Duration
	// First is the number of the first call. Defaults to 0.
	First int64
	// Progress is called with each second when it is over, from one goroutine;
	// nothing waits for it but the next second. Defaults to nobody.
	Progress func(Second)
}

// The bounds of a Config.
const (
	maxRate    = 100_000
	maxCallers = 1 << 16
	maxRounds  = 1 << 20
	maxRun     = 24 * time.Hour
	maxPatient = time.Hour
)

func (c Config) withDefaults() Config {
	if c.Rate == 0 {
		c.Callers = cmp.Or(c.Callers, 1)
	}
	c.Duration = cmp.Or(c.Duration, 10*time.Second)
	c.Deadline = cmp.Or(c.Deadline, 10*time.Second)
	c.Grace = cmp.Or(c.Grace, time.Second)
	c.MaxOpen = cmp.Or(c.MaxOpen, max(4096, c.Callers))
	if c.Rounds > 0 {
		c.MaxTime = cmp.Or(c.MaxTime, 10*time.Minute)
	}
	c.MaxTime = cmp.Or(c.MaxTime, c.Duration)
	if c.Progress == nil {
		c.Progress = func(Second) {}
	}
	return c
}

// validate checks c, which has its defaults.
func (c Config) validate() error {
	var bad []error
	say := func(wrong bool, format string, args ...any) {
		if wrong {
			bad = append(bad, fmt.Errorf(format, args...))
		}
	}
	say(!(c.Rate >= 0 && c.Rate <= maxRate), "Rate must be over 0 and at most %d a second, not %v", maxRate, c.Rate) // catches NaN too
	say(c.Rate > 0 && c.Callers != 0, "Rate and Callers are two ways to arrive; give one")
	say(c.Rate > 0 && c.Rounds != 0, "Rounds are for Callers, not for a Rate")
	say(c.Callers < 0 || c.Callers > maxCallers, "Callers must be from 1 to %d, not %d", maxCallers, c.Callers)
	say(c.Rounds < 0 || c.Rounds > maxRounds, "Rounds must be from 1 to %d, not %d", maxRounds, c.Rounds)
	say(c.Duration < 0 || c.Duration > maxRun, "Duration must be over 0 and at most %s, not %s", maxRun, c.Duration)
	say(c.Deadline < 0 || c.Deadline > maxPatient, "Deadline must be over 0 and at most %s, not %s", maxPatient, c.Deadline)
	say(c.Grace < 0 || c.Grace > maxPatient, "Grace must be over 0 and at most %s, not %s", maxPatient, c.Grace)
	say(c.MaxOpen < c.Callers || c.MaxOpen < 1 || c.MaxOpen > maxCallers, "MaxOpen must hold all Callers and be at most %d, not %d", maxCallers, c.MaxOpen)
	say(c.MaxTime < 0 || c.MaxTime > maxRun, "MaxTime must be over 0 and at most %s, not %s", maxRun, c.MaxTime)
	if len(bad) > 0 {
		return fmt.Errorf("load: %w", errors.Join(bad...))
	}
	return nil
}

// Caller makes calls, side by side. A Call returns soon after its ctx has
// ended; n numbers the calls of a run.
type Caller interface {
	Call(ctx context.Context, n int64) Result
}

// Result is what became of a call. Whether it came in time is not the Caller's
// to say.
type Result struct {
	Outcome Outcome
	Kind    string // of what Failed, in few words of which there are few: "status 500"
}

// Outcome is the class of a Result.
type Outcome int

// The outcomes.
const (
	Failed   Outcome = iota
	Answered         // whole
	Degraded         // answered, and said to be less than whole
	Refused          // told to come back later: 429 or 503
)
