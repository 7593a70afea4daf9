package extract

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/internal/rag"
)

type part struct{ name, content string }

func zipFile(tb testing.TB, parts ...part) []byte {
	tb.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, p := range parts {
		w, err := z.Create(p.name)
		if err != nil {
			tb.Fatal(err)
		}
		if _, err := io.WriteString(w, p.content); err != nil {
			tb.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// docxFile makes a Word document with the given body and further parts.
func docxFile(tb testing.TB, body string, parts ...part) []byte {
	tb.Helper()
	return zipFile(tb, append([]part{
		{"[Content_Types].xml", `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>`},
		{"word/document.xml", `<?xml version="1.0" encoding="UTF-8"?><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>` + body + `</w:body></w:document>`},
	}, parts...)...)
}

func para(text string) string { return "<w:p><w:r><w:t>" + text + "</w:t></w:r></w:p>" }

// noise is about n bytes of attributes, no more packable than those of real documents.
func noise(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, ` a%d="%x"`, i, uint32(i)*2654435761)
	}
	return b.String()
}

func utf16Text(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		b.WriteByte(c)
		b.WriteByte(0)
	}
	return b.String()
}

// TestBadFiles: each is an error with the right code that names the file and
// the reason; the good file after it is read.
func TestBadFiles(t *testing.T) {
	handbook, err := os.ReadFile(filepath.Join(examples, "plan-handbook.pdf"))
	if err != nil {
		t.Fatal(err)
	}
	policy, err := os.ReadFile(filepath.Join(examples, "employee-leave-policy.docx"))
	if err != nil {
		t.Fatal(err)
	}
	png := "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
	ole := "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1" + strings.Repeat("\x00", 500)
	deep := strings.Repeat("<w:sdt><w:sdtContent>", 3000)
	tests := []struct {
		name    string
		file    string
		content []byte
		code    rag.Code
		want    string // in the message
	}{
		{"zero bytes", "empty.pdf", nil, rag.Invalid, "is empty"},
		{"blanks alone", "blank.txt", []byte(" \n\t\r\n "), rag.Invalid, "is empty"},
		{"500 MB", "huge.pdf", make([]byte, 500<<20), rag.TooLarge, "500 MiB long; the limit is 64 MiB"},
		{"encrypted PDF", "secret.pdf", encryptedPDF(), rag.Invalid, "is encrypted (password-protected)"},
		{"PDF cut in half", "half.pdf", handbook[:len(handbook)/2], rag.Invalid, "is cut short"},
		{"PDF of noise", "noise.pdf", append([]byte("%PDF-1.7\n"), append(bytes.Repeat([]byte{0x9C, 7, 0xEE, 0}, 999), "\n%%EOF"...)...), rag.Invalid, "is damaged or cut short"},
		{"PDF of pictures", "scan.pdf", pdfPages("0 0 612 792 re f", "100 100 m 300 300 l S"), rag.Invalid, "text recognition (OCR) is not built in"},
		{"PDF without pages", "none.pdf", pdfFile("", "<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Count 0 /Kids [] >>"), rag.Invalid, "has no pages"},
		{"PDF of a million pages", "million.pdf", manyPagesPDF(), rag.TooLarge, "has 1000000 pages; the limit is 5000"},
		{"PNG named PDF", "photo.pdf", []byte(png), rag.UnsupportedMedia, "is named .pdf, as a PDF is, and is a PNG image"},
		{"PNG", "photo.png", []byte(png), rag.UnsupportedMedia, "is a PNG image"},
		{"zip named DOCX", "archive.docx", zipFile(t, part{"a.txt", "a"}), rag.UnsupportedMedia, "is named .docx, as a Word document is, and is a zip archive"},
		{"workbook named DOCX", "sheet.docx", zipFile(t, part{"xl/workbook.xml", "<a/>"}), rag.UnsupportedMedia, "is named .docx, as a Word document is, and is an Excel workbook"},
		{"slides", "talk.pptx", zipFile(t, part{"ppt/presentation.xml", "<a/>"}), rag.UnsupportedMedia, "PowerPoint presentation"},
		{"old Word", "letter.doc", []byte(ole + utf16Text("WordDocument")), rag.UnsupportedMedia, "Word document of the old kind"},
		{"encrypted DOCX", "secret.docx", []byte(ole + utf16Text("EncryptedPackage")), rag.Invalid, "is encrypted (password-protected)"},
		{"RTF", "letter.rtf", []byte(`{\rtf1\ansi hello}`), rag.UnsupportedMedia, "RTF document"},
		{"DOCX cut in half", "half.docx", policy[:len(policy)/2], rag.Invalid, "is damaged or cut short"},
		{"DOCX of broken XML", "broken.docx", docxFile(t, "<w:p><w:r></w:p>"), rag.Invalid, "is damaged"},
		{"DOCX without text", "void.docx", docxFile(t, "<w:p/>"), rag.Invalid, "holds no text"},
		{"DOCX nested deep", "deep.docx", docxFile(t, deep), rag.Invalid, "nests elements deeper than 1024"},
		{"zip bomb", "bomb.docx", docxFile(t, para(strings.Repeat("0", 8<<20))), rag.TooLarge, "a zip bomb"},
		{"bomb in another part", "bomb2.docx", docxFile(t, para("a"), part{"word/styles.xml", "<a>" + strings.Repeat(" ", 8<<20)}), rag.TooLarge, "a zip bomb"},
		{"a tag of 3 MiB", "tag.docx", docxFile(t, "<w:p"+noise(3<<20)+">"+para("a")+"</w:p>"), rag.TooLarge, "a tag that is longer than 2 MiB"},
		{"a tag of 3 MiB behind text", "tag2.docx", docxFile(t, "<w:p><w:r><w:t>a</w:t>b<w:x"+noise(3<<20)+"/></w:r></w:p>"), rag.TooLarge, "a tag that is longer than 2 MiB"},
		{"attributes of elements in each other", "names.docx", docxFile(t, strings.Repeat("<w:sdt"+noise(64<<10)+">", 40)+para("a")), rag.TooLarge, "more than 10000 attributes"},
		{"XML entities", "laughs.docx", zipFile(t, part{"word/document.xml", `<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><w:document><w:body><w:p><w:r><w:t>&b;</w:t></w:r></w:p></w:body></w:document>`}), rag.Invalid, "document type declaration"},
		{"HTML nested deep", "deep.html", []byte("<!doctype html>" + strings.Repeat("<div>", 100_000) + "x"), rag.Invalid, "512"},
		{"Markdown nested deep", "deep.md", []byte(strings.Repeat("> ", 100_000) + "x"), rag.Invalid, "the limit is 256"},
		{"Markdown table that grows", "wide.md", []byte(strings.Repeat("|a", 12_000) + "|\n" + strings.Repeat("|-", 12_000) + "|\n" + strings.Repeat("|\n", 6000)), rag.Invalid, "more than 250000 cells"},
		{"the same in a quote", "quoted.md", []byte("> " + strings.Repeat("|a", 3000) + "|\n> " + strings.Repeat("|-", 3000) + "|\n" + strings.Repeat("> |\n", 3000)), rag.Invalid, "more than 250000 cells"},
		{"binary named text", "data.txt", bytes.Repeat([]byte{1, 2, 3, 0xFE, 0, 5}, 400), rag.UnsupportedMedia, "is named .txt, as plain text is, and is binary data"},
		{"text, then binary", "mixed.txt", append([]byte(strings.Repeat("words and words\n", 2000)), bytes.Repeat([]byte{1, 2, 0, 3, 0, 0}, 9000)...), rag.UnsupportedMedia, "goes on as binary data"},
		{"too many paragraphs", "many.txt", bytes.Repeat([]byte("a\n\n"), maxBlocks+10), rag.TooLarge, "has more than 400000 paragraphs"},
		{"too much text", "long.txt", bytes.Repeat([]byte("word "), 4<<20), rag.TooLarge, "the limit is 16 MiB"},
	}
	x := newExtractor(t, Config{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := x.Extract(t.Context(), "folder/"+tt.file, tt.content, nil)
			var e *rag.Error
			if !errors.As(err, &e) {
				t.Fatalf("error = %v, want a rag.Error", err)
			}
			if e.Code != tt.code || !strings.HasPrefix(e.Msg, tt.file+": ") || !strings.Contains(e.Msg, tt.want) {
				t.Errorf("got %s: %q; want %s naming %s and %q", e.Code, e.Msg, tt.code, tt.file, tt.want)
			}
			out, err := x.Extract(t.Context(), "good.pdf", pdfPages(at(72, 700, "F1", 12, "All is well.")), nil)
			if err != nil || len(out.Chunks) != 1 || out.Chunks[0].Content != "All is well." {
				t.Errorf("the file after it: %v, %v", out, err)
			}
		})
	}
}

