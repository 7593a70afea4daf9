package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
)

// configOf runs "weir config --json" and returns its rows by variable.
func configOf(t *testing.T, env []string, args ...string) map[string]configRow {
	t.Helper()
	r := weirIn(t, env, "", "", append([]string{"config", "--json"}, args...)...)
	if r.code != exitOK {
		t.Fatalf("exit %d: %s", r.code, r.stderr)
	}
	rows := map[string]configRow{}
	for _, row := range decode[[]configRow](t, r.out) {
		rows[row.Setting] = row
	}
	return rows
}

func TestConfigPrecedence(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, ".", "other.yaml", "timeout: 4s\n")
	tests := []struct {
		name string
		file string // ./weir.yaml
		env  []string
		args []string
		of   string
		want configRow
	}{
		{name: "default", of: "WEIR_TIMEOUT", want: configRow{Value: "10s", From: "default"}},
		{name: "file", file: "# mine\ntimeout: 3s\n", of: "WEIR_TIMEOUT", want: configRow{Value: "3s", From: "weir.yaml:2"}},
		{name: "named file goes in place of ./weir.yaml", file: "timeout: 3s\n", args: []string{"--config", "other.yaml"}, of: "WEIR_TIMEOUT", want: configRow{Value: "4s", From: "other.yaml:1"}},
		{name: "variable before file", file: "timeout: 3s\n", env: []string{"WEIR_TIMEOUT=2s"}, of: "WEIR_TIMEOUT", want: configRow{Value: "2s", From: "WEIR_TIMEOUT"}},
		{name: "flag before variable", file: "timeout: 3s\n", env: []string{"WEIR_TIMEOUT=2s"}, args: []string{"--timeout", "1s"}, of: "WEIR_TIMEOUT", want: configRow{Value: "1s", From: "--timeout"}},
		{name: "an empty variable is none", file: "timeout: 3s\n", env: []string{"WEIR_TIMEOUT="}, of: "WEIR_TIMEOUT", want: configRow{Value: "3s", From: "weir.yaml:1"}},
		{name: "zero means the default", env: []string{"WEIR_TIMEOUT=0"}, of: "WEIR_TIMEOUT", want: configRow{Value: "10s", From: "default (WEIR_TIMEOUT is 0)"}},
		{name: "zero in the file", file: "max_in_flight: 0\n", of: "WEIR_MAX_IN_FLIGHT", want: configRow{Value: "1024", From: "default (weir.yaml:1 is 0)"}},
		{name: "null in the file", file: "data:\n", of: "WEIR_DATA", want: configRow{Value: "./weir-data", From: "default"}},
		{name: "an empty file", file: "", of: "WEIR_DATA", want: configRow{Value: "./weir-data", From: "default"}},
		{name: "embedder without a key", of: "WEIR_EMBEDDER", want: configRow{Value: "builtin", From: "default"}},
		{name: "embedder with a key", env: []string{"OPENAI_API_KEY=sk-1"}, of: "WEIR_EMBEDDER", want: configRow{Value: "openai", From: "default (OPENAI_API_KEY is set)"}},
		{name: "embedder with an address", file: "openai_base_url: http://127.0.0.1:1234/v1\n", of: "WEIR_EMBEDDER", want: configRow{Value: "openai", From: "default (OPENAI_BASE_URL is set)"}},
		{name: "none in spite of a key", env: []string{"OPENAI_API_KEY=sk-1"}, args: []string{"--embedder", "none"}, of: "WEIR_EMBEDDER", want: configRow{Value: "none", From: "--embedder"}},
		{name: "a short secret", env: []string{"OPENAI_API_KEY=sk-1"}, of: "OPENAI_API_KEY", want: configRow{Value: "***", From: "OPENAI_API_KEY"}},
		{name: "a long secret", env: []string{"OPENAI_API_KEY=sk-abcdefghijklmnop-wxyz"}, of: "OPENAI_API_KEY", want: configRow{Value: "sk-***wxyz", From: "OPENAI_API_KEY"}},
		{name: "an address with a password", env: []string{"DATABASE_URL=postgres://u:abcdefghijkl@h/secret"}, of: "DATABASE_URL", want: configRow{Value: "***", From: "DATABASE_URL"}},
		{name: "the parts of an address", env: []string{"WEIR_STORE=postgres", "DB_HOST=h", "DB_PASSWORD=secret"}, of: "DATABASE_URL", want: configRow{Value: "***", From: "the variables of its parts"}},
		{name: "overlap follows the chunk", args: []string{"--chunk-tokens", "512"}, of: "WEIR_CHUNK_OVERLAP", want: configRow{Value: "64", From: "default"}},
		{name: "no overlap", args: []string{"--chunk-overlap", "0"}, of: "WEIR_CHUNK_OVERLAP", want: configRow{Value: "0", From: "--chunk-overlap"}},
		{name: "no overlap, by the variable", env: []string{"WEIR_CHUNK_OVERLAP=0"}, of: "WEIR_CHUNK_OVERLAP", want: configRow{Value: "0", From: "WEIR_CHUNK_OVERLAP"}},
		{name: "no overlap, in the file", file: "chunk_overlap: 0\n", of: "WEIR_CHUNK_OVERLAP", want: configRow{Value: "0", From: "weir.yaml:1"}},
		{name: "an empty overlap is the default", env: []string{"WEIR_CHUNK_OVERLAP="}, of: "WEIR_CHUNK_OVERLAP", want: configRow{Value: "40", From: "default"}},
		{name: "sizes", env: []string{"WEIR_INDEX_MEMORY=500MB"}, of: "WEIR_INDEX_MEMORY", want: configRow{Value: "500MB", From: "WEIR_INDEX_MEMORY"}},
		{name: "the variables of a Kubernetes service", env: []string{"WEIR_SERVICE_HOST=10.0.0.1", "WEIR_PORT=tcp://10.0.0.1:80", "WEIR_PORT_80_TCP=x", "WEIR_URL=http://h"}, of: "WEIR_DATA", want: configRow{Value: "./weir-data", From: "default"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			write(t, ".", "weir.yaml", tt.file)
			got := configOf(t, tt.env, tt.args...)[tt.of]
			if got.Value != tt.want.Value || got.From != tt.want.From {
				t.Errorf("got %s from %s, want %s from %s", got.Value, got.From, tt.want.Value, tt.want.From)
			}
		})
	}
}

