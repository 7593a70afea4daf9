package extract

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"weir/internal/rag"
)

// TestNothingIsFetched: documents that ask for what is elsewhere, in every way
// their formats have, over the network and from the disk. Nobody is asked, and
// nothing of this machine comes into the text.
func TestNothingIsFetched(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var came atomic.Int32
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			came.Add(1)
			c.Close()
		}
	}()
	secret := filepath.Join(t.TempDir(), "secret.txt")
	if err := os.WriteFile(secret, []byte("marker of a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	far, near := "http://"+l.Addr().String()+"/x", "file://"+secret
	var files []struct {
		name    string
		content []byte
	}
	add := func(name string, content []byte) {
		files = append(files, struct {
			name    string
			content []byte
		}{name, content})
	}
	for _, url := range []string{far, near} {
		add("page.html", fmt.Appendf(nil, `<!doctype html><html><head><base href="%[1]s"><link rel="stylesheet" href="%[1]s"><script src="%[1]s"></script>
			<meta http-equiv="refresh" content="0;url=%[1]s"><style>@import url(%[1]s);</style></head>
			<body><p>All is well.</p><img src="%[1]s" srcset="%[1]s 2x"><iframe src="%[1]s"></iframe><object data="%[1]s"></object><embed src="%[1]s">
			<video src="%[1]s" poster="%[1]s"></video><svg><image href="%[1]s"/></svg><a href="%[1]s" ping="%[1]s">there</a></body></html>`, url))
		add("notes.md", fmt.Appendf(nil, "All is well. ![picture](%[1]s) [link](%[1]s) <img src=\"%[1]s\">\n\n[ref]: %[1]s\n", url))
		rels := fmt.Sprintf(`<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/attachedTemplate" Target="%[1]s" TargetMode="External"/><Relationship Id="r2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/image" Target="%[1]s" TargetMode="External"/><Relationship Id="r3" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="%[1]s" TargetMode="External"/></Relationships>`, url)
		add("letter.docx", docxFile(t, para("All is well.")+fmt.Sprintf(`<w:p><w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>INCLUDETEXT "%s"</w:instrText></w:r><w:r><w:fldChar w:fldCharType="end"/></w:r></w:p>`, url),
			part{"word/_rels/document.xml.rels", rels}, part{"word/_rels/settings.xml.rels", rels}, part{"_rels/.rels", rels}))
		add("report.pdf", pdfFile("",
			"<< /Type /Catalog /Pages 2 0 R /OpenAction << /S /URI /URI ("+url+") >> /AA << /WC << /S /JavaScript /JS (app.launchURL\\('"+url+"'\\)) >> >> >>",
			"<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
			"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> /XObject << /I 7 0 R >> >> /Annots [6 0 R] >>",
			stream("", at(72, 700, "F1", 12, "All is well.")+"/I Do\n"),
			"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
			"<< /Type /Annot /Subtype /Link /Rect [0 0 612 792] /A << /S /GoToR /F << /FS /URL /F ("+url+") >> /D [0 /Fit] >> >>",
			"<< /Type /XObject /Subtype /Image /Width 1 /Height 1 /BitsPerComponent 8 /ColorSpace /DeviceGray /F << /FS /URL /F ("+url+") >> /Length 0 >>\nstream\n\nendstream",
		))
	}
	x := newExtractor(t, Config{})
	for i, f := range files {
		out, err := x.Extract(t.Context(), f.name, f.content, nil)
		if err != nil || len(out.Chunks) == 0 || !strings.Contains(out.Chunks[0].Content, "All is well.") {
			t.Errorf("%s (%d): %v, %v", f.name, i, out, err)
			continue
		}
		for _, c := range out.Chunks {
			if strings.Contains(c.Content, "marker of a file") {
				t.Errorf("%s has a file of this machine in it", f.name)
			}
		}
	}
	// One more comes for sure, and after all of theirs.
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("it answers")
	}
	c.Close()
	l.Close()
	<-done
	if n := came.Load(); n != 1 {
		t.Errorf("%d connections were made for documents", n-1)
	}
}

