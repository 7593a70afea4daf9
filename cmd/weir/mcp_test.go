package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/internal/rag"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// agent is the SDK's client of a weir mcp that runs in this process.
type agent struct {
	*mcp.ClientSession
	ended chan result
}

// serveAgent starts weir mcp as a client would.
func serveAgent(t *testing.T, data string, args ...string) *agent {
	t.Helper()
	in, toServer := io.Pipe()
	fromServer, out := io.Pipe()
	a := &agent{ended: make(chan result, 1)}
	args = append([]string{"mcp", "--data", data}, args...)
	go func() {
		var stderr strings.Builder
		code := run(t.Context(), args, environment(), in, out, &stderr)
		out.Close()
		in.Close()
		a.ended <- result{code: code, stderr: stderr.String()}
	}()
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	var err error
	if a.ClientSession, err = client.Connect(t.Context(), &mcp.IOTransport{Reader: fromServer, Writer: toServer}, nil); err != nil {
		t.Fatalf("%v: %+v", err, <-a.ended)
	}
	return a
}

// leave ends the conversation, and the program with it.
func (a *agent) leave(t *testing.T) {
	t.Helper()
	_ = a.Close() // the other end may be faster
	if r := <-a.ended; r.code != exitOK {
		t.Errorf("weir mcp ended with %+v", r)
	}
}

func callTool[T any](t *testing.T, s *mcp.ClientSession, tool string, arguments map[string]any) T {
	t.Helper()
	res, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: arguments})
	if err != nil || res.IsError {
		t.Fatalf("%s: %+v, %v", tool, res, err)
	}
	b, err := json.Marshal(res.StructuredContent)
	if err != nil {
		t.Fatal(err)
	}
	return decode[T](t, string(b))
}

func TestMCPOnStdio(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	ann := serveAgent(t, data, "--user", "ann")
	callTool[map[string]any](t, ann.ClientSession, "add_document", map[string]any{"filename": "boat.md", "text": "# Boat\n\nThe dinghy is called Petrel.\n"})
	got := callTool[rag.Response](t, ann.ClientSession, "retrieve", map[string]any{"query": "what is the dinghy called?"})
	if len(got.Chunks) != 1 || got.Mode != rag.Hybrid || got.Chunks[0].Similarity == nil {
		t.Errorf("got %+v", got)
	}
	// It has the folder, and lets others go through it: commands, and a second
	// client's weir mcp.
	if r := weir(t, data, "search", "dinghy", "--user", "ann"); r.code != exitOK || !strings.Contains(r.out, "Petrel") {
		t.Errorf("search beside it: %+v", r)
	}
	second := serveAgent(t, data, "--user", "ann")
	if got := callTool[rag.Response](t, second.ClientSession, "retrieve", map[string]any{"query": "dinghy"}); len(got.Chunks) != 1 {
		t.Errorf("through the first: %+v", got)
	}
	bob := serveAgent(t, data)
	if got := callTool[rag.Response](t, bob.ClientSession, "retrieve", map[string]any{"query": "dinghy"}); len(got.Chunks) != 0 {
		t.Errorf("another user got %+v", got)
	}
	bob.leave(t)
	// The second takes the folder when the first has gone.
	ann.leave(t)
	if got := callTool[rag.Response](t, second.ClientSession, "retrieve", map[string]any{"query": "dinghy"}); len(got.Chunks) != 1 {
		t.Errorf("after the first: %+v", got)
	}
	if r := weir(t, data, "search", "dinghy", "--user", "ann"); r.code != exitOK || !strings.Contains(r.out, "Petrel") {
		t.Errorf("search beside the second: %+v", r)
	}
	second.leave(t)
	if left := names(t, data); strings.Contains(strings.Join(left, " "), serverFile) {
		t.Errorf("it left its notes: %v", left)
	}
}

func TestMCPThroughServer(t *testing.T) {
	data, docs := filepath.Join(t.TempDir(), "data"), t.TempDir()
	write(t, docs, "warranty.md", "# Warranty\n\nThe warranty of the kettle lasts 27 months.\n")
	s := serve(t, data, "--docs", docs)
	byHTTP, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil).Connect(t.Context(),
		&mcp.StreamableClientTransport{Endpoint: s.url + "/mcp", HTTPClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer byHTTP.Close()
	byStdio := serveAgent(t, data)
	defer byStdio.leave(t)
	for name, session := range map[string]*mcp.ClientSession{"http": byHTTP, "stdio": byStdio.ClientSession} {
		got := callTool[rag.Response](t, session, "retrieve", map[string]any{"query": "how long does the warranty last?"})
		if len(got.Chunks) != 1 || got.Chunks[0].Filename != "warranty.md" || got.OperationID == "" {
			t.Errorf("%s: %+v", name, got)
		}
		res, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "get_document", Arguments: map[string]any{"id": "none"}})
		if err != nil || !res.IsError {
			t.Errorf("%s: %+v, %v", name, res, err)
		}
		list, err := session.ListResources(t.Context(), nil)
		if err != nil || len(list.Resources) != 1 || list.Resources[0].Name != "warranty.md" {
			t.Errorf("%s: %+v, %v", name, list, err)
		}
	}
}

