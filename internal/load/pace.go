package load

import (
	"context"
	"time"
)

// fine is how long before a moment the timer is left for the naps: Go's timers
// are up to a millisecond late where nothing else wakes the process, which at a
// thousand calls a second is as much as is to be measured.
const fine = 2 * time.Millisecond

// waitUntil returns at the moment, or when ctx ends.
func waitUntil(ctx context.Context, moment time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if d := time.Until(moment); d > fine {
		if err := sleep(ctx, d-fine); err != nil {
			return err
		}
	}
	// A signal ends a nap early, so there may be some. Under a clock that is not
	// the system's they are of no use, and the timer has the rest.
	for range 3 {
		d := time.Until(moment)
		if d <= 0 {
			return ctx.Err()
		}
		nap(d)
	}
	return sleep(ctx, time.Until(moment))
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
