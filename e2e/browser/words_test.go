package browser

import (
	"encoding/json"
	"fmt"
	"testing"
)

// module imports one of the page's modules in the page, and gives it to an
// expression as m.
func module[T any](b *tab, name, expression string) T {
	b.t.Helper()
	return eval[T](b, fmt.Sprintf("import(new URL(%q, document.querySelector('script[type=module]').src)).then((m) => %s)", name, expression))
}

func TestMarkedWords(t *testing.T) {
	b := open(t, serve(t, []string{"WEIR_EMBEDDER=none"}).URL, screen{})
	tests := []struct {
		name, question, text string
		want                 []string
	}{
		{"the word itself", "insulin price", "Insulin has a price.", []string{"Insulin", "price"}},
		{"another ending", "How many hours are used?", "One hour of use; it was used.", []string{"hour", "use", "used"}},
		{"everyday words are not marked", "What is the cost of it?", "It is the cost of this.", []string{"cost"}},
		{"accents", "résumé señal", "Resume, SEÑAL", []string{"Resume", "SEÑAL"}},
		{"a number is itself", "section 18", "Section 18, 180 and 1", []string{"Section", "18"}},
		{"no half words", "car", "The carpet is a cart.", []string{"cart"}},
		{"German", "Wie hoch ist die Kaution?", "Die Kautionen sind hoch.", []string{"Kautionen", "hoch"}},
		{"Chinese", "电池可以在楼道里充电吗？", "严禁在楼道充电。电池要取下。", []string{"楼道", "充电", "电池"}},
		{"Japanese", "電池の充電", "充電は電池を外して行う", []string{"充電", "電池"}},
		{"nothing", "zebra", "No such animal", []string{}},
		{"signs alone", "?! …", "What?! …", []string{}},
		{"markup is text", "<script> onerror", "<script>x onerror=1", []string{"script", "onerror"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q, _ := json.Marshal(tt.question)
			x, _ := json.Marshal(tt.text)
			got := module[[]string](b, "words.js", fmt.Sprintf("m.marks(%s, m.terms(%s)).map(([from, to]) => %s.slice(from, to))", x, q, x))
			if fmt.Sprint(got) != fmt.Sprint(tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// The Markdown of a model is elements and text, and nothing else.
func TestMarkdownOfAnAnswer(t *testing.T) {
	b := open(t, serve(t, []string{"WEIR_EMBEDDER=none"}).URL, screen{})
	tests := []struct{ name, text, want string }{
		{"paragraphs", "One [1].\n\nTwo **bold** and *soft* [2][3].", "<p>One <q>1</q>.</p><p>Two <strong>bold</strong> and <em>soft</em> <q>2</q><q>3</q>.</p>"},
		{"lists", "- a [1]\n- b\n  more\n\n3. c\n4. d", `<ul><li>a <q>1</q></li><li>b` + "\n" + `more</li></ul><ol start="3"><li>c</li><li>d</li></ol>`},
		{"code", "```go\nx < y [1]\n```\nand `a[1]`", `<pre tabindex="0"><code>x &lt; y [1]</code></pre><p>and <code>a[1]</code></p>`},
		{"heading and quote", "## Title\n> said", "<h3>Title</h3><blockquote><p>said</p></blockquote>"},
		{"no HTML", "<img src=x onerror=alert(1)> <b>x</b>", "<p>&lt;img src=x onerror=alert(1)&gt; &lt;b&gt;x&lt;/b&gt;</p>"},
		{"no link, no image", "[here](javascript:alert(1)) ![x](http://evil.example/?q)", "<p>[here](javascript:alert(1)) ![x](http://evil.example/?q)</p>"},
		{"not closed", "```\ncode\n**not", `<pre tabindex="0"><code>code` + "\n" + `**not</code></pre>`},
		{"not markup", "5 * 3 * 2 = 30, a_b", "<p>5 * 3 * 2 = 30, a_b</p>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x, _ := json.Marshal(tt.text)
			got := module[string](b, "markdown.js", fmt.Sprintf(`(() => { const e = document.createElement("div"); m.render(e, %s, (n) => { const q = document.createElement("q"); q.textContent = n; return q; }); return e.innerHTML; })()`, x))
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			// Letter by letter it comes to the same.
			pieces := module[string](b, "markdown.js", fmt.Sprintf(`(() => { const e = document.createElement("div"), t = %s; for (let i = 1; i <= t.length; i++) m.render(e, t.slice(0, i), (n) => { const q = document.createElement("q"); q.textContent = n; return q; }); return e.innerHTML; })()`, x))
			if pieces != tt.want {
				t.Errorf("in pieces %s\nwant %s", pieces, tt.want)
			}
		})
	}
}