// TestContentDecides: what can be read is read, whatever it is called.
func TestContentDecides(t *testing.T) {
	x := newExtractor(t, Config{})
	pdf := pdfPages(at(72, 700, "F1", 12, "Hello there."))
	tests := []struct {
		file    string
		content string
		media   string
	}{
		{"a.txt", string(pdf), "application/pdf"},
		{"a.docx", "<!DOCTYPE html><html><body><p>Hello there.</p></body></html>", "text/html"},
		{"a.pdf", "Hello there.", "text/plain"},
		{"a", string(docxFile(t, para("Hello there."))), mediaDOCX},
		{"a.md", "Hello there.", "text/markdown"},
		{"a.txt", "<?xml version=\"1.0\"?>\n<!-- c -->\n<html><body>Hello there.</body></html>", "text/html"},
		{"a.htm", "Hello there.", "text/html"},
		{"a.csv", "Hello there.", "text/plain"},
	}
	for _, tt := range tests {
		out, err := x.Extract(t.Context(), tt.file, []byte(tt.content), nil)
		if err != nil || out.MediaType != tt.media || len(out.Chunks) != 1 || out.Chunks[0].Content != "Hello there." {
			t.Errorf("%s: %v, %v; want %s", tt.file, out, err, tt.media)
		}
	}
}

