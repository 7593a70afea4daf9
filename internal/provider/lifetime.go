package provider

import (
	"context"
	"time"
)

// Lifetime is the ctx of a pipeline itself: it ends when its channel is
// closed, carries no values and has no deadline. Attempts are made under it,
// never under the ctx of a caller, because callers share them.
type Lifetime <-chan struct{}

var _ context.Context = Lifetime(nil)

// Deadline returns false: the pipeline has none.
func (l Lifetime) Deadline() (deadline time.Time, ok bool) { return time.Time{}, false }

// Done is closed when the pipeline is.
func (l Lifetime) Done() <-chan struct{} { return l }

// Err returns context.Canceled once the pipeline is closed.
func (l Lifetime) Err() error {
	select {
	case <-l:
		return context.Canceled
	default:
		return nil
	}
}

// Value returns nil.
func (l Lifetime) Value(any) any { return nil }
