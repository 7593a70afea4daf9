package postgres

import (
	"context"
	"sync"
)

// crew runs work that outlives the call that asked for it, until the store is
// closed.
type crew struct {
	tasks  chan func(ctx context.Context)
	cancel context.CancelFunc
	done   chan struct{}
}

// newCrew starts a crew whose work gets a ctx derived from the one given, which
// must not end by itself.
func newCrew(ctx context.Context) *crew {
	ctx, cancel := context.WithCancel(ctx)
	c := &crew{tasks: make(chan func(context.Context)), cancel: cancel, done: make(chan struct{})}
	go c.run(ctx)
	return c
}

func (c *crew) run(ctx context.Context) {
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

// start hands over a task, or fails when the crew is closed. The crew is never
// busy, so this waits for no more than its turn to run.
func (c *crew) start(task func(ctx context.Context)) error {
	select {
	case c.tasks <- task:
		return nil
	case <-c.done:
		return errClosed()
	}
}

// close ends the ctx of all tasks and waits for them.
func (c *crew) close() {
	c.cancel()
	<-c.done
}
