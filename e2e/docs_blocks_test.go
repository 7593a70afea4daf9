package e2e

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// run are the pages whose blocks marked sh are run as they are. A block of JSON
// after one, in the same section, is what it answers.
var run = []string{"README.md", "docs/API.md", "docs/OBSERVABILITY.md"}

// exception is a block that is not simply run: the first one of the page that
// has the words.
type exception struct {
	page, has string
	because   string                               // not run, and why
	from      string                               // a command that answers like this
	at        string                               // the member of the answer that it is; empty: all of it
	check     func(t *testing.T, d *docs, f fence) // what holds of it
}

const (
	sizable  = "takes minutes or hours, and a machine at rest; the numbers below it are what it printed"
	pictures = "a drawing"
)

func exceptions() []exception {
	return []exception{
		{page: "README.md", has: "serve --docs examples", because: "the server of all these blocks is started with it"},
		{page: "README.md", has: "go test ./...", because: "this is one of them"},
		{page: "README.md", has: "weir mcp                        the tools", check: commandsExist},
		{page: "README.md", has: `"mcpServers"`, because: "TestMCPConfigurationsWork of cmd/weir starts what it says"},
		{page: "README.md", has: `"servers"`, because: "TestMCPConfigurationsWork of cmd/weir calls what it says"},

		{
			page: "docs/API.md", has: `"title": "Alder Valley`, // the second example stands between
			from: `curl -s -F file=@examples/plan-handbook.pdf 'http://127.0.0.1:8080/v1/documents?wait=true'`,
		},
		{page: "docs/API.md", has: `"dropped_citations": 0`, check: answeredByAModel},
		{page: "docs/API.md", has: "from openai import OpenAI", check: pythonRuns},
		{
			page: "docs/API.md", has: `"object": "embedding", "index": 1`, // the same in Python stands between
			from: `curl -s http://127.0.0.1:8080/v1/embeddings -H 'Content-Type: application/json' -d '{"input": ["The spare key is with the neighbour.", "Where is the key?"]}'`,
		},
		{
			page: "docs/API.md", has: "text-embedding-ada-002",
			from: `curl -s http://127.0.0.1:8080/v1/embeddings -H 'Content-Type: application/json' -d '{"model":"text-embedding-ada-002","input":"a"}'`,
		},
		{page: "docs/API.md", has: "this server has no embedder (WEIR_EMBEDDER=none)", check: withoutEmbedder},
		{
			page: "docs/API.md", has: "must be above 0 and at most 1, not 2",
			from: `curl -s http://127.0.0.1:8080/v1/retrieve -H 'Content-Type: application/json' -d '{"query":"a","similarity_threshold":2}'`,
		},
		{page: "docs/ARCHITECTURE.md", has: "cmd/weir                 the knot", because: "TestRoomsImportOnlyWhatTheFloorPlanAllows holds it"},
		{page: "docs/ARCHITECTURE.md", has: "reads the body whole", because: pictures},
		{page: "docs/ARCHITECTURE.md", has: "Service.Ask: validates", because: pictures},
		{page: "docs/ARCHITECTURE.md", has: "Host and origin: no web page", because: pictures},
		{page: "docs/ARCHITECTURE.md", has: "users in turn; a token fences off", because: pictures},
		{page: "docs/BEFORE-AFTER.md", has: "before_after.py --write", because: ".ci/python runs it, without writing the page"},
		{page: "docs/CONFIG.md", has: "max_file_bytes: 200MB", check: configurationIsTaken},
		{page: "docs/DEPLOY.md", has: "sudo install", because: "needs a machine of its own, and root; cmd/weir holds what it names against what there is"},
		{page: "docs/DEPLOY.md", has: "/var/backups/weir", check: commandsExist},
		{page: "docs/DEPLOY.md", has: "pg_", because: "needs a Postgres whose schema may be dropped"},
		{page: "docs/DEPLOY.md", has: "/tmp/weir-drill", check: backupIsRestored},
		{page: "docs/MCP.md", has: `"mcpServers"`, because: "TestMCPConfigurationsWork of cmd/weir does what it says"},
		{page: "docs/MCP.md", has: `"servers"`, because: "TestMCPConfigurationsWork of cmd/weir does what it says"},
		{
			page: "docs/MCP.md", has: `"field": "max_chunks"`, at: "result.content.0.text",
			from: `curl -s http://127.0.0.1:8080/mcp -H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream' -d '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"retrieve","arguments":{"query":"a","max_chunks":"many"}}}'`,
		},
		{page: "docs/NEVER-HANGS.md", has: "weir drill --list", check: commandsExist},
		{page: "docs/NEVER-HANGS.md", has: "tools/baselines/tables.sh", because: sizable},
		{page: "docs/OBSERVABILITY.md", has: "go tool pprof", because: "takes ten seconds and a terminal; TestProfiles of internal/httpapi asks for them"},
		{page: "docs/OBSERVABILITY.md", has: "promtool", because: "needs Prometheus; internal/metrics holds the rules against what is exposed"},
		{page: "docs/PAGE.md", has: "default-src 'none'", check: policyIsSent},
		{page: "docs/PERFORMANCE.md", has: "go test -run='^$' -bench=", because: sizable},
		{page: "docs/PERFORMANCE.md", has: "WEIR_MEASURE=1", because: sizable},
		{page: "docs/PERFORMANCE.md", has: "go run ./tools/measure", because: sizable},
		{page: "docs/QUALITY.md", has: "weir eval", check: commandsExist},
		{page: "docs/SECURITY.md", has: "weir key create --user ann", check: commandsExist},
		{page: "docs/SECURITY.md", has: "PROJECT.supabase.co", check: commandsExist},
		{page: "docs/SECURITY.md", has: `"by":"key"`, because: "TestKeysOfAServer reads such a file"},
		{page: "clients/python/README.md", has: "pip install ./clients/python", because: ".ci/python installs it"},
		{page: "clients/python/README.md", has: "RAGTool(user_id).retrieve", check: pythonRuns},
		{page: "clients/python/README.md", has: "from our_project", because: "a change to a program of somebody else"},
		{page: "clients/python/README.md", has: "mypy", because: ".ci/python does this"},
		{page: "tools/distill/README.md", has: "train.py", because: sizable},
		{page: "tools/measure/README.md", has: "tools/measure soak", because: sizable},
	}
}

