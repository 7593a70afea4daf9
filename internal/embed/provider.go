package embed

import (
	"context"
	"errors"
	"time"

	"weir/internal/provider"
	"weir/internal/rag"
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

func newFault(p provider.Phase, cause error, format string, args ...any) *provider.Fault {
	return peer().Fault(p, cause, format, args...)
}

func ended(ctx context.Context, p provider.Phase, last error) *rag.Error {
	return peer().Ended(ctx, p, last)
}

func broken(caller, attempt context.Context, p provider.Phase, err error) *provider.Fault {
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
