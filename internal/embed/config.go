package embed

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"weir/internal/provider"
)

// Config says which provider to ask, for what, and within which bounds. A zero
// means the default, never "unlimited".
type Config struct {
	// BaseURL is the address before /embeddings, http or https, without user
	// and password. A query, such as an API version, is kept. Defaults to
	// https://api.openai.com/v1.
	BaseURL string
	// APIKey is sent as a bearer token. Defaults to none.
	APIKey string
	// Model is the provider's name for the model. Defaults to
	// text-embedding-3-small.
	Model string
	// Dimensions is how many values a vector has. It is sent to the provider
	// only when it is set and not the known model's own number; whatever is
	// answered must have it. Defaults to the model's own number where that is
	// known, else to 1536.
	Dimensions int

	// MaxBatch is how many texts one request carries at most. Defaults to 64.
	// A provider that bears fewer is found out and sent fewer.
	MaxBatch int
	// MaxBatchBytes is how many bytes of text one request carries at most. A
	// token is never less than a byte, so this bounds the tokens too. Defaults
	// to 256 KiB, which stays below the 300,000 tokens that OpenAI allows.
	MaxBatchBytes int
	// MaxTextBytes is the longest text that is sent; a longer one is Invalid
	// without asking. It is a guard: the model's limit in tokens is for the
	// caller to keep. Defaults to 128 KiB.
	MaxTextBytes int
	// MaxConcurrent is how many attempts, and connections, there are at a
	// time, over all callers. Defaults to 8.
	MaxConcurrent int

	// MaxPending is how many different texts wait or are under way at a time,
	// over all callers; ingest has no more than half of it. A call that does not
	// fit is Overloaded. Defaults to 4096, or 4 × MaxBatch if that is more.
	MaxPending int
	// MaxPendingBytes is the same in bytes of text. Defaults to 32 MiB, or 4 ×
	// MaxBatchBytes if that is more.
	MaxPendingBytes int
	// UserShare is the part of MaxPending that one user may have, over which
	// its calls are RateLimited. Defaults to 0.5.
	UserShare float64
	// CacheBytes bounds the vectors that are kept, a quarter of it for those of
	// ingest. Too small for one vector, it turns the cache off. Defaults to
	// 64 MiB.
	CacheBytes int
	// IngestAge is the longest that ingest waits for queries; then one batch of
	// it goes first. Defaults to 1 s.
	IngestAge time.Duration

	// OpenFor is how long nothing is asked after the provider was found not to
	// answer; then one batch finds out. Defaults to 1 s.
	OpenFor time.Duration
	// StallAfter is how long half of the slots may be held without any answer,
	// or four times what is usual, if that is longer; then the queries that hold
	// them are given up. As long as nothing was ever answered it is twice that.
	// Defaults to 3 s.
	StallAfter time.Duration
	// ColdTimeout bounds the one attempt that a provider is given to load its
	// model, when it was never asked before or not for a minute, if that is
	// more than AttemptTimeout. It goes on when its callers have run out of
	// time. Defaults to 90 s.
	ColdTimeout time.Duration
	// SlowAfter is the time after which an answer to a query counts as slow;
	// when nearly all are, nothing is asked for a while. Defaults to 8 s.
	SlowAfter time.Duration
	// MaxPause is the longest Retry-After of the provider that is obeyed by
	// everybody. When it says more, it is asked again after twice OpenFor.
	// Defaults to 1 min.
	MaxPause time.Duration

	// MaxAttempts is how often a batch is tried at most. Defaults to 3.
	MaxAttempts int
	// Backoff is the longest wait before the second try; it doubles with each
	// further one, and half of it is chance. Defaults to 250 ms.
	Backoff time.Duration
	// MaxBackoff is the longest wait before any try. Where the provider asks
	// for more, the error says so and the caller decides. Defaults to 8 s.
	MaxBackoff time.Duration

	// AttemptTimeout bounds one attempt from dial to last byte. Defaults to
	// 30 s.
	AttemptTimeout time.Duration
	// DialTimeout bounds connecting, name look-up included. Defaults to 1 s.
	DialTimeout time.Duration
	// TLSTimeout bounds the TLS handshake. Defaults to 2 s.
	TLSTimeout time.Duration
	// IdleTimeout is how long an unused connection is kept. Defaults to 60 s.
	IdleTimeout time.Duration
	// PingAfter is how long an HTTP/2 connection may be silent before it is
	// asked whether it still lives. Defaults to 1 s.
	PingAfter time.Duration
	// PingTimeout is how long the answer to that may take. Defaults to 1 s.
	PingTimeout time.Duration
	// MaxResponseBytes is the longest answer that is read, counted after
	// decompression. It must hold MaxBatch vectors written as numbers.
	// Defaults to 32 MiB, or to that if it is more.
	MaxResponseBytes int

	// Proxy picks the proxy for a request; http.ProxyFromEnvironment takes it
	// from the environment. Defaults to none.
	Proxy func(*http.Request) (*url.URL, error)
	// RootCAs are the authorities the provider's certificate may come from.
	// Defaults to those of the system.
	RootCAs *x509.CertPool
	// Resolver looks up the provider's name. Defaults to the system's.
	Resolver *net.Resolver
	// UserAgent is sent with each request. Defaults to weir.
	UserAgent string

	// Tracer follows attempts, and says what the provider is told of them.
	// Defaults to none.
	Tracer Tracer
	// Observer is told of each attempt and each call that ended. Defaults to
	// none.
	Observer Observer
}

