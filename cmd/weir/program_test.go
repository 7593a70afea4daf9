package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/internal/rag"
)

// A page that cannot be read is named wherever the document is looked at, and
// does not stand in the way of the others.
func TestADamagedPageIsNamed(t *testing.T) {
	const file, warning = "testdata/damaged-page.pdf", "page 2 of 3 cannot be read; all else is searched"
	data := t.TempDir()
	for _, result := range []string{"ready", "same"} {
		if r := weir(t, data, "ingest", file); r.code != exitOK || !strings.Contains(r.out, result) || !strings.Contains(r.out, "; "+warning) {
			t.Errorf("ingest: %+v", r)
		}
	}
	if o := decode[outcome](t, weir(t, data, "ingest", file, "--json").out); o.Document == nil || o.Document.Warning != warning {
		t.Errorf("ingest --json: %+v", o)
	}
	for question, found := range map[string]bool{"kettle": true, "lid": false, "cord": true} {
		resp := decode[rag.Response](t, weir(t, data, "search", question, "--mode", "lexical", "--json").out)
		if (len(resp.Chunks) > 0) != found {
			t.Errorf("%s: %+v", question, resp.Chunks)
		}
	}
}

func TestServeIngestSearch(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	docs := t.TempDir()
	write(t, docs, "warranty.md", "# Warranty\n\nThe warranty of the kettle lasts 27 months.\n")
	s := serve(t, data, "--docs", docs)
	for _, want := range []string{"hybrid", "the model inside this program", "curl -s " + s.url + "/v1/retrieve"} {
		if !strings.Contains(s.head, want) {
			t.Errorf("it did not print %q:\n%s", want, s.head)
		}
	}
	later := write(t, t.TempDir(), "later.txt", "The ladder holds 150 kilograms.\n")
	if r := weir(t, data, "ingest", later); r.code != exitOK || !strings.Contains(r.out, "ready   "+later) {
		t.Fatalf("ingest through the server: %+v", r)
	}
	r := weir(t, data, "search", "how long does the warranty last?")
	if r.code != exitOK || !strings.Contains(r.out, "1. warranty.md") || !strings.Contains(r.out, "27 months") {
		t.Errorf("search through the server: %+v", r)
	}
	// The server is asked, not the file: a setting for this process is said to have no effect.
	r = weir(t, data, "search", "how much does the ladder hold?", "--json", "--chunk-tokens", "300", "--chunk-overlap", "30")
	resp := decode[rag.Response](t, r.out)
	if len(resp.Chunks) == 0 || resp.Chunks[0].Filename != "later.txt" || resp.Mode != rag.Hybrid {
		t.Errorf("got %+v", resp)
	}
	if !strings.Contains(r.stderr, "--chunk-tokens has no effect") {
		t.Errorf("a setting that has no effect was taken in silence: %q", r.stderr)
	}
	second := weir(t, data, "serve", "--listen", "127.0.0.1:0")
	if second.code != exitFailed || !strings.Contains(second.stderr, "held by weir serve, process "+itoa(os.Getpid())) || !strings.Contains(second.stderr, s.url) {
		t.Errorf("a second server: %+v", second)
	}
	// eval has a folder of its own unless told otherwise.
	if r := weir(t, "", "eval", "--answers", write(t, t.TempDir(), "q.jsonl", `{"question":"warranty","answer_pattern":"27"}`), docs, "--data", data); r.code != exitFailed || !strings.Contains(r.stderr, "held by weir serve") {
		t.Errorf("eval on a folder that is held: %+v", r)
	}
	if r := weir(t, data, "doctor", "--json"); r.code != exitOK || !strings.Contains(r.out, `"server"`) {
		t.Errorf("doctor beside a server: %+v", r)
	}
	if r := s.stop(); r.code != exitOK {
		t.Errorf("the server ended with %d: %s", r.code, r.stderr)
	}
	if left := names(t, data); slices.Contains(left, serverFile) || slices.Contains(left, holderFile) {
		t.Errorf("it left its notes: %v", left)
	}
	// Without the server the folder is opened by the command itself.
	if r := weir(t, data, "search", "how much does the ladder hold?"); r.code != exitOK || !strings.Contains(r.out, "later.txt") {
		t.Errorf("search after the server: %+v", r)
	}
}

