package chat

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"weir/internal/provider"
)

// Config says which provider to ask, and within which bounds. A zero means the
// default, never "unlimited".
type Config struct {
	// BaseURL is the address before /chat/completions, http or https, without
	// user and password. A query, such as an API version, is kept. Defaults to
	// https://api.openai.com/v1.
	BaseURL string
	// APIKey is sent as a bearer token. Defaults to none.
	APIKey string
	// Model is the provider's name for the model. It must be given.
	Model string

	// FirstToken bounds the time from getting a place to the first word of the
	// answer, over all tries. Defaults to 20 s, or Timeout if that is less.
	FirstToken time.Duration
	// TokenGap bounds the time between two words. Defaults to 10 s, or Timeout if
	// that is less.
	TokenGap time.Duration
	// Timeout bounds one whole answer, waiting for a place included. Defaults to
	// 60 s.
	Timeout time.Duration

	// MaxConcurrent is how many answers are written at a time. Defaults to 16.
	MaxConcurrent int
	// MaxWaiting is how many callers wait for a place. Defaults to four times
	// MaxConcurrent.
	MaxWaiting int
	// UserShare is the part of both that one user may have. Defaults to 0.5.
	UserShare float64

	// MaxRequestBytes is the longest conversation that is sent. Defaults to 1 MiB.
	MaxRequestBytes int
	// MaxAnswerBytes is the longest answer that is taken, in bytes of text.
	// Defaults to 256 KiB.
	MaxAnswerBytes int
	// MaxLineBytes is the longest line of a stream. Defaults to MaxAnswerBytes.
	MaxLineBytes int

	// OpenFor is how long nothing is asked after the provider was found not to
	// answer; then one call finds out. Defaults to 2 s.
	OpenFor time.Duration
	// ProbePatience is how long that one is waited for before another is let
	// through beside it. Defaults to 3 s.
	ProbePatience time.Duration
	// MaxPause is the longest Retry-After of the provider that is obeyed by
	// everybody. When it says more, it is asked again after twice OpenFor.
	// Defaults to 1 min.
	MaxPause time.Duration
	// MaxAttempts is how often a call is tried at most. Defaults to 3.
	MaxAttempts int
	// Backoff is the longest wait before the second try; it doubles with each
	// further one, and half of it is chance. Defaults to 250 ms.
	Backoff time.Duration
	// MaxBackoff is the longest wait before any try. Where the provider asks for
	// more, the error says so and the caller decides. Defaults to 4 s.
	MaxBackoff time.Duration

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
	c.Timeout = cmp.Or(c.Timeout, time.Minute)
	c.FirstToken = cmp.Or(c.FirstToken, min(20*time.Second, c.Timeout))
	c.TokenGap = cmp.Or(c.TokenGap, min(10*time.Second, c.Timeout))
	c.MaxConcurrent = cmp.Or(c.MaxConcurrent, 16)
	c.MaxWaiting = cmp.Or(c.MaxWaiting, 4*c.MaxConcurrent)
	c.UserShare = cmp.Or(c.UserShare, 0.5)
	c.MaxRequestBytes = cmp.Or(c.MaxRequestBytes, 1<<20)
	c.MaxAnswerBytes = cmp.Or(c.MaxAnswerBytes, 256<<10)
	c.MaxLineBytes = cmp.Or(c.MaxLineBytes, c.MaxAnswerBytes)
	c.OpenFor = cmp.Or(c.OpenFor, 2*time.Second)
	c.ProbePatience = cmp.Or(c.ProbePatience, 3*time.Second)
	c.MaxPause = cmp.Or(c.MaxPause, time.Minute)
	c.MaxAttempts = cmp.Or(c.MaxAttempts, 3)
	c.Backoff = cmp.Or(c.Backoff, 250*time.Millisecond)
	c.MaxBackoff = cmp.Or(c.MaxBackoff, 4*time.Second)
	c.Network = c.Network.WithDefaults(c.MaxConcurrent)
	c.UserAgent = cmp.Or(c.UserAgent, "weir")
	return c
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
	if c.Model == "" {
		bad = append(bad, errors.New("a Model must be given"))
	}
	bad = append(bad, provider.CheckNetwork(c.Network),
		provider.NotNegative("FirstToken", c.FirstToken),
		provider.NotNegative("TokenGap", c.TokenGap),
		provider.NotNegative("Timeout", c.Timeout),
		provider.NotNegative("MaxConcurrent", c.MaxConcurrent),
		provider.NotNegative("MaxWaiting", c.MaxWaiting),
		provider.NotNegative("MaxRequestBytes", c.MaxRequestBytes),
		provider.NotNegative("MaxAnswerBytes", c.MaxAnswerBytes),
		provider.NotNegative("MaxLineBytes", c.MaxLineBytes),
		provider.NotNegative("OpenFor", c.OpenFor),
		provider.NotNegative("ProbePatience", c.ProbePatience),
		provider.NotNegative("MaxPause", c.MaxPause),
		provider.NotNegative("MaxAttempts", c.MaxAttempts),
		provider.NotNegative("Backoff", c.Backoff),
		provider.NotNegative("MaxBackoff", c.MaxBackoff),
	)
	if !(c.UserShare > 0 && c.UserShare <= 1) {
		bad = append(bad, fmt.Errorf("UserShare (%v) must be over 0 and at most 1", c.UserShare))
	}
	if c.FirstToken > c.Timeout || c.TokenGap > c.Timeout {
		bad = append(bad, fmt.Errorf("FirstToken and TokenGap (%s, %s) must fit Timeout (%s)", c.FirstToken, c.TokenGap, c.Timeout))
	}
	if c.Backoff > c.MaxBackoff {
		bad = append(bad, fmt.Errorf("the first Backoff (%s) must not be over MaxBackoff (%s)", c.Backoff, c.MaxBackoff))
	}
	if err := errors.Join(bad...); err != nil {
		return "", fmt.Errorf("chat model: %w", err)
	}
	return base.JoinPath("chat", "completions").String(), nil
}

func (c Config) backoff() provider.Backoff {
	return provider.Backoff{First: c.Backoff, Most: c.MaxBackoff}
}

// peer is the provider in the words of an error.
func (c Config) peer() provider.Peer {
	return provider.Peer{
		Name: "the chat model", Work: "the answer", Offers: "chat completions", Sent: "the messages",
		Key: c.APIKey, Model: c.Model, Options: optionNames(),
	}
}
