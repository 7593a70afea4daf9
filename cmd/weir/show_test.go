package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weir/internal/rag"
)

// Bars are drawn on the screen, results go where they were sent, and nothing
// is left running.
func TestBars(t *testing.T) {
	docs := []candidate{{Path: "one.pdf"}, {Path: "two\x1b[2J.pdf"}}
	tests := []struct {
		name     string
		toScreen bool
	}{{name: "both on one screen", toScreen: true}, {name: "results to a file"}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var screen, file bytes.Buffer
			var s *barShow
			if tt.toScreen {
				s = newBarShow(&screen, nil, 100, docs)
			} else {
				s = newBarShow(&screen, &file, 100, docs)
			}
			for i, d := range docs {
				s.begun(i)
				s.moved(i, rag.Document{Status: rag.Parsing, Progress: rag.Progress{Done: 3, Total: 10}})
				s.moved(i, rag.Document{Status: rag.Queued, Waiting: "the embedder is busy"})
				s.done(i, outcome{Path: d.Path, Result: resultFailed, Error: &rag.DocumentError{Message: "is broken"}})
			}
			s.end()
			results := file.String()
			if tt.toScreen {
				results = screen.String()
			}
			for _, want := range []string{"failed  one.pdf: is broken", "failed  two?[2J.pdf: is broken"} {
				if !strings.Contains(results, want) {
					t.Errorf("%q is missing in %q", want, results)
				}
			}
			if strings.Contains(screen.String(), "\x1b[2J.pdf") {
				t.Error("a filename moved the cursor")
			}
		})
	}
}

func TestCollect(t *testing.T) {
	root := t.TempDir()
	data := filepath.Join(root, "weir-data")
	write(t, root, "a.txt", "a")
	write(t, root, "B.PDF", "b")
	write(t, root, "sub/deep/c.md", "c")
	write(t, root, "weir-data/d.txt", "d")
	write(t, root, ".secret/e.txt", "e")
	write(t, root, "f.exe", "f")
	outside := t.TempDir()
	write(t, outside, "g.txt", "g")
	for link, target := range map[string]string{
		"link.txt": filepath.Join(outside, "g.txt"), "loop": root, "dangling.txt": filepath.Join(outside, "none"),
	} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Skipf("no links here: %v", err)
		}
	}
	docs, left, err := collect(t.Context(), []string{root}, "", data)
	if err != nil {
		t.Fatal(err)
	}
	var got, skips []string
	for _, d := range docs {
		got = append(got, d.Name)
	}
	for _, s := range left {
		rel, err := filepath.Rel(root, s.Path)
		if err != nil {
			t.Fatal(err)
		}
		why, _, _ := strings.Cut(s.Why, " (")
		skips = append(skips, rel+": "+why)
	}
	slices.Sort(got)
	slices.Sort(skips)
	if want := []string{"B.PDF", "a.txt", "link.txt", "sub/deep/c.md"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	want := []string{
		".secret: is hidden", "dangling.txt: cannot be read: no such file or directory", "f.exe: is of no kind that is read",
		"loop: is a link to a folder", "weir-data: is Weir's data folder",
	}
	if !slices.Equal(skips, want) {
		t.Errorf("skipped %q, want %q", skips, want)
	}
	// A folder given by a link is entered, and its names stay those below it.
	link := filepath.Join(outside, "to-root")
	if err := os.Symlink(filepath.Join(root, "sub"), link); err != nil {
		t.Fatal(err)
	}
	docs, _, err = collect(t.Context(), []string{link}, "", data)
	if err != nil || len(docs) != 1 || docs[0].Name != "deep/c.md" || docs[0].Path != filepath.Join(link, "deep", "c.md") {
		t.Errorf("got %+v, %v", docs, err)
	}
}

func TestDidYouMean(t *testing.T) {
	names := []string{"search", "serve", "ingest"}
	for name, want := range map[string]string{"serach": "search", "sevre": "serve", "INGEST": "ingest", "xylophone": "", "": ""} {
		if got := didYouMean(name, names); (want == "" && got != "") || !strings.Contains(got, want) {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

func TestWrapped(t *testing.T) {
	got := wrapped("a | b\n\nlong line of words here\x1b[31m\n", 12)
	want := []string{"a | b", "", "long line of", "words", "here?[31m"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
