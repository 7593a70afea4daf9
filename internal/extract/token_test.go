package extract

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestDecodeTokens(t *testing.T) {
	c, err := newCounter()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"hello world", "Zwölf Boxkämpfer", "电池可以在楼道里充电吗？", "🦆 a duck", "", "\n\n  x"} {
		ids, _, err := c.codec.Encode(s)
		if err != nil {
			t.Fatal(err)
		}
		ints := make([]int, len(ids))
		for i, id := range ids {
			ints[i] = int(id)
		}
		if got, err := c.decode(ints); err != nil || got != s {
			t.Errorf("%q: got %q, %v", s, got, err)
		}
		// Cut anywhere, it is a part of the text.
		for i := range ints {
			for _, part := range [][]int{ints[:i], ints[i:]} {
				if got, err := c.decode(part); err != nil || !strings.Contains(s, got) {
					t.Errorf("a part of %q: got %q, %v", s, got, err)
				}
			}
		}
	}
	for _, ids := range [][]int{{-1}, {1 << 30}, {100257}} {
		if got, err := c.decode(ids); err == nil {
			t.Errorf("%v: got %q", ids, got)
		}
	}
}

func FuzzWhole(f *testing.F) {
	f.Add("a\xe4\xb8")
	f.Add("\xb8\xadz")
	f.Fuzz(func(t *testing.T, s string) {
		got := whole(s)
		if !strings.Contains(s, got) || len(s)-len(got) > 2*(utf8.UTFMax-1) {
			t.Errorf("%q became %q", s, got)
		}
		if utf8.ValidString(s) && got != s {
			t.Errorf("%q, which is whole, became %q", s, got)
		}
	})
}
