// Package crew runs work of a store that outlives the call that asked for it.
package crew

import (
	"context"
	"sync"
)

// Crew runs work until it is closed.
type Crew struct {
	tasks  chan func(ctx context.Context)
	cancel context.CancelFunc
	done   chan struct{}
	closed error
}

// New starts a crew whose work gets a ctx derived from the one given, which
// must not end by itself. closed is what Start returns after Close.
func New(ctx context.Context, closed error) *Crew {
	ctx, cancel := context.WithCancel(ctx)
	c := &Crew{tasks: make(chan func(context.Context)), cancel: cancel, done: make(chan struct{}), closed: closed}
	go c.run(ctx)
	return c
}

func (c *Crew) run(ctx context.Context) {
	defer close(c.done)
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		select {
		case task := <-c.tasks:
			wg.Go(func() { task(ctx) })
		case <-ctx.Done():
			return
		}
	}
}

// Start hands over a task, or fails when the crew is closed. The crew is never
// busy, so this waits for no more than its turn to run.
func (c *Crew) Start(task func(ctx context.Context)) error {
	select {
	case c.tasks <- task:
		return nil
	case <-c.done:
		return c.closed
	}
}

// Close ends the ctx of all tasks and waits for them.
func (c *Crew) Close() {
	c.cancel()
	<-c.done
}
