package chat

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode"
	"unicode/utf8"
)

// events reads all of a stream.
func events(r io.Reader, most int) (got []string, err error) {
	s := newStream(bufio.NewReader(r), most)
	for {
		data, err := s.next()
		if err != nil {
			return got, err
		}
		got = append(got, string(data))
	}
}

func TestStream(t *testing.T) {
	const most = 64
	tests := []struct {
		name, in string
		want     []string
		err      error // io.EOF where nil
	}{
		{name: "nothing"},
		{name: "one", in: "data: {}\n\n", want: []string{"{}"}},
		{name: "no space", in: "data:{}\n\n", want: []string{"{}"}},
		{name: "two", in: "data: 1\n\ndata: [DONE]\n\n", want: []string{"1", "[DONE]"}},
		{name: "CRLF", in: "data: 1\r\n\r\ndata: 2\r\n\r\n", want: []string{"1", "2"}},
		{name: "CR", in: "data: 1\r\rdata: 2\r\r", want: []string{"1", "2"}},
		{name: "comments", in: ": ping\n\n: ping\n\ndata: 1\n: ping\n\n", want: []string{"1"}},
		{name: "other fields", in: "event: x\nid: 7\nretry: 1\ndata: 1\nnonsense\n\n", want: []string{"1"}},
		{name: "several lines", in: "data: {\"a\":\ndata: 1}\n\n", want: []string{"{\"a\":\n1}"}},
		{name: "no empty lines", in: "data: 1\ndata: 2\ndata: [DONE]\n", want: []string{"1", "2", "[DONE]"}},
		{name: "a byte order mark", in: "\ufeffdata: 1\n\n", want: []string{"1"}},
		{name: "bare JSON", in: "{\"error\":\"x\"}\n", want: []string{`{"error":"x"}`}},
		{name: "bare JSON after an event", in: "data: 1\n\n{\"error\":\"x\"}", want: []string{"1", `{"error":"x"}`}},
		{name: "no line end at the end", in: "data: 1\n\ndata: [DONE]", want: []string{"1", "[DONE]"}},
		{name: "half a line", in: "data: 1\n\ndata: {\"a\":", want: []string{"1"}, err: errHalfLine},
		{name: "half a field", in: "data: 1\n\nda", want: []string{"1"}},
		{name: "empty data", in: "data:\n\ndata: 1\n\n", want: []string{"", "1"}},
		{name: "a long line", in: "data: " + strings.Repeat("x", most) + "\n\n", err: errLongLine},
		{name: "a long event", in: strings.Repeat("data: [\n", most), err: errLongLine},
		{name: "comments for ever", in: strings.Repeat(": ping\n\n", maxIdle), err: errLongLine},
	}
	for _, tt := range tests {
		for name, r := range map[string]io.Reader{
			"at once": strings.NewReader(tt.in), "by bytes": iotest.OneByteReader(strings.NewReader(tt.in)),
		} {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				got, err := events(r, most)
				want := tt.err
				if want == nil {
					want = io.EOF
				}
				if !errors.Is(err, want) || strings.Join(got, "|") != strings.Join(tt.want, "|") {
					t.Errorf("%q, %v; want %q, %v", got, err, tt.want, want)
				}
			})
		}
	}
}

// TestEventsAreNotHeldBack: an event is there when its empty line is, whatever
// becomes of the connection after it.
func TestEventsAreNotHeldBack(t *testing.T) {
	in, out := io.Pipe()
	go func() { _, _ = out.Write([]byte("data: 1\r\n\r\n")) }()
	got, err := newStream(bufio.NewReader(in), 64).next()
	if err != nil || string(got) != "1" {
		t.Errorf("%q, %v", got, err)
	}
	in.Close()
}

