package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// door is a server for loads: it answers retrievals and embeddings, and counts
// what it is asked.
type door struct {
	*httptest.Server
	mu      sync.Mutex
	bodies  []string
	headers []http.Header
	answer  func(n int, w http.ResponseWriter, r *http.Request) // nil, or: instead of the right one
}

func openDoor(t *testing.T, answer func(n int, w http.ResponseWriter, r *http.Request)) *door {
	t.Helper()
	d := &door{answer: answer}
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		d.mu.Lock()
		d.bodies, d.headers = append(d.bodies, string(b)), append(d.headers, r.Header)
		n := len(d.bodies)
		d.mu.Unlock()
		switch {
		case d.answer != nil:
			d.answer(n, w, r)
		case strings.HasSuffix(r.URL.Path, "/retrieve"):
			_, _ = io.WriteString(w, `{"chunks":[],"mode":"lexical"}`)
		default:
			_, _ = io.WriteString(w, `{"data":[{"index":0,"embedding":[1,0]}]}`)
		}
	}))
	t.Cleanup(d.Close)
	return d
}

// The part of the JSON that tests look at.
type loadJSON struct {
	Kind string `json:"kind"`
	Pass bool   `json:"pass"`
	Runs []struct {
		Name    string `json:"name"`
		Verdict struct {
			Pass  bool   `json:"pass"`
			Words string `json:"words"`
		} `json:"verdict"`
		Report struct {
			Due, OK, Degraded, Refused, Failed, Hung int
			Kinds                                    map[string]int `json:"failures_by_kind"`
			Answers                                  struct {
				P50 float64 `json:"p50_ms"`
			} `json:"answers"`
			Seconds []struct {
				OK int `json:"ok"`
			} `json:"seconds"`
		} `json:"report"`
	} `json:"runs"`
}

func TestLoadLevels(t *testing.T) {
	d := openDoor(t, nil)
	r := weir(t, "", "load", d.URL+"/v1/retrieve", "--rounds", "2")
	if r.code != exitOK || !strings.Contains(r.out, "10 at once") || !strings.Contains(r.out, "PASS: at each level at least 99 %") {
		t.Fatalf("%+v", r)
	}
	if len(d.bodies) != 2*(1+3+7+10) {
		t.Errorf("%d requests came", len(d.bodies))
	}
	seen := map[string]bool{}
	for _, b := range d.bodies {
		q := decode[map[string]string](t, b)["query"]
		if q == "" || seen[q] {
			t.Errorf("asked %q, before too: %v", q, seen[q])
		}
		seen[q] = true
	}
	for i, line := range strings.Split(strings.TrimSpace(r.out), "\n") {
		if len(line) > 120 {
			t.Errorf("line %d is %d long", i, len(line))
		}
	}
}

// Against Weir itself, with the users' documents and without.
func TestLoadOnWeir(t *testing.T) {
	s := serve(t, t.TempDir(), "--embedder", "none")
	r := weir(t, "", "load", s.url+"/v1/retrieve", "--rate", "50", "--duration", "1s", "--users", "3", "--mode", "lexical", "--timeout-ms", "2000", "--json")
	l := decode[loadJSON](t, r.out)
	if r.code != exitOK || !l.Pass || l.Kind != "retrieve" || l.Runs[0].Report.OK != 50 || l.Runs[0].Report.Answers.P50 <= 0 {
		t.Errorf("%+v", r)
	}
	if r := weir(t, "", "load", s.url+"/v1/retrieve", "--mode", "vector", "--levels", "2", "--rounds", "1"); r.code != exitFailed || !strings.Contains(r.out, "FAIL") {
		t.Errorf("without an embedder no vector search passes: %+v", r)
	}
	if r := weir(t, "", "load", s.url+"/healthz", "--levels", "5", "--rounds", "1"); r.code != exitOK {
		t.Errorf("any URL: %+v", r)
	}
}

