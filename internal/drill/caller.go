package drill

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"weir/internal/chaos"
)

// crowd is the callers of one fault.
type crowd struct {
	cfg    Config
	target Target
	ledger *ledger
	run    string // in the text of every question
	poison bool   // whether one caller in five asks what the provider does not bear
	mark   func() // labels the goroutine that calls it, see left.go

	stop   chan struct{} // closed: no further questions
	asking sync.WaitGroup
}

// ask lets all callers ask until stop is closed. They are back at most
// Deadline and HungAfter later. The ctx of a call ends with ctx.
func (c *crowd) ask(ctx context.Context) {
	for caller := range c.cfg.Callers {
		c.asking.Go(func() {
			// Not all in the same instant, as no real callers are.
			c.pause(ctx, rand.N(c.cfg.Pause))
			for n := 0; c.goesOn(ctx); n++ {
				c.call(ctx, caller, n)
				c.pause(ctx, c.cfg.Pause/2+rand.N(c.cfg.Pause))
			}
		})
	}
}

func (c *crowd) goesOn(ctx context.Context) bool {
	select {
	case <-c.stop:
		return false
	default:
		return ctx.Err() == nil
	}
}

func (c *crowd) pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-c.stop:
	case <-ctx.Done():
	}
}

// call makes one call and returns when it has, or has not for HungAfter
// beyond its deadline.
func (c *crowd) call(ctx context.Context, caller, n int) {
	began := time.Now()
	q := Question{Caller: caller, Text: c.text(caller, n), Deadline: began.Add(c.cfg.Deadline)}
	e := c.ledger.begin(began)
	back := make(chan struct{})
	go func() {
		defer close(back)
		c.mark()
		callCtx := ctx
		if !c.cfg.Unbounded {
			var cancel context.CancelFunc
			callCtx, cancel = context.WithDeadline(ctx, q.Deadline)
			defer cancel()
		}
		o := safely(callCtx, c.target, q)
		c.ledger.end(e, time.Now(), q.Deadline, o)
	}()
	t := time.NewTimer(c.cfg.Deadline + HungAfter)
	defer t.Stop()
	select {
	case <-back:
	case <-t.C:
		c.ledger.giveUp(e, time.Now())
	case <-ctx.Done(): // the drill is broken off: nobody will look at it
	}
}

// safely makes an outcome of a panic.
func safely(ctx context.Context, t Target, q Question) (o Outcome) {
	defer func() {
		if p := recover(); p != nil {
			o = Outcome{Kind: Wrong, Code: "panic", Detail: fmt.Sprint("it panicked: ", p)}
		}
	}()
	return t.Ask(ctx, q)
}

// text is a question that nobody has asked before.
func (c *crowd) text(caller, n int) string {
	words := []string{"question", c.run, fmt.Sprintf("q%d", caller), fmt.Sprintf("n%d", n)}
	if c.poison && caller%5 == 0 {
		words = append(words, chaos.Poison)
	}
	return strings.Join(words, " ")
}
