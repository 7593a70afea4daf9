package extract

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// Elements that format and are left open, and blocks behind them, make no more nodes
// than there are tags and texts: without tame the first has almost a million.
func TestFormattingMultipliesNothing(t *testing.T) {
	var open strings.Builder
	for i := range 480 {
		fmt.Fprintf(&open, "<%s a=%d>", []string{"b", "I", "font", "a", "STRIKE", "nobr"}[i%6], i)
	}
	const many = 2000
	for _, tt := range []struct{ name, page string }{
		{"open in a paragraph", "<p>" + open.String() + strings.Repeat("<p>x", many)},
		{"where scripts may be thought", "<svg><style>" + open.String() + "</svg></style><p>" + open.String() + strings.Repeat("<p>x", many)},
		{"where attributes may be thought", `<p><i x='">` + open.String() + `" y='>` + open.String() + strings.Repeat("<p>x", many)},
		{"closed where that is not seen", "<p>" + open.String() + "<select>" + strings.Repeat("</b></i>", 240) + "</select>" + strings.Repeat("<p>x", many)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root, err := parsePage(func() error { return nil }, tt.page)
			if err != nil {
				t.Fatal(err)
			}
			nodes := 0
			for range root.Descendants() {
				nodes++
			}
			if most := 2*strings.Count(tt.page, "<") + 10; nodes > most {
				t.Errorf("%d nodes, want %d at most", nodes, most)
			}
		})
	}
}

func TestFormattingIsReadAsBefore(t *testing.T) {
	for _, tt := range []struct{ name, page, want string }{
		{"closed", "<p>One <b>two</b> <i class=x>three</i><em>.</em></p>", "One two three."},
		{"crossing", "<p>One <b>two <i>three</b> four</i> five", "One two three four five"},
		{"around blocks", "<b><div>One</div></b><p><a href='x'>two</p><p>three</a>", "One\n\ntwo\n\nthree"},
		{"many that are not closed", strings.Repeat("<div><a name=x>One</div>", 2) + strings.Repeat("<a name='y'>", 600) + "two", "One\n\nOne\n\ntwo"},
		{"capitals and line ends", "<P>One <B\n>two</B\n> <TT/>three</TT>", "One two three"},
		{"hidden", "<p>One <b hidden>no</b><i style='DISPLAY: none'>no</i><a aria-hidden=true>no</a> two", "One two"},
		{"others with such names", "<p>One <abbr>two</abbr> <bdi>three</bdi> <article>four</article>", "One two three\n\nfour"},
		{"no tags", "<p>1 <b 2", "1"},
		{"in a word", "<p>im<b>por</b>tant", "important"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root, err := parsePage(func() error { return nil }, tt.page)
			if err != nil {
				t.Fatal(err)
			}
			if got := textsOf(root); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func textsOf(root *html.Node) string {
	w := htmlWalker{stopped: func() error { return nil }}
	w.walk(root, 0)
	w.flush()
	texts := make([]string, len(w.blocks))
	for i, b := range w.blocks {
		texts[i] = b.text
	}
	return strings.Join(texts, "\n\n")
}
