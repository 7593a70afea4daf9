package extract

import (
	"encoding/xml"
	"io"
	"strconv"
	"strings"
)

// docxReader makes blocks of the body of a Word document.
type docxReader struct {
	doc    *docx
	styles map[string]docxStyle
	lists  map[string]*docxList
	notes  map[string]string // "f1": the text of footnote 1; "e1": of endnote 1
	marks  map[string]string // of the notes that were referred to; shared with the readers of tables and boxes
	blocks []block
	title  string // the paragraph in the style of a title
	tables int
	shown  int     // footnotes referred to so far
	after  []block // footnotes, to follow the paragraph that refers to them
}

func (r *docxReader) read(part string) error {
	x, err := r.doc.open(part)
	if err != nil {
		return err
	}
	if x == nil {
		return invalid("is damaged: a Word document without its main part")
	}
	defer x.Close()
	for {
		t, err := x.next()
		if err != nil || t == nil {
			return err
		}
		e, ok := t.(xml.StartElement)
		if !ok {
			continue
		}
		switch e.Name.Local {
		case "p":
			err = r.paragraph(x)
		case "tbl":
			err = r.table(x)
		case "del", "moveFrom", "sectPr":
			err = x.skip()
		}
		if err != nil {
			return err
		}
	}
}

// docxPara is a paragraph as it is read.
type docxPara struct {
	text  strings.Builder
	level int // of a heading
	title bool
	num   docxNum
	boxes []block // of the text boxes anchored in it
}

func (r *docxReader) paragraph(x *docxXML) error {
	p, err := r.para(x)
	if err != nil {
		return err
	}
	r.emit(p)
	if len(r.blocks) > maxBlocks {
		return tooManyBlocks()
	}
	return nil
}

func (r *docxReader) emit(p *docxPara) {
	text := squeeze(clean(p.text.String()))
	kind := paragraph
	if p.level > 0 {
		kind = heading
	}
	if p.title && r.title == "" {
		r.title = text
	}
	if text != "" {
		label := ""
		if l := r.lists[p.num.id]; l != nil && p.num.id != "0" {
			label = clean(l.next(p.num.level))
			if kind == paragraph {
				kind = listItem
			}
		}
		if label == "•" && kind == heading {
			label = ""
		}
		if label != "" {
			text = label + " " + text
		}
		r.blocks = append(r.blocks, block{kind: kind, level: p.level, text: text})
	}
	r.blocks = append(r.blocks, p.boxes...)
	r.blocks = append(r.blocks, r.after...)
	r.after = nil
}

// para reads the paragraph that was just opened.
func (r *docxReader) para(x *docxXML) (*docxPara, error) {
	p := &docxPara{}
	hiddenRun := false
	for from := x.depth; x.depth >= from; {
		t, err := x.next()
		if err != nil {
			return nil, err
		}
		switch e := t.(type) {
		case nil:
			return nil, io.ErrUnexpectedEOF
		case xml.StartElement:
			if e.Name.Local == "r" {
				hiddenRun = false
			}
			if e.Name.Local == "vanish" {
				hiddenRun = on(e)
				continue
			}
			if err := r.inPara(x, e, p, hiddenRun); err != nil {
				return nil, err
			}
		}
	}
	return p, nil
}

// inPara deals with one element inside a paragraph.
func (r *docxReader) inPara(x *docxXML, e xml.StartElement, p *docxPara, hiddenRun bool) error {
	switch e.Name.Local {
	case "pStyle":
		s := r.styles[xmlAttr(e, "val")]
		p.level, p.title = s.level, s.title
		if p.num.id == "" {
			p.num = s.num
		}
	case "outlineLvl":
		if n, err := strconv.Atoi(xmlAttr(e, "val")); err == nil && n >= 0 && n < 9 {
			p.level = n + 1
		}
	case "numId":
		p.num.id = xmlAttr(e, "val")
	case "ilvl":
		p.num.level, _ = strconv.Atoi(xmlAttr(e, "val"))
	case "pPrChange", "rPrChange", "del", "moveFrom", "instrText", "delText", "Fallback", "fldData":
		return x.skip() // as it was before a change, or not text at all
	case "t":
		s, err := x.chars()
		if err == nil && !hiddenRun {
			p.text.WriteString(s)
		}
		return err
	case "tab", "ptab":
		p.text.WriteByte(' ')
	case "br", "cr":
		p.text.WriteByte('\n')
	case "noBreakHyphen":
		p.text.WriteByte('-')
	case "sym":
		p.text.WriteByte(' ')
	case "footnoteReference":
		r.refer("f"+xmlAttr(e, "id"), p)
	case "endnoteReference":
		r.refer("e"+xmlAttr(e, "id"), p)
	case "txbxContent":
		inner := docxReader{doc: r.doc, styles: r.styles, lists: r.lists, notes: r.notes, marks: r.marks, tables: r.tables, shown: r.shown}
		if err := inner.until(x); err != nil {
			return err
		}
		p.boxes = append(p.boxes, inner.blocks...)
		r.tables, r.shown = inner.tables, inner.shown
	}
	return nil
}

