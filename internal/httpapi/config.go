package httpapi

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"weir/internal/rag"
)

// Config is what the door can be told.
type Config struct {
	Version       string        // shown by /v1/status. Defaults to "dev"
	Timeout       time.Duration // how long wait=true may wait; the rag.Config.Timeout of the service. Defaults to 10 s
	AnswerTimeout time.Duration // the rag.Config.AnswerTimeout of the service. Defaults to 60 s
	MaxFileBytes  int64         // the largest upload; the rag.Config.MaxFileBytes of the service. Defaults to 64 MiB

	HeaderTimeout time.Duration // for a request's headers to arrive. Defaults to 5 s
	BodyTimeout   time.Duration // for a JSON body to arrive. Defaults to 10 s
	UploadTimeout time.Duration // for an upload's body to arrive. Defaults to 2 min
	UploadRate    int64         // bytes per second that an upload brings at least, or it is cut off. Defaults to 16 KiB
	UploadGrace   time.Duration // how far it may fall behind that, and how long be silent. Defaults to 5 s
	WriteTimeout  time.Duration // for an answer, or one event of a stream, to be taken. Defaults to 30 s
	IdleTimeout   time.Duration // for the next request on a kept connection. Defaults to 2 min
	DrainTimeout  time.Duration // for calls under way when the server stops. Defaults to 15 s
	DrainDelay    time.Duration // how long a server that is about to stop answers as before, but for /readyz, so that whoever sends it calls can go elsewhere. Defaults to none

	MaxRequests  int   // requests under way at the door, beyond which callers are refused at once: far more than the service admits, which knows better whom to refuse. Defaults to 8192
	MaxBodyBytes int64 // of memory for JSON bodies, from before they are read until they are answered, and for vectors in answers. Defaults to 256 MiB
	MaxUploads   int   // uploads received side by side, one user's at most half of them; each may hold some times MaxFileBytes of memory. Defaults to 4
	MaxStreams   int   // open event streams and wait=true. Defaults to 256
	MaxAnswers   int   // questions of /v1/ask and /v1/chat/completions under way, until the answer is written where it is streamed, one user's at most half of them. Defaults to 256
	MaxMCPCalls  int   // calls of MCP under way, one user's at most half of them. Defaults to 256

	// MCP answers POST /mcp for the user that the door has found out, with the
	// whole body at hand; it must end soon after the request's context. Defaults
	// to none: 404.
	MCP func(w http.ResponseWriter, r *http.Request, user rag.User)

	Gate  Gate    // finds out who calls. Defaults to none: callers are who they say they are, and Listen takes loopback addresses only
	Limit Limiter // bounds what one user asks. Defaults to none
	Audit Auditor // is told who did what. Defaults to none
	// Page answers GET / and everything under /assets/, from memory: it tells
	// nothing of anybody, and takes no place. Defaults to none: 404.
	Page Page

	Metrics  http.Handler // answers GET /metrics. Defaults to none: 404
	Chat     func() any   // what the chat model is doing, shown as "chat" by /v1/status; it must not block. Defaults to none
	Pipeline func() any   // what the embedder is doing, shown as "pipeline" by /v1/status; it must not block. Defaults to none
	Observer Observer     // Defaults to none
	Tracer   Tracer       // Defaults to none

	// TLS is how connections are encrypted; it must have a certificate, or a way
	// to one. Defaults to none: plain HTTP.
	TLS *tls.Config

	Hosts   []string       // names the Host header may carry besides the loopback ones; "*" is any. Defaults to none
	Origins []string       // web pages that may call, such as https://app.example.com, exactly as browsers write them. Defaults to none
	Proxies []netip.Prefix // whose word for where a call comes from (X-Forwarded-For) is taken, in the log and nowhere else. Defaults to none
	Log     *slog.Logger   // Defaults to none
}

// WithDefaults returns c with its zeros filled in.
func (c Config) WithDefaults() Config {
	c.Version = orDefault(c.Version, "dev")
	c.Timeout = orDefault(c.Timeout, 10*time.Second)
	c.AnswerTimeout = orDefault(c.AnswerTimeout, time.Minute)
	c.MaxFileBytes = orDefault(c.MaxFileBytes, 64<<20)
	c.HeaderTimeout = orDefault(c.HeaderTimeout, 5*time.Second)
	c.BodyTimeout = orDefault(c.BodyTimeout, 10*time.Second)
	c.UploadTimeout = orDefault(c.UploadTimeout, 2*time.Minute)
	c.WriteTimeout = orDefault(c.WriteTimeout, 30*time.Second)
	c.IdleTimeout = orDefault(c.IdleTimeout, 2*time.Minute)
	c.DrainTimeout = orDefault(c.DrainTimeout, 15*time.Second)
	c.UploadRate = orDefault(c.UploadRate, 16<<10)
	c.UploadGrace = orDefault(c.UploadGrace, 5*time.Second)
	c.MaxRequests = orDefault(c.MaxRequests, 8192)
	c.MaxBodyBytes = orDefault(c.MaxBodyBytes, 256<<20)
	c.MaxUploads = orDefault(c.MaxUploads, 4)
	c.MaxStreams = orDefault(c.MaxStreams, 256)
	c.MaxAnswers = orDefault(c.MaxAnswers, 256)
	c.MaxMCPCalls = orDefault(c.MaxMCPCalls, 256)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c Config) validate() error {
	switch {
	case min(c.Timeout, c.AnswerTimeout, c.HeaderTimeout, c.BodyTimeout, c.UploadTimeout, c.UploadGrace, c.WriteTimeout, c.IdleTimeout, c.DrainTimeout, c.DrainDelay) < 0 ||
		min(c.MaxFileBytes, c.UploadRate, c.MaxBodyBytes) < 0 || min(c.MaxRequests, c.MaxUploads, c.MaxStreams, c.MaxAnswers, c.MaxMCPCalls) < 0:
		return errors.New("httpapi.Config: a limit is negative")
	case c.MaxBodyBytes < maxEmbeddings:
		return fmt.Errorf("httpapi.Config: MaxBodyBytes must hold the longest body there may be, %d", maxEmbeddings)
	}
	return nil
}
