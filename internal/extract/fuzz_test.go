package extract

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"weir/internal/rag"
)

// noSpace is s without white space, which cutting may move about.
func noSpace(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
}

// FuzzChunk makes blocks of lines: the first byte of a line says what kind.
func FuzzChunk(f *testing.F) {
	f.Add("hTitle\npA sentence. Another one! 第三句。四。\nlfirst\nrA | B\nrc | d\ncx = 1\nHdeep\npmore", uint8(20))
	f.Add("h1 One\nh1.1 Two\n"+strings.Repeat("pWords and words and more of them; all in a row, with no end\n", 20), uint8(32))
	f.Add("p"+strings.Repeat("ก", 900)+"\np"+strings.Repeat("a", 3000)+"\np"+strings.Repeat("!?", 999), uint8(16))
	f.Add("tq | w\n"+strings.Repeat("rcell one | cell two | cell three\n", 40), uint8(40))
	f.Add("pمرحبا؟ نعم. لا\npسطر", uint8(200))
	tok, err := newCounter()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, in string, tokens uint8) {
		blocks, all := fuzzBlocks(in)
		limit := max(int(tokens), minChunkTokens)
		c := chunker{tok: tok, max: limit, overlap: limit / 8, tiny: limit / 4}
		chunks, err := c.chunks(t.Context(), blocks)
		if err != nil {
			t.Fatal(err)
		}
		x := &Extractor{cfg: Config{ChunkTokens: limit}, tok: tok}
		checkChunks(t, x, rag.Extracted{Pages: 1 << 20, Chunks: chunks})

		// The parts of all blocks, and the fresh units of all spans, are the
		// text: whole and in order.
		c.headers = map[int]*block{}
		units, err := c.units(t.Context(), blocks, limit)
		if err != nil {
			t.Fatal(err)
		}
		var got, fresh strings.Builder
		for i := range units {
			if !units[i].again {
				got.WriteString(noSpace(units[i].text))
			}
		}
		for _, s := range c.spans(units) {
			for _, u := range s.units[s.repeated:] {
				if !u.again {
					fresh.WriteString(noSpace(u.text))
				}
			}
		}
		if got.String() != all || fresh.String() != all {
			t.Fatalf("units %q, spans %q, want %q", got.String(), fresh.String(), all)
		}
	})
}

func fuzzBlocks(in string) (blocks []block, all string) {
	page := 1
	for line := range strings.SplitSeq(clean(in), "\n") {
		if line == "" {
			page++
			continue
		}
		b := block{text: strings.TrimSpace(line[1:]), page: page}
		switch line[0] {
		case 'h':
			b.kind, b.level = heading, 1
		case 'H':
			b.kind, b.level = heading, 2
		case 'l':
			b.kind = listItem
		case 'c':
			b.kind = code
		case 't':
			b.kind, b.table, b.header = tableRow, 1, true
		case 'r':
			b.kind, b.table = tableRow, 1
		default:
			if line[0] >= 0x80 {
				b.text = line
			}
			if n := len(b.text); n > 20 {
				b.breaks = []pageBreak{{n / 2, page + 1}}
				page++
			}
		}
		blocks = append(blocks, b)
		all += noSpace(b.text)
	}
	return blocks, all
}

// fuzzFile reads anything under a name: an error must be a rag.Error with a
// message that names the file, and chunks must be sound.
func fuzzFile(f *testing.F, name string, seeds ...string) {
	f.Helper()
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	x := newExtractor(f, Config{Timeout: 5 * time.Second, MaxText: 4 << 20, ChunkTokens: 64, PDFMemory: 128 << 20})
	f.Fuzz(func(t *testing.T, b []byte) {
		out, err := x.Extract(t.Context(), name, b, nil)
		if err == nil {
			checkChunks(t, x, out)
			return
		}
		var e *rag.Error
		if !errors.As(err, &e) || !strings.HasPrefix(e.Msg, name+": ") || e.Code == rag.Internal || e.Code == rag.Timeout {
			t.Fatalf("error %v", err)
		}
		if e.Err != nil && strings.HasPrefix(e.Err.Error(), "panic") {
			t.Fatalf("error %v", err)
		}
	})
}

func seedFile(f *testing.F, name string) string {
	f.Helper()
	b, err := os.ReadFile(filepath.Join(examples, name))
	if err != nil {
		f.Fatal(err)
	}
	return string(b)
}

