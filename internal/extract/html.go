package extract

import (
	"context"
	"io"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
	"golang.org/x/net/html/charset"
)

func (x *Extractor) readHTML(ctx context.Context, data []byte) (document, error) {
	if len(data) > x.cfg.MaxText {
		return document{}, tooLarge("holds %s of HTML; the limit is %s", bytesText(int64(len(data))), bytesText(int64(x.cfg.MaxText)))
	}
	stopped := func() error { return context.Cause(ctx) }
	root, err := parsePage(stopped, htmlText(data))
	if ctx.Err() != nil {
		return document{}, context.Cause(ctx)
	}
	if err != nil {
		return document{}, invalid("cannot be read as HTML: %w", err)
	}
	w := htmlWalker{stopped: stopped}
	w.walk(root, 0)
	w.flush()
	if ctx.Err() != nil {
		return document{}, context.Cause(ctx)
	}
	if len(w.blocks) > maxBlocks {
		return document{}, tooManyBlocks()
	}
	return document{mediaType: "text/html", title: w.title, blocks: w.blocks}, nil
}

func parsePage(stopped func() error, page string) (*html.Node, error) {
	return html.Parse(&stoppedReader{stopped, strings.NewReader(tame(page))})
}

// htmlText makes UTF-8 of the file: by its mark, by what it says of itself, or
// by what it looks like.
func htmlText(data []byte) string {
	if e := guessEncoding(data); e != nil {
		if _, name, certain := charset.DetermineEncoding(data, ""); !certain || name == "utf-8" {
			if text, ok := decodeText(data); ok {
				return text
			}
		}
	}
	enc, _, _ := charset.DetermineEncoding(data, "")
	out, err := enc.NewDecoder().Bytes(data)
	if err != nil {
		return strings.ToValidUTF8(string(data), "\uFFFD")
	}
	return string(out)
}

// stoppedReader ends a parser that would not look at a context.
type stoppedReader struct {
	stopped func() error // why to stop; nil: go on
	r       io.Reader
}

func (s *stoppedReader) Read(p []byte) (int, error) {
	if err := s.stopped(); err != nil {
		return 0, err
	}
	const most = 512 // a few tags may take long
	return s.r.Read(p[:min(len(p), most)])
}

// htmlWalker makes blocks of a parsed page. The parser refuses nesting deeper
// than 512, so walk may recurse.
type htmlWalker struct {
	stopped func() error // why to stop; nil: go on
	blocks  []block
	title   string
	text    strings.Builder // of the block under way
	kind    blockKind
	level   int
	mark    string // of the list item under way, until its first text
	lists   []*htmlList
	pre     bool
	tables  int
}

type htmlList struct {
	ordered bool
	next    int
}

func (w *htmlWalker) flush() {
	s := w.text.String()
	w.text.Reset()
	if w.kind == code {
		s = strings.Trim(clean(s), "\n")
	} else {
		s = squeeze(clean(s))
	}
	if strings.TrimSpace(s) != "" {
		b := block{kind: w.kind, level: w.level, text: s}
		if w.mark != "" && w.kind != heading && w.kind != code {
			b.kind, b.text, w.mark = listItem, w.mark+s, ""
		}
		w.blocks = append(w.blocks, b)
	}
	w.kind, w.level = paragraph, 0
	if w.pre {
		w.kind = code
	}
}

func (w *htmlWalker) walk(n *html.Node, depth int) {
	if w.stopped() != nil || len(w.blocks) > maxBlocks {
		return
	}
	switch n.Type {
	case html.TextNode:
		w.text.WriteString(n.Data)
		return
	case html.ElementNode:
		if w.element(n, depth) {
			return
		}
	case html.ErrorNode, html.DocumentNode, html.CommentNode, html.DoctypeNode, html.RawNode:
	}
	w.children(n, depth)
}

func (w *htmlWalker) children(n *html.Node, depth int) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		w.walk(c, depth+1)
	}
}

// block reads n as a block of its own.
func (w *htmlWalker) block(n *html.Node, depth int, kind blockKind, level int) {
	w.flush()
	w.kind, w.level = kind, level
	w.children(n, depth)
	w.flush()
}

