package extract

import (
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// table writes each row as one line. A table that holds headings, lists of
// blocks or other tables is there for layout: its cells are read as text.
func (w *htmlWalker) table(n *html.Node, depth int) {
	if layoutTable(n) {
		w.layoutCells(n, depth)
		return
	}
	w.tables++
	id := w.tables
	first := true
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			switch {
			case c.Type != html.ElementNode || hidden(c):
			case c.DataAtom == atom.Caption:
				w.block(c, depth, paragraph, 0)
			case c.DataAtom == atom.Tr:
				text, header := tableCells(c)
				if text == "" {
					continue
				}
				w.blocks = append(w.blocks, block{kind: tableRow, text: text, table: id, header: first && header})
				first = false
			default:
				walk(c)
			}
		}
	}
	walk(n)
	w.flush()
}

// tableCells joins the cells of a row; header is true when all are headers.
func tableCells(tr *html.Node) (text string, header bool) {
	var cells []string
	header = true
	for c := tr.FirstChild; c != nil; c = c.NextSibling {
		if c.Type != html.ElementNode || c.DataAtom != atom.Td && c.DataAtom != atom.Th {
			continue
		}
		header = header && c.DataAtom == atom.Th
		cells = append(cells, strings.ReplaceAll(squeeze(clean(innerText(c))), "|", "/"))
	}
	return row(cells), header && len(cells) > 1
}

func layoutTable(n *html.Node) bool {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.Type != html.ElementNode {
			continue
		}
		switch c.DataAtom {
		case atom.Table, atom.H1, atom.H2, atom.H3, atom.Pre:
			return true
		default:
			if layoutTable(c) {
				return true
			}
		}
	}
	return false
}

func (w *htmlWalker) layoutCells(n *html.Node, depth int) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.Type != html.ElementNode {
			continue
		}
		switch c.DataAtom {
		case atom.Td, atom.Th, atom.Caption:
			w.block(c, depth, paragraph, 0)
		default:
			w.layoutCells(c, depth+1)
		}
	}
}

// innerText is all visible text in n, with spaces where a block or a line
// ends.
func innerText(n *html.Node) string {
	var b strings.Builder
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			switch c.Type {
			case html.TextNode:
				b.WriteString(c.Data)
			case html.ElementNode:
				if hidden(c) {
					continue
				}
				switch c.DataAtom {
				case atom.Script, atom.Style, atom.Template:
				case atom.Sup:
					s := strings.TrimSpace(innerText(c))
					if isMark(s) && s != "" && marksNote(lastWord(tail(b.String(), 40))) {
						s = "[" + s + "]"
					}
					b.WriteString(s)
				case atom.Br, atom.P, atom.Div, atom.Li, atom.Tr, atom.Td, atom.Th, atom.Dt, atom.Dd:
					b.WriteByte(' ')
					walk(c)
					b.WriteByte(' ')
				default:
					walk(c)
				}
			case html.ErrorNode, html.DocumentNode, html.CommentNode, html.DoctypeNode, html.RawNode:
			}
		}
	}
	walk(n)
	return b.String()
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return strings.TrimSpace(a.Val)
		}
	}
	return ""
}

func hidden(n *html.Node) bool {
	for _, a := range n.Attr {
		switch a.Key {
		case "hidden":
			return a.Val != "until-found"
		case "aria-hidden":
			if a.Val == "true" {
				return true
			}
		case "style":
			s := strings.ReplaceAll(strings.ToLower(a.Val), " ", "")
			if strings.Contains(s, "display:none") || strings.Contains(s, "visibility:hidden") {
				return true
			}
		}
	}
	return false
}

func inArticle(n *html.Node) bool {
	for p := n.Parent; p != nil; p = p.Parent {
		if p.DataAtom == atom.Article || p.DataAtom == atom.Main || p.DataAtom == atom.Section {
			return true
		}
	}
	return false
}

// headingIn is the first h1 in n: the title of a page often stands in its
// header.
func headingIn(n *html.Node, depth int) *html.Node {
	if depth > 6 {
		return nil
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.DataAtom == atom.H1 {
			return c
		}
		if h := headingIn(c, depth+1); h != nil {
			return h
		}
	}
	return nil
}

func itoa(n int) string { return strconv.Itoa(n) }
