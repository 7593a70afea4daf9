package load

import (
	"time"

	"golang.org/x/sys/unix"
)

// nap sleeps for a time of at most fine, or less. It cannot be interrupted.
func nap(d time.Duration) {
	ts := unix.NsecToTimespec(int64(min(d, fine)))
	_ = unix.Nanosleep(&ts, nil) // the caller looks at the clock
}
