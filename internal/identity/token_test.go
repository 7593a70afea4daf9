package identity

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"
	"time"

	"weir/internal/rag"

	"github.com/golang-jwt/jwt/v5"
)

// newTokenGate takes HS256 by testSecret, RS256 by rsaKey (kid r) and ES256 by
// ecKey (kid e), of which the issuer's answer is at hand.
func newTokenGate(t testing.TB, c Config) *Gate {
	t.Helper()
	c.JWTSecret, c.JWKSURL, c.JWTAudience, c.Failures = testSecret, "https://issuer.example/jwks", "authenticated", 1<<20
	c.JWTIssuer = "https://issuer.example"
	g := newGate(t, c)
	set := keySet(t, rsaJWK("r", &rsaKey().PublicKey), ecJWK(t, "e", &ecKey().PublicKey),
		map[string]any{"kty": "oct", "kid": "o", "alg": "HS256", "k": b64([]byte("a secret in a set of public keys"))})
	g.issuer.http.Transport = answering(func(*http.Request) (int, []byte, error) { return http.StatusOK, set, nil })
	if err := g.issuer.fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	return g
}

func publicPEM(t testing.TB) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&rsaKey().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// unsigned is a token with this header and the claims of a good one.
func unsigned(t testing.TB, header string, signature string) string {
	t.Helper()
	claims, err := json.Marshal(goodClaims())
	if err != nil {
		t.Fatal(err)
	}
	return b64([]byte(header)) + "." + b64(claims) + "." + signature
}

