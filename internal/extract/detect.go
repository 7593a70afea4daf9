package extract

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"path"
	"strings"
	"unicode/utf8"
)

type format int

const (
	formatUnknown format = iota
	formatPDF
	formatDOCX
	formatHTML
	formatMarkdown
	formatText
)

// detect finds the format by content. The name only decides between formats
// that are all text. What cannot be read is an error that says what it is.
func detect(name string, b []byte) (format, error) {
	ext := strings.ToLower(path.Ext(baseName(name)))
	if len(bytes.TrimSpace(b[:min(len(b), 4096)])) == 0 && len(bytes.TrimSpace(b)) == 0 {
		return 0, invalid("is empty")
	}
	if i := bytes.Index(b[:min(len(b), 1024)], []byte("%PDF-")); i == 0 || i > 0 && !looksLikeText(b[:i]) || i > 0 && ext == ".pdf" {
		return formatPDF, nil
	}
	if bytes.HasPrefix(b, []byte("PK\x03\x04")) || bytes.HasPrefix(b, []byte("PK\x05\x06")) {
		return detectZip(ext, b)
	}
	if bytes.HasPrefix(b, []byte("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1")) {
		return 0, compoundFile(ext, b)
	}
	if kind := magic(b); kind != "" {
		return 0, mismatch(ext, kind)
	}
	text, ok := decodeText(b[:min(len(b), sniffBytes)])
	if !ok {
		if ext == ".pdf" || ext == ".docx" {
			return 0, invalid("is damaged: its name ends in %s, and its content does not begin like one", ext)
		}
		return 0, mismatch(ext, "binary data of no known kind")
	}
	return detectText(ext, text)
}

const sniffBytes = 16 << 10

func detectText(ext, text string) (format, error) {
	head := strings.ToLower(strings.TrimLeft(text, " \t\r\n\ufeff"))
	if strings.HasPrefix(head, "<?xml") {
		if i := strings.Index(head, "?>"); i > 0 {
			head = strings.TrimSpace(head[i+2:])
		}
	}
	for strings.HasPrefix(head, "<!--") {
		i := strings.Index(head, "-->")
		if i < 0 {
			break
		}
		head = strings.TrimSpace(head[i+3:])
	}
	switch {
	case strings.HasPrefix(head, "<!doctype html"), tagged(head, "html"), tagged(head, "head"), tagged(head, "body"):
		return formatHTML, nil
	case strings.HasPrefix(head, "<svg"), strings.HasPrefix(head, "<!doctype svg"):
		return 0, mismatch(ext, "an SVG image")
	}
	switch ext {
	case ".md", ".markdown", ".mdown", ".mkd", ".mdx", ".rmd", ".qmd":
		return formatMarkdown, nil
	case ".html", ".htm", ".xhtml":
		return formatHTML, nil
	}
	for _, tag := range [...]string{"title", "meta", "div", "p", "h1", "h2", "table", "article", "section", "main"} {
		if tagged(head, tag) && strings.Contains(head, "</") {
			return formatHTML, nil
		}
	}
	return formatText, nil
}

// tagged reports whether s begins with an opening tag.
func tagged(s, tag string) bool {
	rest, ok := strings.CutPrefix(s, "<"+tag)
	return ok && rest != "" && strings.ContainsRune("> \t\r\n/", rune(rest[0]))
}

// mismatch says what a file is and, if its name says something else, that.
func mismatch(ext, kind string) error {
	const read = "; PDF, DOCX, HTML, Markdown and plain text are read"
	if called := nameSays(ext); called != "" {
		return unsupported("is named %s, as %s is, and is %s"+read, ext, called, kind)
	}
	return unsupported("is %s"+read, kind)
}

func nameSays(ext string) string {
	switch ext {
	case ".pdf":
		return "a PDF"
	case ".docx":
		return "a Word document"
	case ".html", ".htm", ".xhtml":
		return "HTML"
	case ".md", ".markdown":
		return "Markdown"
	case ".txt", ".text", ".log", ".csv":
		return "plain text"
	default:
		return ""
	}
}

