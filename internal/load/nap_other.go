//go:build !linux

package load

import "time"

// nap leaves the rest to the timer.
func nap(time.Duration) {}