func TestTokens(t *testing.T) {
	g := newTokenGate(t, Config{})
	hs, rs, es := jwt.SigningMethodHS256, jwt.SigningMethodRS256, jwt.SigningMethodES256
	secret := []byte(testSecret)
	good := sign(t, hs, secret, nil, goodClaims())
	head, body, mac := parts(good)
	_, otherBody, _ := parts(sign(t, hs, secret, nil, with("sub", "bob")))
	at := func(d time.Duration) int64 { return noon().Add(d).Unix() }
	tests := []struct {
		name, token string
		ok          bool
	}{
		{"HS256", good, true},
		{"RS256", sign(t, rs, rsaKey(), map[string]any{"kid": "r"}, goodClaims()), true},
		{"ES256", sign(t, es, ecKey(), map[string]any{"kid": "e"}, goodClaims()), true},
		{"no kid where one key is of that alg", sign(t, rs, rsaKey(), nil, goodClaims()), true},
		{"audience in a list", sign(t, hs, secret, nil, with("aud", []string{"x", "authenticated"})), true},
		{"typ at+jwt", sign(t, hs, secret, map[string]any{"typ": "at+jwt"}, goodClaims()), true},
		{"no typ", sign(t, hs, secret, map[string]any{"typ": nil}, goodClaims()), true},
		{"expired within the leeway", sign(t, hs, secret, nil, with("exp", at(-29*time.Second))), true},
		{"not yet valid within the leeway", sign(t, hs, secret, nil, with("nbf", at(29*time.Second))), true},

		{"forged: another secret", sign(t, hs, []byte("another secret of more than 32 bytes"), nil, goodClaims()), false},
		{"forged: another's claims", head + "." + otherBody + "." + mac, false},
		{"forged: no signature", head + "." + body + ".", false},
		{"forged: empty secret", sign(t, hs, []byte{}, nil, goodClaims()), false},
		{"expired", sign(t, hs, secret, nil, with("exp", at(-31*time.Second))), false},
		{"no exp", sign(t, hs, secret, nil, with("exp", nil)), false},
		{"exp of 0", sign(t, hs, secret, nil, with("exp", 0)), false},
		{"exp in words", sign(t, hs, secret, nil, with("exp", "never")), false},
		{"not yet valid", sign(t, hs, secret, nil, with("nbf", at(31*time.Second))), false},
		{"another audience", sign(t, hs, secret, nil, with("aud", "anon")), false},
		{"no audience", sign(t, hs, secret, nil, with("aud", nil)), false},
		{"another issuer", sign(t, hs, secret, nil, with("iss", "https://issuer.example.evil")), false},
		{"no issuer", sign(t, hs, secret, nil, with("iss", nil)), false},

		{"no sub", sign(t, hs, secret, nil, with("sub", nil)), false},
		{"empty sub", sign(t, hs, secret, nil, with("sub", "")), false},
		{"sub is a number", sign(t, hs, secret, nil, with("sub", 7)), false},
		{"sub is a list", sign(t, hs, secret, nil, with("sub", []string{"ann"})), false},
		{"sub too long", sign(t, hs, secret, nil, with("sub", strings.Repeat("u", rag.MaxUserBytes+1))), false},
		{"sub with NUL", sign(t, hs, secret, nil, with("sub", "ann\x00")), false},
		{"sub with a space", sign(t, hs, secret, nil, with("sub", "ann ")), false},
		{"Sub instead of sub", sign(t, hs, secret, nil, jwt.MapClaims{"Sub": "bob", "aud": "authenticated", "iss": "https://issuer.example", "exp": at(time.Hour)}), false},
		{"Supabase: role anon", sign(t, hs, secret, nil, with("role", "anon")), false},
		{"Supabase: service_role, which has no sub", sign(t, hs, secret, nil, jwt.MapClaims{"role": "service_role", "aud": "authenticated", "iss": "https://issuer.example", "exp": at(time.Hour)}), false},

		{"alg none", sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil, goodClaims()), false},
		{"alg none in capitals", unsigned(t, `{"alg":"NONE","typ":"JWT"}`, ""), false},
		{"alg none with a signature", unsigned(t, `{"alg":"none","typ":"JWT"}`, mac), false},
		{"alg is missing", unsigned(t, `{"typ":"JWT"}`, mac), false},
		{"alg is null", unsigned(t, `{"alg":null}`, mac), false},
		{"alg is a list", unsigned(t, `{"alg":["HS256"]}`, mac), false},
		{"alg in small letters", unsigned(t, `{"alg":"hs256","typ":"JWT"}`, mac), false},
		{"alg HS512 with the right secret", sign(t, jwt.SigningMethodHS512, secret, nil, goodClaims()), false},
		{"alg PS256 with the right key", sign(t, jwt.SigningMethodPS256, rsaKey(), map[string]any{"kid": "r"}, goodClaims()), false},
		{"alg RS512 with the right key", sign(t, jwt.SigningMethodRS512, rsaKey(), map[string]any{"kid": "r"}, goodClaims()), false},
		{"confusion: HS256 by the public key as PEM", sign(t, hs, publicPEM(t), map[string]any{"kid": "r"}, goodClaims()), false},
		{"confusion: HS256 by the modulus", sign(t, hs, rsaKey().N.Bytes(), map[string]any{"kid": "r"}, goodClaims()), false},
		{"confusion: HS256 by a secret in the set", sign(t, hs, []byte("a secret in a set of public keys"), map[string]any{"kid": "o"}, goodClaims()), false},
		{"confusion: HS256 by nothing", sign(t, hs, []byte(""), map[string]any{"kid": "r"}, goodClaims()), false},
		{"confusion: ES256 under the kid of RSA", sign(t, es, ecKey(), map[string]any{"kid": "r"}, goodClaims()), false},
		{"confusion: RS256 under the kid of EC", sign(t, rs, rsaKey(), map[string]any{"kid": "e"}, goodClaims()), false},

		{"kid of nobody", sign(t, rs, rsaKey(), map[string]any{"kid": "nobody"}, goodClaims()), false},
		{"kid is a number", sign(t, rs, rsaKey(), map[string]any{"kid": 1}, goodClaims()), false},
		{"kid is a path", sign(t, rs, rsaKey(), map[string]any{"kid": "../../../../dev/null"}, goodClaims()), false},
		{"kid too long", sign(t, rs, rsaKey(), map[string]any{"kid": strings.Repeat("k", maxKid+1)}, goodClaims()), false},
		{"a key of its own in the header", sign(t, hs, secret, map[string]any{"alg": "RS256", "jwk": rsaJWK("r", &rsaKey().PublicKey)}, goodClaims()), false},
		{"crit", sign(t, hs, secret, map[string]any{"crit": []string{"b64"}, "b64": false}, goodClaims()), false},
		{"empty crit", sign(t, hs, secret, map[string]any{"crit": []string{}}, goodClaims()), false},
		{"typ of another kind", sign(t, hs, secret, map[string]any{"typ": "logout+jwt"}, goodClaims()), false},
		{"typ is a number", sign(t, hs, secret, map[string]any{"typ": 1}, goodClaims()), false},
		{"too long", sign(t, hs, secret, nil, with("filler", strings.Repeat("x", maxCredential))), false},
		{"four parts", good + ".x", false},
		{"two parts", head + "." + body, false},
		{"padded", head + "." + body + "." + mac + "=", false},
		{"the signature in other letters for the same bytes", head + "." + body + "." + respelt(mac), false},
		{"claims are a list", sign(t, hs, secret, nil, goodClaims())[:len(head)] + "." + b64([]byte("[]")) + "." + mac, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := g.Admit(t.Context(), call(t, "Bearer "+tt.token), "")
			switch {
			case tt.ok && (err != nil || c.User != "ann" || c.Rights != rag.MayRead|rag.MayWrite):
				t.Errorf("got %+v, %v", c, err)
			case !tt.ok && rag.CodeOf(err) != rag.Unauthorized:
				t.Errorf("got %+v, %v", c, err)
			case !tt.ok && c != (rag.Caller{}):
				t.Errorf("a caller comes with the error: %+v", c)
			}
		})
	}
}

