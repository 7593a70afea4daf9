package httpapi

import (
	"errors"
	"log/slog"
	"time"
)

// Config is what the door can be told.
type Config struct {
	Version      string        // shown by /v1/status. Defaults to "dev"
	Timeout      time.Duration // how long wait=true may wait; the rag.Config.Timeout of the service. Defaults to 10 s
	MaxFileBytes int64         // the largest upload; the rag.Config.MaxFileBytes of the service. Defaults to 64 MiB

	HeaderTimeout time.Duration // for a request's headers to arrive. Defaults to 5 s
	BodyTimeout   time.Duration // for a JSON body to arrive. Defaults to 10 s
	UploadTimeout time.Duration // for an upload's body to arrive. Defaults to 2 min
	WriteTimeout  time.Duration // for an answer, or one event of a stream, to be taken. Defaults to 30 s
	IdleTimeout   time.Duration // for the next request on a kept connection. Defaults to 2 min
	DrainTimeout  time.Duration // for calls under way when the server stops. Defaults to 15 s

	MaxRequests int // requests under way at the door, beyond which callers are refused at once. Defaults to 1024
	MaxUploads  int // uploads received side by side; each may hold some times MaxFileBytes of memory. Defaults to 4
	MaxStreams  int // open event streams and wait=true. Defaults to 256

	Hosts []string     // names the Host header may carry besides the loopback ones. Defaults to none
	Log   *slog.Logger // Defaults to none
}

// WithDefaults returns c with its zeros filled in.
func (c Config) WithDefaults() Config {
	c.Version = orDefault(c.Version, "dev")
	c.Timeout = orDefault(c.Timeout, 10*time.Second)
	c.MaxFileBytes = orDefault(c.MaxFileBytes, 64<<20)
	c.HeaderTimeout = orDefault(c.HeaderTimeout, 5*time.Second)
	c.BodyTimeout = orDefault(c.BodyTimeout, 10*time.Second)
	c.UploadTimeout = orDefault(c.UploadTimeout, 2*time.Minute)
	c.WriteTimeout = orDefault(c.WriteTimeout, 30*time.Second)
	c.IdleTimeout = orDefault(c.IdleTimeout, 2*time.Minute)
	c.DrainTimeout = orDefault(c.DrainTimeout, 15*time.Second)
	c.MaxRequests = orDefault(c.MaxRequests, 1024)
	c.MaxUploads = orDefault(c.MaxUploads, 4)
	c.MaxStreams = orDefault(c.MaxStreams, 256)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c Config) validate() error {
	if min(c.Timeout, c.HeaderTimeout, c.BodyTimeout, c.UploadTimeout, c.WriteTimeout, c.IdleTimeout, c.DrainTimeout) < 0 ||
		c.MaxFileBytes < 0 || min(c.MaxRequests, c.MaxUploads, c.MaxStreams) < 0 {
		return errors.New("httpapi.Config: a limit is negative")
	}
	return nil
}
