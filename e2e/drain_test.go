package e2e

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"weir/internal/chaos"
	"weir/internal/openai"
	"weir/internal/rag"
)

// provider answers embeddings, or hangs while hang is not nil: until it is
// closed, or its caller leaves.
type provider struct {
	*httptest.Server
	mu    sync.Mutex
	hang  chan struct{}
	asked chan struct{} // one for each request that hangs
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{asked: make(chan struct{}, 1024)}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		req, err := openai.DecodeEmbeddingsRequest(body, openai.Limits{Items: 2048, Values: 64})
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		p.mu.Lock()
		hang := p.hang
		p.mu.Unlock()
		if hang != nil {
			p.asked <- struct{}{}
			select {
			case <-hang:
			case <-r.Context().Done():
				return
			}
		}
		a := openai.Embeddings{Model: req.Model}
		for i, in := range req.Input {
			a.Data = append(a.Data, openai.Embedding{Index: i, Vector: chaos.Vector(in, 8)})
		}
		out, err := a.Encode(openai.Float)
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(out)
	}))
	t.Cleanup(p.Close)
	t.Cleanup(p.answer)
	return p
}

func (p *provider) stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hang = make(chan struct{})
}

func (p *provider) answer() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hang != nil {
		close(p.hang)
		p.hang = nil
	}
}

func (p *provider) flags() []string {
	return []string{"--openai-base-url", p.URL + "/v1", "--embedding-dimensions", "8", "--embedding-model", "m"}
}

// waitFor gives ch until patience.
func waitFor[T any](t *testing.T, what string, ch <-chan T) (v T) {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case v = <-ch:
	case <-timer.C:
		t.Fatalf("%s: not within %v", what, patience)
	}
	return v
}

// answerOf is the status and the body of one call.
type answerOf struct {
	status int
	body   string
	err    error
}

func (s *server) ask(t *testing.T, method, path, body string) answerOf {
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		return answerOf{err: err}
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		return answerOf{err: err}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return answerOf{resp.StatusCode, string(b), err}
}

// TestTerm ends a server in which everything goes on at once: calls whose
// provider hangs and then answers, a stream, and a document in work. Readiness
// goes first, calls are answered, streams are told, the document is given back
// and is finished by the next server.
func TestTerm(t *testing.T) {
	p, data := newProvider(t), filepath.Join(t.TempDir(), "data")
	flags := append(p.flags(), "--timeout", "20s", "--drain-delay", "5s", "--drain-timeout", "30s")
	s := serve(t, data, flags...)
	p.stall()
	doc, _, err := s.Client.Upload(t.Context(), user, rag.NewDocument{Filename: "log.md", Content: []byte(logbook(1))})
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the document's request", p.asked)
	watched, first := make(chan error, 1), make(chan struct{})
	go func() {
		once := sync.OnceFunc(func() { close(first) })
		watched <- s.Client.Watch(t.Context(), user, doc.ID, func(rag.Document) error { once(); return nil })
	}()
	waitFor(t, "the stream", first)
	asked := make(chan answerOf, 1)
	go func() { asked <- s.ask(t, "POST", "/v1/retrieve", `{"query":"harbour","mode":"vector"}`) }()
	waitFor(t, "the question's request", p.asked)

	began := time.Now()
	if err := s.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for s.ask(t, "GET", "/readyz", "").status != http.StatusServiceUnavailable {
		if time.Since(began) > patience {
			t.Fatal("it is ready")
		}
	}
	if got := s.ask(t, "POST", "/v1/retrieve", `{"query":"harbour","mode":"lexical"}`); got.status != 200 {
		t.Errorf("a new call in the delay: %+v", got)
	}
	if err := waitFor(t, "the end of the stream", watched); rag.CodeOf(err) != rag.Unavailable {
		t.Errorf("the stream ended with %v", err)
	}
	p.answer()
	if got := waitFor(t, "the answer", asked); got.status != 200 {
		t.Errorf("the call under way: %+v", got)
	}
	waitFor(t, "the end", s.Ended)
	if code := s.Cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit %d: %s", code, s.Stderr)
	}
	t.Logf("ended %v after the signal", time.Since(began))
	s = serve(t, data, p.flags()...)
	if got, err := s.Client.Wait(t.Context(), user, doc.ID); err != nil || got.Status != rag.Ready {
		t.Errorf("the document: %+v, %v", got, err)
	}
	if code := s.stop(t); code != 0 {
		t.Errorf("exit %d: %s", code, s.Stderr)
	}
}

