package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/identity"
	"weir/internal/rag"
)

func runKey(t *testing.T, data string, args ...string) (code int, out, stderr string) {
	t.Helper()
	var o, e strings.Builder
	code = run(t.Context(), append([]string{"key"}, append(args, "--data", data)...), nil, strings.NewReader(""), &o, &e)
	return code, o.String(), e.String()
}

func TestKeyCommands(t *testing.T) {
	t.Chdir(t.TempDir())
	data := filepath.Join(t.TempDir(), "data")
	code, secret, stderr := runKey(t, data, "create", "--user", "ann", "--expires", "90d", "--name", "laptop")
	secret = strings.TrimSpace(secret)
	if code != 0 || !strings.HasPrefix(secret, "weir_") || strings.Contains(stderr, secret) {
		t.Fatalf("%d %q %q", code, secret, stderr)
	}
	content, err := os.ReadFile(filepath.Join(data, "keys.json"))
	if err != nil || strings.Contains(string(content), strings.Split(secret, "_")[2][:20]) {
		t.Fatalf("the file holds the secret, or is not there: %v", err)
	}
	id := strings.Split(secret, "_")[1]
	code, out, _ := runKey(t, data, "rotate", id, "--grace", "1h", "--json")
	var next madeKey
	if err := json.Unmarshal([]byte(out), &next); code != 0 || err != nil || next.Key.User != "ann" || next.Key.ID == id || next.Key.Name != "laptop" {
		t.Fatalf("%d %v %s", code, err, out)
	}
	if code, out, _ := runKey(t, data, "revoke", next.Key.ID); code != 0 || !strings.Contains(out, "revoked") {
		t.Errorf("%d %s", code, out)
	}
	_, out, _ = runKey(t, data, "list", "--json")
	var listed []listedKey
	if err := json.Unmarshal([]byte(out), &listed); err != nil || len(listed) != 2 {
		t.Fatalf("%v %s", err, out)
	}
	if old := listed[0]; old.State != "active" || time.Until(*old.Expires) > time.Hour || listed[1].State != "revoked" {
		t.Errorf("%+v", listed)
	}
	if code, _, stderr := runKey(t, data, "rotate", next.Key.ID); code != 1 || !strings.Contains(stderr, "revoked") {
		t.Errorf("a revoked key was rotated: %d %s", code, stderr)
	}
}

// A server writes down which keys were used, at its end at the latest, and key list shows it.
func TestKeyListShowsTheLastUse(t *testing.T) {
	t.Chdir(t.TempDir())
	data := t.TempDir()
	_, secret, _ := runKey(t, data, "create", "--user", "ann")
	_, _, _ = runKey(t, data, "create", "--user", "bob")
	a := &app{stdout: io.Discard, stderr: io.Discard}
	root := a.rootCommand()
	if err := root.PersistentFlags().Set("data", data); err != nil {
		t.Fatal(err)
	}
	c, err := a.loadConfig(root.PersistentFlags())
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPorter(c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	p.begin(t.Context())
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/documents", nil)
	r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(secret))
	if _, err := p.gate.Admit(t.Context(), r, ""); err != nil {
		t.Fatal(err)
	}
	p.close()

	_, out, _ := runKey(t, data, "list", "--json")
	var listed []listedKey
	if err := json.Unmarshal([]byte(out), &listed); err != nil || len(listed) != 2 {
		t.Fatalf("%v %s", err, out)
	}
	if at := listed[0].LastUsed; at == nil || time.Since(*at) > time.Hour || listed[1].LastUsed != nil {
		t.Errorf("%s", out)
	}
	_, out, _ = runKey(t, data, "list")
	lines := strings.Split(out, "\n")
	if len(lines) < 3 || !strings.Contains(lines[1], listed[0].LastUsed.Format("  2006-01-02 15:04  ")) || !strings.Contains(lines[2], "  -  ") {
		t.Errorf("%s", out)
	}
	if err := os.WriteFile(filepath.Join(data, "keys.json.used"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, stderr := runKey(t, data, "list"); code != 0 || strings.Count(out, "active") != 2 || !strings.Contains(stderr, "last uses") {
		t.Errorf("with a broken file: %d %s %s", code, out, stderr)
	}
}

// key list does not wait for a disk that hangs, longer than a moment or after it was told to stop.
func TestAFileOnADiskThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung := make(chan struct{})
		read := func(string) (string, error) { <-hung; return "late", nil }
		began := time.Now()
		if got, err := fromDisk(t.Context(), "keys.json", read); rag.CodeOf(err) != rag.Unavailable || got != "" || time.Since(began) != diskPatience {
			t.Errorf("%q %v after %s", got, err, time.Since(began))
		}
		over, cancel := context.WithCancel(t.Context())
		cancel()
		if got, err := fromDisk(over, "keys.json", read); !errors.Is(err, context.Canceled) || got != "" {
			t.Errorf("told to stop: %q %v", got, err)
		}
		close(hung)
		if got, err := fromDisk(t.Context(), "keys.json", read); err != nil || got != "late" {
			t.Errorf("it answers: %q %v", got, err)
		}
	})
}

