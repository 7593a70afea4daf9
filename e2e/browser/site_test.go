package browser

import (
	"context"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"weir/e2e/weirtest"
	"weir/internal/chaos"
	"weir/internal/rag"
)

// serve starts the program on a data folder of its own and returns when it
// answers.
func serve(t *testing.T, env []string, args ...string) *weirtest.Server {
	t.Helper()
	args = append([]string{"serve", "--listen", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "data")}, args...)
	cmd := exec.Command(binary, args...)
	cmd.Env = append(weirtest.Environment(), env...)
	return weirtest.Start(t, cmd, "Weir is ready at ", patience)
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

func newStand(t *testing.T, s *weirtest.Server) *stand {
	t.Helper()
	to, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	d := &stand{t: t, mux: http.NewServeMux()}
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

// come listens, again where it did before. It has one of the ports that are
// given to nobody who does not ask for them: while it is gone nobody takes it.
func (d *stand) come() {
	d.t.Helper()
	var l net.Listener
	var err error
	for try := 0; l == nil && try < 64; try++ {
		at := d.address
		if at == "" {
			at = net.JoinHostPort("127.0.0.1", strconv.Itoa(20000+rand.IntN(12000)))
		}
		l, err = (&net.ListenConfig{}).Listen(context.Background(), "tcp", at)
	}
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
func put(t *testing.T, s *weirtest.Server, name, text string) rag.Document {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	doc, _, err := s.Client.Upload(ctx, "default", rag.NewDocument{Filename: name, Content: []byte(text)})
	if err == nil {
		err = s.Client.Watch(ctx, "default", doc.ID, func(d rag.Document) error { doc = d; return nil })
	}
	if err != nil || doc.Status != rag.Ready {
		t.Fatalf("%s: %v, %+v", name, err, doc)
	}
	return doc
}