// Passages repeat what the setting says, and nothing when it says 0.
func TestOverlapOfPassages(t *testing.T) {
	var text strings.Builder
	for i := range 40 {
		fmt.Fprintf(&text, "Sentence number %d is here. ", i)
	}
	for overlap, repeats := range map[int]bool{0: false, 12: true} {
		x, err := newExtractor(config{ChunkTokens: 64, ChunkOverlap: overlap, DocumentTimeout: time.Minute}, "")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := x.Close(); err != nil {
				t.Error(err)
			}
		})
		out, err := x.Extract(t.Context(), "t.txt", []byte(text.String()), nil)
		if err != nil || len(out.Chunks) < 3 {
			t.Fatalf("%d passages, %v", len(out.Chunks), err)
		}
		n := 0
		for _, c := range out.Chunks {
			n += strings.Count(c.Content, "Sentence number")
		}
		if n < 40 || (n > 40) != repeats {
			t.Errorf("overlap %d: %d sentences in all, and the document has 40", overlap, n)
		}
	}
}

// Every row sets its own field, from its own default, and no other.
func TestSettingsTable(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range settings() {
		for _, name := range []string{s.env, s.key, "--" + s.flag} {
			if name != "--" && seen[name] {
				t.Errorf("%s is there twice", name)
			}
			seen[name] = true
		}
		if s.secret != (s.flag == "") {
			t.Errorf("%s: a secret has no flag, and all else has one", s.env)
		}
		if s.def != "" {
			var c config
			if zero, err := s.set(&c, s.def); zero || err != nil {
				t.Errorf("%s: its default %q is zero (%v) or wrong: %v", s.env, s.def, zero, err)
			}
		}
	}
}

