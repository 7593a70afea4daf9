package browser

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/internal/chaos"
	"weir/internal/httpapi"
	"weir/internal/rag"
)

// server is the program, serving.
type server struct {
	cmd    *exec.Cmd
	url    string
	ended  chan struct{}
	stderr *buffer
	client *httpapi.Client
}

// buffer is a bytes.Buffer for a process to write to while others look.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// serve starts the program on a data folder of its own and returns when it
// answers. The settings of whoever runs the tests are not the tests'.
func serve(t *testing.T, env []string, args ...string) *server {
	t.Helper()
	args = append([]string{"serve", "--listen", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "data")}, args...)
	cmd := exec.Command(binary, args...)
	for _, name := range []string{"HOME", "PATH", "TMPDIR", "XDG_CACHE_HOME"} {
		if v, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	cmd.Env = append(cmd.Env, env...)
	s := &server{cmd: cmd, ended: make(chan struct{}), stderr: &buffer{}}
	cmd.Stderr = s.stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	ready := make(chan struct{})
	go func() {
		defer close(s.ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if at, ok := strings.CutPrefix(lines.Text(), "Weir is ready at "); ok {
				s.url = at
				close(ready)
				break
			}
		}
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-ready:
	case <-s.ended:
		t.Fatalf("the server ended: %s", s.stderr)
	case <-timer.C:
		t.Fatalf("the server is not ready after %v: %s", patience, s.stderr)
	}
	if s.client, err = httpapi.NewClient(httpapi.ClientConfig{BaseURL: s.url}); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	<-s.ended
}

// provider starts a provider of embeddings that answers rightly until told
// otherwise, and the settings to use it.
func provider(t *testing.T) (*chaos.Provider, []string) {
	t.Helper()
	p, err := chaos.Start(t.Context(), chaos.Config{Dim: 64, Latency: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p, []string{"OPENAI_BASE_URL=" + p.URL(), "OPENAI_API_KEY=sk-test", "WEIR_EMBEDDING_MODEL=chaos", "WEIR_EMBEDDING_DIMENSIONS=64"}
}

// stand stands between the browser and the server: it answers some paths
// itself, and can go and come back.
type stand struct {
	t       *testing.T
	address string
	url     string
	mux     *http.ServeMux
	srv     *http.Server
}

func newStand(t *testing.T, s *server) *stand {
	t.Helper()
	to, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	d := &stand{t: t, address: "127.0.0.1:0", mux: http.NewServeMux()}
	d.mux.Handle("/", &httputil.ReverseProxy{
		FlushInterval: -1,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = to.Scheme, to.Host
			r.Out.Host = r.In.Host
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	})
	d.come()
	t.Cleanup(d.goAway)
	return d
}

func (d *stand) come() {
	d.t.Helper()
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", d.address)
	if err != nil {
		d.t.Fatal(err)
	}
	d.address = l.Addr().String()
	d.url = "http://" + d.address
	d.srv = &http.Server{Handler: d.mux}
	go func(s *http.Server) { _ = s.Serve(l) }(d.srv)
}

func (d *stand) goAway() { _ = d.srv.Close() }

// put stores a document and waits until it is ready.
func put(t *testing.T, s *server, name, text string) rag.Document {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	doc, _, err := s.client.Upload(ctx, "default", rag.NewDocument{Filename: name, Content: []byte(text)})
	if err == nil {
		err = s.client.Watch(ctx, "default", doc.ID, func(d rag.Document) error { doc = d; return nil })
	}
	if err != nil || doc.Status != rag.Ready {
		t.Fatalf("%s: %v, %+v", name, err, doc)
	}
	return doc
}