// The command that serve prints is run by a real shell.
func TestPrintedCurlWorks(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no sh")
	}
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("there is no curl")
	}
	tests := []struct {
		name, content string
		args          []string
	}{
		{name: "own document", content: "About towels: they are in the third drawer.\n"},
		{name: "another user", content: "About towels: they are in the third drawer.\n", args: []string{"--user", "o'brien $HOME `x`"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			docs := t.TempDir()
			write(t, docs, "guide.txt", tt.content)
			s := serve(t, t.TempDir(), append([]string{"--docs", docs}, tt.args...)...)
			_, command, _ := strings.Cut(s.head, "or try:\n")
			if strings.Contains(strings.ToLower(command), "towel") {
				t.Errorf("it prints what is in a document: %s", command)
			}
			out, err := exec.CommandContext(t.Context(), shell, "-c", command).Output()
			if err != nil {
				t.Fatalf("%s: %v", command, err)
			}
			if resp := decode[rag.Response](t, string(out)); len(resp.Chunks) != 1 {
				t.Errorf("%s\nanswers %s", command, out)
			}
		})
	}
}

func TestIngestBadFiles(t *testing.T) {
	data, docs := filepath.Join(t.TempDir(), "data"), t.TempDir()
	write(t, docs, "good.txt", "The spare key hangs behind the boiler.\n")
	write(t, docs, "sub/also-good.md", "# Bins\n\nGlass is collected on Fridays.\n")
	write(t, docs, "empty.txt", "")
	write(t, docs, "broken.pdf", "%PDF-1.7\nnot much more than that\n")
	write(t, docs, "picture.txt", "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00")
	write(t, docs, "large.txt", strings.Repeat("large ", 1000))
	write(t, docs, ".hidden.txt", "hidden")
	write(t, docs, ".git/config.txt", "hidden")
	write(t, docs, "song.mp3", "x")
	write(t, docs, "copy.txt", "The spare key hangs behind the boiler.\n")

	r := weir(t, data, "ingest", docs, "--json", "--max-file-bytes", "4KiB")
	if r.code != exitFailed {
		t.Errorf("exit %d with failed documents", r.code)
	}
	got := outcomes(t, r.out)
	wantCodes := map[string]rag.Code{
		"empty.txt": rag.Invalid, "broken.pdf": rag.Invalid, "picture.txt": rag.UnsupportedMedia, "large.txt": rag.TooLarge,
	}
	for name, code := range wantCodes {
		if o := got[name]; o.Result != resultFailed || o.Error == nil || o.Error.Code != code || o.Error.Message == "" {
			t.Errorf("%s: got %+v (%+v), want %s", name, o, o.Error, code)
		}
	}
	if o := got["sub/also-good.md"]; o.Result != resultReady || o.Document.Chunks == 0 {
		t.Errorf("also-good.md: %+v", o)
	}
	pair := []string{got["good.txt"].Result, got["copy.txt"].Result}
	slices.Sort(pair)
	if !slices.Equal(pair, []string{resultReady, resultSame}) {
		t.Errorf("one content under two names became %v", pair)
	}
	if len(got) != 7 {
		t.Errorf("%d outcomes: %v", len(got), r.out)
	}
	for _, name := range []string{".hidden.txt: is hidden", ".git: is hidden", "song.mp3: is of no kind"} {
		if !strings.Contains(r.stderr, name) {
			t.Errorf("it does not say %q:\n%s", name, r.stderr)
		}
	}
	if !strings.Contains(r.stderr, "2 ready, 1 there already, 4 failed") {
		t.Errorf("summary: %s", r.stderr)
	}
	if r := weir(t, data, "search", "where is the spare key?"); r.code != exitOK || !strings.Contains(r.out, "behind the boiler") {
		t.Errorf("the good ones are not there: %+v", r)
	}
}

