package e2e

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"weir/internal/httpapi"
	"weir/internal/rag"
)

// madeKey is what weir key create --json prints.
type madeKey struct {
	Secret string `json:"secret"`
	Key    struct {
		ID string `json:"id"`
	} `json:"key"`
}

func newKey(t *testing.T, data string, args ...string) madeKey {
	t.Helper()
	r := weir(t, append([]string{"key", "create", "--json", "--data", data}, args...)...)
	if r.code != 0 {
		t.Fatal(r)
	}
	return decode[madeKey](t, r.out)
}

// with is the server as seen with a key.
func (s *server) with(t *testing.T, key string) *httpapi.Client {
	t.Helper()
	c, err := httpapi.NewClient(httpapi.ClientConfig{BaseURL: s.URL, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func code(c *httpapi.Client, user rag.User) rag.Code {
	_, _, err := c.Documents(context.Background(), user, rag.Page{})
	return rag.CodeOf(err)
}

func TestKeysOfAServer(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	if r := weir(t, "serve", "--listen", "0.0.0.0:0", "--data", data); r.code != 2 || !strings.Contains(r.stderr, "can be reached by others") {
		t.Fatalf("a public address without authentication: %+v", r)
	}
	ann, bob := newKey(t, data, "--user", "ann"), newKey(t, data, "--user", "bob", "--read-only")
	audit := filepath.Join(t.TempDir(), "audit.jsonl")
	s := serve(t, data, "--listen", "0.0.0.0:0", "--audit-log", audit)
	// The owner of the folder needs no key.
	file := write(t, t.TempDir(), "secret-name.txt", "The spare key is with the neighbour.")
	if r := weir(t, "ingest", "--data", data, "--user", "ann", file); r.code != 0 {
		t.Fatal(r)
	}
	docs, _, err := s.with(t, ann.Secret).Documents(t.Context(), "", rag.Page{})
	if err != nil || len(docs) != 1 {
		t.Fatalf("ann sees %v, %v", docs, err)
	}
	for _, c := range []struct {
		name string
		key  string
		user rag.User
		want rag.Code
	}{
		{"nobody", "", "ann", rag.Unauthorized},
		{"bob", bob.Secret, "", ""},
		{"bob as ann", bob.Secret, "ann", rag.Forbidden},
		{"a wrong key", ann.Secret + "x", "", rag.Unauthorized},
	} {
		if got := code(s.with(t, c.key), c.user); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if _, err := s.with(t, bob.Secret).Document(t.Context(), "", docs[0].ID); rag.CodeOf(err) != rag.NotFound {
		t.Errorf("bob asks for ann's document: %v", err)
	}
	if _, _, err := s.with(t, bob.Secret).Upload(t.Context(), "", rag.NewDocument{Filename: "x.txt", Content: []byte("x")}); rag.CodeOf(err) != rag.Forbidden {
		t.Errorf("bob, who may only read, uploads: %v", err)
	}
	if r := weir(t, "key", "revoke", "--data", data, bob.Key.ID); r.code != 0 {
		t.Fatal(r)
	}
	until(t, patience, "the end of bob's key", func() bool { return code(s.with(t, bob.Secret), "") == rag.Unauthorized })
	// A broken or lost file opens nothing, and takes nothing away.
	keys := filepath.Join(data, "keys.json")
	if err := os.WriteFile(keys, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	until(t, patience, "word of the broken file", func() bool { return strings.Contains(s.Stderr.String(), "cannot be used") })
	if err := os.Remove(keys); err != nil {
		t.Fatal(err)
	}
	until(t, patience, "word of the lost file", func() bool { return strings.Contains(s.Stderr.String(), "no such file") })
	if a, b, none := code(s.with(t, ann.Secret), ""), code(s.with(t, bob.Secret), ""), code(s.with(t, ""), "ann"); a != "" || b != rag.Unauthorized || none != rag.Unauthorized {
		t.Errorf("without a file: ann %q, bob %q, nobody %q", a, b, none)
	}
	if c := s.stop(t); c != 0 {
		t.Errorf("exit code %d: %s", c, s.Stderr)
	}
	content, err := os.ReadFile(audit)
	if err != nil || !strings.Contains(string(content), `"user":"bob"`) || strings.Contains(string(content), "secret-name") || strings.Contains(string(content), "neighbour") {
		t.Errorf("the audit log: %v %s", err, content)
	}
	for _, secret := range []string{ann.Secret, bob.Secret} {
		if strings.Contains(s.Stderr.String()+string(content), secret) {
			t.Error("a key is in a log")
		}
	}
}

func TestReload(t *testing.T) {
	data, dir := filepath.Join(t.TempDir(), "data"), t.TempDir()
	ann := newKey(t, data, "--user", "ann")
	settings := write(t, dir, "weir.yaml", "user_rate: 60\nuser_burst: 2\n")
	audit := filepath.Join(dir, "audit.jsonl")
	s := serve(t, data, "--config", settings, "--audit-log", audit)
	c := s.with(t, ann.Secret)
	if a, b, over := code(c, ""), code(c, ""), code(c, ""); a != "" || b != "" || over != rag.RateLimited {
		t.Fatalf("%q %q %q", a, b, over)
	}
	hangup := func() {
		if err := s.Cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	write(t, dir, "weir.yaml", "user_rate: [\n")
	hangup()
	until(t, patience, "word of the broken settings", func() bool { return strings.Contains(s.Stderr.String(), "cannot be read again") })
	if got := code(c, ""); got != rag.RateLimited && got != "" {
		t.Errorf("after broken settings: %q", got)
	}
	write(t, dir, "weir.yaml", "user_rate: 60000\nuser_burst: 1000\ntimeout: 9s\n")
	if err := os.Rename(audit, audit+".1"); err != nil {
		t.Fatal(err)
	}
	hangup()
	until(t, patience, "the reload", func() bool { return strings.Contains(s.Stderr.String(), "msg=reloaded") })
	if !strings.Contains(s.Stderr.String(), "WEIR_TIMEOUT") {
		t.Errorf("the log does not name what needs a restart: %s", s.Stderr)
	}
	for i := range 50 {
		if got := code(c, ""); got != "" {
			t.Fatalf("call %d after the reload: %q", i, got)
		}
	}
	until(t, patience, "the new audit log", func() bool { _, err := os.Stat(audit); return err == nil })
}

// Metrics need a key that may see them.
func TestMetricsNeedAKey(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	ann, prom := newKey(t, data, "--user", "ann"), newKey(t, data, "--service", "--scope", "metrics")
	s := serve(t, data)
	get := func(key string) int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		if key != "" {
			r.Header.Set("Authorization", "Bearer "+key)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	for _, tt := range []struct {
		key  string
		want int
	}{{"", 401}, {ann.Secret, 403}, {prom.Secret, 200}} {
		if got := get(tt.key); got != tt.want {
			t.Errorf("%d, want %d", got, tt.want)
		}
	}
}