// element reports whether it dealt with n and what is in it.
func (w *htmlWalker) element(n *html.Node, depth int) bool {
	if hidden(n) {
		return true
	}
	switch n.DataAtom {
	case atom.Title:
		if w.title == "" {
			w.title = squeeze(clean(innerText(n)))
		}
	case atom.Script, atom.Style, atom.Noscript, atom.Template, atom.Nav, atom.Iframe, atom.Object, atom.Svg, atom.Canvas, atom.Select,
		atom.Textarea, atom.Button, atom.Audio, atom.Video, atom.Math:
	case atom.Header, atom.Footer, atom.Aside:
		// Of the page they are decoration; of an article they belong to it.
		if !inArticle(n) && headingIn(n, 0) == nil {
			return true
		}
		w.block(n, depth, paragraph, 0)
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		w.block(n, depth, heading, int(n.Data[1]-'0'))
	case atom.Ul, atom.Ol, atom.Menu:
		w.list(n, depth)
	case atom.Li:
		w.item(n, depth)
	case atom.Dt, atom.Dd:
		w.definition(n, depth)
	case atom.Pre:
		w.flush()
		w.pre, w.kind = true, code
		w.children(n, depth)
		w.pre = false
		w.kind = code
		w.flush()
	case atom.Br:
		if w.pre || w.kind == code {
			w.text.WriteByte('\n')
		} else {
			w.text.WriteByte(' ')
		}
	case atom.Hr:
		w.flush()
	case atom.Table:
		w.flush()
		w.table(n, depth)
	case atom.Img:
		if alt := attr(n, "alt"); len(alt) > 3 {
			w.text.WriteString(" " + alt + " ")
		}
	case atom.Sup:
		w.sup(n)
	case atom.P, atom.Div, atom.Section, atom.Article, atom.Main, atom.Blockquote, atom.Figure, atom.Figcaption, atom.Details, atom.Summary,
		atom.Address, atom.Dl, atom.Form, atom.Fieldset, atom.Legend, atom.Body, atom.Center, atom.Caption, atom.Hgroup, atom.Option, atom.Optgroup:
		if w.kind == heading { // inside a heading: no block of its own
			w.text.WriteByte(' ')
			w.children(n, depth)
			w.text.WriteByte(' ')
			return true
		}
		w.block(n, depth, w.kind, 0)
	default:
		return false
	}
	return true
}

// sup keeps the mark of a footnote apart from the word before it.
func (w *htmlWalker) sup(n *html.Node) {
	s := strings.Trim(squeeze(innerText(n)), "[]")
	if isMark(s) && s != "" && marksNote(lastWord(tail(w.text.String(), 40))) {
		s = "[" + s + "]"
	}
	w.text.WriteString(s)
}

func (w *htmlWalker) list(n *html.Node, depth int) {
	w.flush()
	l := &htmlList{ordered: n.DataAtom == atom.Ol, next: 1}
	if s := attr(n, "start"); s != "" {
		if v := ints(s); v != nil {
			l.next = v[0]
		}
	}
	w.lists = append(w.lists, l)
	w.children(n, depth)
	w.flush()
	w.lists = w.lists[:len(w.lists)-1]
	w.mark = ""
}

func (w *htmlWalker) item(n *html.Node, depth int) {
	w.flush()
	w.mark = "• "
	if k := len(w.lists); k > 0 && w.lists[k-1].ordered {
		w.mark = itoa(w.lists[k-1].next) + ". "
		w.lists[k-1].next++
	}
	w.children(n, depth)
	w.flush()
	w.mark = ""
}

// definition puts the term before its meaning: “Term: meaning”.
func (w *htmlWalker) definition(n *html.Node, depth int) {
	w.flush()
	if n.DataAtom == atom.Dt && nextElement(n) == atom.Dd {
		w.mark = strings.TrimSuffix(squeeze(clean(innerText(n))), ":") + ": "
		return
	}
	w.children(n, depth)
	w.flush()
	if w.mark != "" { // a term without a meaning
		w.kind = listItem
		w.text.WriteString(w.mark)
		w.mark = ""
		w.flush()
	}
}

func nextElement(n *html.Node) atom.Atom {
	for s := n.NextSibling; s != nil; s = s.NextSibling {
		if s.Type == html.ElementNode {
			return s.DataAtom
		}
	}
	return 0
}
