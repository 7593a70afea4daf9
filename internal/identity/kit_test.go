package identity

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"weir/internal/rag"

	"github.com/golang-jwt/jwt/v5"
)

// noon is the time of most tests.
func noon() time.Time { return time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC) }

const testSecret = "a secret of more than thirty-two bytes"

// call is a request from 192.0.2.1 with these Authorization headers.
func call(t testing.TB, authorization ...string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/documents", nil)
	r.Header["Authorization"] = append(r.Header["Authorization"], authorization...)
	return r
}

func newGate(t testing.TB, c Config) *Gate {
	t.Helper()
	if c.now == nil {
		c.now = noon
	}
	g, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// withKeys is a file that holds keys, and what is to be sent for each.
func withKeys(t testing.TB, keys ...Key) (path string, made []Key, secrets []string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "keys.json")
	for _, k := range keys {
		m, secret, err := NewKey(k, noon())
		if err != nil {
			t.Fatal(err)
		}
		made, secrets = append(made, m), append(secrets, secret)
	}
	save(t, path, made)
	return path, made, secrets
}

func save(t testing.TB, path string, keys []Key) {
	t.Helper()
	if err := EditKeys(context.WithoutCancel(t.Context()), path, func([]Key) ([]Key, error) { return keys, nil }); err != nil {
		t.Fatal(err)
	}
}

// wantCode checks what a call was answered with.
func wantCode(t *testing.T, err error, want rag.Code) {
	t.Helper()
	if got := rag.CodeOf(err); got != want {
		t.Errorf("got %q (%v), want %q", got, err, want)
	}
}

// rsaKey and ecKey are made once: it takes a while.
func rsaKey() *rsa.PrivateKey  { return rsaOnce() }
func ecKey() *ecdsa.PrivateKey { return ecOnce() }

var (
	rsaOnce = sync.OnceValue(func() *rsa.PrivateKey {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		return k
	})
	ecOnce = sync.OnceValue(func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			panic(err)
		}
		return k
	})
)

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func rsaJWK(kid string, k *rsa.PublicKey) map[string]any {
	return map[string]any{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": b64(k.N.Bytes()), "e": b64(big.NewInt(int64(k.E)).Bytes())}
}

func ecJWK(t testing.TB, kid string, k *ecdsa.PublicKey) map[string]any {
	t.Helper()
	raw, err := k.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{"kty": "EC", "crv": "P-256", "kid": kid, "x": b64(raw[1:33]), "y": b64(raw[33:])}
}

func keySet(t testing.TB, keys ...map[string]any) []byte {
	t.Helper()
	b, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// goodClaims are those of a token that is taken at noon.
func goodClaims() jwt.MapClaims {
	return jwt.MapClaims{"sub": "ann", "aud": "authenticated", "iss": "https://issuer.example", "role": "authenticated", "exp": noon().Add(time.Hour).Unix()}
}

func with(name string, value any) jwt.MapClaims {
	c := goodClaims()
	if value == nil {
		delete(c, name)
	} else {
		c[name] = value
	}
	return c
}

func sign(t testing.TB, m jwt.SigningMethod, key any, header map[string]any, c jwt.Claims) string {
	t.Helper()
	tok := jwt.NewWithClaims(m, c)
	for name, v := range header {
		if v == nil {
			delete(tok.Header, name)
		} else {
			tok.Header[name] = v
		}
	}
	s, err := tok.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// answering is an issuer that answers as f says, without a network.
type answering func(*http.Request) (status int, body []byte, err error)

func (f answering) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body, err := f(r)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: status, Header: http.Header{"Location": {"https://elsewhere.example/"}}, Body: io.NopCloser(bytes.NewReader(body)), Request: r,
		ProtoMajor: 1, ProtoMinor: 1,
	}, nil
}

var errDown = errors.New("the issuer is down")

// newTestIssuer is an issuer behind rt, with real time (or a bubble's).
func newTestIssuer(c Config, rt http.RoundTripper) *issuer {
	c.JWKSURL = "https://issuer.example/jwks"
	if c.now == nil {
		c.now = time.Now
	}
	c.Log = slog.New(slog.DiscardHandler)
	s := newIssuer(c)
	s.http.Transport = rt
	return s
}
