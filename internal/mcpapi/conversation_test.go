package mcpapi

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"weir/internal/embed"
	"weir/internal/rag"
)

var update = flag.Bool("update", false, "write the conversations in testdata as they go now")

func newLogger(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

// The conversations are what goes over the wire: lines that begin with -> are
// sent, and those with <- come back. They are the same over HTTP and on
// standard input; {document} stands for the id of the one that is there.
func TestConversations(t *testing.T) {
	files, err := filepath.Glob("testdata/*.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatal("there is no conversation", err)
	}
	for _, file := range files {
		for _, way := range []string{"stdio", "http"} {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".jsonl")+" by "+way, func(t *testing.T) {
				svc := newService(t, embed.None{}, rag.Config{}, true)
				doc, _, err := svc.Upload(t.Context(), "ann", rag.NewDocument{Filename: "boat.md", Content: []byte("The dinghy is called Petrel.\n\nThe dinghy holds four.")})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := svc.Wait(t.Context(), "ann", doc.ID); err != nil {
					t.Fatal(err)
				}
				d := newDoor(t, Config{Version: "1.2.3"}, svc)
				say := overStdio(t, d)
				if way == "http" {
					s := listen(t, d)
					say = func(message string, _ bool) string { _, body := answer(t, s.URL, message); return body }
				}
				replay(t, file, doc.ID, say)
			})
		}
	}
}

// overStdio returns a way to say a message and, unless it is a notification,
// hear what comes back.
func overStdio(t *testing.T, d *Door) func(message string, hear bool) string {
	in, w := io.Pipe()
	r, out := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- d.ServeStdio(t.Context(), "ann", in, out)
		out.Close()
	}()
	t.Cleanup(func() {
		w.Close()
		if err := <-done; err != nil {
			t.Errorf("the end of standard input is %v", err)
		}
	})
	lines := bufio.NewReader(r)
	return func(message string, hear bool) string {
		if _, err := io.WriteString(w, message+"\n"); err != nil {
			t.Fatal(err)
		}
		if !hear {
			return ""
		}
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(line)
	}
}

func replay(t *testing.T, file, document string, say func(string, bool) string) {
	t.Helper()
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for line := range strings.Lines(string(want)) {
		message, ok := strings.CutPrefix(strings.TrimSpace(line), "-> ")
		if !ok {
			continue
		}
		got.WriteString("-> " + message + "\n")
		answer := say(strings.ReplaceAll(message, "{document}", document), strings.Contains(message, `"id"`))
		if answer != "" {
			got.WriteString("<- " + settled(t, answer, document) + "\n")
		}
	}
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got.String() != string(want) {
		t.Errorf("%s is not how it goes (go test ./internal/mcpapi -update writes it):\n%s", file, got.String())
	}
}

var (
	operations = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`)
	moments    = regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z`)
	timings    = regexp.MustCompile(`"timings_ms":\{"queue":[0-9][^}]*\}`)
)

// settled is an answer without what differs from one run to the next.
func settled(t *testing.T, answer, document string) string {
	t.Helper()
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(answer)); err != nil {
		t.Fatalf("%v: %s", err, answer)
	}
	s := strings.ReplaceAll(compact.String(), document, "{document}")
	s = operations.ReplaceAllString(s, "{operation}")
	s = moments.ReplaceAllString(s, "{time}")
	return timings.ReplaceAllString(s, `"timings_ms":{}`)
}

// A client that goes quiet does not keep a process that is told to stop, nor
// does a call that is under way.
func TestStdioEndsWithItsContext(t *testing.T) {
	begun := make(chan struct{})
	d := newDoor(t, Config{}, scripted{retrieve: func(ctx context.Context) (*rag.Response, error) {
		close(begun)
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	ctx, stop := context.WithCancel(t.Context())
	in, w := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- d.ServeStdio(ctx, "ann", in, io.Discard) }()
	for _, message := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`,
		`{"jsonrpc":"2.0","method":"notifications/initialized","params":{}}`,
		question,
	} {
		if _, err := io.WriteString(w, message+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	<-begun
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
