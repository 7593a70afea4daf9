package identity

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"weir/internal/rag"
)

const (
	fetchTimeout  = 5 * time.Second  // of one fetch, all of it
	refreshEvery  = 10 * time.Minute // after a fetch that succeeded
	retryLeast    = time.Second      // after one that failed, doubled each time
	retryMost     = 30 * time.Second
	askAgain      = 10 * time.Second // the least time between two fetches for a kid that is not known
	keyPatience   = 3 * time.Second  // the longest a caller waits for a fetch
	maxKeyWaiters = 64               // callers who wait
	keysGoodFor   = 24 * time.Hour   // without the issuer
)

// issuer is the keys of whoever signs the tokens. One goroutine fetches them
// (run); callers look, and wait for it only when their key is not there.
type issuer struct {
	url   string
	cache string // file for what was fetched last; "": none
	log   *slog.Logger
	now   func() time.Time
	http  *http.Client
	ask   chan struct{} // a caller wants a fetch

	mu      sync.Mutex
	keys    []verifier
	fetched time.Time // when keys came; zero: never
	tried   time.Time // when the last fetch ended
	trouble error     // of the last fetch
	round   chan struct{}
	waiters int
}

func newIssuer(c Config) *issuer {
	dialer := &net.Dialer{Timeout: 2 * time.Second}
	s := &issuer{
		url: c.JWKSURL, log: c.Log, now: c.now, ask: make(chan struct{}, 1), round: make(chan struct{}),
		http: &http.Client{
			Transport: &http.Transport{
				Proxy: c.Proxy, DialContext: dialer.DialContext, TLSHandshakeTimeout: 2 * time.Second,
				DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10,
			},
			// Whoever can have the issuer point elsewhere would be the issuer.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	if c.CacheDir != "" { // of this address: the keys of another issuer are not to be trusted
		sum := sha256.Sum256([]byte(c.JWKSURL))
		s.cache = filepath.Join(c.CacheDir, "jwks-"+hex.EncodeToString(sum[:8])+".json")
	}
	s.remember()
	return s
}

// remember takes the keys that an earlier process fetched, so that a restart
// does not need the issuer.
func (s *issuer) remember() {
	if s.cache == "" {
		return
	}
	info, err := os.Stat(s.cache)
	if err != nil || info.Size() > maxKeySet {
		return
	}
	if age := s.now().Sub(info.ModTime()); age < 0 || age > keysGoodFor {
		return
	}
	content, err := os.ReadFile(s.cache)
	if err != nil {
		return
	}
	if keys, err := parseKeySet(content); err == nil {
		s.keys, s.fetched = keys, info.ModTime()
	}
}

// run fetches the keys until ctx ends.
func (s *issuer) run(ctx context.Context) {
	retry := retryLeast
	for {
		err := s.fetch(ctx)
		select {
		case <-s.ask: // asked for while it went on: it was the answer
		default:
		}
		pause := refreshEvery
		if err != nil {
			pause, retry = retry, min(2*retry, retryMost)
		} else {
			retry = retryLeast
		}
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-t.C:
		case <-s.ask:
		}
		t.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// fetch gets the keys once, and lets those go on who wait.
func (s *issuer) fetch(ctx context.Context) error {
	content, keys, err := s.get(ctx)
	if err == nil && s.cache != "" {
		if e := replaceFile(s.cache, content); e != nil {
			s.log.WarnContext(ctx, "the issuer's keys could not be kept for the next start", "error", e)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() == nil {
		s.tell(ctx, keys, err)
	}
	if err == nil {
		s.keys, s.fetched = keys, s.now()
	}
	s.tried, s.trouble = s.now(), err
	close(s.round)
	s.round = make(chan struct{})
	return err
}

// tell logs what is new.
func (s *issuer) tell(ctx context.Context, keys []verifier, err error) {
	switch {
	case err != nil && s.trouble == nil:
		s.log.ErrorContext(ctx, "the keys of the tokens' issuer could not be fetched; those from before stay in force for a day", "keys", len(s.keys), "error", err)
	case err == nil && (s.fetched.IsZero() || s.trouble != nil):
		s.log.InfoContext(ctx, "the keys of the tokens' issuer were fetched", "keys", len(keys))
	}
}

func (s *issuer) get(ctx context.Context) ([]byte, []verifier, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("the address of the issuer's keys: %w", err)
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	resp, err := s.http.Do(req)
	if err != nil {
		return nil, nil, fmt.Errorf("asking the issuer: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // the connection is not used again
	if resp.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("the issuer answered with status %d", resp.StatusCode)
	}
	content, err := io.ReadAll(io.LimitReader(resp.Body, maxKeySet+1)) //nolint:forbidigo // bounded
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("reading the issuer's keys: %w", err)
	case len(content) > maxKeySet:
		return nil, nil, fmt.Errorf("the issuer's answer is longer than %d bytes", maxKeySet)
	}
	keys, err := parseKeySet(content)
	if err != nil {
		return nil, nil, fmt.Errorf("the issuer's answer cannot be used: %w", err)
	}
	return content, keys, nil
}

// key is the public key for a token. Where it is not known, a fetch is asked
// for, not too often, and waited for, not long.
func (s *issuer) key(ctx context.Context, kid, alg string) (any, error) {
	key, round, err := s.find(kid, alg)
	if round == nil {
		return key, err
	}
	defer s.leave()
	select {
	case s.ask <- struct{}{}:
	default: // somebody has asked already
	}
	t := time.NewTimer(keyPatience)
	defer t.Stop()
	select {
	case <-round:
	case <-t.C:
		return nil, errNoKeys(nil)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pick(kid, alg)
}

// find returns the key, or the error, or the round to wait for.
func (s *issuer) find(kid, alg string) (any, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key, err := s.pick(kid, alg)
	if err == nil {
		return key, nil, nil
	}
	pause := askAgain
	if len(s.keys) == 0 {
		pause = retryLeast
	}
	if !s.tried.IsZero() && s.now().Sub(s.tried) < pause {
		return nil, nil, err
	}
	if s.waiters >= maxKeyWaiters {
		return nil, nil, errNoKeys(nil)
	}
	s.waiters++
	return nil, s.round, nil
}

func (s *issuer) leave() {
	s.mu.Lock()
	s.waiters--
	s.mu.Unlock()
}

// pick returns the key of that name and algorithm. A token that names none
// gets the one there is, if there is one only. s.mu is held.
func (s *issuer) pick(kid, alg string) (any, error) {
	if s.fetched.IsZero() || s.now().Sub(s.fetched) > keysGoodFor {
		return nil, errNoKeys(s.trouble)
	}
	var found any
	for _, v := range s.keys {
		if v.alg != alg || kid != "" && v.kid != kid {
			continue
		}
		if found != nil {
			return nil, refusal("the token does not say which key it was signed with")
		}
		found = v.key
	}
	if found == nil {
		return nil, refusal("the token was signed with a key that the issuer does not have")
	}
	return found, nil
}

func errNoKeys(cause error) error {
	return &rag.Error{
		Code: rag.Unavailable, Phase: "identity", RetryAfter: retryLeast, Err: cause,
		Msg: "the keys of the tokens' issuer cannot be had now, so that no token can be checked",
	}
}

// ready says why no token can be checked.
func (s *issuer) ready() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fetched.IsZero() || s.now().Sub(s.fetched) > keysGoodFor {
		if s.trouble != nil {
			return s.trouble
		}
		return errors.New("the issuer's keys have not been fetched yet")
	}
	return nil
}

func (s *issuer) look() (keys int, fetched time.Time, trouble error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.keys), s.fetched, s.trouble
}
