package extract

import (
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"weir/internal/rag"

	"go.uber.org/goleak"
)

// testCache is shared by the tests of one run, as compiling PDFium takes
// seconds.
var testCache string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "extract-test-*")
	if err != nil {
		panic(err)
	}
	testCache = dir
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(dir)
		os.Exit(code)
	}))
}

func newExtractor(tb testing.TB, cfg Config) *Extractor {
	tb.Helper()
	if cfg.CacheDir == "" {
		cfg.CacheDir = testCache
	}
	x, err := New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := x.Close(); err != nil {
			tb.Error(err)
		}
	})
	return x
}

func extractFile(tb testing.TB, x *Extractor, file string) rag.Extracted {
	tb.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	out, err := x.Extract(tb.Context(), filepath.Base(file), b, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// checkChunks holds what is true of every document's chunks.
func checkChunks(tb testing.TB, x *Extractor, out rag.Extracted) {
	tb.Helper()
	page := 0
	for i, c := range out.Chunks {
		switch {
		case c.Index != i:
			tb.Fatalf("chunk %d has index %d", i, c.Index)
		case c.Content == "" || !utf8.ValidString(c.Content) || !utf8.ValidString(c.SectionTitle):
			tb.Fatalf("chunk %d: empty or not UTF-8: %q", i, c.Content)
		case c.Tokens != x.CountTokens(c.Content):
			tb.Fatalf("chunk %d: Tokens = %d, counted %d", i, c.Tokens, x.CountTokens(c.Content))
		case c.Tokens > x.cfg.ChunkTokens:
			tb.Fatalf("chunk %d: %d tokens; the limit is %d:\n%s", i, c.Tokens, x.cfg.ChunkTokens, c.Content)
		case (c.SectionPath == nil) != (c.SectionTitle == ""):
			tb.Fatalf("chunk %d: path %v and title %q", i, c.SectionPath, c.SectionTitle)
		case out.Pages == 0 && (c.PageStart != 0 || c.PageEnd != 0):
			tb.Fatalf("chunk %d: pages %d–%d of none", i, c.PageStart, c.PageEnd)
		case out.Pages > 0 && (c.PageStart < 1 || c.PageEnd < c.PageStart || c.PageEnd > out.Pages || c.PageStart < page):
			tb.Fatalf("chunk %d: pages %d–%d of %d, after one that starts on %d", i, c.PageStart, c.PageEnd, out.Pages, page)
		}
		page = c.PageStart
	}
}