// A server that is started takes the folder from a weir mcp, which goes through
// it, and back when it has gone.
func TestMCPGivesWayToServer(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	ann, second := serveAgent(t, data, "--user", "ann"), serveAgent(t, data, "--user", "ann")
	defer ann.leave(t)
	defer second.leave(t)
	callTool[map[string]any](t, ann.ClientSession, "add_document", map[string]any{"filename": "boat.md", "text": "# Boat\n\nThe dinghy is called Petrel.\n"})
	find := func(when string) {
		t.Helper()
		for _, a := range []*agent{ann, second} {
			if got := callTool[rag.Response](t, a.ClientSession, "retrieve", map[string]any{"query": "dinghy"}); len(got.Chunks) != 1 {
				t.Errorf("%s: %+v", when, got)
			}
		}
	}
	find("before")
	for range 2 {
		s := serve(t, data)
		find("beside the server")
		if held := readHolder(data); held.command != "serve" || wanted(data) {
			t.Errorf("held by %+v, wanted: %v", held, wanted(data))
		}
		if second := weir(t, data, "serve", "--listen", "127.0.0.1:0"); second.code != exitFailed || !strings.Contains(second.stderr, "held by weir serve") {
			t.Errorf("a second server: %+v", second)
		}
		if r := s.stop(); r.code != exitOK {
			t.Errorf("the server ended with %+v", r)
		}
		find("after the server")
	}
}

// What a server wanted that died before it got it is not waited for long.
func TestWishOfTheDead(t *testing.T) {
	data := t.TempDir()
	write(t, data, wantedFile, "")
	if !wanted(data) {
		t.Error("a wish was not seen")
	}
	old := time.Now().Add(-wantedFor)
	if err := os.Chtimes(filepath.Join(data, wantedFile), old, old); err != nil || wanted(data) {
		t.Errorf("an old wish still stands: %v", err)
	}
	ahead := time.Now().Add(time.Hour) // by a clock that was set back since
	if err := os.Chtimes(filepath.Join(data, wantedFile), ahead, ahead); err != nil || wanted(data) {
		t.Errorf("a wish that lies ahead stands: %v", err)
	}
}

// As a client starts it: the built program, its standard streams and nothing
// else.
func TestMCPBuilt(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "weir")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	data := filepath.Join(t.TempDir(), "data")
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), binary, "mcp", "--data", data)
	cmd.Env = environment()
	var stderr strings.Builder
	cmd.Stderr = &stderr
	session, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil).Connect(t.Context(), &mcp.CommandTransport{Command: cmd}, nil)
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	tools, err := session.ListTools(t.Context(), nil)
	if err != nil || len(tools.Tools) != 4 {
		t.Errorf("%+v, %v", tools, err)
	}
	callTool[map[string]any](t, session, "add_document", map[string]any{"filename": "a.txt", "text": "The ladder holds 150 kilograms."})
	if got := callTool[rag.Response](t, session, "retrieve", map[string]any{"query": "how much does the ladder hold?"}); len(got.Chunks) != 1 {
		t.Errorf("got %+v", got)
	}
	if err := session.Close(); err != nil {
		t.Errorf("it did not end well: %v: %s", err, stderr.String())
	}
	if stderr.Len() != 0 {
		t.Errorf("it said %s", stderr.String())
	}
	if left := names(t, data); strings.Contains(strings.Join(left, " "), holderFile) {
		t.Errorf("it left its notes: %v", left)
	}
}

// What the documents tell people to paste starts a server that answers.
func TestMCPConfigurationsWork(t *testing.T) {
	type entry struct {
		Command string            `json:"command"`
		Args    []string          `json:"args"`
		URL     string            `json:"url"`
		Headers map[string]string `json:"headers"`
	}
	blocks := regexp.MustCompile("(?s)```json\n(.*?)```")
	found := 0
	for _, file := range []string{"../../README.md", "../../docs/MCP.md"} {
		page, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range blocks.FindAllStringSubmatch(string(page), -1) {
			var c struct {
				McpServers map[string]entry `json:"mcpServers"`
				Servers    map[string]entry `json:"servers"`
			}
			if err := json.Unmarshal([]byte(block[1]), &c); err != nil {
				t.Errorf("%s: %v in %s", file, err, block[1])
			}
			for _, servers := range []map[string]entry{c.McpServers, c.Servers} {
				for _, e := range servers {
					found++
					if e.URL != "" {
						if e.URL != "http://127.0.0.1:8080/mcp" {
							t.Errorf("%s: %+v", file, e)
						}
						continue
					}
					at := slices.Index(e.Args, "--data")
					if filepath.Base(e.Command) != "weir" || len(e.Args) == 0 || e.Args[0] != "mcp" || at < 0 {
						t.Errorf("%s: %+v", file, e)
						continue
					}
					more := slices.Delete(slices.Clone(e.Args), at, at+2)[1:]
					serveAgent(t, filepath.Join(t.TempDir(), "data"), more...).leave(t)
				}
			}
		}
	}
	if found != 6 {
		t.Errorf("%d configurations were tried, want 6", found)
	}
}
