package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"weir/e2e/weirtest"
)

// fence is one fenced block of a page.
type fence struct {
	page, language, text string
	line                 int
	section              string // the heading above it
}

// fences are all fenced blocks of the pages, in their order.
func fences(t *testing.T, pages ...string) []fence {
	t.Helper()
	var all []fence
	for _, page := range pages {
		b, err := os.ReadFile(filepath.Join(repository, page))
		if err != nil {
			t.Fatal(err)
		}
		var open *fence
		indent, section, n := "", "", 0
		for line := range strings.Lines(string(b)) {
			n++
			line = strings.TrimSuffix(line, "\n")
			rest := strings.TrimLeft(line, " ")
			switch language, ok := strings.CutPrefix(rest, "```"); {
			case ok && open == nil:
				indent = line[:len(line)-len(rest)]
				open = &fence{page: page, language: strings.TrimSpace(language), line: n, section: section}
			case ok:
				all = append(all, *open)
				open = nil
			case open != nil:
				open.text += strings.TrimPrefix(line, indent) + "\n"
			case strings.HasPrefix(line, "#"):
				section = strings.TrimLeft(line, "# ")
			}
		}
		if open != nil {
			t.Errorf("%s:%d: the block does not end", page, open.line)
		}
	}
	return all
}

const repository = ".."

// pages are all pages of the repository, samples and tests' data apart.
func pages(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"*.md", "docs/*.md", "clients/*/*.md", "deploy/*.md", "deploy/*/*.md", "tools/*/README.md"} {
		found, err := filepath.Glob(filepath.Join(repository, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			rel, err := filepath.Rel(repository, f)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, filepath.ToSlash(rel))
		}
	}
	slices.Sort(all)
	return all
}

// TestDocs runs what the pages tell people to run, and holds the answers
// against those that the pages show. A block that nothing is known of fails: it
// is to be run, or to be told apart in exceptions with the reason.
func TestDocs(t *testing.T) {
	d := &docs{used: map[int]bool{}, state: filepath.Join(t.TempDir(), "state")}
	d.start(t)
	all := fences(t, pages(t)...)
	for i, f := range all {
		t.Run(fmt.Sprintf("%s:%d", f.page, f.line), func(t *testing.T) {
			e, known := d.exception(f)
			switch {
			case known && e.because != "":
				t.Skip("not run: " + e.because)
			case known && e.from != "":
				d.compare(t, f.text, d.run(t, e.from), e.at)
			case known && e.check != nil:
				e.check(t, d, f)
			case f.language == "sh" && slices.Contains(run, f.page):
				out := d.run(t, f.text)
				if i+1 < len(all) && d.answers(f, all[i+1]) {
					d.compare(t, all[i+1].text, out, "")
				} else if strings.HasPrefix(out, `{"type":"about:blank"`) || strings.HasPrefix(out, `{"error":{`) {
					t.Errorf("it is refused: %s", out)
				}
			case i > 0 && d.answers(all[i-1], f): // held against it above
			default:
				t.Errorf("this block is neither run nor excused:\n%s", f.text)
			}
		})
	}
	for i, e := range exceptions() {
		if !d.used[i] {
			t.Errorf("%s has no block with %q, which is excepted", e.page, e.has)
		}
	}
}

// answers reports whether b is the answer to a.
func (d *docs) answers(a, b fence) bool {
	_, known := d.exception(b)
	return !known && a.page == b.page && a.section == b.section && a.language == "sh" && b.language == "json" && slices.Contains(run, a.page)
}

// docs is a server, and a shell beside it.
type docs struct {
	server *server
	data   string
	home   string
	path   string // of a folder with the program
	state  string // a file of the shell's variables
	used   map[int]bool
}

func (d *docs) start(t *testing.T) {
	t.Helper()
	d.data, d.home, d.path = filepath.Join(t.TempDir(), "data"), t.TempDir(), filepath.Dir(binary)
	d.server = serve(t, d.data, "--docs", examples)
	handbook, err := os.ReadFile(filepath.Join(examples, "guia-del-inquilino.pdf"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(d.home, "Documents"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(d.home, "Documents"), "handbook.pdf", string(handbook))
}

func (d *docs) exception(f fence) (exception, bool) {
	for i, e := range exceptions() {
		if e.page == f.page && strings.Contains(f.text, e.has) {
			d.used[i] = true
			return e, true
		}
	}
	return exception{}, false
}

var assigned = regexp.MustCompile(`(?m)^(\w+)=`)

// run runs lines of a shell as printed, in the repository's folder, against the
// server here. Variables live on to the next.
func (d *docs) run(t *testing.T, lines string) string {
	t.Helper()
	lines = strings.ReplaceAll(lines, "http://127.0.0.1:8080", d.server.URL)
	lines = strings.ReplaceAll(lines, "go run ./cmd/weir", "weir")
	script := "set -euo pipefail\n[ ! -e \"$STATE\" ] || . \"$STATE\"\n" + lines + "\n"
	for _, name := range assigned.FindAllStringSubmatch(lines, -1) {
		script += fmt.Sprintf("printf '%s=%%q\\n' \"$%s\" >>\"$STATE\"\n", name[1], name[1])
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", script)
	cmd.Dir = repository
	cmd.Env = append(weirtest.Environment(), "HOME="+d.home, "PATH="+d.path+":"+os.Getenv("PATH"), "WEIR_DATA="+d.data, "STATE="+d.state)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("%v: %s%s\n%s", err, out, &stderr, lines)
	}
	return string(out)
}
