package identity

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/rag"
)

// running has s fetch in the background, until the test ends. It is called in a
// bubble.
func running(t *testing.T, s *issuer) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); s.run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	synctest.Wait()
}

// pass lets time pass, in a bubble.
func pass(d time.Duration) {
	<-time.NewTimer(d).C
	synctest.Wait()
}

// TestIssuerOutage: tokens are checked for a day with the keys from before, then no
// more, and again when the issuer is back.
func TestIssuerOutage(t *testing.T) {
	set := keySet(t, rsaJWK("r", &rsaKey().PublicKey))
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		s := newTestIssuer(Config{}, answering(func(*http.Request) (int, []byte, error) {
			if down.Load() {
				return 0, nil, errDown
			}
			return http.StatusOK, set, nil
		}))
		running(t, s)
		want := func(code rag.Code) {
			t.Helper()
			_, err := s.key(t.Context(), "r", "RS256")
			wantCode(t, err, code)
			if (s.ready() != nil) != (code != "") {
				t.Errorf("ready: %v", s.ready())
			}
		}
		want("")
		down.Store(true)
		pass(23 * time.Hour)
		want("")
		if _, _, trouble := s.look(); !errors.Is(trouble, errDown) {
			t.Errorf("the trouble is not shown: %v", trouble)
		}
		pass(2 * time.Hour)
		want(rag.Unavailable)
		down.Store(false)
		pass(time.Minute)
		want("")
	})
}

// TestIssuerHangs: who has a key that is known does not wait; who has not leaves by
// its own ctx, or after a bound.
func TestIssuerHangs(t *testing.T) {
	set := keySet(t, rsaJWK("r", &rsaKey().PublicKey))
	synctest.Test(t, func(t *testing.T) {
		var hang atomic.Bool
		s := newTestIssuer(Config{}, answering(func(r *http.Request) (int, []byte, error) {
			if hang.Load() {
				<-r.Context().Done()
				return 0, nil, r.Context().Err()
			}
			return http.StatusOK, set, nil
		}))
		running(t, s)
		hang.Store(true)
		pass(askAgain)
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.key(ctx, "new", "RS256"); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("left after %v with %v", time.Since(began), err)
		}
		began = time.Now()
		if _, err := s.key(t.Context(), "r", "RS256"); err != nil || time.Since(began) != 0 {
			t.Errorf("a known key took %v: %v", time.Since(began), err)
		}
		if _, err := s.key(t.Context(), "new", "RS256"); rag.CodeOf(err) != rag.Unavailable || time.Since(began) > keyPatience {
			t.Errorf("left after %v with %v", time.Since(began), err)
		}
		hang.Store(false)
		pass(fetchTimeout)
	})
}

