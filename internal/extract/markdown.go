package extract

import (
	"bytes"
	"context"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	east "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	gtext "github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// markdownBlocks reads the block structure and leaves the text in the blocks
// alone: goldmark's reading of emphasis and links takes minutes on inputs made
// to be slow, and cannot be stopped.
func markdownBlocks() parser.Parser {
	return parser.NewParser(
		parser.WithBlockParsers(append(parser.DefaultBlockParsers(),
			util.Prioritized(extension.NewDefinitionListParser(), 101),
			util.Prioritized(extension.NewDefinitionDescriptionParser(), 102),
			util.Prioritized(extension.NewFootnoteBlockParser(), 999),
		)...),
		parser.WithParagraphTransformers(
			util.Prioritized(extension.NewTableParagraphTransformer(), 200),
		),
	)
}

// markdownPart is how much is parsed at a time. The parser does not look at a
// context, and some inputs take it time that grows with the square of their
// length.
const markdownPart = 128 << 10

func (x *Extractor) readMarkdown(ctx context.Context, data []byte) (document, error) {
	text, err := x.decode(data)
	if err != nil {
		return document{}, err
	}
	text = strings.ReplaceAll(text, "\r", "\n")
	d := document{mediaType: "text/markdown"}
	d.title, text = frontMatter(text)
	md := markdownBlocks()
	tables := 0
	for _, part := range markdownParts(text) {
		if ctx.Err() != nil {
			return d, context.Cause(ctx)
		}
		if err := x.checkNesting(part); err != nil {
			return d, err
		}
		if err := checkTables(part); err != nil {
			return d, err
		}
		src := []byte(part)
		w := markdownWalker{src: src, tables: tables}
		w.blocksOf(md.Parse(gtext.NewReader(src), parser.WithContext(parser.NewContext())), "")
		d.blocks = append(d.blocks, w.out...)
		tables = w.tables
		if len(d.blocks) > maxBlocks {
			return d, tooManyBlocks()
		}
	}
	return d, nil
}

// frontMatter cuts off settings in YAML or TOML at the beginning, and takes
// the title from them.
func frontMatter(s string) (title, rest string) {
	for _, fence := range [...]string{"---", "+++"} {
		body, ok := strings.CutPrefix(s, fence+"\n")
		if !ok {
			continue
		}
		head, tail, ok := strings.Cut(body, "\n"+fence+"\n")
		if !ok || len(head) > 64<<10 || !strings.ContainsAny(head, ":=") {
			continue
		}
		for line := range strings.SplitSeq(head, "\n") {
			key, value, ok := strings.Cut(line, string(":="[strings.IndexByte("-+", fence[0])]))
			if ok && strings.TrimSpace(strings.ToLower(key)) == "title" {
				title = strings.Trim(strings.TrimSpace(value), `"'`)
			}
		}
		return title, tail
	}
	return "", s
}

// markdownParts cuts s before headings, or at blank lines, outside of fenced
// code.
func markdownParts(s string) []string {
	if len(s) <= markdownPart {
		return []string{s}
	}
	var out []string
	start, blank, fence := 0, 0, ""
	for i := 0; i < len(s); {
		end := len(s)
		if k := strings.IndexByte(s[i:], '\n'); k >= 0 {
			end = i + k + 1
		}
		line := strings.TrimSpace(s[i:end])
		switch {
		case fence != "":
			if strings.HasPrefix(line, fence) {
				fence = ""
			}
		case strings.HasPrefix(line, "```"), strings.HasPrefix(line, "~~~"):
			fence = line[:3]
		case line == "":
			blank = end
		}
		if i-start >= markdownPart {
			cut := i
			if blank > start {
				cut = blank
			}
			out = append(out, s[start:cut])
			start = cut
		}
		i = end
	}
	return append(out, s[start:])
}

// checkNesting refuses quotes and lists nested deeper than anybody writes, for
// which the parser takes time that grows with the square of the depth.
func (x *Extractor) checkNesting(s string) error {
	for line := range strings.SplitSeq(s, "\n") {
		depth := 0
		for i := 0; i < len(line); i++ {
			switch c := line[i]; {
			case c == '>' || (c == '-' || c == '*' || c == '+') && i+1 < len(line) && line[i+1] == ' ':
				depth++
				continue
			case c == ' ' || c == '\t':
				continue
			}
			break
		}
		indent := 0
		for indent < len(line) && (line[indent] == ' ' || line[indent] == '\t') {
			indent++
		}
		if d := max(depth, indent/2); depth > x.cfg.MaxDepth || indent < len(line) && indent > 8*x.cfg.MaxDepth {
			return invalid("nests quotes or lists %d deep; the limit is %d", d, x.cfg.MaxDepth)
		}
	}
	return nil
}

// markdownWalker makes blocks of a parsed document.
type markdownWalker struct {
	src    []byte
	out    []block
	tables int
}

func (w *markdownWalker) add(kind blockKind, level int, mark, text string) {
	if kind != code {
		text = squeeze(clean(text))
	} else {
		text = strings.Trim(clean(text), "\n")
	}
	if text == "" {
		return
	}
	if mark != "" {
		text = mark + text
		if kind == paragraph {
			kind = listItem
		}
	}
	w.out = append(w.out, block{kind: kind, level: level, text: text})
}

// blocksOf reads what is in n. mark stands before the first block: the bullet
// of a list item.
func (w *markdownWalker) blocksOf(n ast.Node, mark string) {
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		w.block(c, mark)
		mark = ""
	}
}

