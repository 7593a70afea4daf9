package identity

import (
	"os"
	"strings"
	"testing"

	"weir/internal/rag"

	"github.com/golang-jwt/jwt/v5"
)

// FuzzAuthorization: whatever a header holds, only the very key and the very
// token that were made are let in, and nothing panics.
func FuzzAuthorization(f *testing.F) {
	path, keys, secrets := withKeys(f, Key{User: "ann", Scopes: []string{ScopeRead}})
	g := newTokenGate(f, Config{KeysFile: path})
	token := sign(f, jwt.SigningMethodHS256, []byte(testSecret), nil, goodClaims())
	for _, s := range []string{
		"", "Bearer", "Bearer ", "Bearer " + secrets[0], "bearer " + token, "Bearer " + secrets[0] + "," + token, "Basic YTpi",
		"Bearer " + unsigned(f, `{"alg":"none"}`, ""), "Bearer " + unsigned(f, `{"alg":"HS256","crit":["exp"]}`, "AAAA"), "Bearer ...", "Bearer weir_owner_", "Bearer weir_" + keys[0].ID + "_",
	} {
		f.Add(s, "", false)
		f.Add(s, "bob", true)
	}
	f.Fuzz(func(t *testing.T, header, asked string, twice bool) {
		r := call(t, header)
		if twice {
			r.Header.Add("Authorization", header)
		}
		c, err := g.Admit(t.Context(), r, rag.User(asked))
		if err != nil {
			if c != (rag.Caller{}) && rag.CodeOf(err) != rag.Forbidden {
				t.Errorf("a caller comes with an error: %+v %v", c, err)
			}
			return
		}
		scheme, credential, _ := strings.Cut(header, " ")
		if twice || !strings.EqualFold(scheme, "bearer") || (credential != secrets[0] && credential != token) {
			t.Errorf("%q was let in as %+v", header, c)
		}
		if c.User != "ann" || asked != "" && asked != "ann" {
			t.Errorf("%q as %q became %+v", header, asked, c)
		}
	})
}

// FuzzTokenParts: a token whose parts were not signed together is never taken.
func FuzzTokenParts(f *testing.F) {
	g := newTokenGate(f, Config{})
	head, body, mac := parts(sign(f, jwt.SigningMethodHS256, []byte(testSecret), nil, goodClaims()))
	f.Add(`{"alg":"HS256","typ":"JWT"}`, `{"sub":"bob"}`, mac)
	f.Add(`{"alg":"none"}`, `{"sub":"bob","exp":9999999999}`, "")
	f.Add(`{"alg":"RS256","kid":"r"}`, `{"sub":"bob","exp":1e400}`, mac)
	f.Add(`{"alg":"ES256","kid":"e","crit":[]}`, `{"sub":{"a":[[[[]]]]}}`, "AAAA")
	f.Fuzz(func(t *testing.T, header, claims, signature string) {
		h, c := b64([]byte(header)), b64([]byte(claims))
		caller, err := g.Admit(t.Context(), call(t, "Bearer "+h+"."+c+"."+signature), "")
		if err == nil && (h != head || c != body || signature != mac) {
			t.Errorf("let in as %+v", caller)
		}
	})
}

// FuzzKeyFile: what is read as a file of keys holds only keys that say what they
// are.
func FuzzKeyFile(f *testing.F) {
	path, _, _ := withKeys(f, Key{User: "ann", Scopes: []string{ScopeRead}}, Key{Service: true, Users: []string{"t-"}, Scopes: []string{ScopeWrite}})
	content, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(content)
	f.Add([]byte(`{"version":1,"keys":[]}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		keys, err := parseKeys(content)
		if err != nil {
			return
		}
		for _, k := range keys {
			if k.Rights() == 0 || k.Service == (k.User != "") || len(k.SHA256) != 64 {
				t.Errorf("%+v was read", k)
			}
		}
	})
}

// FuzzKeySet: what an issuer answers never panics, nor brings a key of another
// kind.
func FuzzKeySet(f *testing.F) {
	f.Add(keySet(f, rsaJWK("r", &rsaKey().PublicKey), ecJWK(f, "e", &ecKey().PublicKey)))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"","e":"AQAB"}]}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		keys, err := parseKeySet(content)
		if (len(keys) > 0) != (err == nil) {
			t.Errorf("%d keys, %v", len(keys), err)
		}
		for _, k := range keys {
			if k.key == nil || k.alg != "RS256" && k.alg != "ES256" {
				t.Errorf("%+v", k)
			}
		}
	})
}

// FuzzKeyText: a key that is read is written in one way only.
func FuzzKeyText(f *testing.F) {
	_, secret, err := NewKey(Key{User: "ann", Scopes: []string{ScopeRead}}, noon())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(secret)
	f.Fuzz(func(t *testing.T, s string) {
		if id, raw, ok := readKey(s); ok && write(keyPrefix+id+"_", raw) != s {
			t.Errorf("%q is read as another", s)
		}
	})
}
