package identity

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/rag"

	"github.com/golang-jwt/jwt/v5"
)

// Of two calls that last, the one whose key or token is no longer good ends, and
// says why; the other goes on.
func TestCallsThatLastEndWithTheirKey(t *testing.T) {
	soon := func(t *testing.T, d time.Duration) *time.Time {
		t.Helper()
		end := time.Now().Add(d)
		return &end
	}
	tests := []struct {
		name   string
		key    func(*testing.T) Key // what the call came with; nil: a token that is good for 10 s
		change func(*testing.T, *Key) bool
		after  time.Duration // it ends by then
		before time.Duration // and not before
		want   string        // in its words; "": it does not end
	}{
		{name: "nothing happens", key: userKey, after: 2 * time.Hour},
		{name: "revoked", key: userKey, change: func(t *testing.T, k *Key) bool { k.Revoked = soon(t, 0); return true }, after: time.Second, want: "revoked"},
		{name: "gone from the file", key: userKey, change: func(*testing.T, *Key) bool { return false }, after: time.Second, want: "taken out"},
		{name: "may less", key: userKey, change: func(_ *testing.T, k *Key) bool { k.Scopes = []string{ScopeRead}; return true }, after: time.Second, want: "changed"},
		{name: "another user's", key: userKey, change: func(_ *testing.T, k *Key) bool { k.User = "cy"; return true }, after: time.Second, want: "changed"},
		{name: "has another name", key: userKey, change: func(_ *testing.T, k *Key) bool { k.Name = "laptop"; return true }, after: time.Hour},
		{name: "for other users", key: serviceKey, change: func(_ *testing.T, k *Key) bool { k.Users = []string{"t2-"}; return true }, after: time.Second, want: "changed"},
		{name: "rotated", key: userKey, change: func(t *testing.T, k *Key) bool { k.Expires = soon(t, 5*time.Minute); return true }, before: 299 * time.Second, after: 301 * time.Second, want: "expired"},
		{name: "lengthened", key: func(t *testing.T) Key {
			return Key{User: "ann", Scopes: []string{ScopeRead, ScopeWrite}, Expires: soon(t, time.Minute)}
		}, change: func(_ *testing.T, k *Key) bool { k.Expires = nil; return true }, after: 2 * time.Hour},
		{name: "expires", key: func(t *testing.T) Key {
			return Key{User: "ann", Scopes: []string{ScopeRead}, Expires: soon(t, 90*time.Minute)}
		}, before: 90*time.Minute - time.Second, after: 90*time.Minute + time.Second, want: "the key has expired"},
		{name: "token", before: 10*time.Second + leeway - time.Second, after: 11*time.Second + leeway, want: "the token has expired"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				other := Key{User: "bob", Scopes: []string{ScopeRead}}
				mine := other
				if tt.key != nil {
					mine = tt.key(t)
				}
				path, keys, secrets := withKeys(t, mine, other)
				g := newGate(t, Config{KeysFile: path, JWTSecret: testSecret, now: time.Now})
				ctx, cancel := context.WithCancel(t.Context())
				defer synctest.Wait()
				defer cancel()
				go g.Run(ctx)

				credential, asked := secrets[0], rag.User("")
				if mine.Service {
					asked = "t1-ann"
				}
				if tt.key == nil {
					claims := with("exp", time.Now().Add(10*time.Second).Unix())
					credential = sign(t, jwt.SigningMethodHS256, []byte(testSecret), nil, claims)
				}
				held := admitAndHold(t, g, credential, asked)
				bystander := admitAndHold(t, g, secrets[1], "")
				if tt.change != nil {
					if !tt.change(t, &keys[0]) {
						keys = keys[1:]
					}
					save(t, path, keys)
				}
				pass(tt.before)
				if held.Err() != nil {
					t.Fatalf("ended before its time: %v", context.Cause(held))
				}
				pass(tt.after - tt.before)
				var e *rag.Error
				switch cause := context.Cause(held); {
				case tt.want == "" && cause != nil:
					t.Errorf("it was ended: %v", cause)
				case tt.want != "":
					wantCode(t, cause, rag.Unauthorized)
					if e, _ = cause.(*rag.Error); e == nil || !strings.Contains(e.Msg, tt.want) { //nolint:errorlint // as it comes
						t.Errorf("%v does not say %q", cause, tt.want)
					}
				}
				if bystander.Err() != nil {
					t.Errorf("another's call was ended: %v", context.Cause(bystander))
				}
			})
		})
	}
}

func userKey(*testing.T) Key { return Key{User: "ann", Scopes: []string{ScopeRead, ScopeWrite}} }

func serviceKey(*testing.T) Key {
	return Key{Service: true, Users: []string{"t1-"}, Scopes: []string{ScopeRead}}
}

func admitAndHold(t *testing.T, g *Gate, credential string, asked rag.User) context.Context {
	t.Helper()
	c, err := g.Admit(t.Context(), call(t, "Bearer "+credential), asked)
	if err != nil {
		t.Fatal(err)
	}
	held, leave := g.Hold(t.Context(), c)
	t.Cleanup(leave)
	return held
}

// A key may be revoked between the call's beginning and its being held; and who
// is held and left is forgotten.
func TestHoldLooksAtOnceAndForgets(t *testing.T) {
	path, keys, secrets := withKeys(t, userKey(t))
	g := newGate(t, Config{KeysFile: path})
	c, err := g.Admit(t.Context(), call(t, "Bearer "+secrets[0]), "")
	if err != nil {
		t.Fatal(err)
	}
	_, leave := g.Hold(t.Context(), c)
	leave()
	if n := len(g.holds.calls); n != 0 {
		t.Errorf("%d calls are held after they left", n)
	}
	when := noon()
	keys[0].Revoked = &when
	save(t, path, keys)
	g.Reload(t.Context())
	held, leave := g.Hold(t.Context(), c)
	defer leave()
	wantCode(t, context.Cause(held), rag.Unauthorized)
	held, leave = g.Hold(t.Context(), rag.Caller{User: "ann", Kind: rag.CallerOwner, Rights: rag.AllRights})
	defer leave()
	if held.Err() != nil {
		t.Error("the owner's call was ended with another's key")
	}
}
