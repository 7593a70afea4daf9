package identity

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/rag"

	"github.com/golang-jwt/jwt/v5"
)

// Whatever is wrong, the answer is the same: it does not tell whether there is a
// key of that id.
func TestWrongKeysAreAllAnsweredAlike(t *testing.T) {
	path, keys, secrets := withKeys(t, Key{User: "ann", Scopes: []string{ScopeRead}})
	g := newGate(t, Config{KeysFile: path, OwnerSecret: NewOwnerSecret(), Failures: 1000})
	_, stranger, err := NewKey(keys[0], noon())
	if err != nil {
		t.Fatal(err)
	}
	own := keyPrefix + keys[0].ID + "_" + letters().EncodeToString(make([]byte, secretBytes)) // of an id that is there
	own += checksum(own)
	var first string
	for _, wrong := range []string{
		own, stranger, "weir_x", secrets[0] + "a", secrets[0][:len(secrets[0])-1], "a.b.c", "x", NewOwnerSecret(), strings.Replace(secrets[0], "weir_", "weir_owner_", 1),
	} {
		_, err := g.Admit(t.Context(), call(t, "Bearer "+wrong), "")
		wantCode(t, err, rag.Unauthorized)
		if first == "" {
			first = messageOf(err)
		}
		if messageOf(err) != first {
			t.Errorf("%s is answered with %q, another with %q", wrong, messageOf(err), first)
		}
	}
}

func messageOf(err error) string {
	if e, ok := err.(*rag.Error); ok { //nolint:errorlint // as it comes
		return e.Msg
	}
	return err.Error()
}

func TestHeadersThatCouldBeReadInTwoWays(t *testing.T) {
	path, _, secrets := withKeys(t, Key{User: "ann", Scopes: []string{ScopeRead}})
	good := secrets[0]
	g := newGate(t, Config{KeysFile: path, Failures: 10000})
	tests := []struct {
		name   string
		values []string
		want   rag.Code
	}{
		{"plain", []string{"Bearer " + good}, ""},
		{"scheme in small letters", []string{"bearer " + good}, ""},
		{"none", nil, rag.Unauthorized},
		{"empty", []string{""}, rag.Unauthorized},
		{"two, the same", []string{"Bearer " + good, "Bearer " + good}, rag.Unauthorized},
		{"two, one empty", []string{"Bearer " + good, ""}, rag.Unauthorized},
		{"two in one", []string{"Bearer " + good + ", Bearer " + good}, rag.Unauthorized},
		{"comma", []string{"Bearer " + good + ","}, rag.Unauthorized},
		{"two spaces", []string{"Bearer  " + good}, rag.Unauthorized},
		{"tab", []string{"Bearer\t" + good}, rag.Unauthorized},
		{"space after", []string{"Bearer " + good + " "}, rag.Unauthorized},
		{"space before", []string{" Bearer " + good}, rag.Unauthorized},
		{"NUL after", []string{"Bearer " + good + "\x00"}, rag.Unauthorized},
		{"NUL and more", []string{"Bearer " + good + "\x00x"}, rag.Unauthorized},
		{"line end and a header", []string{"Bearer " + good + "\r\nX-User-ID: bob"}, rag.Unauthorized},
		{"not ASCII", []string{"Bearer " + good + "é"}, rag.Unauthorized},
		{"letters of full width", []string{"Bearer " + strings.Replace(good, "w", "ｗ", 1)}, rag.Unauthorized},
		{"quoted", []string{`Bearer "` + good + `"`}, rag.Unauthorized},
		{"basic", []string{"Basic " + good}, rag.Unauthorized},
		{"no scheme", []string{good}, rag.Unauthorized},
		{"scheme alone", []string{"Bearer"}, rag.Unauthorized},
		{"scheme and a space", []string{"Bearer "}, rag.Unauthorized},
		{"very long", []string{"Bearer " + good + strings.Repeat("a", 1<<20)}, rag.Unauthorized},
		{"many dots", []string{"Bearer " + strings.Repeat(".", 8000)}, rag.Unauthorized},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := g.Admit(t.Context(), call(t, tt.values...), "")
			wantCode(t, err, tt.want)
			if err != nil && c != (rag.Caller{}) {
				t.Errorf("a caller comes with the error: %+v", c)
			}
		})
	}
}

