package provider

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	const key = "sk-proj-abcdefghijklmnop"
	tests := []struct {
		name, msg string
		texts     []string
		want      string
	}{
		{name: "plain", msg: "model is loading", want: "model is loading"},
		{name: "lines and controls", msg: "a\r\n\tb\x00c\x1b[31m", want: "a b c [31m"},
		{name: "not UTF-8", msg: "a\xffb", want: "a b"},
		{name: "the key", msg: "bad key " + key + ".", want: "bad key [key]."},
		{name: "the key in a word", msg: "key=" + key + "&x", want: "key=[key]&x"},
		{name: "masked", msg: "Incorrect API key provided: sk-pr***********mnop. See", want: "Incorrect API key provided: [key] See"},
		{name: "its beginning", msg: "key sk-proj-abc... is bad", want: "key [key] is bad"},
		{name: "its end", msg: "key ending in klmnop", want: "key ending in [key]"},
		{name: "a text", msg: "cannot embed: The patient has a rare illness of the", texts: []string{"x", " The patient has a rare illness of the heart"}, want: "cannot embed: [text]"},
		{name: "a short text, quoted", msg: `bad input "hiv" at 0`, texts: []string{"hiv"}, want: "bad input [text]"},
		{name: "a short text, by chance", msg: "a batch is too large", texts: []string{"a"}, want: "a batch is too large"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Clean(tt.msg, key, tt.texts); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
	long := Clean(strings.Repeat("ü", 1<<20), key, nil)
	if len(long) > maxMessage+len("…") || !utf8.ValidString(long) {
		t.Errorf("%d bytes, valid %t", len(long), utf8.ValidString(long))
	}
}
