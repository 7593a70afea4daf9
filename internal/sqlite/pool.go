package sqlite

import (
	"context"
	"errors"
	"sync"
)

// pool lends out connections, opened when first needed. Whoever finds all of
// them taken waits in line under their own ctx.
type pool struct {
	open  func(ctx context.Context) (*conn, error)
	slots chan struct{} // holds one element for each connection taken

	mu   sync.Mutex // held for a few instructions
	idle []*conn
}

func newPool(n int, open func(ctx context.Context) (*conn, error)) *pool {
	return &pool{open: open, slots: make(chan struct{}, n)}
}

// take returns a connection whose statements end with ctx.
func (p *pool) take(ctx context.Context, closed <-chan struct{}) (*conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case <-closed:
		return nil, errClosed()
	default:
	}
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-closed:
		return nil, errClosed()
	}
	p.mu.Lock()
	var c *conn
	if n := len(p.idle); n > 0 {
		c, p.idle = p.idle[n-1], p.idle[:n-1]
	}
	p.mu.Unlock()
	if c == nil {
		var err error
		if c, err = p.open(ctx); err != nil {
			<-p.slots
			return nil, err
		}
	}
	c.db.SetInterrupt(ctx)
	return c, nil
}

// give takes a connection back. One that is not as it should be (still inside
// a transaction) is closed instead.
func (p *pool) give(c *conn) {
	defer func() { <-p.slots }()
	if !c.db.GetAutocommit() {
		_ = c.close() // nothing more can be done for it
		return
	}
	p.mu.Lock()
	p.idle = append(p.idle, c)
	p.mu.Unlock()
}

// close waits for all connections and closes them; none can be taken afterwards.
func (p *pool) close() error {
	for range cap(p.slots) {
		p.slots <- struct{}{}
	}
	var errs []error
	for _, c := range p.idle {
		errs = append(errs, c.close())
	}
	return errors.Join(errs...)
}