func (w *markdownWalker) block(n ast.Node, mark string) {
	switch n := n.(type) {
	case *ast.Heading:
		w.add(heading, n.Level, "", w.inline(n))
	case *ast.Paragraph, *ast.TextBlock, *east.DefinitionTerm:
		w.add(paragraph, 0, mark, withoutDefinitions(w.inline(n)))
	case *east.Footnote:
		w.blocksOf(n, "["+clean(string(n.Ref))+"] ")
	case *ast.FencedCodeBlock, *ast.CodeBlock:
		w.add(code, 0, mark, w.lines(n))
	case *ast.HTMLBlock:
		if text := tagless(w.lines(n)); text != "" {
			w.add(paragraph, 0, mark, text)
		}
	case *ast.List:
		next := n.Start
		for c := n.FirstChild(); c != nil; c = c.NextSibling() {
			bullet := "• "
			if n.IsOrdered() {
				bullet = itoa(next) + ". "
				next++
			}
			w.blocksOf(c, bullet)
		}
	case *east.Table:
		w.tables++
		for c := n.FirstChild(); c != nil; c = c.NextSibling() {
			var cells []string
			for k := c.FirstChild(); k != nil; k = k.NextSibling() {
				cells = append(cells, strings.ReplaceAll(squeeze(clean(w.inline(k))), "|", "/"))
			}
			if text := row(cells); text != "" {
				w.out = append(w.out, block{kind: tableRow, text: text, table: w.tables, header: c.Kind() == east.KindTableHeader})
			}
		}
	case *ast.ThematicBreak:
	default: // quotes, footnotes, definitions
		w.blocksOf(n, mark)
	}
}

func (w *markdownWalker) lines(n ast.Node) string {
	var b bytes.Buffer
	for i := range n.Lines().Len() {
		l := n.Lines().At(i)
		b.Write(l.Value(w.src))
	}
	return b.String()
}

// inline is the text of a block without its marks.
func (w *markdownWalker) inline(n ast.Node) string {
	return joinSoft(markdownInline(w.lines(n)))
}

// joinSoft makes spaces of line breaks, and nothing of those between
// characters of scripts without spaces.
func joinSoft(s string) string {
	if !strings.Contains(s, "\n") {
		return s
	}
	var b strings.Builder
	for i, l := range strings.Split(s, "\n") {
		l = strings.TrimSpace(l)
		if i > 0 && l != "" && !joinsBare(tail(b.String(), 8), l) {
			b.WriteByte(' ')
		}
		b.WriteString(l)
	}
	return b.String()
}
