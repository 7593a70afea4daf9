package embed

import (
	"context"
	"time"
)

// lifetime is the ctx of the pipeline itself: it ends when its channel is
// closed, carries no values and has no deadline. Attempts are made under it,
// never under the ctx of a caller, because callers share them.
type lifetime <-chan struct{}

var _ context.Context = lifetime(nil)

// Deadline returns false: the pipeline has none.
func (l lifetime) Deadline() (deadline time.Time, ok bool) { return time.Time{}, false }

// Done is closed when the pipeline is.
func (l lifetime) Done() <-chan struct{} { return l }

// Err returns context.Canceled once the pipeline is closed.
func (l lifetime) Err() error {
	select {
	case <-l:
		return context.Canceled
	default:
		return nil
	}
}

// Value returns nil.
func (l lifetime) Value(any) any { return nil }