// magic names formats that are not read by the bytes they begin with.
func magic(b []byte) string {
	for _, m := range [...]struct{ head, kind string }{
		{`{\rtf`, "an RTF document (save it as .docx or PDF)"},
		{"\x89PNG\r\n\x1a\n", "a PNG image"},
		{"\xFF\xD8\xFF", "a JPEG image"},
		{"GIF87a", "a GIF image"},
		{"GIF89a", "a GIF image"},
		{"II*\x00", "a TIFF image"},
		{"MM\x00*", "a TIFF image"},
		{"\x1F\x8B", "a gzip archive"},
		{"BZh", "a bzip2 archive"},
		{"7z\xBC\xAF\x27\x1C", "a 7-Zip archive"},
		{"Rar!\x1A\x07", "a RAR archive"},
		{"\xFD7zXZ\x00", "an xz archive"},
		{"\x28\xB5\x2F\xFD", "a Zstandard archive"},
		{"%!PS", "a PostScript file (save it as PDF)"},
		{"\x7FELF", "a program"},
		{"MZ\x90", "a program"},
		{"\xCF\xFA\xED\xFE", "a program"},
		{"\xCA\xFE\xBA\xBE", "a program"},
		{"\x00asm", "a program"},
		{"SQLite format 3\x00", "an SQLite database"},
		{"ID3", "an MP3 recording"},
		{"OggS", "an Ogg recording"},
		{"fLaC", "a FLAC recording"},
		{"\x1A\x45\xDF\xA3", "a Matroska or WebM video"},
		{"PAR1", "a Parquet table"},
		{"wOFF", "a font"},
		{"wOF2", "a font"},
		{"\x00\x01\x00\x00\x00", "a font"},
		{"OTTO", "a font"},
		{"!BDN", "an Outlook data file"},
	} {
		if strings.HasPrefix(string(b[:min(len(b), 16)]), m.head) {
			return m.kind
		}
	}
	switch {
	case len(b) > 262 && string(b[257:262]) == "ustar":
		return "a tar archive"
	case len(b) > 26 && string(b[:2]) == "BM" && binary.LittleEndian.Uint32(b[6:]) == 0 && binary.LittleEndian.Uint32(b[14:]) < 200:
		return "a BMP image"
	case len(b) > 12 && string(b[:4]) == "RIFF":
		switch string(b[8:12]) {
		case "WEBP":
			return "a WebP image"
		case "WAVE":
			return "a WAV recording"
		case "AVI ":
			return "an AVI video"
		}
	case len(b) > 12 && string(b[4:8]) == "ftyp":
		switch string(b[8:11]) {
		case "hei", "hev", "mif", "msf":
			return "a HEIC image"
		case "avi":
			return "an AVIF image"
		}
		return "an MP4 video or recording"
	}
	return ""
}

// maxZipEntries bounds the table of contents of an archive; a Word document
// has some dozens of entries, with many pictures some hundreds.
const maxZipEntries = 20_000

func openZip(b []byte) (*zip.Reader, error) {
	// Counted before it is read: reading makes some 500 bytes of each.
	if n := bytes.Count(b, []byte("PK\x01\x02")); n > maxZipEntries {
		return nil, tooLarge("is an archive of %d entries; the limit is %d", n, maxZipEntries)
	}
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, invalid("is damaged or cut short: its archive cannot be read: %w", err)
	}
	return z, nil
}

func detectZip(ext string, b []byte) (format, error) {
	z, err := openZip(b)
	if err != nil {
		return 0, err
	}
	has := map[string]bool{}
	for _, f := range z.File {
		has[strings.ToLower(strings.TrimPrefix(f.Name, "/"))] = true
	}
	switch {
	case has["word/document.xml"] || has["word/document2.xml"]:
		return formatDOCX, nil
	case has["xl/workbook.xml"] || has["xl/workbook.bin"]:
		return 0, mismatch(ext, "an Excel workbook (.xlsx)")
	case has["ppt/presentation.xml"]:
		return 0, mismatch(ext, "a PowerPoint presentation (.pptx; save it as PDF)")
	case has["visio/document.xml"]:
		return 0, mismatch(ext, "a Visio drawing")
	case has["mimetype"] && has["meta-inf/container.xml"]:
		return 0, mismatch(ext, "an EPUB book")
	case has["mimetype"] && has["content.xml"]:
		return 0, mismatch(ext, "an OpenDocument file (save it as .docx or PDF)")
	case has["meta-inf/manifest.mf"]:
		return 0, mismatch(ext, "a Java archive")
	case has["[content_types].xml"] && ext == ".docx":
		return 0, invalid("is damaged: a Word document without its main part, word/document.xml")
	default:
		return 0, mismatch(ext, "a zip archive (upload the files in it one by one)")
	}
}

// compoundFile is what old Office files and encrypted new ones are packed in.
// The names of its streams are UTF-16.
func compoundFile(ext string, b []byte) error {
	has := func(s string) bool {
		wide := make([]byte, 0, 2*len(s))
		for i := range len(s) {
			wide = append(wide, s[i], 0)
		}
		return bytes.Contains(b, wide)
	}
	switch {
	case has("EncryptedPackage"):
		return invalid("is encrypted (password-protected); remove the password first")
	case has("WordDocument"):
		return mismatch(ext, "a Word document of the old kind (.doc; save it as .docx)")
	case has("Workbook"):
		return mismatch(ext, "an Excel workbook of the old kind (.xls)")
	case has("PowerPoint Document"):
		return mismatch(ext, "a PowerPoint presentation of the old kind (.ppt; save it as PDF)")
	case has("__properties_version1.0"):
		return mismatch(ext, "an Outlook message (.msg)")
	default:
		return mismatch(ext, "an Office file of the old kind, such as .doc")
	}
}

// looksLikeText reports whether b is free of bytes that no text has.
func looksLikeText(b []byte) bool {
	bad := 0
	for _, c := range b {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' && c != '\f' && c != 0x1B && c != '\b' || c == 0x7F {
			bad++
		}
	}
	return bad*200 <= len(b) && bytes.IndexByte(b, 0) < 0
}

// validUTF8 reports whether b is UTF-8 but for a rune cut at its end and a
// stray byte in ten thousand.
func validUTF8(b []byte) bool {
	bad := 0
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			if !utf8.FullRune(b[i:]) {
				return true
			}
			if bad++; bad*10_000 > len(b) {
				return false
			}
		}
		i += n
	}
	return true
}
