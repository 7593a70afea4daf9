package mcpapi

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"weir/internal/embed"
	"weir/internal/rag"
	"weir/internal/sqlite"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// paragraphs makes a chunk of each paragraph, a page of each, and a section of
// a document whose name ends in .md. What begins with "unreadable" it refuses,
// and of what begins with "damaged" it warns.
type paragraphs struct{}

func (paragraphs) Extract(_ context.Context, filename string, content []byte, _ func(rag.Progress)) (rag.Extracted, error) {
	x := rag.Extracted{MediaType: "text/plain"}
	if strings.HasPrefix(string(content), "unreadable") {
		return x, rag.Errorf(rag.UnsupportedMedia, "%s: nothing here can be read", filename)
	}
	for i, text := range strings.Split(string(content), "\n\n") {
		c := rag.Chunk{Index: i, Content: text, Tokens: countWords(text), PageStart: i + 1, PageEnd: i + 2}
		if strings.HasSuffix(filename, ".md") {
			c.SectionPath, c.SectionTitle = []int{i + 1}, "Part "+string(rune('A'+i))
		}
		x.Chunks = append(x.Chunks, c)
	}
	x.Pages = len(x.Chunks) + 1
	if strings.HasPrefix(string(content), "damaged") {
		x.Warning = "page 1 cannot be read"
	}
	return x, nil
}

func countWords(s string) int { return len(strings.Fields(s)) }

// down is an embedder whose provider is.
type down struct{ embed.None }

func (down) Model() rag.Model { return rag.Model{Name: "down-1", Dim: 4} }

func (down) Embed(_ context.Context, _ rag.User, p rag.Purpose, texts []string) ([][]float32, error) {
	if p == rag.ForQuery {
		return nil, &rag.Error{Code: rag.Unavailable, Phase: "dial", Msg: "the provider cannot be reached"}
	}
	vectors := make([][]float32, len(texts))
	for i := range vectors {
		vectors[i] = []float32{1, 0, 0, 0}
	}
	return vectors, nil
}

// newService is a service on a store of its own. With work, documents become
// ready.
func newService(t *testing.T, in rag.Embedder, cfg rag.Config, work bool) *rag.Service {
	t.Helper()
	store, err := sqlite.Open(t.Context(), sqlite.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	cfg.CountTokens = countWords
	svc, err := rag.New(cfg, store, in, paragraphs{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if work {
			svc.Run(ctx)
		}
	}()
	t.Cleanup(func() {
		stop()
		<-done
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return svc
}

func newDoor(t *testing.T, cfg Config, library Library) *Door {
	t.Helper()
	d, err := New(cfg, library)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// listen serves d over HTTP; the header X-User-ID says who calls.
func listen(t *testing.T, d *Door) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.ServeUser(w, r, rag.User(r.Header.Get("X-User-ID")))
	}))
	t.Cleanup(s.Close)
	return s
}

// as sends all requests as a user.
type as struct {
	user string
	to   http.RoundTripper
}

func (a as) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-User-ID", a.user)
	return a.to.RoundTrip(r)
}

// connect is the SDK's own client, as any program would have it.
func connect(t *testing.T, s *httptest.Server, user string) *mcp.ClientSession {
	t.Helper()
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{
		Endpoint: s.URL, HTTPClient: &http.Client{Transport: as{user, s.Client().Transport}}, MaxRetries: -1,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close() })
	return session
}

// call calls a tool and returns its answer and the text of it.
func call(t *testing.T, s *mcp.ClientSession, tool string, arguments map[string]any) (*mcp.CallToolResult, string) {
	t.Helper()
	res, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: arguments})
	if err != nil {
		t.Fatalf("%s: %v", tool, err)
	}
	if len(res.Content) != 1 {
		t.Fatalf("%s: %d contents", tool, len(res.Content))
	}
	text, ok := res.Content[0].(*mcp.TextContent)
	if !ok {
		t.Fatalf("%s: content is %T", tool, res.Content[0])
	}
	return res, text.Text
}