// respelt changes those bits of the last letter that no byte comes of.
func respelt(s string) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(letters, s[len(s)-1])
	return s[:len(s)-1] + string(letters[last^1])
}

func parts(token string) (head, body, signature string) {
	p := strings.Split(token, ".")
	return p[0], p[1], p[2]
}

// A server that takes only one kind does not take the others.
func TestTokensOfOneKindOnly(t *testing.T) {
	rs := sign(t, jwt.SigningMethodRS256, rsaKey(), map[string]any{"kid": "r"}, goodClaims())
	hs := sign(t, jwt.SigningMethodHS256, []byte(testSecret), nil, goodClaims())
	onlySecret := newGate(t, Config{JWTSecret: testSecret})
	_, err := onlySecret.Admit(t.Context(), call(t, "Bearer "+rs), "")
	wantCode(t, err, rag.Unauthorized)

	onlySet := newTokenGate(t, Config{})
	onlySet.tokens.secret = nil
	_, err = onlySet.Admit(t.Context(), call(t, "Bearer "+hs), "")
	wantCode(t, err, rag.Unauthorized)

	path, _, _ := withKeys(t)
	_, err = newGate(t, Config{KeysFile: path}).Admit(t.Context(), call(t, "Bearer "+hs), "")
	wantCode(t, err, rag.Unauthorized)
}

// Only the holder of a sound token is told that it has expired.
func TestExpiredIsToldToTheHolder(t *testing.T) {
	g := newTokenGate(t, Config{})
	gone := with("exp", noon().Add(-time.Hour).Unix())
	_, err := g.Admit(t.Context(), call(t, "Bearer "+sign(t, jwt.SigningMethodHS256, []byte(testSecret), nil, gone)), "")
	if got := messageOf(err); got != string(tokenExpired) {
		t.Errorf("the holder is told %q", got)
	}
	_, err = g.Admit(t.Context(), call(t, "Bearer "+sign(t, jwt.SigningMethodHS256, []byte("another secret of more than 32 bytes"), nil, gone)), "")
	if got := messageOf(err); strings.Contains(got, "expired") {
		t.Errorf("a forger is told %q", got)
	}
}

func TestKeySets(t *testing.T) {
	r, e := rsaJWK("r", &rsaKey().PublicKey), ecJWK(t, "e", &ecKey().PublicKey)
	changed := func(of map[string]any, name string, value any) map[string]any {
		c := map[string]any{}
		for k, v := range of {
			c[k] = v
		}
		c[name] = value
		return c
	}
	tests := []struct {
		name string
		set  []byte
		want int // 0: refused
	}{
		{"both", keySet(t, r, e), 2},
		{"for encryption", keySet(t, changed(r, "use", "enc"), e), 1},
		{"for another algorithm", keySet(t, changed(r, "alg", "RS512"), e), 1},
		{"for HS256", keySet(t, changed(r, "alg", "HS256"), e), 1},
		{"to sign with", keySet(t, changed(r, "key_ops", []string{"sign"}), e), 1},
		{"with a secret", keySet(t, changed(r, "k", "AAAA"), e), 1},
		{"short", keySet(t, changed(r, "n", b64(rsaKey().N.Bytes()[:128])), e), 1},
		{"very long", keySet(t, changed(r, "n", b64(append(rsaKey().N.Bytes(), make([]byte, 1024)...))), e), 1},
		{"exponent 1", keySet(t, changed(r, "e", "AQ"), e), 1},
		{"even exponent", keySet(t, changed(r, "e", "BA"), e), 1},
		{"huge exponent", keySet(t, changed(r, "e", "AQAAAAAAAAAB"), e), 1},
		{"even modulus", keySet(t, changed(r, "n", b64(append(rsaKey().N.Bytes()[:255], 2))), e), 1},
		{"off the curve", keySet(t, r, changed(e, "y", e["x"])), 1},
		{"short coordinate", keySet(t, r, changed(e, "x", "AQ")), 1},
		{"another curve", keySet(t, r, changed(e, "crv", "P-384")), 1},
		{"the same kid twice", keySet(t, r, r), 0},
		{"none of use", keySet(t, map[string]any{"kty": "oct", "k": "AAAA"}), 0},
		{"empty", keySet(t), 0},
		{"not a set", []byte(`"no"`), 0},
		{"a page", []byte("<html>"), 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			keys, err := parseKeySet(tt.set)
			if len(keys) != tt.want || (err != nil) != (tt.want == 0) {
				t.Errorf("got %d keys, %v; want %d", len(keys), err, tt.want)
			}
		})
	}
}