func TestIngestReplaceAndKeep(t *testing.T) {
	data, docs := filepath.Join(t.TempDir(), "data"), t.TempDir()
	count := func(t *testing.T, question string) int {
		t.Helper()
		return len(decode[rag.Response](t, weir(t, data, "search", question, "--json").out).Chunks)
	}
	path := write(t, docs, "menu.txt", "Monday: lentils with rosemary.\n")
	weir(t, data, "ingest", path)
	write(t, docs, "menu.txt", "Monday: pancakes with rosemary.\n")
	if r := weir(t, data, "ingest", path); r.code != exitOK {
		t.Fatalf("%+v", r)
	}
	if old, all := count(t, "lentils"), count(t, "rosemary"); old != 0 || all != 1 {
		t.Errorf("after a replacement there are %d old passages and %d in all", old, all)
	}
	write(t, docs, "menu.txt", "Monday: dumplings with rosemary.\n")
	if r := weir(t, data, "ingest", path, "--keep"); r.code != exitOK {
		t.Fatalf("%+v", r)
	}
	if all := count(t, "rosemary"); all != 2 {
		t.Errorf("with --keep there are %d passages, want both", all)
	}
}

func TestIngestStdin(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	r := weirIn(t, nil, "<h1>Terms</h1><p>Returns are free within 30 days.</p>", data, "ingest", "-", "--name", "terms.html")
	if r.code != exitOK || !strings.HasPrefix(r.out, "[1/1] ready   terms.html (standard input)  ") {
		t.Fatalf("%+v", r)
	}
	if r := weir(t, data, "search", "returns"); !strings.Contains(r.out, "1. terms.html") || !strings.Contains(r.out, "Terms") {
		t.Errorf("%+v", r)
	}
	r = weirIn(t, nil, strings.Repeat("x", 5000), data, "ingest", "-", "--name", "x.txt", "--max-file-bytes", "4KiB")
	if r.code != exitFailed || !strings.Contains(r.out, "larger than the limit of 4 KiB") {
		t.Errorf("too much from standard input: %+v", r)
	}
}

// Standard input that never ends does not keep a command that is told to stop.
func TestStdinThatNeverEnds(t *testing.T) {
	never, w := io.Pipe()
	defer w.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	var stderr bytes.Buffer
	go func() {
		args := []string{"ingest", "-", "--name", "x.txt", "--data", t.TempDir()}
		ended <- run(ctx, args, environment(), never, io.Discard, &stderr)
	}()
	if _, err := w.Write([]byte("some of it")); err != nil { // it is being read
		t.Fatal(err)
	}
	cancel()
	if code := <-ended; code != exitFailed || !strings.Contains(stderr.String(), "1 not read") {
		t.Errorf("exit %d: %s", code, stderr.String())
	}
}

func TestUsersAreApart(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	weirIn(t, nil, "Ana's locker is number 14.", data, "ingest", "-", "--name", "a.txt", "--user", "ana")
	if r := weir(t, data, "search", "locker", "--user", "ana"); !strings.Contains(r.out, "number 14") {
		t.Errorf("%+v", r)
	}
	r := weir(t, data, "search", "locker", "--user", "ben")
	if r.code != exitOK || !strings.Contains(r.out, `the user "ben" has no documents`) {
		t.Errorf("%+v", r)
	}
}