// An XML entity of another file is refused with all document types.
func TestExternalEntities(t *testing.T) {
	x := newExtractor(t, Config{})
	for _, dtd := range []string{`<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>`, `<!DOCTYPE a SYSTEM "http://127.0.0.1:1/a.dtd">`, `<!DOCTYPE a [<!ENTITY % p SYSTEM "http://127.0.0.1:1/"> %p;]>`} {
		_, err := x.Extract(t.Context(), "a.docx", zipFile(t, part{"word/document.xml", dtd + `<w:document><w:body><w:p><w:r><w:t>&b;</w:t></w:r></w:p></w:body></w:document>`}), nil)
		if rag.CodeOf(err) != rag.Invalid {
			t.Errorf("%s: %v", dtd, err)
		}
	}
}

// TestZipTricks: archives that are not what they say. Each is read for what is
// right in it, or refused; none costs much, and none writes or reads a file.
func TestZipTricks(t *testing.T) {
	good := docxFile(t, para("All is well."))
	many := make([]part, 70_000)
	for i := range many {
		many[i] = part{fmt.Sprintf("word/media/%d.png", i), ""}
	}
	nested := good
	for range 20 {
		nested = zipFile(t, part{"word/document.docx", string(nested)})
	}
	outside := make([]part, 0, 8)
	for _, n := range []string{"../../../../etc/passwd", "/etc/passwd", `..\..\windows\win.ini`, "C:/x", "word/../../x", "word/document.xml/../../../x", "\x00", "word/\u202edocument.xml"} {
		outside = append(outside, part{n, "x"})
	}
	for _, tt := range []struct {
		name    string
		content []byte
		code    rag.Code // "": it is read
	}{
		{"names that lead outside", docxFile(t, para("All is well."), outside...), ""},
		{"the document by a way round", zipFile(t, part{"x/../word/document.xml", `<w:document><w:body>` + para("All is well.") + `</w:body></w:document>`}), rag.UnsupportedMedia},
		{"two documents", docxFile(t, para("All is well."), part{"word/document.xml", "<w:document/>"}, part{"WORD/DOCUMENT.XML", "<w:document/>"}), ""},
		{"many entries", docxFile(t, para("All is well."), many...), rag.TooLarge},
		{"archives within archives", nested, rag.UnsupportedMedia},
		{"something before it", append([]byte("MZ"+strings.Repeat("x", 1000)), good...), rag.Invalid},
		{"a size that is a lie", lying(t, good, 10), rag.Invalid},
		{"a size beyond all", lying(t, good, 1<<31), rag.TooLarge},
		{"entries that share their content", overlapping(t), rag.TooLarge},
		{"the end cut off", good[:len(good)-10], rag.Invalid},
		{"an end that counts more", counting(good), rag.Invalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, err := newExtractor(t, Config{}).Extract(t.Context(), "a.docx", tt.content, nil)
			if got := rag.CodeOf(err); got != tt.code {
				t.Fatalf("got %q: %v", got, err)
			}
			var e *rag.Error
			if err != nil && !errors.As(err, &e) {
				t.Errorf("got %v", err)
			}
			if err == nil && out.Chunks[0].Content != "All is well." {
				t.Errorf("got %q", out.Chunks[0].Content)
			}
		})
	}
}

// lying changes the unpacked size that the archive's directory says of
// word/document.xml.
func lying(t *testing.T, z []byte, size uint32) []byte {
	t.Helper()
	b := bytes.Clone(z)
	for i := 0; i+46 < len(b); i++ {
		if !bytes.Equal(b[i:i+4], []byte("PK\x01\x02")) {
			continue
		}
		n := int(binary.LittleEndian.Uint16(b[i+28:]))
		if string(b[i+46:i+46+n]) == "word/document.xml" {
			binary.LittleEndian.PutUint32(b[i+24:], size)
			return b
		}
	}
	t.Fatal("there is no word/document.xml")
	return nil
}

