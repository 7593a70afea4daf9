package embed

import (
	"cmp"
	"errors"
	"fmt"
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
	// MaxResponseBytes is the longest answer that is read, counted after
	// decompression. It must hold MaxBatch vectors written as numbers.
	// Defaults to 32 MiB, or to that if it is more.
	MaxResponseBytes int

	// Network is how the provider is reached.
	provider.Network
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
	c.BaseURL = cmp.Or(c.BaseURL, "https://api.openai.com/v1")
	c.APIKey = strings.TrimSpace(c.APIKey) // a key read from a file ends in a newline
	c.Model = cmp.Or(c.Model, "text-embedding-3-small")
	c.Dimensions = cmp.Or(c.Dimensions, native(c.Model), 1536)
	c.MaxBatch = cmp.Or(c.MaxBatch, 64)
	c.MaxBatchBytes = cmp.Or(c.MaxBatchBytes, 256<<10)
	c.MaxTextBytes = cmp.Or(c.MaxTextBytes, 128<<10)
	c.MaxConcurrent = cmp.Or(c.MaxConcurrent, 8)
	c.MaxPending = cmp.Or(c.MaxPending, max(4096, 4*min(c.MaxBatch, maxBatch)))
	c.MaxPendingBytes = cmp.Or(c.MaxPendingBytes, max(32<<20, 4*min(c.MaxBatchBytes, 1<<30)))
	c.UserShare = cmp.Or(c.UserShare, 0.5)
	c.CacheBytes = cmp.Or(c.CacheBytes, 64<<20)
	c.IngestAge = cmp.Or(c.IngestAge, time.Second)
	c.OpenFor = cmp.Or(c.OpenFor, time.Second)
	c.StallAfter = cmp.Or(c.StallAfter, 3*time.Second)
	c.ColdTimeout = cmp.Or(c.ColdTimeout, 90*time.Second)
	c.SlowAfter = cmp.Or(c.SlowAfter, 8*time.Second)
	c.MaxPause = cmp.Or(c.MaxPause, time.Minute)
	c.MaxAttempts = cmp.Or(c.MaxAttempts, 3)
	c.Backoff = cmp.Or(c.Backoff, 250*time.Millisecond)
	c.MaxBackoff = cmp.Or(c.MaxBackoff, 8*time.Second)
	c.AttemptTimeout = cmp.Or(c.AttemptTimeout, 30*time.Second)
	c.Network = c.Network.WithDefaults(c.MaxConcurrent)
	c.MaxResponseBytes = cmp.Or(c.MaxResponseBytes, int(max(32<<20, c.longestAnswer())))
	c.UserAgent = cmp.Or(c.UserAgent, "weir")
	return c
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
	bad = append(bad, provider.CheckNetwork(c.Network),
		provider.NotNegative("Dimensions", c.Dimensions),
		provider.NotNegative("MaxBatch", c.MaxBatch),
		provider.NotNegative("MaxBatchBytes", c.MaxBatchBytes),
		provider.NotNegative("MaxTextBytes", c.MaxTextBytes),
		provider.NotNegative("MaxConcurrent", c.MaxConcurrent),
		provider.NotNegative("MaxPending", c.MaxPending),
		provider.NotNegative("MaxPendingBytes", c.MaxPendingBytes),
		provider.NotNegative("CacheBytes", c.CacheBytes),
		provider.NotNegative("IngestAge", c.IngestAge),
		provider.NotNegative("OpenFor", c.OpenFor),
		provider.NotNegative("StallAfter", c.StallAfter),
		provider.NotNegative("ColdTimeout", c.ColdTimeout),
		provider.NotNegative("SlowAfter", c.SlowAfter),
		provider.NotNegative("MaxPause", c.MaxPause),
		provider.NotNegative("MaxAttempts", c.MaxAttempts),
		provider.NotNegative("Backoff", c.Backoff),
		provider.NotNegative("MaxBackoff", c.MaxBackoff),
		provider.NotNegative("AttemptTimeout", c.AttemptTimeout),
		provider.NotNegative("MaxResponseBytes", c.MaxResponseBytes),
	)
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
	if err := errors.Join(bad...); err != nil {
		return "", fmt.Errorf("embedding provider: %w", err)
	}
	return base.JoinPath("embeddings").String(), nil
}