func TestWhoMayActForWhom(t *testing.T) {
	later := noon().Add(time.Minute)
	path, keys, secrets := withKeys(t,
		Key{User: "ann", Scopes: []string{ScopeRead, ScopeWrite}},
		Key{Service: true, Scopes: []string{ScopeRead, ScopeMetrics}},
		Key{Service: true, Users: []string{"t1-"}, Scopes: []string{ScopeRead}},
		Key{User: "old", Scopes: []string{ScopeRead}, Expires: &later},
		Key{User: "gone", Scopes: []string{ScopeRead}, Revoked: &later})
	now := noon()
	g := newGate(t, Config{KeysFile: path, JWTSecret: testSecret, now: func() time.Time { return now }})
	token := sign(t, jwt.SigningMethodHS256, []byte(testSecret), nil, goodClaims())
	tests := []struct {
		name, credential string
		asked            rag.User
		at               time.Time
		want             rag.Caller
		code             rag.Code
	}{
		{name: "user's key", credential: secrets[0], want: rag.Caller{User: "ann", Kind: "key", KeyID: keys[0].ID, Rights: rag.MayRead | rag.MayWrite}},
		{name: "user's key, itself named", credential: secrets[0], asked: "ann", want: rag.Caller{User: "ann", Kind: "key", KeyID: keys[0].ID, Rights: rag.MayRead | rag.MayWrite}},
		{name: "user's key, another named", credential: secrets[0], asked: "bob", code: rag.Forbidden},
		{name: "user's key, itself in capitals", credential: secrets[0], asked: "Ann", code: rag.Forbidden},
		{name: "service", credential: secrets[1], asked: "bob", want: rag.Caller{User: "bob", Kind: "key", KeyID: keys[1].ID, Rights: rag.MayRead | rag.MayObserve}},
		{name: "service, nobody named", credential: secrets[1], want: rag.Caller{Kind: "key", KeyID: keys[1].ID, Rights: rag.MayRead | rag.MayObserve}},
		{name: "service of some", credential: secrets[2], asked: "t1-x", want: rag.Caller{User: "t1-x", Kind: "key", KeyID: keys[2].ID, Rights: rag.MayRead}},
		{name: "service of others", credential: secrets[2], asked: "t2-x", code: rag.Forbidden},
		{name: "token", credential: token, want: rag.Caller{User: "ann", Kind: "token", Issuer: "https://issuer.example", Rights: rag.MayRead | rag.MayWrite, Expires: noon().Add(time.Hour + leeway)}},
		{name: "token, another named", credential: token, asked: "bob", code: rag.Forbidden},
		{name: "revoked", credential: secrets[4], code: rag.Unauthorized},
		{name: "before it expires", credential: secrets[3], at: later.Add(-time.Second), want: rag.Caller{User: "old", Kind: "key", KeyID: keys[3].ID, Rights: rag.MayRead}},
		{name: "when it expires", credential: secrets[3], at: later, code: rag.Unauthorized},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if now = noon(); !tt.at.IsZero() {
				now = tt.at
			}
			got, err := g.Admit(t.Context(), call(t, "Bearer "+tt.credential), tt.asked)
			wantCode(t, err, tt.code)
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// A key that is revoked is refused as soon as the file was looked at, and stays
// so when the file is broken afterwards.
func TestKeyReuseAfterRevoke(t *testing.T) {
	path, keys, secrets := withKeys(t, Key{User: "ann", Scopes: []string{ScopeRead}})
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, Config{KeysFile: path})
		ctx, cancel := context.WithCancel(t.Context())
		defer synctest.Wait()
		defer cancel()
		go g.Run(ctx)
		admit := func() error {
			_, err := g.Admit(t.Context(), call(t, "Bearer "+secrets[0]), "")
			return err
		}
		if err := admit(); err != nil {
			t.Fatal(err)
		}
		when := noon()
		keys[0].Revoked = &when
		save(t, path, keys)
		tick := time.NewTimer(time.Second) // of the bubble
		<-tick.C
		synctest.Wait()
		wantCode(t, admit(), rag.Unauthorized)
		wantCode(t, admit(), rag.Unauthorized)
	})
}

func TestOwnerComesFromThisMachineOnly(t *testing.T) {
	secret := NewOwnerSecret()
	g := newGate(t, Config{OwnerSecret: secret, Failures: 1000})
	tests := []struct {
		name, remote, local string
		header              string
		want                rag.Code
	}{
		{name: "loopback", remote: "127.0.0.1:5"},
		{name: "loopback of IPv6", remote: "[::1]:5"},
		{name: "its own address", remote: "192.0.2.7:5", local: "192.0.2.7:80"},
		{name: "elsewhere", remote: "192.0.2.7:5", local: "192.0.2.8:80", want: rag.Unauthorized},
		{name: "elsewhere, mapped", remote: "[::ffff:192.0.2.7]:5", want: rag.Unauthorized},
		{name: "nowhere", remote: "@", want: rag.Unauthorized},
		{name: "a proxy on this machine", remote: "127.0.0.1:5", header: "X-Forwarded-For", want: rag.Unauthorized},
		{name: "another proxy on this machine", remote: "127.0.0.1:5", header: "Forwarded", want: rag.Unauthorized},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := call(t, "Bearer "+secret)
			r.RemoteAddr = tt.remote
			if tt.header != "" {
				r.Header.Set(tt.header, "127.0.0.1")
			}
			if tt.local != "" {
				r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(tt.local))))
			}
			c, err := g.Admit(t.Context(), r, "ann")
			wantCode(t, err, tt.want)
			if tt.want == "" && (c.User != "ann" || c.Kind != rag.CallerOwner) {
				t.Errorf("got %+v", c)
			}
		})
	}
	// Where there is no secret, nothing is it.
	r := call(t, "Bearer "+ownerPrefix)
	r.RemoteAddr = "127.0.0.1:5"
	_, err := newGate(t, Config{JWTSecret: testSecret}).Admit(t.Context(), r, "")
	wantCode(t, err, rag.Unauthorized)
}