// A provider that never answers, and callers who would wait for long, hold a
// server no longer than its drain.
func TestTermIsBounded(t *testing.T) {
	p := newProvider(t)
	s := serve(t, filepath.Join(t.TempDir(), "data"), append(p.flags(), "--timeout", "10m", "--document-timeout", "10m", "--drain-timeout", "1s")...)
	p.stall()
	asked := make(chan answerOf, 1)
	go func() { asked <- s.ask(t, "POST", "/v1/retrieve", `{"query":"harbour","mode":"vector"}`) }()
	waitFor(t, "the question's request", p.asked)
	half, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://")) // one who is not done with the headers
	if err != nil {
		t.Fatal(err)
	}
	defer half.Close()
	if _, err := io.WriteString(half, "GET /v1/documents HTTP/1.1\r\nHost: loc"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if code := s.stop(t); code == 0 {
		t.Error("calls were broken off, and it exits as if nothing were")
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
	got := waitFor(t, "the answer", asked)
	var problem struct{ Code string }
	if got.err == nil && (json.Unmarshal([]byte(got.body), &problem) != nil || problem.Code != string(rag.Unavailable)) {
		t.Errorf("the caller was told %+v", got)
	}
}

// The second signal does not wait for calls under way.
func TestSecondSignalWithCallsUnderWay(t *testing.T) {
	p := newProvider(t)
	s := serve(t, filepath.Join(t.TempDir(), "data"), append(p.flags(), "--timeout", "10m", "--document-timeout", "10m", "--drain-timeout", "10m", "--drain-delay", "10m")...)
	p.stall()
	go func() { _ = s.ask(t, "POST", "/v1/retrieve", `{"query":"harbour","mode":"vector"}`) }()
	waitFor(t, "the question's request", p.asked)
	if err := s.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for !strings.Contains(s.Stderr.String(), "a second signal") {
		if s.ask(t, "GET", "/healthz", "").err != nil {
			t.Fatal("it is gone after the first")
		}
	}
	if err := s.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the end", s.Ended)
	if code := s.Cmd.ProcessState.ExitCode(); code != 1 {
		t.Errorf("exit %d", code)
	}
}

// HTTPS of the built program: a new certificate on SIGHUP, without a restart.
func TestHangup(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("there is no openssl to make a certificate with")
	}
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	issue := func(name string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
			"-days", "1", "-subj", "/CN="+name, "-addext", "subjectAltName=DNS:"+name, "-keyout", key, "-out", cert)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	shown := func(address string) string {
		out, err := exec.CommandContext(t.Context(), openssl, "s_client", "-connect", address).CombinedOutput()
		if err != nil && len(out) == 0 {
			t.Fatal(err)
		}
		for sc := bufio.NewScanner(strings.NewReader(string(out))); sc.Scan(); {
			if name, ok := strings.CutPrefix(sc.Text(), "subject="); ok {
				return name
			}
		}
		return ""
	}
	issue("first.example")
	s := serve(t, filepath.Join(dir, "data"), "--tls-cert", cert, "--tls-key", key)
	address := strings.TrimPrefix(s.URL, "https://")
	if got := shown(address); !strings.Contains(got, "first.example") {
		t.Fatalf("it shows %q", got)
	}
	issue("second.example")
	if err := s.Cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); !strings.Contains(shown(address), "second.example"); {
		if time.Since(began) > patience {
			t.Fatalf("it shows the first: %s", s.Stderr)
		}
	}
	if code := s.stop(t); code != 0 {
		t.Errorf("exit %d: %s", code, s.Stderr)
	}
}