func TestSearchSaysWhyItIsEmpty(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	if r := weir(t, data, "search", "anything"); r.code != exitFailed || !strings.Contains(r.stderr, "there is no data folder") {
		t.Errorf("no folder: %+v", r)
	}
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if r := weir(t, data, "search", "anything"); r.code != exitOK || !strings.Contains(r.out, "has no documents") {
		t.Errorf("no documents: %+v", r)
	}
	if r := weir(t, data, "search", "anything"); !strings.Contains(r.out, `the user "default" has no documents`) {
		t.Errorf("no documents: %+v", r)
	}
	weirIn(t, nil, "The lamp is green.", data, "ingest", "-", "--name", "lamp.txt")
	for _, tt := range []struct{ flag, out string }{
		{"--json=false", ""},
		{"--json", `{"error":{"code":"not_found","message":"there is no document \"nope\" of the user \"default\""}}` + "\n"},
	} {
		r := weir(t, data, "search", "lamp", "--document", "nope", tt.flag)
		if r.code != exitFailed || r.out != tt.out || r.stderr != "weir: there is no document \"nope\" of the user \"default\"\n" {
			t.Errorf("a document that is not there: %+v", r)
		}
	}
	s := serve(t, data)
	if r := weir(t, data, "search", "lamp", "--document", "nope"); r.code != exitFailed || !strings.Contains(r.stderr, `there is no document "nope"`) {
		t.Errorf("a document that is not there, through a server: %+v", r)
	}
	if strings.Contains(s.head, "or try:") || !strings.Contains(s.head, "in a browser to add documents") {
		t.Errorf("nothing was indexed, and it says what to ask, or not where to add: %s", s.head)
	}
	s.stop()
	if r := weir(t, data, "search", "zygote", "--mode", "lexical"); r.code != exitOK || !strings.Contains(r.out, "No passage has anything of this question") {
		t.Errorf("no match: %+v", r)
	}
	if r := weir(t, data, "search", "lamp", "--token-budget", "1"); r.code != exitOK || !strings.Contains(r.out, "budget of 1 tokens") {
		t.Errorf("budget: %+v", r)
	}
	if r := weir(t, data, "search", "zygote", "--threshold", "0.9"); r.code != exitOK || !strings.Contains(r.out, "the least similarity is 0.9") {
		t.Errorf("below the threshold: %+v", r)
	}
	r := weir(t, data, "search", "zygote", "--json", "--embedder", "none")
	if resp := decode[rag.Response](t, r.out); resp.EmptyReason == nil || *resp.EmptyReason != rag.NoMatch {
		t.Errorf("as JSON: %s", r.out)
	}
}

// A folder that another command holds is waited for, no longer than ctx.
func TestHeldFolder(t *testing.T) {
	data := t.TempDir()
	h, err := takeHold(data, "ingest")
	if err != nil {
		t.Fatal(err)
	}
	t.Run("its pid is told", func(t *testing.T) {
		_, _, err := holdOrServer(t.Context(), data, "search", time.Millisecond)
		if err == nil || !strings.Contains(err.Error(), "held by weir ingest, process "+itoa(os.Getpid())) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a caller that leaves is let go", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := holdOrServer(ctx, data, "search", time.Hour); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("it is taken when it is free", func(t *testing.T) {
		got := make(chan error, 1)
		go func() {
			next, _, err := holdOrServer(t.Context(), data, "search", time.Minute)
			if err == nil {
				err = next.release()
			}
			got <- err
		}()
		if err := h.release(); err != nil {
			t.Fatal(err)
		}
		if err := <-got; err != nil {
			t.Errorf("got %v", err)
		}
	})
}

// What a server that was killed left is no obstacle.
func TestStaleNotes(t *testing.T) {
	data := t.TempDir()
	write(t, data, serverFile, `{"pid":1,"address":"127.0.0.1:9"}`)
	write(t, data, holderFile, `{"pid":1,"command":"serve"}`)
	write(t, data, lockFile, "")
	if r := weirIn(t, nil, "The attic is dry.", data, "ingest", "-", "--name", "attic.txt"); r.code != exitOK {
		t.Fatalf("%+v", r)
	}
	s := serve(t, data)
	if r := weir(t, data, "search", "attic"); !strings.Contains(r.out, "attic.txt") {
		t.Errorf("%+v", r)
	}
	s.stop()
}