func TestConfigValues(t *testing.T) {
	t.Chdir(t.TempDir())
	root := (&app{}).rootCommand()
	err := root.PersistentFlags().Parse([]string{
		"--max-file-bytes", "500MB", "--index-memory", "64MiB", "--timeout", "1500ms", "--document-timeout", "1m",
		"--ingest-workers", "7", "--max-in-flight", "8", "--max-call-memory", "64MiB", "--user-share", "0.25", "--embedding-concurrency", "3", "--embedding-batch", "5", "--chunk-tokens", "300", "--chunk-overlap", "30",
		"--embedding-model", "m", "--embedding-dimensions", "12", "--openai-base-url", "http://h/v1/",
		"--chat-model", "c", "--chat-base-url", "http://c/v1/", "--chat-timeout", "31s", "--chat-first-token", "11s", "--chat-token-gap", "5s", "--chat-concurrency", "2",
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := (&app{env: []string{"OPENAI_API_KEY=k"}}).loadConfig(root.PersistentFlags())
	if err != nil {
		t.Fatal(err)
	}
	c.origins = nil
	want := config{
		Listen: "127.0.0.1:8080", Data: "./weir-data", Store: "sqlite", DatabaseLayout: "own", Embedder: "openai",
		OpenAIBaseURL: "http://h/v1", OpenAIAPIKey: "k", EmbeddingModel: "m", Dimensions: 12,
		Timeout: 1500 * time.Millisecond, MaxFileBytes: 500_000_000, IngestWorkers: 7, MaxInFlight: 8, MaxCallMemory: 64 << 20, UserShare: 0.25, MaxConcurrent: 3, MaxBatch: 5,
		IndexMemory: 64 << 20, DocumentTimeout: time.Minute, ChunkTokens: 300, ChunkOverlap: 30, LogFormat: "text",
		chatConfig: chatConfig{
			ChatModel: "c", ChatBaseURL: "http://c/v1", ChatTimeout: 31 * time.Second, ChatFirstToken: 11 * time.Second,
			ChatTokenGap: 5 * time.Second, ChatConcurrency: 2,
		},
		identityConfig: identityConfig{Auth: "off"},
		exposureConfig: exposureConfig{MaxStreams: 256, DrainTimeout: 15 * time.Second},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got %+v\nwant %+v", c, want)
	}
}

// settingsDoc is the table of docs/CONFIG.md.
func settingsDoc() string {
	var b strings.Builder
	b.WriteString("| Variable | `weir.yaml` | Flag | Default | Meaning |\n|---|---|---|---|---|\n")
	for _, s := range settings() {
		flag := "none"
		if s.flag != "" {
			flag = "`--" + s.flag + " " + s.value + "`"
		}
		def := s.defaultText()
		if s.defDoc == "" {
			def = "`" + def + "`"
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s | %s |\n", s.env, s.key, flag, def, s.help)
	}
	return b.String()
}

// docs/CONFIG.md holds the table as the program knows it.
func TestConfigDoc(t *testing.T) {
	const begin, end = "<!-- settings: written by go test ./cmd/weir -update -->\n", "<!-- end of settings -->\n"
	path := filepath.Join("..", "..", "docs", "CONFIG.md")
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(doc), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has lost the lines %q and %q", path, begin, end)
	}
	golden(t, path, head+begin+settingsDoc()+end+tail)
}

// As sudo -u weir in the home of another. A file that is there was meant to be in force, and is an error.
func TestSettingsInAFolderThatMayNotBeEntered(t *testing.T) {
	if runtime.GOOS == "windows" || os.Geteuid() == 0 {
		t.Skip("nothing is forbidden to root")
	}
	dir := t.TempDir()
	t.Chdir(dir)
	write(t, ".", "weir.yaml", "timeout: 3s\n")
	mode := func(path string, m os.FileMode) {
		if err := os.Chmod(path, m); err != nil {
			t.Error(err)
		}
	}
	mode("weir.yaml", 0)
	if r := weirIn(t, nil, "", "", "config"); r.code != exitUsage || !strings.Contains(r.stderr, "weir.yaml cannot be read") {
		t.Errorf("a file that may not be read: %+v", r)
	}
	mode(dir, 0)
	defer mode(dir, 0o700)
	if row := configOf(t, nil)["WEIR_TIMEOUT"]; row.From != "default" {
		t.Errorf("a folder that may not be entered: %+v", row)
	}
	if r := weirIn(t, nil, "", "", "config", "--config", "weir.yaml"); r.code != exitUsage {
		t.Errorf("the file was named: %+v", r)
	}
}