var command = regexp.MustCompile(`^(?:sudo -u \S+ |[A-Z_]+=\S+ )*weir (\w.*)`)

var flagName = regexp.MustCompile(`(?:^|[ \[])(--[a-z][a-z-]*)`)

// commandsExist holds that each command of a synopsis exists, and has the flags
// that it is shown with.
func commandsExist(t *testing.T, _ *docs, f fence) {
	seen, settings := 0, weir(t, "config", "--help")
	for line := range strings.Lines(f.text) {
		line, _, _ = strings.Cut(line, "#")
		m := command.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		words := strings.Fields(m[1])
		seen++
		name := words[:1]
		if words[0] == "key" && len(words) > 1 {
			name = words[:2] // it has commands of its own
		}
		help := weir(t, append(slices.Clone(name), "--help")...)
		help.out += settings.out
		if help.code != 0 {
			t.Errorf("weir %q: %s", name, help.stderr)
		}
		for _, flag := range flagName.FindAllStringSubmatch(line, -1) {
			if !strings.Contains(help.out, flag[1]+" ") && !strings.Contains(help.out, flag[1]+"\n") {
				t.Errorf("weir %q has no flag %s", name, flag[1])
			}
		}
	}
	if seen == 0 {
		t.Errorf("no command in\n%s", f.text)
	}
}