// refer puts the mark of a note into the text and the note behind the
// paragraph, at the first reference: a long note that is referred to again and
// again would be a long document.
func (r *docxReader) refer(id string, p *docxPara) {
	text := r.notes[id]
	if text == "" {
		return
	}
	mark, again := r.marks[id]
	if again {
		p.text.WriteString(mark)
		return
	}
	r.shown++
	mark = "[" + strconv.Itoa(r.shown) + "]"
	r.marks[id] = mark
	p.text.WriteString(mark)
	r.after = append(r.after, block{kind: paragraph, text: mark + " " + text})
}

// until reads paragraphs and tables to the end of the element just opened.
func (r *docxReader) until(x *docxXML) error {
	for from := x.depth; x.depth >= from; {
		t, err := x.next()
		if err != nil {
			return err
		}
		switch e := t.(type) {
		case nil:
			return io.ErrUnexpectedEOF
		case xml.StartElement:
			switch e.Name.Local {
			case "p":
				err = r.paragraph(x)
			case "tbl":
				err = r.table(x)
			case "del", "moveFrom", "Fallback":
				err = x.skip()
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// chars is the text of the element that was just opened.
func (x *docxXML) chars() (string, error) {
	var b strings.Builder
	for from := x.depth; x.depth >= from; {
		t, err := x.next()
		if err != nil {
			return "", err
		}
		if t == nil {
			return "", io.ErrUnexpectedEOF
		}
		if c, ok := t.(xml.CharData); ok {
			b.Write(c)
		}
	}
	return b.String(), nil
}

// table reads the rows of the table that was just opened. What is in a cell
// becomes one line, whatever its structure.
func (r *docxReader) table(x *docxXML) error {
	r.tables++
	id := r.tables
	var cells []string
	first, header := true, false
	flush := func() {
		if text := row(cells); text != "" {
			r.blocks = append(r.blocks, block{kind: tableRow, text: text, table: id, header: len(cells) > 1 && first && (header || !hasDigit(text))})
			first = false
		}
		cells, header = nil, false
	}
	for from := x.depth; x.depth >= from; {
		t, err := x.next()
		if err != nil {
			return err
		}
		switch e := t.(type) {
		case nil:
			return io.ErrUnexpectedEOF
		case xml.EndElement:
			if e.Name.Local == "tr" {
				flush()
			}
		case xml.StartElement:
			switch e.Name.Local {
			case "tblHeader":
				header = on(e)
			case "tc":
				inner := docxReader{doc: r.doc, styles: r.styles, lists: r.lists, notes: r.notes, marks: r.marks, tables: r.tables, shown: r.shown}
				if err := inner.until(x); err != nil {
					return err
				}
				r.tables, r.shown = inner.tables, inner.shown
				var text []string
				for _, b := range inner.blocks {
					text = append(text, strings.ReplaceAll(b.text, "|", "/"))
				}
				cells = append(cells, strings.Join(text, " "))
			case "del":
				if err := x.skip(); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// notes reads the footnotes and endnotes.
func (d *docx) notes() (map[string]string, error) {
	out := map[string]string{}
	for _, part := range [...]struct{ name, element, key string }{
		{"word/footnotes.xml", "footnote", "f"},
		{"word/endnotes.xml", "endnote", "e"},
	} {
		err := d.each(part.name, func(x *docxXML, e xml.StartElement) error {
			if e.Name.Local != part.element || xmlAttr(e, "type") != "" {
				return nil
			}
			r := docxReader{doc: d}
			if err := r.until(x); err != nil {
				return err
			}
			var text []string
			for _, b := range r.blocks {
				text = append(text, b.text)
			}
			out[part.key+xmlAttr(e, "id")] = strings.Join(text, " ")
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func hasDigit(s string) bool { return strings.ContainsAny(s, "0123456789") }
