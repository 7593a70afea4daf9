package identity

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/internal/rag"
)

func TestKeySecretsAreReadExactly(t *testing.T) {
	k, secret, err := NewKey(Key{User: "ann", Scopes: []string{ScopeRead}}, noon())
	if err != nil {
		t.Fatal(err)
	}
	id, raw, ok := readKey(secret)
	if !ok || id != k.ID || !k.matches(hashOf(id, raw)) {
		t.Fatalf("%q is not read as it was made", secret)
	}
	if strings.Contains(k.SHA256, secret[19:30]) {
		t.Error("the hash shows the secret")
	}
	for i := range len(secret) { // any one letter wrong
		wrong := []byte(secret)
		wrong[i] = 'z'
		if wrong[i] == secret[i] {
			wrong[i] = 'y'
		}
		if id, raw, ok := readKey(string(wrong)); ok {
			t.Errorf("letter %d is wrong, and it is read as %s %x", i, id, raw)
		}
	}
	for _, wrong := range []string{"", "weir_", secret + "a", secret[:len(secret)-1], strings.ToUpper(secret), " " + secret} {
		if _, _, ok := readKey(wrong); ok {
			t.Errorf("%q is read", wrong)
		}
	}
}

// Two keys of the same secret would have the same hash if the id were not in
// it, and a hash could be moved to another key.
func TestHashBelongsToItsKey(t *testing.T) {
	raw := make([]byte, secretBytes)
	if hashOf("aaaaaaaaaaaaa", raw) == hashOf("baaaaaaaaaaaa", raw) {
		t.Error("the hash does not depend on the id")
	}
}

func TestKeysThatSayTooMuch(t *testing.T) {
	good, _, err := NewKey(Key{User: "ann", Scopes: []string{ScopeRead}}, noon())
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		change func(*Key)
	}{
		{"user and service", func(k *Key) { k.Service = true }},
		{"neither", func(k *Key) { k.User = "" }},
		{"no scopes", func(k *Key) { k.Scopes = nil }},
		{"unknown scope", func(k *Key) { k.Scopes = []string{"all"} }},
		{"user with admin", func(k *Key) { k.Scopes = []string{ScopeAdmin} }},
		{"user with metrics", func(k *Key) { k.Scopes = []string{ScopeMetrics} }},
		{"user with users", func(k *Key) { k.Users = []string{"b"} }},
		{"service with an empty prefix", func(k *Key) { k.User, k.Service, k.Users = "", true, []string{""} }},
		{"admin of some users", func(k *Key) { k.User, k.Service, k.Users, k.Scopes = "", true, []string{"a"}, []string{ScopeAdmin} }},
		{"short hash", func(k *Key) { k.SHA256 = k.SHA256[:62] }},
		{"no hash", func(k *Key) { k.SHA256 = "" }},
		{"hash in capitals", func(k *Key) { k.SHA256 = strings.Repeat("AB", 32) }},
		{"id", func(k *Key) { k.ID = "x" }},
		{"long user", func(k *Key) { k.User = rag.User(strings.Repeat("u", rag.MaxUserBytes+1)) }},
		{"user with a line end", func(k *Key) { k.User = "a\nb" }},
		{"user with spaces around", func(k *Key) { k.User = " a" }},
		{"name with an escape", func(k *Key) { k.Name = "\x1b[2J" }},
		{"no day of birth", func(k *Key) { k.Created = time.Time{} }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := good
			tt.change(&k)
			if k.valid() == nil {
				t.Errorf("%+v is taken", k)
			}
		})
	}
	if err := good.valid(); err != nil {
		t.Error(err)
	}
}

func TestKeyFilesThatAreRefused(t *testing.T) {
	path, _, _ := withKeys(t, Key{User: "ann", Scopes: []string{ScopeRead}})
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	whole := string(content)
	one := whole[strings.Index(whole, "    {") : strings.LastIndex(whole, "}\n  ]")+1]
	tests := []struct{ name, content string }{
		{"empty", ""},
		{"half", whole[:len(whole)/2]},
		{"something after it", whole + "{}"},
		{"version", strings.Replace(whole, `"version": 1`, `"version": 2`, 1)},
		{"a field of tomorrow", strings.Replace(whole, `"id"`, `"ips": ["10.0.0.1"], "id"`, 1)},
		{"twice", strings.Replace(whole, one, one+","+one, 1)},
		{"null", "null"},
		{"list", "[]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.content == whole {
				t.Fatal("the test changes nothing")
			}
			if keys, err := parseKeys([]byte(tt.content)); err == nil {
				t.Errorf("read as %v", keys)
			}
		})
	}
	if err := os.Chmod(path, 0o602); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadKeys(path); err == nil {
		t.Error("a file that anybody can write is taken")
	}
}