func TestKeyCommandsThatMustFail(t *testing.T) {
	t.Chdir(t.TempDir())
	data := t.TempDir()
	tests := []struct {
		args []string
		code int
		want string
	}{
		{[]string{"create"}, 2, "--user NAME, or --service"},
		{[]string{"create", "--user", "a", "--service"}, 2, "one of them"},
		{[]string{"create", "--user", "a", "--for", "b"}, 2, "--service"},
		{[]string{"create", "--user", "a", "--scope", "admin"}, 2, "for services"},
		{[]string{"create", "--service", "--for", "t-", "--scope", "admin"}, 2, "concerns all"},
		{[]string{"create", "--service", "--for", ""}, 2, "empty name"},
		{[]string{"create", "--user", "a", "--expires", "0d"}, 2, "--expires"},
		{[]string{"create", "--user", "a", "--expires", "2020-01-01"}, 2, "--expires"},
		{[]string{"create", "--user", "a", "--expires", "-1h"}, 2, "--expires"},
		{[]string{"create", "--user", "a\nb"}, 2, "control characters"},
		{[]string{"create", "--user", "a", "--read-only", "--scope", "read"}, 2, "one of them"},
		{[]string{"revoke", "nobody"}, 1, "there is no key"},
		{[]string{"revoke", "weir_x_y"}, 2, "never the key itself"},
		{[]string{"revoke"}, 2, "needs the id"},
		{[]string{"rotate", "x", "--grace", "soon"}, 2, "--grace"},
		{[]string{"lsit"}, 2, "did you mean list"},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			code, out, stderr := runKey(t, data, tt.args...)
			if code != tt.code || out != "" || !strings.Contains(stderr, tt.want) {
				t.Errorf("%d %q %q, want %d and %q", code, out, stderr, tt.code, tt.want)
			}
		})
	}
	if keys, err := identity.ReadKeys(filepath.Join(data, "keys.json")); err == nil {
		t.Errorf("a key was made: %v", keys)
	}
}

func TestAuthByWhatIsThere(t *testing.T) {
	data, empty := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(data, "keys.json"), []byte(`{"version":1,"keys":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	secret := "WEIR_JWT_SECRET=a secret of more than thirty-two bytes"
	tests := []struct {
		name string
		args []string
		env  []string
		want string // "": refused
	}{
		{"nothing", []string{"--data", empty}, nil, "off"},
		{"a file of keys", []string{"--data", data}, nil, "keys"},
		{"a file of keys that is named", []string{"--data", empty, "--keys-file", "elsewhere.json"}, nil, "keys"},
		{"a secret", []string{"--data", empty}, []string{secret}, "jwt"},
		{"both", []string{"--data", data}, []string{secret}, "keys,jwt"},
		{"off all the same", []string{"--data", data, "--auth", "off"}, []string{secret}, "off"},
		{"one of both", []string{"--data", data, "--auth", "keys"}, []string{secret}, "keys"},
		{"in another order", []string{"--data", data, "--auth", "jwt, keys"}, []string{secret}, "jwt,keys"},
		{"jwt by nothing", []string{"--data", data, "--auth", "jwt"}, nil, ""},
		{"off and on", []string{"--data", data, "--auth", "off,keys"}, nil, ""},
		{"unknown", []string{"--data", data, "--auth", "on"}, nil, ""},
		{"twice", []string{"--data", data, "--auth", "keys,keys"}, nil, ""},
		{"no audience", []string{"--data", data, "--jwks-url", "https://issuer.example/"}, nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			root := (&app{}).rootCommand()
			if err := root.PersistentFlags().Parse(tt.args); err != nil {
				t.Fatal(err)
			}
			c, err := (&app{env: tt.env}).loadConfig(root.PersistentFlags())
			if (err != nil) != (tt.want == "") || err == nil && sortedNames(c.Auth) != sortedNames(tt.want) {
				t.Errorf("got %q, %v; want %q", c.Auth, err, tt.want)
			}
		})
	}
}

func sortedNames(s string) string {
	if s == "keys,jwt" {
		return "jwt,keys"
	}
	return s
}

func TestExposure(t *testing.T) {
	for address, public := range map[string]bool{
		"127.0.0.1:1": false, "localhost:1": false, "[::1]:1": false, "127.9.9.9:1": false, "[::ffff:127.0.0.1]:1": false,
		"0.0.0.0:1": true, ":1": true, "[::]:1": true, "192.0.2.1:1": true, "localhost.example:1": true,
	} {
		for _, auth := range []string{authOff, authKeys} {
			c := config{Listen: address, identityConfig: identityConfig{Auth: auth}, origins: make([]origin, len(settings()))}
			if err := c.checkPublic(); (err != nil) != (public && auth == authOff) {
				t.Errorf("%s with auth %s: %v", address, auth, err)
			}
		}
	}
}
