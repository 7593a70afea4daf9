package postgres

import (
	"log/slog"
	"runtime"
	"time"
)

// Config says where a store's database is and how much of it may be used.
type Config struct {
	// Address of the database: postgres://user:password@host:port/name?sslmode=… or the keyword form. It has no default;
	// [Address] reads it from variables.
	Address string
	// Schema is where the tables are. Defaults to "weir" for [Open], to "upload_pipeline" for [Adopt].
	Schema string
	// Searches is how many connections search; more searches wait for their turn. Defaults to twice the cores, at least 4.
	Searches int
	// Others is how many connections serve ingest and the user's library. Defaults to 6.
	Others int
	// AcquireTimeout bounds the wait for a connection, within the caller's deadline. Defaults to 2s.
	AcquireTimeout time.Duration
	// ConnectTimeout bounds the making of a connection. Defaults to 3s.
	ConnectTimeout time.Duration
	// Patience bounds a call that has no deadline of its own. Defaults to 1m.
	Patience time.Duration
	// IndexMemory is how many bytes the word indexes of all users may take together. Those of users being searched stay
	// even beyond it. Defaults to 1 GiB.
	IndexMemory int64
	// Graphs says when a user's vectors are searched through a graph (HNSW) rather than one by one. Defaults to what was
	// measured; see [Graphs].
	Graphs Graphs
	// UnnamedModel is, for [Adopt], the model of those vectors of which the tables do not tell it. Defaults to none: those
	// vectors take no part in a search.
	UnnamedModel string
	// CountTokens counts the tokens of a passage, for [Adopt]: the old tables do not tell them. Defaults to a quarter of its bytes.
	CountTokens func(text string) int
	// Log gets what no caller can be told. Defaults to none.
	Log *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.Searches <= 0 {
		c.Searches = max(4, 2*runtime.GOMAXPROCS(0))
	}
	if c.Others <= 0 {
		c.Others = 6
	}
	if c.AcquireTimeout <= 0 {
		c.AcquireTimeout = 2 * time.Second
	}
	if c.ConnectTimeout <= 0 {
		c.ConnectTimeout = 3 * time.Second
	}
	if c.Patience <= 0 {
		c.Patience = time.Minute
	}
	if c.IndexMemory <= 0 {
		c.IndexMemory = 1 << 30
	}
	c.Graphs = c.Graphs.withDefaults()
	if c.CountTokens == nil {
		c.CountTokens = func(text string) int { return (len(text) + 3) / 4 }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}