func FuzzHTML(f *testing.F) {
	fuzzFile(f, "a.html", "<!doctype html><h1>a</h1><ul><li>b<ol start=3><li>c</ul><dl><dt>t<dd>m<dt>u</dl><table><tr><th>a<th>b<tr><td>1<td>2</table><pre>x\n y</pre>",
		"<html><head><meta charset=windows-1252><title>\x80</title><body>gr\xfc\xdf<sup>1</sup><table><tr><td><h2>x</h2></table>", seedFile(f, "dishwasher-manual.html"))
}

func FuzzMarkdown(f *testing.F) {
	fuzzFile(f, "a.md", "---\ntitle: x\n---\n# a\n\n1. b\n   - c\n\n| a | b |\n|--|--|\n| 1 | 2 |\n\n```\ncode\n```\n[l](u) ![p](q) <b>x</b> [^1]\n\n[^1]: note\n",
		"> > > a\n\nterm\n: meaning\n\n- [x] done\n<div>raw</div>", seedFile(f, "payments-runbook.md"))
}

func FuzzText(f *testing.F) {
	fuzzFile(f, "a.txt", "TITLE\n\nwords\f\n1. a\n2. b\n", "\xff\xfea\x00b\x00", "\x84Gr\xfc\xdfe\x93 \x80", seedFile(f, "hausverwaltung-brief.txt"), seedFile(f, "water-notice.txt"))
}

func FuzzDOCX(f *testing.F) {
	seeds := []string{
		para("plain"), "<w:tbl><w:tr><w:tc>" + para("a") + "</w:tc><w:tc>" + para("b") + "</w:tc></w:tr></w:tbl>",
		`<w:p><w:pPr><w:pStyle w:val="H1"/><w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr></w:pPr><w:r><w:t>x</w:t><w:footnoteReference w:id="2"/></w:r><w:del><w:r><w:delText>y</w:delText></w:r></w:del></w:p>`,
		`<w:p><w:r><w:txbxContent>` + para("box") + `</w:txbxContent></w:r></w:p>`,
	}
	for _, s := range seeds {
		f.Add(s, s)
	}
	x := newExtractor(f, Config{Timeout: 5 * time.Second, MaxText: 4 << 20, ChunkTokens: 64})
	f.Fuzz(func(t *testing.T, body, other string) {
		b := docxFile(t, body, part{"word/styles.xml", "<w>" + other + "</w>"}, part{"word/numbering.xml", "<w>" + body + "</w>"}, part{"word/footnotes.xml", "<w>" + other + "</w>"})
		out, err := x.Extract(t.Context(), "a.docx", b, nil)
		if err == nil {
			checkChunks(t, x, out)
			return
		}
		var e *rag.Error
		if !errors.As(err, &e) || e.Code == rag.Internal || e.Code == rag.Timeout || e.Err != nil && strings.HasPrefix(e.Err.Error(), "panic") {
			t.Fatalf("error %v", err)
		}
	})
}

func FuzzPDF(f *testing.F) {
	// Compiling PDFium must not count towards the time limit of a document.
	extractFile(f, newExtractor(f, Config{}), filepath.Join(examples, "guia-del-inquilino.pdf"))
	fuzzFile(f, "a.pdf", string(pdfPages(at(72, 700, "F2", 18, "Head")+at(72, 660, "F1", 12, "Body text, a line.")+at(300, 660, "F1", 12, "cell"))),
		string(encryptedPDF()), string(manyPagesPDF()), seedFile(f, "guia-del-inquilino.pdf"))
}

func FuzzDetect(f *testing.F) {
	for _, s := range []string{"%PDF-1.7", "PK\x03\x04", "PK\x05\x06" + strings.Repeat("\x00", 18), "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", "<html>", "\xff\xfe", "BM", "RIFF....WEBP", "....ftypheic"} {
		f.Add("a.pdf", []byte(s))
	}
	f.Fuzz(func(t *testing.T, name string, b []byte) {
		got, err := detect(name, b)
		if (err == nil) == (got == formatUnknown) {
			t.Fatalf("format %d, error %v", got, err)
		}
		var e *rag.Error
		if err != nil && !errors.As(err, &e) {
			t.Fatal(err)
		}
	})
}