// backupIsRestored does what an operator is to do now and then.
func backupIsRestored(t *testing.T, d *docs, f fence) {
	folder := t.TempDir()
	d.run(t, "weir backup --data \"$WEIR_DATA\" "+folder)
	saved, err := filepath.Glob(filepath.Join(folder, "*.backup"))
	if err != nil || len(saved) != 1 {
		t.Fatalf("%v, %q", err, saved)
	}
	out := d.run(t, strings.NewReplacer("FILE", saved[0], "/tmp/weir-drill", filepath.Join(folder, "drill"), "--user ann", "--user default",
		"a question whose answer you know", "What is the most I pay for a month of insulin?").Replace(f.text))
	if !strings.Contains(out, "1. plan-handbook.pdf") {
		t.Errorf("the restored folder answers %s", out)
	}
}

// policyIsSent holds the policy of the page against the one that comes with it.
func policyIsSent(t *testing.T, d *docs, f fence) {
	ask, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.server.URL+"/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.DefaultClient.Do(ask)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if want, got := strings.Join(strings.Fields(f.text), " "), r.Header.Get("Content-Security-Policy"); got != want {
		t.Errorf("it sends\n%s\nnot\n%s", got, want)
	}
}

// configurationIsTaken holds that a file of settings is one.
func configurationIsTaken(t *testing.T, _ *docs, f fence) {
	file := write(t, t.TempDir(), "weir.yaml", f.text)
	r := weir(t, "config", "--config", file)
	if r.code != 0 || !strings.Contains(r.out, "/var/lib/weir") {
		t.Errorf("%+v", r)
	}
}

// answeredByAModel holds an answer against that of a server with a chat model,
// which says what the page shows.
func answeredByAModel(t *testing.T, d *docs, f fence) {
	const words = "You must use it for at least 4 hours a night [1]. Until then the plan rents it [1][2]."
	model := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, event := range []string{
			`{"choices":[{"index":0,"delta":{"role":"assistant","content":"` + words + `"},"finish_reason":null}]}`,
			`{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`,
			`{"choices":[],"usage":{"prompt_tokens":900,"completion_tokens":30,"total_tokens":930}}`,
			"[DONE]",
		} {
			_, _ = io.WriteString(w, "data: "+event+"\n\n")
		}
	}))
	defer model.Close()
	other := *d
	other.server = serve(t, filepath.Join(t.TempDir(), "data"), "--docs", examples, "--chat-model", "gpt-4.1-mini", "--chat-base-url", model.URL+"/v1")
	defer other.server.Kill()
	other.compare(t, f.text, other.run(t, `curl -s http://127.0.0.1:8080/v1/ask -H 'Content-Type: application/json' -d '{"query":"How many hours must I use my CPAP machine before the plan buys it?","stream":false}'`), "")
}

// withoutEmbedder holds an answer against that of a server that has none.
func withoutEmbedder(t *testing.T, d *docs, f fence) {
	other := *d
	other.server = serve(t, filepath.Join(t.TempDir(), "data"), "--embedder", "none")
	other.compare(t, f.text, other.run(t, `curl -s http://127.0.0.1:8080/v1/embeddings -H 'Content-Type: application/json' -d '{"input":"a"}'`), "")
}

// pythonRuns runs a block of Python with the interpreter of WEIR_DOCS_PYTHON,
// which has the packages that the pages speak of.
func pythonRuns(t *testing.T, d *docs, f fence) {
	python := os.Getenv("WEIR_DOCS_PYTHON")
	if python == "" {
		t.Skip("not run: WEIR_DOCS_PYTHON names no interpreter; .ci/docs makes one")
	}
	text := f.text
	if strings.Contains(text, "await ") { // the page has it as a part of a coroutine
		text = "import asyncio\nuser_id, question = 'default', 'What is my deductible?'\nasync def main():\n    from weir_rag import RAGTool\n" +
			regexp.MustCompile(`(?m)^`).ReplaceAllString(text, "    ") + "\n    assert chunks, chunks.error\nasyncio.run(main())\n"
	}
	file := write(t, t.TempDir(), "block.py", strings.ReplaceAll(text, "http://127.0.0.1:8080", d.server.URL))
	d.run(t, "env WEIR_URL=http://127.0.0.1:8080 "+python+" "+file)
}