// TestUnknownKidIsAskedForOnce: however many callers come with a kid that is not
// known, the issuer is asked once, and again only after a while.
func TestUnknownKidIsAskedForOnce(t *testing.T) {
	before, after := keySet(t, rsaJWK("r", &rsaKey().PublicKey)), keySet(t, rsaJWK("r2", &rsaKey().PublicKey))
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		var rotated atomic.Bool
		s := newTestIssuer(Config{}, answering(func(*http.Request) (int, []byte, error) {
			asked.Add(1)
			<-time.NewTimer(time.Second).C
			if rotated.Load() {
				return http.StatusOK, after, nil
			}
			return http.StatusOK, before, nil
		}))
		running(t, s)
		pass(askAgain + time.Second)
		rotated.Store(true)
		asked.Store(0)
		var all sync.WaitGroup
		for range maxKeyWaiters {
			all.Go(func() {
				if _, err := s.key(t.Context(), "r2", "RS256"); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if _, err := s.key(t.Context(), "r3", "RS256"); rag.CodeOf(err) != rag.Unavailable {
			t.Errorf("one more than may wait: %v", err)
		}
		all.Wait()
		for range 100 { // of the junk that comes after
			if _, err := s.key(t.Context(), "junk", "RS256"); !errors.As(err, new(refusal)) {
				t.Errorf("junk: %v", err)
			}
		}
		synctest.Wait()
		if n := asked.Load(); n != 1 {
			t.Errorf("the issuer was asked %d times", n)
		}
		// The key that the issuer no longer has is gone at once.
		if _, err := s.key(t.Context(), "r", "RS256"); !errors.As(err, new(refusal)) {
			t.Errorf("the old key: %v", err)
		}
		pass(askAgain)
		_, err := s.key(t.Context(), "junk", "RS256")
		if n := asked.Load(); !errors.As(err, new(refusal)) || n != 2 {
			t.Errorf("asked %d times, %v", n, err)
		}
	})
}

// TestAnswersOfTheIssuer: whatever comes that is not a good set leaves the keys as
// they were.
func TestAnswersOfTheIssuer(t *testing.T) {
	good := keySet(t, rsaJWK("r", &rsaKey().PublicKey))
	tests := []struct {
		name   string
		status int
		body   []byte
	}{
		{"redirect", http.StatusFound, good},
		{"error", http.StatusInternalServerError, good},
		{"no content", http.StatusNoContent, nil},
		{"empty", http.StatusOK, nil},
		{"empty set", http.StatusOK, keySet(t)},
		{"a page", http.StatusOK, []byte("<html>we will be back</html>")},
		{"too long", http.StatusOK, append(good, make([]byte, maxKeySet)...)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, body, asked := http.StatusOK, good, 0
			s := newTestIssuer(Config{}, answering(func(r *http.Request) (int, []byte, error) {
				asked++
				if r.URL.Host != "issuer.example" {
					t.Errorf("asked %s", r.URL)
				}
				return status, body, nil
			}))
			if err := s.fetch(t.Context()); err != nil {
				t.Fatal(err)
			}
			status, body = tt.status, tt.body
			if s.fetch(t.Context()) == nil {
				t.Error("taken")
			}
			if _, err := s.key(t.Context(), "r", "RS256"); err != nil || asked != 2 {
				t.Errorf("asked %d times, and the key is gone: %v", asked, err)
			}
		})
	}
}

// A body that never ends is cut off.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
func (endless) Close() error               { return nil }

type endlessly struct{}

func (endlessly) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.ReadCloser(endless{}), Request: r}, nil
}

func TestEndlessAnswer(t *testing.T) {
	if newTestIssuer(Config{}, endlessly{}).fetch(t.Context()) == nil {
		t.Error("taken")
	}
}

// TestKeysOutliveARestart: a new process has the keys of the one before, if they are of
// the same address and not old.
func TestKeysOutliveARestart(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	set := keySet(t, rsaJWK("r", &rsaKey().PublicKey))
	down := answering(func(*http.Request) (int, []byte, error) { return 0, nil, errDown })
	c := Config{CacheDir: dir, now: func() time.Time { return now }}
	first := newTestIssuer(c, answering(func(*http.Request) (int, []byte, error) { return http.StatusOK, set, nil }))
	if err := first.fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(first.cache); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatal(info, err)
	}
	now = time.Now()
	if _, err := newTestIssuer(c, down).key(t.Context(), "r", "RS256"); err != nil {
		t.Error(err)
	}
	elsewhere := c
	elsewhere.JWKSURL, elsewhere.Log = "https://other.example/jwks", first.log
	if s := newIssuer(elsewhere); s.ready() == nil {
		t.Error("the keys of another issuer are trusted")
	}
	now = now.Add(keysGoodFor + time.Minute)
	if newTestIssuer(c, down).ready() == nil {
		t.Error("old keys are trusted")
	}
	if err := os.WriteFile(first.cache, []byte("no"), 0o600); err != nil {
		t.Fatal(err)
	}
	now = time.Now()
	if newTestIssuer(c, down).ready() == nil {
		t.Error("broken keys are trusted")
	}
}

// The readiness of a gate: without keys nobody can be let in, unless there is
// another way.
func TestGateIsReadyWhenSomebodyCanBeLetIn(t *testing.T) {
	set := Config{JWKSURL: "https://issuer.example/", JWTAudience: "a"}
	both := set
	both.JWTSecret = testSecret
	if newGate(t, set).Ready() == nil {
		t.Error("ready without keys")
	}
	if err := newGate(t, both).Ready(); err != nil {
		t.Error(err)
	}
	if err := newGate(t, Config{OwnerSecret: NewOwnerSecret()}).Ready(); err != nil {
		t.Error(err)
	}
}
