package sqlite

import (
	"log/slog"
	"runtime"
	"time"
)

// Config says where a Store lives and how much it may use.
type Config struct {
	// Dir is the data folder, made if it does not exist. It has no default.
	Dir string
	// IndexMemory is how many bytes the indexes of all users may take together. Those of users being searched, and of the
	// last one searched, stay even beyond it. Defaults to 1 GiB.
	IndexMemory int64
	// Searches is how many searches read at the same time; more wait for their turn. Defaults to twice the cores, at least 4.
	Searches int
	// Now tells the time for leases and dates. Defaults to time.Now.
	Now func() time.Time
	// Log gets what no caller can be told. Defaults to none.
	Log *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.IndexMemory <= 0 {
		c.IndexMemory = 1 << 30
	}
	if c.Searches <= 0 {
		c.Searches = max(4, 2*runtime.GOMAXPROCS(0))
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}