// A server that hangs on one call fails, and says so; so does one that refuses
// or fails too many.
func TestLoadVerdicts(t *testing.T) {
	ok := func(w http.ResponseWriter) { _, _ = io.WriteString(w, `{"chunks":[]}`) }
	tests := []struct {
		name   string
		answer func(n int, w http.ResponseWriter, r *http.Request)
		args   []string
		code   int
		want   string
	}{
		{name: "hangs once", answer: func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 5 {
				<-r.Context().Done()
				return
			}
			ok(w)
		}, args: []string{"--success", "0.9"}, code: exitFailed, want: "1 hung: they had no end 100ms after the deadline"},
		{name: "refuses a few", answer: func(n int, w http.ResponseWriter, _ *http.Request) {
			if n%10 == 0 {
				w.WriteHeader(http.StatusTooManyRequests)
				return
			}
			ok(w)
		}, args: []string{"--success", "0.9"}, code: exitOK, want: "36 of 40 calls (90 %)"},
		{name: "refuses too many", answer: func(n int, w http.ResponseWriter, _ *http.Request) {
			if n%10 < 2 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			ok(w)
		}, args: []string{"--success", "0.9"}, code: exitFailed, want: "less than 90 %"},
		{name: "fails", answer: func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, code: exitFailed, want: "0 of 40"},
		{name: "degraded passes", answer: func(_ int, w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"chunks":[],"degraded":[{"stage":"embed"}]}`)
		}, code: exitOK, want: "40 of the answers were degraded"},
		{name: "degraded does not pass", answer: func(_ int, w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"chunks":[],"degraded":[{"stage":"embed"}]}`)
		}, args: []string{"--whole"}, code: exitFailed, want: "answered whole"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := openDoor(t, tt.answer)
			args := append([]string{"load", d.URL + "/v1/retrieve", "--rate", "100", "--duration", "400ms", "--deadline", "2s", "--grace", "100ms"}, tt.args...)
			if r := weir(t, "", args...); r.code != tt.code || !strings.Contains(r.out, tt.want) {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestLoadRequests(t *testing.T) {
	questions := write(t, t.TempDir(), "q.txt", "one \"quoted\"\n\n  two\r\n")
	body := write(t, t.TempDir(), "b.json", `{"ask":"{{question}}","n":{{n}}}`)
	tests := []struct {
		name, path string
		args       []string
		body       map[string]any
		header     map[string]string
	}{
		{name: "retrieve", path: "/v1/retrieve", args: []string{"--questions", questions, "--mode", "hybrid", "--user", "ann"}, body: map[string]any{"query": `one "quoted"`, "mode": "hybrid"}, header: map[string]string{"X-User-Id": "ann", "Content-Type": "application/json"}},
		{name: "embeddings", path: "/v1/embeddings", args: []string{"--questions", questions, "--model", "m", "--encoding", "base64", "--key-env", "SOME_KEY"}, body: map[string]any{"input": `one "quoted"`, "model": "m", "encoding_format": "base64"}, header: map[string]string{"Authorization": "Bearer sk-secret", "X-User-Id": ""}},
		{name: "a body", path: "/ask", args: []string{"--body", body, "--questions", questions, "--header", "X-Team: search"}, body: map[string]any{"ask": `one "quoted"`, "n": 0.0}, header: map[string]string{"X-Team": "search"}},
		{name: "nothing else is sent", path: "/v1/embeddings", args: []string{"--questions", questions}, body: map[string]any{"input": `one "quoted"`, "model": "text-embedding-3-small"}, header: map[string]string{"Authorization": ""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := openDoor(t, nil)
			args := append([]string{"load", d.URL + tt.path, "--levels", "1", "--rounds", "1"}, tt.args...)
			r := weirIn(t, []string{"SOME_KEY=sk-secret", "OPENAI_API_KEY=sk-other"}, "", "", args...)
			if r.code != exitOK {
				t.Fatalf("%+v", r)
			}
			if strings.Contains(r.out+r.stderr, "sk-") {
				t.Errorf("it prints a key: %+v", r)
			}
			got := decode[map[string]any](t, d.bodies[0])
			for k, v := range tt.body {
				if got[k] != v {
					t.Errorf("%s is %v, want %v", k, got[k], v)
				}
			}
			if len(got) != len(tt.body) {
				t.Errorf("sent %v", got)
			}
			for k, v := range tt.header {
				if d.headers[0].Get(k) != v {
					t.Errorf("header %s is %q, want %q", k, d.headers[0].Get(k), v)
				}
			}
		})
	}
}

func TestLoadPlots(t *testing.T) {
	d := openDoor(t, nil)
	dir := t.TempDir()
	for _, name := range []string{"p.svg", "p.PNG"} {
		file := filepath.Join(dir, name)
		if r := weir(t, "", "load", d.URL+"/v1/retrieve", "--levels", "1,2", "--rounds", "2", "--plot", file); r.code != exitOK {
			t.Fatalf("%+v", r)
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if name == "p.PNG" {
			if _, err := png.Decode(bytes.NewReader(b)); err != nil {
				t.Error(err)
			}
			continue
		}
		for dec := xml.NewDecoder(bytes.NewReader(b)); ; {
			if _, err := dec.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if !strings.Contains(string(b), "2 at once") {
			t.Error("the levels have no names")
		}
	}
}

// What is wrong is said before anything is asked.
func TestLoadWrongUses(t *testing.T) {
	empty := write(t, t.TempDir(), "empty.txt", "\n\n")
	const ok = "http://127.0.0.1:1/v1/retrieve"
	tests := []struct {
		args []string
		want string
	}{
		{[]string{}, "needs the URL of an endpoint"},
		{[]string{"127.0.0.1:8080"}, "is no URL of an endpoint"},
		{[]string{"ftp://127.0.0.1/"}, "is no URL of an endpoint"},
		{[]string{"http://127.0.0.1:8080"}, "For Weir it is http://127.0.0.1:8080/v1/retrieve"},
		{[]string{"http://example.com/v1/retrieve"}, "not on this machine"},
		{[]string{"http://127.0.0.1.example.com/v1/retrieve"}, "not on this machine"},
		{[]string{"http://[2001:db8::1]/v1/retrieve"}, "not on this machine"},
		{[]string{"http://0.0.0.0/v1/retrieve"}, "not on this machine"},
		{[]string{"http://me:secret@127.0.0.1/v1/retrieve"}, "no user or password"},
		{[]string{ok, "--rate", "0"}, "--rate must be over 0"},
		{[]string{ok, "--rate", "NaN"}, "--rate must be over 0"},
		{[]string{ok, "--rate", "1e9"}, "Rate must be"},
		{[]string{ok, "--rate", "5", "--levels", "1"}, "two kinds of load"},
		{[]string{ok, "--rounds", "5", "--duration", "1s"}, "--rounds and --duration"},
		{[]string{ok, "--levels", "0"}, "--levels must be"},
		{[]string{ok, "--levels", "many"}, "--levels must be"},
		{[]string{ok, "--levels", "50", "--max-open", "10"}, "more than --max-open"},
		{[]string{ok, "--success", "99"}, "--success must be from 0 to 1"},
		{[]string{ok, "--deadline", "0s"}, "--deadline must be over 0"},
		{[]string{ok, "--mode", "psychic"}, "--mode must be"},
		{[]string{ok, "--encoding", "float"}, "--encoding is for"},
		{[]string{"http://127.0.0.1:1/v1/embeddings", "--mode", "vector"}, "--mode and --timeout-ms are for"},
		{[]string{ok, "--user", "a", "--users", "2"}, "exclude each other"},
		{[]string{ok, "--key-env", "NO_SUCH_KEY"}, "there is no such variable"},
		{[]string{ok, "--header", "secret"}, "--header must be like"},
		{[]string{ok, "--questions", empty}, "holds no question"},
		{[]string{"http://127.0.0.1:1/x", "--questions", empty}, "--questions has no place"},
		{[]string{ok, "--plot", "x.gif"}, "--plot must end in .svg or .png"},
		{[]string{ok, "--plot", filepath.Join(t.TempDir(), "none", "x.svg")}, "there is no folder"},
		{[]string{ok, "--kind", "chat"}, "--kind must be"},
		{[]string{ok, "--timeout", "5s"}, "a call's time is --deadline"},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			r := weir(t, "", append([]string{"load"}, tt.args...)...)
			if r.code != exitUsage || !strings.Contains(r.stderr, tt.want) || r.out != "" {
				t.Errorf("%+v", r)
			}
			if strings.Contains(r.stderr, "secret") {
				t.Errorf("it prints a secret: %s", r.stderr)
			}
		})
	}
	if r := weir(t, "", "load", ok, "--body", filepath.Join(t.TempDir(), "none")); r.code != exitFailed {
		t.Errorf("a body that is not there: %+v", r)
	}
}

// Nobody listens: that is a failure of the server, counted and named.
func TestLoadOnNothing(t *testing.T) {
	const url = "http://127.0.0.1:1" // where somebody was a moment ago is anybody's
	began := time.Now()
	r := weir(t, "", "load", url+"/v1/embeddings", "--levels", "3", "--rounds", "1", "--json")
	l := decode[loadJSON](t, r.out)
	if r.code != exitFailed || l.Pass || l.Runs[0].Report.Kinds["connection refused"] != 3 {
		t.Errorf("after %s: %+v", time.Since(began), r)
	}
	if !json.Valid([]byte(r.out)) {
		t.Error("it is not JSON")
	}
}