func TestEditKeysFromManySides(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "keys.json")
	const many = 12
	var all sync.WaitGroup
	for range many {
		all.Go(func() {
			k, _, err := NewKey(Key{User: "ann", Scopes: []string{ScopeRead}}, noon())
			if err == nil {
				err = EditKeys(t.Context(), path, func(keys []Key) ([]Key, error) { return append(keys, k), nil })
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if keys, err := ReadKeys(path); err != nil || len(keys) != many {
		t.Errorf("%d keys of %d were kept (%v)", len(keys), many, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v (%v)", info.Mode(), err)
	}
}

func TestEditKeysKeepsModeAndBrokenFiles(t *testing.T) {
	path, _, _ := withKeys(t)
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	save(t, path, nil)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the mode became %v (%v)", info.Mode(), err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := EditKeys(t.Context(), path, func(k []Key) ([]Key, error) { return k, nil })
	if content, _ := os.ReadFile(path); err == nil || string(content) != "{" {
		t.Errorf("a broken file was written over (%v): %s", err, content)
	}
	left, err := filepath.Glob(path + ".*.new")
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestEditKeysDoesNotWaitForEver(t *testing.T) {
	path, _, _ := withKeys(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := EditKeys(t.Context(), path, func(k []Key) ([]Key, error) { // which holds the lock
		cancel()
		inner := EditKeys(ctx, path, func(k []Key) ([]Key, error) { return k, nil })
		if inner == nil {
			t.Error("two edited at the same time")
		}
		return k, nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestKeyring(t *testing.T) {
	path, keys, _ := withKeys(t, Key{User: "ann", Scopes: []string{ScopeRead}}, Key{User: "bob", Scopes: []string{ScopeRead}})
	r, err := newKeyring(path, Config{}.WithDefaults().Log)
	if err != nil {
		t.Fatal(err)
	}
	want := func(n int, troubled bool) {
		t.Helper()
		r.refresh(t.Context(), false)
		if got, trouble := r.look(); got != n || (trouble != nil) != troubled {
			t.Errorf("%d keys, trouble %v; want %d, %v", got, trouble, n, troubled)
		}
	}
	want(2, false)
	save(t, path, keys[:1])
	want(1, false)
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	want(1, true) // broken: those from before
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	want(1, true) // gone: the same
	save(t, path, keys)
	want(2, false)
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	want(2, true)
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	want(2, false) // as it was before
}

// A disk that does not answer holds up neither calls nor the end, and is asked once.
func TestKeysOnADiskThatHangs(t *testing.T) {
	path, keys, _ := withKeys(t, Key{User: "ann", Scopes: []string{ScopeRead}})
	r, err := newKeyring(path, Config{}.WithDefaults().Log)
	if err != nil {
		t.Fatal(err)
	}
	asked, answer := make(chan struct{}, 8), make(chan struct{})
	r.patience = time.Millisecond
	r.read = func(path string) ([]Key, fs.FileInfo, error) {
		asked <- struct{}{}
		<-answer
		return readKeys(path)
	}
	r.refresh(t.Context(), true)
	<-asked
	if _, ok := r.find(keys[0].ID); !ok {
		t.Error("the key is not in force")
	}
	if n, trouble := r.look(); n != 1 || trouble == nil {
		t.Errorf("%d keys, trouble %v", n, trouble)
	}
	r.refresh(t.Context(), true) // returns, and asks nobody
	over, cancel := context.WithCancel(t.Context())
	cancel()
	r.watch(over)
	if len(asked) > 0 {
		t.Error("it is asked again while it does not answer")
	}
	close(answer)
	r.patience = time.Minute
	r.refresh(t.Context(), false)
	if n, trouble := r.look(); n != 1 || trouble != nil {
		t.Errorf("it answers again: %d keys, trouble %v", n, trouble)
	}
	if _, _, err := readKeys(t.TempDir()); err == nil || !strings.Contains(err.Error(), "is no file") {
		t.Errorf("what is no file: %v", err)
	}
}

func TestKeyringAtTheStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	r, err := newKeyring(path, Config{}.WithDefaults().Log)
	if err != nil {
		t.Fatal("a file that is not there yet is an error:", err)
	}
	if n, trouble := r.look(); n != 0 || !errors.Is(trouble, fs.ErrNotExist) {
		t.Errorf("%d keys, trouble %v", n, trouble)
	}
	if err := os.WriteFile(path, []byte("no"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Config{KeysFile: path}); err == nil {
		t.Error("a gate was made with a broken file")
	}
}
