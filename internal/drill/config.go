package drill

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"weir/internal/chaos"
)

// What makes a call late, and hung.
const (
	Grace     = 50 * time.Millisecond
	HungAfter = time.Second
)

// Config says what is driven and how. A zero means the default.
type Config struct {
	Chat       bool          // the target asks the provider for answers in words, not for vectors: its faults are those that such calls meet
	Faults     []chaos.Fault // in the order in which they are driven. Defaults to all
	Callers    int           // who ask at the same time. Defaults to 50
	Deadline   time.Duration // of each call. Defaults to 2 s
	Unbounded  bool          // the ctx of a call has no deadline: the caller has patience for Deadline, and did not say so
	Lasts      time.Duration // how long a fault lasts. Defaults to Deadline + 500 ms, so that everybody asks twice
	Pause      time.Duration // from an answer to the same caller's next question, give or take half. Defaults to 200 ms
	Recovery   time.Duration // how long it is waited for callers to be answered again. Defaults to 10 s
	SideBySide int           // faults driven at the same time, each with a provider of its own. Defaults to 6
	Alone      []chaos.Fault // driven one at a time, after the others: what a target makes of them takes all of the machine. Defaults to none
	Dim        int           // values of a vector. Defaults to 256
	// Watch is told what happens, by one goroutine at a time. Defaults to none.
	Watch func(Event)

	// start starts a provider; but for tests, it is that of chaos.
	start func(ctx context.Context, cfg chaos.Config) (provider, error)
}

// Event is a fault that is about to be driven, or has been.
type Event struct {
	Fault chaos.Fault
	Row   *Row // nil: it begins
}

// WithDefaults returns c with its zeros filled.
func (c Config) WithDefaults() Config {
	if c.Faults == nil {
		for _, e := range c.table() {
			c.Faults = append(c.Faults, e.Fault)
		}
	}
	c.Callers = cmp.Or(c.Callers, 50)
	c.Deadline = cmp.Or(c.Deadline, 2*time.Second)
	c.Lasts = cmp.Or(c.Lasts, c.Deadline+500*time.Millisecond)
	c.Pause = cmp.Or(c.Pause, 200*time.Millisecond)
	c.Recovery = cmp.Or(c.Recovery, 10*time.Second)
	c.SideBySide = cmp.Or(c.SideBySide, 6)
	c.Dim = cmp.Or(c.Dim, 256)
	if c.Watch == nil {
		c.Watch = func(Event) {}
	}
	if c.start == nil {
		c.start = startChaos
	}
	return c
}

func (c Config) validate() error {
	for i, f := range c.Faults {
		if _, known := c.lookup(f); !known {
			return fmt.Errorf("there is no fault %q", f)
		}
		if slices.Contains(c.Faults[:i], f) {
			return fmt.Errorf("the fault %q is there twice", f)
		}
	}
	if c.Callers < 1 || c.Callers > maxCallers {
		return fmt.Errorf("there must be from 1 to %d callers, not %d", maxCallers, c.Callers)
	}
	if c.Deadline < minDeadline {
		return fmt.Errorf("the deadline must be at least %v, not %v", minDeadline, c.Deadline)
	}
	if min(c.Lasts, c.Pause, c.Recovery) <= 0 || c.SideBySide < 1 || c.Dim < 1 {
		return errors.New("a time and a number must be more than zero")
	}
	return nil
}

// table is what there is to drive.
func (c Config) table() []chaos.Entry { return Table(c.Chat) }

// Table returns the faults that calls for vectors meet, or those that calls of
// the chat model meet, as they are for these.
func Table(chat bool) []chaos.Entry {
	if !chat {
		return chaos.Faults()
	}
	var out []chaos.Entry
	for _, e := range slices.Concat(chaos.Faults(), chaos.ChatFaults()) {
		if e.Met != chaos.ByEmbeddings {
			out = append(out, e.ForChat())
		}
	}
	return out
}

func (c Config) lookup(f chaos.Fault) (chaos.Entry, bool) {
	for _, e := range c.table() {
		if e.Fault == f {
			return e, true
		}
	}
	return chaos.Entry{}, false
}

const (
	maxCallers  = 5000
	minDeadline = 100 * time.Millisecond
)