// A server that stopped in the middle of an ingest goes on with it.
func TestIngestStopped(t *testing.T) {
	data, docs := filepath.Join(t.TempDir(), "data"), t.TempDir()
	for i := range 40 {
		write(t, docs, "n"+itoa(i)+".txt", "Shelf "+itoa(i)+" holds marmalade.\n")
	}
	ctx, cancel := context.WithCancel(t.Context())
	var out, stderr bytes.Buffer
	first := writerFunc(func(p []byte) (int, error) {
		cancel() // when the first is ready
		return out.Write(p)
	})
	code := run(ctx, []string{"ingest", docs, "--data", data, "--json"}, environment(), strings.NewReader(""), first, &stderr)
	if code != exitFailed {
		t.Errorf("exit %d: %s", code, stderr.String())
	}
	results := map[string]int{}
	for _, o := range outcomes(t, out.String()) {
		results[o.Result]++
	}
	if results[resultReady] == 0 || results[resultNotRead]+results[resultQueued] == 0 || results[resultFailed] > 0 || len(outcomes(t, out.String())) != 40 {
		t.Errorf("got %v: %s", results, stderr.String())
	}
	if results[resultQueued] > 0 && !strings.Contains(stderr.String(), "what is queued goes on") {
		t.Errorf("said %q", stderr.String())
	}
	if r := weir(t, data, "ingest", docs); r.code != exitOK {
		t.Errorf("the rest: %+v", r)
	}
	if resp := decode[rag.Response](t, weir(t, data, "search", "marmalade", "--max-chunks", "100", "--json").out); len(resp.Chunks) != 40 {
		t.Errorf("%d of 40 documents are there", len(resp.Chunks))
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestDoctor(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	r := weir(t, data, "doctor", "--listen", "127.0.0.1:0")
	if r.code != exitOK || strings.Contains(r.out, "✗") || !strings.Contains(r.out, "is not there yet and will be made") {
		t.Errorf("a new folder: %+v", r)
	}
	if _, err := os.Stat(data); !errors.Is(err, os.ErrNotExist) {
		t.Error("doctor made the data folder")
	}
	file := write(t, t.TempDir(), "file", "x")
	r = weir(t, file, "doctor", "--json", "--listen", "127.0.0.1:0")
	checks := map[string]bool{}
	for _, f := range decode[[]finding](t, r.out) {
		checks[f.Check] = f.OK
	}
	if r.code != exitFailed || checks["data"] || !checks["pdf"] {
		t.Errorf("a file for a data folder: %+v", r)
	}
	// Nothing listens on port 9 of this machine's loopback, or it does not speak HTTP.
	r = weirIn(t, []string{"OPENAI_BASE_URL=http://127.0.0.1:9/v1"}, "", data, "doctor", "--timeout", "2s", "--listen", "127.0.0.1:0")
	if r.code != exitFailed || !strings.Contains(r.out, "✗ embedder  http://127.0.0.1:9/v1: ") {
		t.Errorf("an embedder that is not there: %+v", r)
	}
}

func TestVersion(t *testing.T) {
	if r := weir(t, "", "version"); r.code != exitOK || !strings.Contains(r.out, runtime.Version()) {
		t.Errorf("%+v", r)
	}
	if r := weir(t, "", "--version"); r.code != exitOK || r.out != thisBuild().String()+"\n" {
		t.Errorf("--version: %+v", r)
	}
	for want, b := range map[string]build{
		"weir devel go os":                       {Version: develVersion, Go: "go", Platform: "os"},
		"weir devel commit abc (modified) go os": {Version: develVersion, Commit: "abc", Modified: true, Go: "go", Platform: "os"},
		"weir v1.2.3 go os":                      {Version: "v1.2.3", Go: "go", Platform: "os"},
		"weir v1.2.3+dirty commit abc go os":     {Version: "v1.2.3+dirty", Commit: "abc", Go: "go", Platform: "os"},
	} {
		if b.String() != want {
			t.Errorf("got %s, want %s", b, want)
		}
	}
	if b := decode[build](t, weir(t, "", "version", "--json").out); b.Go != runtime.Version() {
		t.Errorf("%+v", b)
	}
}

func TestHelp(t *testing.T) {
	for _, command := range append(commandNames((&app{}).rootCommand()), "") {
		args := []string{"--help"}
		if command != "" {
			args = []string{command, "--help"}
		}
		r := weir(t, "", args...)
		if r.code != exitOK || r.stderr != "" || !strings.Contains(r.out, "Usage:") || !strings.Contains(r.out, "weir config --help") {
			t.Errorf("weir %v: %+v", args, r)
		}
		for _, word := range []string{" int ", " float ", " string ", " stringArray ", "completion"} {
			if strings.Contains(r.out, word) {
				t.Errorf("weir %v says %q: %s", args, word, r.out)
			}
		}
	}
}

// The line names a document once, and no cause is lost.
func TestOutcomeNamesOnce(t *testing.T) {
	for message, want := range map[string]string{
		"sub/a.pdf: is broken":    "failed  /d/sub/a.pdf: is broken",
		"a.pdf: is broken":        "failed  /d/sub/a.pdf: is broken",
		"sub/a.pdf has no text":   "failed  /d/sub/a.pdf: has no text",
		"page 3 is beyond repair": "failed  /d/sub/a.pdf: page 3 is beyond repair",
		"a.pdfx: is of no kind":   "failed  /d/sub/a.pdf: a.pdfx: is of no kind",
	} {
		o := outcome{Path: "/d/sub/a.pdf", Filename: "sub/a.pdf", Result: resultFailed, Error: &rag.DocumentError{Message: message}}
		if o.String() != want {
			t.Errorf("got %s, want %s", o, want)
		}
	}
}

// What the system does not permit is said with what to do.
func TestNotPermitted(t *testing.T) {
	denied := &fs.PathError{Op: "open", Path: "/srv/lock", Err: syscall.EACCES}
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"folder", folderError("/srv", "locked", denied), "the data folder /srv cannot be written by this user; change its owner or take another with --data"},
		{"folder, another cause", folderError("/srv", "locked", syscall.EIO), "the data folder cannot be locked: " + syscall.EIO.Error()},
		{"low port", portTaken(denied, "127.0.0.1:80"), "ports below 1024 need privileges; take another with --listen"},
		{"high port", portTaken(denied, "127.0.0.1:8080"), denied.Error()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if !strings.HasSuffix(tt.err.Error(), tt.want) {
				t.Errorf("got %v, want %s", tt.err, tt.want)
			}
		})
	}
}

// A taken address leaves no data folder behind.
func TestTakenAddressMakesNoFolder(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	data := filepath.Join(t.TempDir(), "data")
	if r := weir(t, data, "serve", "--listen", taken.Addr().String()); r.code != exitFailed || !strings.Contains(r.stderr, "another program listens") {
		t.Errorf("%+v", r)
	}
	if _, err := os.Stat(data); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder was made: %v", err)
	}
}

// The server's note names its address, and it answers there.
func TestServerIsReady(t *testing.T) {
	data := t.TempDir()
	s := serve(t, data)
	note, ok := readServer(data, os.Getpid())
	if !ok || "http://"+note.Address != s.url || note.Version == "" || note.Started.IsZero() {
		t.Errorf("the note is %+v, the address %s", note, s.url)
	}
	client := &http.Client{Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	resp, err := client.Get("http://" + note.Address + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("status %d", resp.StatusCode)
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func itoa(n int) string { return strconv.Itoa(n) }
