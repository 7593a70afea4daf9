package extract

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/internal/rag"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden reads one document of each format that holds what is hard about
// it, and compares all that comes out.
func TestGolden(t *testing.T) {
	x := newExtractor(t, Config{ChunkTokens: 96})
	for name, content := range map[string]string{
		"page.html":     goldenHTML,
		"notes.md":      goldenMarkdown,
		"notes.txt":     goldenText,
		"policy.docx":   string(goldenDOCX(t)),
		"report.pdf":    string(goldenPDF()),
		"columns.pdf":   string(columnsPDF()),
		"sheet1252.txt": "Pr\xfcfung\n=======\n\n\x84Gr\xfc\xdfe\x93 \x96 3 \x80 f\xfcr alle.\n",
	} {
		t.Run(name, func(t *testing.T) {
			out, err := x.Extract(t.Context(), name, []byte(content), nil)
			if err != nil {
				t.Fatal(err)
			}
			checkChunks(t, x, out)
			got := dump(out)
			file := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func dump(out rag.Extracted) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %q pages %d\n", out.MediaType, out.Title, out.Pages)
	for _, c := range out.Chunks {
		fmt.Fprintf(&b, "\n== %d %v %q p%d-%d %d tokens\n%s\n", c.Index, c.SectionPath, c.SectionTitle, c.PageStart, c.PageEnd, c.Tokens, c.Content)
	}
	return b.String()
}

const goldenHTML = `<!DOCTYPE html><html><head><title>The  page</title><style>p{}</style><script>var x = "no";</script></head>
<body><header><a href="/">Home</a></header><nav><ul><li>Menu</ul></nav>
<main><h1>Kettles</h1><p>Boil water.<sup>2</sup> A café&nbsp;owner’s choice of 3&nbsp;m<sup>2</sup> per of&shy;fice &#xFB01;ne.</p>
<h2>1. Parts</h2><ol start="3"><li>Lid<ul><li>Knob</ul><li>Body</ol>
<dl><dt>Limescale</dt><dd>White crust.</dd><dt>Alone</dt></dl>
<table><caption>Sizes</caption><tr><th>Model</th><th>Litres</th></tr><tr><td>K1</td><td>1.5</td></tr><tr><td></td><td>1 | 7</td></tr></table>
<pre>a = 1
  b = 2</pre><details><summary>More</summary>Hidden until opened.</details><p hidden>Never</p>
<h2>2. Care</h2><p>Weekly.</p></main><footer>© nobody</footer></body></html>`

const goldenMarkdown = "---\ntitle: \"My notes\"\ntags: [a]\n---\n# Notes\n\nA *fine* **day** with snake_case, 5 * 3 * 2, `a*b*` and [a link](http://x.example/a_(b)) ![a picture](p.png)\\* <https://x.example>[^1].\nNext line.\n\n" +
	"## 1. List\n\n1. one\n   - inner &amp; more\n2. two\n\n- [ ] open\n- [x] done\n\n> quoted\n> text\n\n## 2. Table\n\n| Name | Value |\n|:-----|------:|\n| a \\| b | **1** |\n| c |  |\n\n```go\nx := 1\n\ty()\n```\n\n[^1]: The note.\n\n[ref]: http://x.example\n"

const goldenText = "\ufeffREPORT\n\nThis text was filled by a program up to a margin of some seventy columns, and\nits lines are joined again, also where there stands a hyphen that is self-\nevident.\n\n" +
	"12 Elm Street\nOldtown\n\n1. First item, which is\n   wrapped\n2. Second item\n\nPlans\n-----\n\nNothing yet.\n\fSECOND PAGE\n\nMore.\n"

func goldenDOCX(tb testing.TB) []byte {
	tb.Helper()
	style := func(id, text, more string) string {
		return `<w:p><w:pPr><w:pStyle w:val="` + id + `"/>` + more + `</w:pPr><w:r><w:t>` + text + `</w:t></w:r></w:p>`
	}
	num := func(level, id string) string {
		return `<w:numPr><w:ilvl w:val="` + level + `"/><w:numId w:val="` + id + `"/></w:numPr>`
	}
	cell := func(text string) string { return "<w:tc>" + para(text) + "</w:tc>" }
	body := style("T", "The Policy", "") + style("H1", "Scope", "") +
		`<w:p><w:r><w:t xml:space="preserve">It </w:t></w:r><w:del><w:r><w:delText>never </w:delText></w:r></w:del><w:ins><w:r><w:t>always</w:t></w:r></w:ins><w:r><w:t xml:space="preserve"> applies.</w:t><w:footnoteReference w:id="2"/></w:r><w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r></w:p>` +
		style("L", "first", num("0", "1")) + style("L", "inner", num("1", "1")) + style("L", "second", num("0", "1")) + style("L", "dot", num("0", "2")) +
		style("H2", "Details", "") +
		"<w:tbl><w:tr>" + cell("Who") + cell("Days") + "</w:tr><w:tr>" + cell("All") + "<w:tc>" + para("5") + para("or more") + "</w:tc></w:tr></w:tbl>" +
		`<w:p><w:r><mc:AlternateContent><mc:Choice><w:txbxContent>` + para("In a box.") + `</w:txbxContent></mc:Choice><mc:Fallback><w:txbxContent>` + para("In a box.") + `</w:txbxContent></mc:Fallback></mc:AlternateContent></w:r></w:p>` +
		`<w:p><w:r><w:instrText>PAGE</w:instrText><w:t>End&amp;</w:t><w:br/><w:t>of it.</w:t></w:r></w:p>`
	return docxFile(tb, body,
		part{"word/styles.xml", `<w:styles><w:style w:styleId="T"><w:name w:val="Title"/></w:style><w:style w:styleId="H1"><w:name w:val="heading 1"/></w:style><w:style w:styleId="H2"><w:name w:val="Eigene"/><w:basedOn w:val="B"/></w:style><w:style w:styleId="B"><w:name w:val="heading 2"/></w:style><w:style w:styleId="L"><w:name w:val="List"/></w:style></w:styles>`},
		part{"word/numbering.xml", `<w:numbering><w:abstractNum w:abstractNumId="7"><w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl><w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="lowerLetter"/><w:lvlText w:val="%1%2)"/></w:lvl></w:abstractNum><w:abstractNum w:abstractNumId="8"><w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/></w:lvl></w:abstractNum><w:num w:numId="1"><w:abstractNumId w:val="7"/></w:num><w:num w:numId="2"><w:abstractNumId w:val="8"/></w:num></w:numbering>`},
		part{"word/footnotes.xml", `<w:footnotes><w:footnote w:type="separator" w:id="0">` + para("---") + `</w:footnote><w:footnote w:id="2">` + para("With exceptions.") + `</w:footnote></w:footnotes>`},
		part{"word/header1.xml", para("HEADER")})
}

// goldenPDF: running header and footer, numbered headings by their looks, a
// word cut at the end of a line, one that keeps its hyphen, a list, a footnote's
// mark, a table with its header repeated, contents with leaders.
func goldenPDF() []byte {
	page := func(n int, title string, content string) string {
		return at(72, 760, "F1", 9, "Annual report") + at(400, 760, "F1", 9, title) + content + at(300, 30, "F1", 9, fmt.Sprintf("Page %d of 5", n))
	}
	contents := at(72, 700, "F2", 18, "Contents")
	for i := range 6 {
		contents += at(72, 660-20*i, "F1", 11, fmt.Sprintf("%d Chapter %s %d", i+1, strings.Repeat(".", 60), min(i+1, 5)))
	}
	tableHead := func(y int) string {
		return at(72, y, "F2", 11, "Item") + at(250, y, "F2", 11, "Price") + at(400, y, "F2", 11, "Note")
	}
	return pdfPages(
		page(1, "Contents", contents),
		page(2, "1 Start", at(72, 700, "F2", 18, "1 Start")+
			at(72, 660, "F1", 11, "The committee met on Monday to discuss the informa-")+
			at(72, 646, "F1", 11, "tion it had received about self-")+
			at(72, 632, "F1", 11, "employed members.")+at(172, 636, "F1", 6, "1")+
			at(72, 600, "F1", 11, "It decided:")+
			at(80, 580, "F1", 11, "\\267")+at(95, 580, "F1", 11, "to wait, since the numbers were")+at(95, 566, "F1", 11, "not complete;")+
			at(80, 552, "F1", 11, "\\267")+at(95, 552, "F1", 11, "to meet again.")),
		page(3, "1 Start", at(72, 700, "F2", 14, "1.1 Costs")+tableHead(670)+
			at(72, 650, "F1", 11, "Chairs")+at(250, 650, "F1", 11, "$40")+at(400, 650, "F1", 11, "new")+
			at(72, 630, "F1", 11, "Tables, with")+at(72, 617, "F1", 11, "leaves")+at(250, 630, "F1", 11, "$300")+
			at(72, 560, "F1", 11, "The sum is paid in two parts, of which the first is due when the")+
			at(72, 546, "F1", 11, "goods arrive and the")),
		page(4, "1 Start", at(72, 700, "F1", 11, "second a month later.")+at(72, 660, "F2", 18, "2 End")+tableHead(630)+at(72, 610, "F1", 11, "Lamps")+at(250, 610, "F1", 11, "$9")),
		page(5, "2 End", tableHead(700)+at(72, 680, "F1", 11, "Rugs")+at(250, 680, "F1", 11, "$70")+at(72, 640, "F1", 11, "Thanks to all.")),
	)
}

// columnsPDF: two columns of text, and a page turned on its side.
func columnsPDF() []byte {
	col := func(x int, words ...string) string {
		s := ""
		for i, w := range words {
			s += at(x, 700-14*i, "F1", 11, w)
		}
		return s
	}
	turned := "BT /F1 11 Tf 0 1 -1 0 100 72 Tm (Read me sideways.) Tj ET\nBT /F1 11 Tf 0 1 -1 0 114 72 Tm (Second line.) Tj ET\n"
	return pdfPages(
		at(72, 740, "F2", 16, "A heading over both columns")+
			col(72, "In the left column the story begins with", "a river that runs slowly through fields", "of barley, and goes on for some time.")+
			col(330, "In the right column it ends, as stories do,", "at the sea, where nobody remembers the", "barley any more."),
		turned)
}