// overlapping is a document whose notes and styles are one big part, listed
// under many names: what David Fifield's bombs are made of.
func overlapping(t *testing.T) []byte {
	t.Helper()
	names := []string{"word/styles.xml", "word/numbering.xml", "word/footnotes.xml", "word/endnotes.xml"}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("word/styles.xml")
	if err == nil {
		_, err = w.Write([]byte("<w:styles>" + strings.Repeat("<w:style/>", 1<<20) + "</w:styles>"))
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names[1:] {
		if _, err := z.Create(n); err != nil {
			t.Fatal(err)
		}
	}
	if d, err := z.Create("word/document.xml"); err != nil {
		t.Fatal(err)
	} else if _, err := d.Write([]byte("<w:document><w:body>" + para("All is well.") + "</w:body></w:document>")); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// counting says that there are more entries than there are.
func counting(z []byte) []byte {
	b := bytes.Clone(z)
	end := bytes.LastIndex(b, []byte("PK\x05\x06"))
	binary.LittleEndian.PutUint16(b[end+8:], 60_000)
	binary.LittleEndian.PutUint16(b[end+10:], 60_000)
	return b
}

// A note that is referred to many times is there once, wherever it is referred to.
func TestNotesOfDOCXAreReadOnce(t *testing.T) {
	ref := func(id int) string {
		return fmt.Sprintf(`<w:p><w:r><w:t>See</w:t><w:footnoteReference w:id="%d"/></w:r></w:p>`, id)
	}
	note := func(id int, text string) string {
		return fmt.Sprintf(`<w:footnote w:id="%d">`, id) + para(text) + "</w:footnote>"
	}
	in := func(cell string) string { return "<w:tbl><w:tr><w:tc>" + cell + "</w:tc></w:tr></w:tbl>" }
	long := strings.Repeat("long and dull ", 5000)
	body := ref(1) + ref(2) + in(ref(1)+ref(3)) + strings.Repeat(ref(1)+in(ref(3)), 200)
	d, err := newExtractor(t, Config{}).readDOCX(t.Context(), docxFile(t, body,
		part{"word/footnotes.xml", "<w:footnotes>" + note(1, long+"one") + note(2, "two") + note(3, long+"three") + "</w:footnotes>"}))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, b := range d.blocks {
		all.WriteString(b.text + "\n")
	}
	got := all.String()
	if n := len(got); n > 3*len(long) || !strings.HasPrefix(got, "See[1]\n[1] long and dull") || !strings.Contains(got, "dull one\nSee[2]\n[2] two\nSee[1] See[3] [3] long") ||
		!strings.HasSuffix(got, "dull three\n"+strings.Repeat("See[1]\nSee[3]\n", 200)) {
		t.Errorf("%d bytes: %.300q", n, got)
	}
}

// The bounds of tags do not touch long texts, in whatever form, nor many attributes one after the other.
func TestLongTextsOfDOCX(t *testing.T) {
	words := strings.TrimSpace(noise(maxTag + maxTag/2)) // which is no attribute where it is text
	words = strings.NewReplacer(`"`, "", "=", " ").Replace(words)
	x := newExtractor(t, Config{})
	for _, tt := range []struct{ name, body string }{
		{"a text longer than a tag may be", para(words)},
		{"in two, with a comment between", "<w:p><w:r><w:t>" + words[:1<<20] + "<!-- c -->" + words[1<<20:] + "</w:t></w:r></w:p>"},
		{"behind CDATA", "<w:p><w:r><w:t><![CDATA[a < b]]> " + words[:1<<20] + "</w:t></w:r></w:p>"},
		{"many attributes in a row", strings.Repeat(`<w:p a="1" b="2" c="3"><w:r d="4"/><w:r><w:t e="">`+words[:200]+`</w:t></w:r></w:p>`, 6000)},
	} {
		d, err := x.readDOCX(t.Context(), docxFile(t, tt.body))
		if n := textSize(d.blocks); err != nil || n < 1<<20 {
			t.Errorf("%s: %d bytes of text, %v", tt.name, n, err)
		}
	}
}
