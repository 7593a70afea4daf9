package extract

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/tiktoken-go/tokenizer"
)

func TestSentences(t *testing.T) {
	tests := []struct {
		name string
		want []string
	}{
		{"plain", []string{"One. ", "Two! ", "Three? ", "Four"}},
		{"abbreviations", []string{"Mr. Smith of St. Ives met Dr. J. Doe, e.g. on Jan. 5 at No. 170. ", "Then he left."}},
		{"decimals", []string{"It costs 3.50 at example.com today. ", "Or $1,000.00."}},
		{"quotes", []string{"“Stop!” ", "He did. ", "(Really.) ", "Yes."}},
		{"German dates", []string{"Am 9., 10. und 11. September z. B. nicht. ", "Danach doch."}},
		{"Chinese", []string{"第一句。", "第二句！", "“第三句？”", "四"}},
		{"Arabic", []string{"هل هذا؟ ", "نعم."}},
		{"lower case goes on", []string{"approx. five or so. and on"}},
		{"lines", []string{"a\n", "b"}},
		{"Thai", []string{"ประโยคแรก ประโยคที่สอง"}},
	}
	for _, tt := range tests {
		if got := sentences(strings.Join(tt.want, "")); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestClean(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"composed", "Cafe\u0301", "Café"},
		{"ligatures", "ﬁne ﬂuﬀ oﬃce", "fine fluff office"},
		{"spaces", "a\u00a0b\u2009c\u3000d", "a b c d"},
		{"invisible", "so\u00adft\u200b \ufeffx\u202e\x00\x07", "soft x"},
		{"invalid", "a\xffb", "a\ufffdb"},
		{"bullets", "\uf0b7 x \ue000", "• x "},
		{"Arabic forms", "\ufefb", "لا"},
		{"hyphens", "12\u2011digit", "12-digit"},
		{"lines", "a\u2028b\tc", "a\nb\tc"},
		{"kept", "naïve 汉字 ✓ £ −5 👍", "naïve 汉字 ✓ £ −5 👍"},
	}
	for _, tt := range tests {
		if got := clean(tt.in); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestDecodeText(t *testing.T) {
	utf16le := func(s string, order bool) string {
		var b strings.Builder
		for _, u := range utf16.Encode([]rune(s)) {
			if order {
				b.WriteByte(byte(u))
				b.WriteByte(byte(u >> 8))
			} else {
				b.WriteByte(byte(u >> 8))
				b.WriteByte(byte(u))
			}
		}
		return b.String()
	}
	german := "Grüße – „schön“, 3 €. Noch ein Satz mit Wörtern."
	chinese := "第一句，然后是第二句。还有更多的文字，\n用来判断编码。"
	tests := []struct {
		name, in, want string
		ok             bool
	}{
		{"UTF-8", german, german, true},
		{"UTF-8 with a mark", "\xEF\xBB\xBF" + german, german, true},
		{"UTF-16LE with a mark", "\xFF\xFE" + utf16le(german, true), german, true},
		{"UTF-16BE with a mark", "\xFE\xFF" + utf16le(german, false), german, true},
		{"UTF-16LE", utf16le(german, true), german, true},
		{"UTF-16BE", utf16le(german, false), german, true},
		{"UTF-16LE Chinese", utf16le(chinese, true), chinese, true},
		{"UTF-16BE Chinese", utf16le(chinese, false), chinese, true},
		{"Windows-1252", "Gr\xfc\xdfe \x96 \x84sch\xf6n\x93, 3 \x80.", "Grüße – „schön“, 3 €.", true},
		{"GB18030", "\xb5\xda\xd2\xbb\xbe\xe4\xa1\xa3\xb5\xda\xb6\xfe\xbe\xe4\xa1\xa3\xd6\xd0\xce\xc4\xce\xc4\xb1\xbe", "第一句。第二句。中文文本", true},
		{"Shift JIS", "\x82\xb1\x82\xea\x82\xcd\x93\xfa\x96{\x8c\xea\x82\xcc\x95\xb6\x8f\xcd\x82\xc5\x82\xb7\x81B", "これは日本語の文章です。", true},
		{"Windows-1251", "\xcf\xf0\xe8\xe2\xe5\xf2, \xfd\xf2\xee \xf0\xf3\xf1\xf1\xea\xe8\xe9 \xf2\xe5\xea\xf1\xf2.", "Привет, это русский текст.", true},
		{"binary", "\x00\x01\x02\xff\x00\x10\x7f\x00\x00\x03", "", false},
	}
	for _, tt := range tests {
		if got, ok := decodeText([]byte(tt.in)); got != tt.want || ok != tt.ok {
			t.Errorf("%s: got %q, %v; want %q, %v", tt.name, got, ok, tt.want, tt.ok)
		}
	}
}

func TestNumbers(t *testing.T) {
	tests := []struct {
		parent []int
		title  string
		want   []int
	}{
		{nil, "4 What you pay", []int{4}},
		{[]int{4}, "4.2 Copays", []int{4, 2}},
		{[]int{4, 2}, "4.2.1 Visits", []int{4, 2, 1}},
		{nil, "CHAPTER 4: Benefits", []int{4}},
		{[]int{4}, "SECTION 2 Use", []int{4, 2}},
		{[]int{4, 2}, "Section 2.1 Your costs", []int{4, 2, 1}},
		{[]int{4}, "Section 2.1 Your costs", []int{4, 2, 1}},
		{nil, "第三章 充电", []int{3}},
		{nil, "十二、保修", []int{12}},
		{nil, "2025 Evidence", nil},
		{nil, "Introduction", nil},
	}
	for _, tt := range tests {
		n := numberOf(tt.title)
		if n.nums == nil {
			if tt.want != nil {
				t.Errorf("%q has no number, want %v", tt.title, tt.want)
			}
			continue
		}
		if got := n.under(tt.parent); !slices.Equal(got, tt.want) {
			t.Errorf("%q under %v = %v, want %v", tt.title, tt.parent, got, tt.want)
		}
	}
}

func TestSections(t *testing.T) {
	h := func(level int, text string) block { return block{kind: heading, level: level, text: text} }
	secs := sections([]block{
		{text: "before"}, h(1, "Preface"), h(1, "1 One"), h(2, "Unnumbered"), h(2, "1.1 First"), h(3, "Deeper"), h(1, "Appendix"),
	})
	want := [][]int{nil, {2}, {1}, {1, 2}, {1, 1}, {1, 1, 1}, {3}}
	for i := range secs {
		if !slices.Equal(secs[i].path, want[i]) {
			t.Errorf("%q: path %v, want %v", secs[i].title, secs[i].path, want[i])
		}
	}
	if got := titles(secs, 5); !slices.Equal(got, []string{"1 One", "1.1 First", "Deeper"}) {
		t.Errorf("titles = %q", got)
	}
}

func TestAppendLine(t *testing.T) {
	tests := []struct {
		a, b string
		want string
	}{
		{"informa-", "tion", "information"},
		{"out-", "of-pocket", "out-of-pocket"},
		{"self-", "employed", "self-employed"},
		{"pages 10-", "20", "pages 10-20"},
		{"Medi-", "Cal", "Medi-Cal"},
		{"a dash -", "so", "a dash - so"},
		{"one", "two", "one two"},
		{"第一", "行", "第一行"},
		{"", "x", "x"},
	}
	for _, tt := range tests {
		var b strings.Builder
		b.WriteString(tt.a)
		appendLine(&b, tt.b, false)
		if b.String() != tt.want {
			t.Errorf("%q + %q = %q, want %q", tt.a, tt.b, b.String(), tt.want)
		}
	}
}

// TestCount: the guard against long runs changes nothing for real text.
func TestCount(t *testing.T) {
	c, err := newCounter()
	if err != nil {
		t.Fatal(err)
	}
	codec, err := tokenizer.Get(tokenizer.Cl100kBase)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{
		"", "hello world", "The deductible is $1,250 | 20%\n\nNext — “line”", "第一句。电动自行车使用手册", "ประโยคแรก", "https://example.com/a/b?c=d&e=f#" + strings.Repeat("a", 100),
	} {
		want, err := codec.Count(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.count(s); got != want {
			t.Errorf("%q: %d tokens, want %d", s, got, want)
		}
	}
	if got := c.count("hello world"); got != 2 {
		t.Errorf("hello world = %d tokens, want 2", got)
	}
}

func TestConfig(t *testing.T) {
	for _, cfg := range []Config{{MaxBytes: -1}, {ChunkTokens: 8}, {ChunkTokens: 100, Overlap: 80}, {PDFMemory: 1 << 20}} {
		if _, err := New(cfg); err == nil {
			t.Errorf("New(%+v) succeeded", cfg)
		}
	}
}

// TestTableHeaders: rows in a later chunk come with their header.
func TestTableHeaders(t *testing.T) {
	x := newExtractor(t, Config{ChunkTokens: 64})
	md := "# T\n\n| Name | Value of it |\n|--|--|\n" + strings.Repeat("| some name here | some value there |\n", 40)
	out, err := x.Extract(t.Context(), "t.md", []byte(md), nil)
	if err != nil {
		t.Fatal(err)
	}
	checkChunks(t, x, out)
	if len(out.Chunks) < 4 {
		t.Fatalf("%d chunks", len(out.Chunks))
	}
	for _, c := range out.Chunks[1:] {
		if !strings.HasPrefix(c.Content, "Name | Value of it\nsome name here | ") {
			t.Errorf("chunk %d begins %q", c.Index, c.Content[:40])
		}
	}
}

// TestOverlap: within a section a chunk begins with the end of the one before.
func TestOverlap(t *testing.T) {
	x := newExtractor(t, Config{ChunkTokens: 64, Overlap: 12})
	text := ""
	for i := range 40 {
		text += "Sentence number " + itoa(i) + " is here. "
	}
	out, err := x.Extract(t.Context(), "t.md", []byte("# A\n\n"+text+"\n\n# B\n\nOther."), nil)
	if err != nil {
		t.Fatal(err)
	}
	checkChunks(t, x, out)
	n := len(out.Chunks)
	for i := 1; i < n-1; i++ {
		s := sentences(out.Chunks[i-1].Content)
		if last := s[len(s)-1]; !strings.HasPrefix(out.Chunks[i].Content, last) {
			t.Errorf("chunk %d begins %q, want %q", i, out.Chunks[i].Content[:30], last)
		}
	}
	if c := out.Chunks[n-1]; c.Content != "B\n\nOther." || c.SectionTitle != "B" {
		t.Errorf("last chunk %q in %q", c.Content, c.SectionTitle)
	}
}
