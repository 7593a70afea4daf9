package extract

import (
	"archive/zip"
	"bufio"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"path"
	"strings"
)

const mediaDOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"

// docxRatio is how much smaller than its content a part may be packed. Real
// documents reach 50; a bomb has 1000.
const docxRatio = 400

// maxTag is the longest tag of a part, with its attributes, which take up to forty
// times their length when they are read. The longest of real ones hold a picture.
const maxTag = 2 << 20

// maxAttrs is the most attributes that the elements which are open at one time may
// have together: the names that they declare are kept as long.
const maxAttrs = 10_000

// docx is an open Word document.
type docx struct {
	stopped func() error // why to stop; nil: go on
	cfg     Config
	parts   map[string]*zip.File
	left    int // bytes that may still be unpacked
}

func (x *Extractor) readDOCX(ctx context.Context, data []byte) (document, error) {
	z, err := openZip(data)
	if err != nil {
		return document{}, err
	}
	d := &docx{stopped: func() error { return context.Cause(ctx) }, cfg: x.cfg, parts: map[string]*zip.File{}, left: 4 * x.cfg.MaxText}
	for _, f := range z.File {
		name := strings.ToLower(strings.TrimPrefix(path.Clean("/"+f.Name), "/"))
		if d.parts[name] == nil {
			d.parts[name] = f
		}
	}
	r := docxReader{doc: d, marks: map[string]string{}}
	main := "word/document.xml"
	if d.parts[main] == nil {
		main = "word/document2.xml"
	}
	r.styles, err = d.styles()
	if err == nil {
		r.lists, err = d.numbering()
	}
	if err == nil {
		r.notes, err = d.notes()
	}
	title := ""
	if err == nil {
		title, err = d.title()
	}
	if err == nil {
		err = r.read(main)
	}
	if err != nil {
		return document{}, docxError(ctx, err)
	}
	if title == "" {
		title = r.title
	}
	return document{mediaType: mediaDOCX, title: title, blocks: r.blocks}, nil
}

func docxError(ctx context.Context, err error) error {
	var syntax *xml.SyntaxError
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &syntax), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, zip.ErrChecksum), errors.Is(err, zip.ErrFormat), errors.Is(err, zip.ErrAlgorithm):
		return invalid("is damaged: %w", err)
	default:
		return err
	}
}

// open gives a decoder for a part, or nil when there is no such part.
func (d *docx) open(name string) (*docxXML, error) {
	f := d.parts[name]
	if f == nil {
		return nil, nil
	}
	if f.Flags&1 != 0 {
		return nil, invalid("is encrypted (password-protected); remove the password first")
	}
	limit := uint64(d.cfg.MaxText) //nolint:gosec // not negative
	if f.UncompressedSize64 > 4*limit {
		return nil, tooLarge("unpacks to %s; the limit is %s", bytesText(int64(min(f.UncompressedSize64, 1<<62))), bytesText(4*int64(d.cfg.MaxText)))
	}
	r, err := f.Open()
	if err != nil {
		return nil, invalid("is damaged: %w", err)
	}
	packed := int64(min(f.CompressedSize64, 1<<40))
	in := &docxPart{d: d, r: r, most: max(packed*docxRatio, 1<<20)}
	tags := &docxTags{Reader: bufio.NewReader(in), begins: true}
	dec := xml.NewDecoder(tags)
	dec.Strict = true
	dec.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	return &docxXML{Decoder: dec, part: in, tags: tags, maxDepth: d.cfg.MaxDepth * 4}, nil
}

// docxPart counts what comes out of a part, whatever its header promised.
type docxPart struct {
	d    *docx
	r    io.ReadCloser
	n    int64
	most int64
}

func (p *docxPart) Read(b []byte) (int, error) {
	if err := p.d.stopped(); err != nil {
		return 0, err
	}
	n, err := p.r.Read(b)
	p.n += int64(n)
	p.d.left -= n
	switch {
	case p.d.left < 0:
		return 0, tooLarge("unpacks to more than %s", bytesText(4*int64(p.d.cfg.MaxText)))
	case p.n > p.most:
		return 0, tooLarge("is packed more than %d times smaller than its content, as no document is (a zip bomb)", docxRatio)
	}
	return n, err
}

// docxTags hands a part to the decoder, which reads it byte by byte, and bounds its
// tags. Text may be as long as it likes.
type docxTags struct {
	*bufio.Reader
	begins bool // the next byte is the first of a token
	tag    bool // the token under way is a tag
	n      int  // its bytes so far
}

func (t *docxTags) ReadByte() (byte, error) {
	b, err := t.Reader.ReadByte()
	if t.begins {
		t.begins, t.tag = false, b == '<'
	}
	if t.n++; t.tag && t.n > maxTag {
		return 0, tooLarge("has a tag that is longer than %s, as no document has", bytesText(maxTag))
	}
	return b, err //nolint:wrapcheck // the decoder gives it back as it is
}

// ended is told of each token. Behind text the decoder has read the < of what follows.
func (t *docxTags) ended(token xml.Token) {
	_, text := token.(xml.CharData)
	t.n, t.tag, t.begins = 0, text, !text
}

// docxXML reads elements and bounds how deep they nest, and what they hold in memory.
type docxXML struct {
	*xml.Decoder
	part     *docxPart
	tags     *docxTags
	maxDepth int
	depth    int
	open     []int // attributes of each element that is open
	attrs    int   // of all these
}

func (x *docxXML) Close() { _ = x.part.r.Close() }

// next returns the next token; nil at the end.
func (x *docxXML) next() (xml.Token, error) {
	t, err := x.Token()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		return nil, err
	}
	x.tags.ended(t)
	switch e := t.(type) {
	case xml.StartElement:
		if x.depth++; x.depth > x.maxDepth {
			return nil, invalid("nests elements deeper than %d", x.maxDepth)
		}
		x.open = append(x.open, len(e.Attr))
		if x.attrs += len(e.Attr); x.attrs > maxAttrs {
			return nil, tooLarge("has elements of more than %d attributes", maxAttrs)
		}
	case xml.EndElement:
		x.depth--
		x.attrs -= x.open[len(x.open)-1] // the decoder gives no end without its beginning
		x.open = x.open[:len(x.open)-1]
	case xml.Directive:
		return nil, invalid("holds a document type declaration, which Word never writes")
	}
	return t, nil
}

// skip passes over the element that was just opened.
func (x *docxXML) skip() error {
	for from := x.depth; x.depth >= from; {
		t, err := x.next()
		if err != nil {
			return err
		}
		if t == nil {
			return io.ErrUnexpectedEOF
		}
	}
	return nil
}

func xmlAttr(e xml.StartElement, local string) string {
	for _, a := range e.Attr {
		if a.Name.Local == local {
			return a.Value
		}
	}
	return ""
}

// on reports whether a switch such as <w:b/> or <w:vanish w:val="0"/> is on.
func on(e xml.StartElement) bool {
	switch xmlAttr(e, "val") {
	case "0", "false", "off", "none":
		return false
	default:
		return true
	}
}