// TestEndless: a PDF that PDFium would read for ages is stopped by the
// caller's ctx and by the document's own limit, and PDFium works afterwards.
func TestEndless(t *testing.T) {
	if testing.Short() { // its limit is of a clock, and the race detector makes PDFium's start ten times as long
		t.Skip("takes its time")
	}
	good := pdfPages(at(72, 700, "F1", 12, "Still here."))
	check := func(x *Extractor, err error, code rag.Code) {
		t.Helper()
		if rag.CodeOf(err) != code {
			t.Errorf("error = %v, want code %s", err, code)
		}
		if _, err := x.Extract(t.Context(), "good.pdf", good, nil); err != nil {
			t.Errorf("after it: %v", err)
		}
	}
	x := newExtractor(t, Config{Workers: 1})
	if _, err := x.Extract(t.Context(), "good.pdf", good, nil); err != nil { // PDFium is started
		t.Fatal(err)
	}
	patient := x.cfg.Timeout // for the good ones: the machine may be busy
	x.cfg.Timeout = 2 * time.Second
	_, err := x.Extract(t.Context(), "endless.pdf", endlessPDF(), nil)
	x.cfg.Timeout = patient
	check(x, err, rag.Timeout)
	if err == nil || !strings.Contains(err.Error(), "limit of 2s") {
		t.Errorf("error = %v, want one that names the limit", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := x.Extract(ctx, "endless.pdf", endlessPDF(), nil)
		done <- err
	}()
	cancel()
	check(x, <-done, rag.Canceled)
}

// TestCancelMidway cancels when the first page is done.
func TestCancelMidway(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(examples, "plan-handbook.pdf"))
	if err != nil {
		t.Fatal(err)
	}
	x := newExtractor(t, Config{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	last := rag.Progress{}
	_, err = x.Extract(ctx, "plan-handbook.pdf", b, func(p rag.Progress) {
		last = p
		cancel()
	})
	if rag.CodeOf(err) != rag.Canceled {
		t.Errorf("error = %v, want canceled", err)
	}
	if last.Total != 33 || last.Done > 5 {
		t.Errorf("progress = %v, want a few of 33 pages", last)
	}
	if out := extractFile(t, x, filepath.Join(examples, "plan-handbook.pdf")); out.Pages != 33 {
		t.Errorf("read again: %d pages", out.Pages)
	}
}

func TestCanceledAtOnce(t *testing.T) {
	x := newExtractor(t, Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, name := range []string{"plan-handbook.pdf", "employee-leave-policy.docx", "dishwasher-manual.html", "payments-runbook.md", "support-call.txt"} {
		b, err := os.ReadFile(filepath.Join(examples, name))
		if err != nil {
			t.Fatal(err)
		}
		out, err := x.Extract(ctx, name, b, nil)
		if rag.CodeOf(err) != rag.Canceled || out.Chunks != nil {
			t.Errorf("%s: %v, want canceled and nothing else", name, err)
		}
	}
}

// TestBatch reads good and bad files side by side.
func TestBatch(t *testing.T) {
	x := newExtractor(t, Config{Workers: 2})
	type result struct {
		name string
		err  error
	}
	files := map[string][]byte{"endless.pdf": endlessPDF(), "secret.pdf": encryptedPDF()}
	for i := range 6 {
		files[fmt.Sprintf("good%d.pdf", i)] = pdfPages(at(72, 700, "F1", 12, fmt.Sprintf("Text %d.", i)))
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	results := make(chan result, len(files))
	for name, content := range files {
		go func() {
			_, err := x.Extract(ctx, name, content, nil)
			results <- result{name, err}
		}()
	}
	for range len(files) - 1 {
		r := <-results
		want := rag.Code("")
		if r.name == "secret.pdf" {
			want = rag.Invalid
		}
		if rag.CodeOf(r.err) != want {
			t.Errorf("%s: %v, want %q", r.name, r.err, want)
		}
	}
	cancel()
	if r := <-results; r.name != "endless.pdf" || rag.CodeOf(r.err) != rag.Canceled {
		t.Errorf("last came %s: %v", r.name, r.err)
	}
}

// TestClose ends calls under way and refuses new ones.
func TestClose(t *testing.T) {
	x, err := New(Config{CacheDir: testCache, Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	pages := make([]string, 40)
	for i := range pages {
		pages[i] = at(72, 700, "F1", 12, "Text.")
	}
	started, closing, done := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		_, err := x.Extract(t.Context(), "a.pdf", pdfPages(pages...), func(p rag.Progress) {
			if p.Done == 1 {
				close(started)
				<-closing
			}
		})
		done <- err
	}()
	<-started
	closed := make(chan error)
	go func() { closed <- x.Close() }()
	for { // Close has begun when new calls are refused
		if _, err := x.Extract(t.Context(), "b.txt", []byte("text"), nil); rag.CodeOf(err) == rag.Unavailable {
			break
		}
	}
	close(closing)
	if err := <-done; rag.CodeOf(err) != rag.Unavailable {
		t.Errorf("the call under way: %v, want unavailable", err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

// TestCache: a folder that cannot be used, or a damaged cache, costs time and
// nothing else.
func TestCache(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("not a folder"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"", file, filepath.Join(file, "inside")} {
		if openCache(dir) != nil {
			t.Errorf("%q can be used", dir)
		}
	}

	good := pdfPages(at(72, 700, "F1", 12, "Fine."))
	if _, err := newExtractor(t, Config{}).Extract(t.Context(), "a.pdf", good, nil); err != nil { // fills the shared cache
		t.Fatal(err)
	}
	damaged, n := t.TempDir(), 0
	err := os.CopyFS(damaged, os.DirFS(testCache))
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(damaged, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		n++
		for i := len(b) / 3; i < len(b)/3+4096 && i < len(b); i++ {
			b[i] ^= 0x5A
		}
		return os.WriteFile(path, b[:len(b)*2/3], 0o600)
	})
	if err != nil || n == 0 {
		t.Fatalf("%d files of cache, %v", n, err)
	}
	x := newExtractor(t, Config{CacheDir: damaged})
	if _, err := x.Extract(t.Context(), "a.pdf", good, nil); err != nil {
		t.Errorf("with a damaged cache: %v", err)
	}
}