// WithDefaults returns c with its zeros filled.
func (c Config) WithDefaults() Config {
	c.BaseURL = or(c.BaseURL, "https://api.openai.com/v1")
	c.APIKey = strings.TrimSpace(c.APIKey) // a key read from a file ends in a newline
	c.Model = or(c.Model, "text-embedding-3-small")
	c.Dimensions = or(c.Dimensions, or(native(c.Model), 1536))
	c.MaxBatch = or(c.MaxBatch, 64)
	c.MaxBatchBytes = or(c.MaxBatchBytes, 256<<10)
	c.MaxTextBytes = or(c.MaxTextBytes, 128<<10)
	c.MaxConcurrent = or(c.MaxConcurrent, 8)
	c.MaxPending = or(c.MaxPending, max(4096, 4*min(c.MaxBatch, maxBatch)))
	c.MaxPendingBytes = or(c.MaxPendingBytes, max(32<<20, 4*min(c.MaxBatchBytes, 1<<30)))
	c.UserShare = or(c.UserShare, 0.5)
	c.CacheBytes = or(c.CacheBytes, 64<<20)
	c.IngestAge = or(c.IngestAge, time.Second)
	c.OpenFor = or(c.OpenFor, time.Second)
	c.StallAfter = or(c.StallAfter, 3*time.Second)
	c.ColdTimeout = or(c.ColdTimeout, 90*time.Second)
	c.SlowAfter = or(c.SlowAfter, 8*time.Second)
	c.MaxPause = or(c.MaxPause, time.Minute)
	c.MaxAttempts = or(c.MaxAttempts, 3)
	c.Backoff = or(c.Backoff, 250*time.Millisecond)
	c.MaxBackoff = or(c.MaxBackoff, 8*time.Second)
	c.AttemptTimeout = or(c.AttemptTimeout, 30*time.Second)
	c.DialTimeout = or(c.DialTimeout, time.Second)
	c.TLSTimeout = or(c.TLSTimeout, 2*time.Second)
	c.IdleTimeout = or(c.IdleTimeout, time.Minute)
	c.PingAfter = or(c.PingAfter, time.Second)
	c.PingTimeout = or(c.PingTimeout, time.Second)
	c.MaxResponseBytes = or(c.MaxResponseBytes, int(max(32<<20, c.longestAnswer())))
	c.UserAgent = or(c.UserAgent, "weir")
	return c
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// maxValueBytes is how long one value of a vector can be as a number: sign,
// point, 17 digits, exponent, comma, and a line break with indentation, which
// some providers write.
const maxValueBytes = 48

// What no provider goes beyond, with room.
const (
	maxDim   = 1 << 14
	maxBatch = 1 << 12
)

// longestAnswer is what an answer may need, in bytes. What is out of bounds
// does not make it overflow; validate refuses that.
func (c Config) longestAnswer() int64 {
	return int64(min(c.MaxBatch, maxBatch)) * int64(min(c.Dimensions, maxDim)) * maxValueBytes
}

// validate checks c, which has its defaults, and returns the address to POST
// to. Its errors name the field, and never hold the key.
func (c Config) validate() (endpoint string, err error) {
	var bad []error
	base, err := provider.ParseBase(c.BaseURL)
	if err != nil {
		bad = append(bad, err)
	}
	if err := provider.CheckKey(c.APIKey); err != nil {
		bad = append(bad, err)
	}
	for _, f := range []struct {
		name string
		v    int64
	}{
		{"Dimensions", int64(c.Dimensions)},
		{"MaxBatch", int64(c.MaxBatch)},
		{"MaxBatchBytes", int64(c.MaxBatchBytes)},
		{"MaxTextBytes", int64(c.MaxTextBytes)},
		{"MaxConcurrent", int64(c.MaxConcurrent)},
		{"MaxPending", int64(c.MaxPending)},
		{"MaxPendingBytes", int64(c.MaxPendingBytes)},
		{"CacheBytes", int64(c.CacheBytes)},
		{"IngestAge", int64(c.IngestAge)},
		{"OpenFor", int64(c.OpenFor)},
		{"StallAfter", int64(c.StallAfter)},
		{"ColdTimeout", int64(c.ColdTimeout)},
		{"SlowAfter", int64(c.SlowAfter)},
		{"MaxPause", int64(c.MaxPause)},
		{"MaxAttempts", int64(c.MaxAttempts)},
		{"Backoff", int64(c.Backoff)},
		{"MaxBackoff", int64(c.MaxBackoff)},
		{"AttemptTimeout", int64(c.AttemptTimeout)},
		{"DialTimeout", int64(c.DialTimeout)},
		{"TLSTimeout", int64(c.TLSTimeout)},
		{"IdleTimeout", int64(c.IdleTimeout)},
		{"PingAfter", int64(c.PingAfter)},
		{"PingTimeout", int64(c.PingTimeout)},
		{"MaxResponseBytes", int64(c.MaxResponseBytes)},
	} {
		if f.v < 0 {
			bad = append(bad, fmt.Errorf("%s must not be negative", f.name))
		}
	}
	if !(c.UserShare > 0 && c.UserShare <= 1) {
		bad = append(bad, fmt.Errorf("UserShare (%v) must be over 0 and at most 1", c.UserShare))
	}
	if share := min(c.UserShare, 0.5); c.MaxBatch > int(share*float64(c.MaxPending)) || c.MaxBatchBytes > int(share*float64(c.MaxPendingBytes)) {
		bad = append(bad, errors.New("a batch (MaxBatch, MaxBatchBytes) must fit what one user and what ingest may have of MaxPending and MaxPendingBytes"))
	}
	if c.MaxTextBytes > c.MaxBatchBytes {
		bad = append(bad, fmt.Errorf("MaxTextBytes (%d) must not be over MaxBatchBytes (%d)", c.MaxTextBytes, c.MaxBatchBytes))
	}
	if c.Backoff > c.MaxBackoff {
		bad = append(bad, fmt.Errorf("the first Backoff (%s) must not be over MaxBackoff (%s)", c.Backoff, c.MaxBackoff))
	}
	if c.DialTimeout+c.TLSTimeout > c.AttemptTimeout {
		bad = append(bad, fmt.Errorf("DialTimeout and TLSTimeout (%s + %s) must fit AttemptTimeout (%s)", c.DialTimeout, c.TLSTimeout, c.AttemptTimeout))
	}
	if c.MaxBatch > maxBatch {
		bad = append(bad, fmt.Errorf("MaxBatch must not be over %d", maxBatch))
	}
	if c.Dimensions > maxDim {
		bad = append(bad, fmt.Errorf("the Dimensions must not be over %d", maxDim))
	}
	if need := c.longestAnswer(); need > int64(c.MaxResponseBytes) {
		bad = append(bad, fmt.Errorf("MaxResponseBytes (%d) must hold MaxBatch vectors of Dimensions values (%d)", c.MaxResponseBytes, need))
	}
	if len(bad) > 0 {
		return "", fmt.Errorf("embedding provider: %w", errors.Join(bad...))
	}
	return base.JoinPath("embeddings").String(), nil
}