// What a proxy says of the caller's address moves nothing: neither the count of
// failures, nor who is at home.
func TestForwardedHeadersAreNotBelieved(t *testing.T) {
	g := newGate(t, Config{JWTSecret: testSecret, Failures: 3})
	for i := range 3 {
		r := call(t, "Bearer wrong")
		r.Header.Set("X-Forwarded-For", netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}).String())
		_, err := g.Admit(t.Context(), r, "")
		if want := []rag.Code{rag.Unauthorized, rag.RateLimited, rag.RateLimited}[i]; rag.CodeOf(err) != want {
			t.Errorf("attempt %d: %v, want %s", i, err, want)
		}
	}
}

// Wrong keys are told to wait; right ones from the same address are not locked
// out, nor are callers elsewhere.
func TestFailuresAreLimitedByAddress(t *testing.T) {
	path, _, secrets := withKeys(t, Key{User: "ann", Scopes: []string{ScopeRead}})
	now := noon()
	g := newGate(t, Config{KeysFile: path, Failures: 30, now: func() time.Time { return now }})
	try := func(from, credential string) error {
		r := call(t, "Bearer "+credential)
		r.RemoteAddr = from
		_, err := g.Admit(t.Context(), r, "")
		return err
	}
	for i := range 10 {
		if err := try("192.0.2.1:1", "wrong"); rag.CodeOf(err) != rag.Unauthorized {
			t.Fatalf("wrong key %d: %v", i, err)
		}
	}
	err := try("192.0.2.1:2", "wrong")
	wantCode(t, err, rag.RateLimited)
	if e, ok := err.(*rag.Error); !ok || e.RetryAfter <= 0 || e.RetryAfter > 2*time.Second { //nolint:errorlint // as it comes
		t.Errorf("Retry-After is not honest: %v", err)
	}
	wantCode(t, try("192.0.2.1:3", secrets[0]), "")
	wantCode(t, try("192.0.2.9:1", "wrong"), rag.Unauthorized)
	now = now.Add(2 * time.Second) // 30 a minute
	wantCode(t, try("192.0.2.1:2", "wrong"), rag.Unauthorized)
	wantCode(t, try("192.0.2.1:2", "wrong"), rag.RateLimited)
	// A host has all of a /64.
	for i := range 11 {
		err = try(fmt.Sprintf("[2001:db8::%x]:1", i+1), "wrong")
	}
	wantCode(t, err, rag.RateLimited)
	if g.State().Refused < 20 {
		t.Errorf("refused: %d", g.State().Refused)
	}
}

func TestConfigsThatAreRefused(t *testing.T) {
	tests := []struct {
		name string
		c    Config
	}{
		{"nothing", Config{}},
		{"short secret", Config{JWTSecret: strings.Repeat("s", 31)}},
		{"http", Config{JWKSURL: "http://issuer.example/jwks", JWTAudience: "a"}},
		{"http to a name that looks like loopback", Config{JWKSURL: "http://127.0.0.1.example/jwks", JWTAudience: "a"}},
		{"file", Config{JWKSURL: "file:///etc/passwd", JWTAudience: "a"}},
		{"password", Config{JWKSURL: "https://u:p@issuer.example/", JWTAudience: "a"}},
		{"no audience", Config{JWKSURL: "https://issuer.example/"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := New(tt.c); err == nil {
				t.Error("taken")
			}
		})
	}
	for _, ok := range []string{"https://issuer.example/jwks", "http://127.0.0.1:9/jwks", "http://[::1]/jwks", "http://localhost/jwks"} {
		if err := CheckJWKS(ok, "a"); err != nil {
			t.Errorf("%s: %v", ok, err)
		}
	}
}

func TestStateHoldsNoSecrets(t *testing.T) {
	path, _, secrets := withKeys(t, Key{User: "ann", Scopes: []string{ScopeRead}})
	g := newGate(t, Config{KeysFile: path, JWTSecret: testSecret})
	s := g.State()
	if s.Keys == nil || *s.Keys != 1 || !s.Tokens || slices.Contains([]string{s.KeysError, s.FetchError}, secrets[0]) {
		t.Errorf("%+v", s)
	}
}