// FuzzStream: whatever comes, and however it is cut, the same events are read;
// none is longer than allowed.
func FuzzStream(f *testing.F) {
	for _, seed := range []string{
		"data: {}\n\n", "data: 1\r\r\ndata: 2\r", ": x\ndata: [DONE]", "{\"a\":1}\ndata: {\ndata: }\n\n", "\ufeffdata:\n\n\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		const most = 128
		whole, err := events(bytes.NewReader(in), most)
		bytewise, err2 := events(iotest.OneByteReader(bytes.NewReader(in)), most)
		if strings.Join(whole, "\x00") != strings.Join(bytewise, "\x00") || !errors.Is(err2, err) {
			t.Errorf("%q, %v at once; %q, %v by bytes", whole, err, bytewise, err2)
		}
		for _, e := range whole {
			if len(e) > most {
				t.Errorf("an event of %d bytes", len(e))
			}
		}
	})
}

func TestPieces(t *testing.T) {
	tests := []struct {
		name string
		in   []string
		want []string // "": nothing yet
		last string
		err  error
	}{
		{name: "words", in: []string{"Hello", " world"}, want: []string{"Hello", " world"}},
		{name: "white space waits for a word", in: []string{"a ", "\n\n", "b"}, want: []string{"a", "", " \n\nb"}},
		{name: "white space around is left out", in: []string{"\n ", " a", " \n"}, want: []string{"", "a", ""}},
		{name: "a character in two", in: []string{"a\xe4\xb8", "\xadb"}, want: []string{"a", "中b"}},
		{name: "a character in three", in: []string{"\xf0", "\x9f\x98", "\x80"}, want: []string{"", "", "😀"}},
		{name: "never completed", in: []string{"a \xe4\xb8"}, want: []string{"a"}, last: " \ufffd"},
		{name: "broken in the middle", in: []string{"a\xe4", "b"}, want: []string{"a", "\ufffdb"}},
		{name: "never UTF-8", in: []string{"a\xff\xfeb"}, want: []string{"a\ufffdb"}},
		{name: "only half a character", in: []string{"\xe4"}, want: []string{""}},
		{name: "too long", in: []string{strings.Repeat("x", 20), strings.Repeat("x", 20)}, want: []string{strings.Repeat("x", 20)}, err: errLongAnswer},
		{name: "white space for ever", in: []string{"a", strings.Repeat(" \n", maxBlank)}, want: []string{"a"}, err: errBlank},
		{name: "nothing but white space", in: []string{strings.Repeat("\u00a0", maxBlank)}, err: errBlank},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := pieces{most: 32}
			var got []string
			failed := false
			for _, in := range tt.in {
				piece, err := p.add(in)
				if err != nil {
					if !errors.Is(err, tt.err) {
						t.Fatal(err)
					}
					tt.err, failed = nil, true
					break
				}
				got = append(got, piece)
			}
			if strings.Join(got, "|") != strings.Join(tt.want, "|") || (p.last() != tt.last && !failed) || tt.err != nil {
				t.Errorf("%q and %q, want %q and %q (%v)", got, p.last(), tt.want, tt.last, tt.err)
			}
		})
	}
}

// FuzzPieces: however a text is cut, the pieces are valid UTF-8, never white
// space alone, and together the text.
func FuzzPieces(f *testing.F) {
	f.Add("Hello, 世界 \n😀 ", uint8(3))
	f.Add("\xff a\xe4\xb8", uint8(1))
	f.Fuzz(func(t *testing.T, text string, step uint8) {
		p := pieces{most: 1 << 20}
		var all strings.Builder
		n := int(step)%7 + 1
		for rest := text; rest != ""; {
			cut := min(n, len(rest))
			piece, err := p.add(rest[:cut])
			if err != nil {
				return
			}
			if piece != "" && strings.TrimFunc(piece, unicode.IsSpace) == "" {
				t.Errorf("a piece of white space: %q", piece)
			}
			all.WriteString(piece)
			rest = rest[cut:]
		}
		all.WriteString(p.last())
		got := all.String()
		if !utf8.ValidString(got) {
			t.Errorf("%q", got)
		}
		if utf8.ValidString(text) && got != strings.TrimSpace(text) {
			t.Errorf("%q of %q", got, text)
		}
	})
}
