package embed

import (
	"context"
	"errors"
	"time"

	"weir/internal/provider"
	"weir/internal/rag"
)

// What is the same for all that is asked of a provider is package provider's.
type (
	// Phase is where a call stands. Its text is what Phase of a rag.Error holds.
	Phase = provider.Phase
	// Tracker tells the phase of a call to others while it runs.
	Tracker = provider.Tracker
	// Fault is how an attempt failed.
	Fault = provider.Fault
)

// The phases, in the order of an attempt.
const (
	Queue    = provider.Queue
	Dial     = provider.Dial
	TLS      = provider.TLS
	Headers  = provider.Headers
	Body     = provider.Body
	Decode   = provider.Decode
	Check    = provider.Check
	Validate = provider.Validate
)

// errAttempt is the cause of the end of an attempt that took too long.
var errAttempt = errors.New("the attempt timed out")

// peer is the provider in the words of an error.
func peer() provider.Peer {
	return provider.Peer{
		Name: "the embedding provider", Work: "the embedding", Offers: "embeddings", Sent: "the text",
		Options: []string{"dimensions", "encoding_format"},
	}
}

func newFault(p Phase, cause error, format string, args ...any) *Fault {
	return peer().Fault(p, cause, format, args...)
}

func ended(ctx context.Context, p Phase, last error) *rag.Error { return peer().Ended(ctx, p, last) }

func broken(caller, attempt context.Context, p Phase, err error) *Fault {
	return peer().Broken(caller, attempt, p, err)
}

func (c Config) waits() provider.Backoff {
	return provider.Backoff{First: c.Backoff, Most: c.MaxBackoff}
}

// backoff returns how long to wait before try number next.
func (c Config) backoff(next int, after time.Duration) time.Duration {
	return c.waits().Wait(next, after)
}

// fits reports whether a wait makes sense for who has left until a deadline.
func (c Config) fits(left, wait, typical time.Duration) bool {
	return c.waits().Fits(left, wait, typical)
}
