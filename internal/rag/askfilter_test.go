package rag

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// filtered is text after a filter for count passages, given in pieces of n bytes.
func filtered(text string, count, n int) (string, *filter) {
	f := &filter{cites: citer{count: count}}
	var out strings.Builder
	for piece := range slices.Chunk([]byte(text), max(n, 1)) {
		out.WriteString(f.write(string(piece)))
	}
	out.WriteString(f.flush())
	return out.String(), f
}

func TestTextIsShownWithGoodCitationsAlone(t *testing.T) {
	tests := []struct {
		name, text, want string
		used             []int
		dropped          int
		declined         bool
	}{
		{name: "none", text: "Nothing is cited.", want: "Nothing is cited."},
		{name: "one", text: "It costs 35 dollars [1].", want: "It costs 35 dollars [1].", used: []int{1}},
		{name: "at both ends", text: "[2] says so [3]", want: "[2] says so [3]", used: []int{2, 3}},
		{name: "side by side", text: "So [1][2].", want: "So [1][2].", used: []int{1, 2}},
		{name: "a list", text: "So [1, 2;3].", want: "So [1][2][3].", used: []int{1, 2, 3}},
		{name: "in words", text: "So [passage 1] and [Sources 1, 2, and 3].", want: "So [1] and [1][2][3].", used: []int{1, 2, 3}},
		{name: "a range", text: "So [1-3] and [2–3].", want: "So [1][2][3] and [2][3].", used: []int{1, 2, 3}},
		{name: "a range that is too wide", text: "So [1-900].", want: "So [1].", used: []int{1}, dropped: 1},
		{name: "a range the wrong way", text: "So [3-1].", want: "So [3][1].", used: []int{1, 3}},
		{name: "as footnotes", text: "So [^1].", want: "So [1].", used: []int{1}},
		{name: "in lenticular brackets", text: "是的【1】。好【2:0†source】。", want: "是的[1]。好[2]。", used: []int{1, 2}},
		{name: "in wide brackets", text: "是［1、2］", want: "是[1][2]", used: []int{1, 2}},
		{name: "to nothing", text: "So [9]. And so [0], [4] too.", want: "So. And so, too.", dropped: 3},
		{name: "half to nothing", text: "So [1, 9].", want: "So [1].", used: []int{1}, dropped: 1},
		{name: "twice the same", text: "So [1, 1].", want: "So [1].", used: []int{1}},
		{name: "a number that no passage can have", text: "So [1234567890].", want: "So [1234567890]."},
		{name: "boxes and words", text: "- [ ] a\n- [x] b [sic] [1a] []", want: "- [ ] a\n- [x] b [sic] [1a] []"},
		{name: "a link", text: "see [here](http://x) [1]", want: "see [here](http://x) [1]", used: []int{1}},
		{name: "in code", text: "Use `a[9]` and ``b`[8]``, not `c [7]\nor [1].", want: "Use `a[9]` and ``b`[8]``, not `c\nor [1].", used: []int{1}, dropped: 1},
		{name: "a citation as code", text: "So `[1]` and `[9]`.", want: "So [1] and .", used: []int{1}, dropped: 1},
		{name: "in a fence", text: "Do:\n```go\nx := a[7]\n```\nas said [2].", want: "Do:\n```go\nx := a[7]\n```\nas said [2].", used: []int{2}},
		{name: "in a fence of waves", text: "~~~\n[8] ```\n~~~\n[9]", want: "~~~\n[8] ```\n~~~\n", dropped: 1},
		{name: "cut off", text: "It costs 35 [1", want: "It costs 35"},
		{name: "cut off at the bracket", text: "It costs 35 [", want: "It costs 35"},
		{name: "nested", text: "So [[1]] and [[9]2].", want: "So [[1]] and […2].", used: []int{1}, dropped: 1},
		{name: "bracket left open", text: "a[1 and more", want: "a[1 and more"},
		{name: "white space around", text: "\n\n  So [1].\n \n", want: "So [1].", used: []int{1}},

		{name: "thoughts", text: "\n<think>\nIs it [2]? NO-ANSWER-IN-PASSAGES </thin\n</think>\n\nIt is [1].", want: "It is [1].", used: []int{1}},
		{name: "thoughts, and no answer", text: "<think></think> NO-ANSWER-IN-PASSAGES", declined: true},
		{name: "thoughts without end", text: "<think>I wonder [1]"},
		{name: "no thoughts", text: "<th> [1] <think>x</think>", want: "<th> [1] <think>x</think>", used: []int{1}},

		{name: "no answer", text: "NO-ANSWER-IN-PASSAGES", declined: true},
		{name: "no answer, ornate", text: "\n**No-Answer-in-Passages**\n", declined: true},
		{name: "no answer, as code", text: "`NO-ANSWER-IN-PASSAGES`", declined: true},
		{name: "no answer, and more", text: "NO-ANSWER-IN-PASSAGES. However, [1] says", declined: true},
		{name: "no answer, cut off", text: "NO-ANSWER-IN", declined: true},
		{name: "the beginning of another word", text: "NO-ANSWERS are given [1].", want: "NO-ANSWERS are given [1].", used: []int{1}},
		{name: "no answer after all", text: "It says little [1]. NO-ANSWER-IN-PASSAGES", want: "It says little [1].", used: []int{1}},
		{name: "no answer in between", text: "a NO-ANSWER-IN-PASSAGES b", want: "a   b"},
		{name: "no answer within itself", text: "a NO-ANSNO-ANSWER-IN-PASSAGESWER-IN-PASSAGES b", want: "a NO-ANS WER-IN-PASSAGES b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for n := 1; n <= len(tt.text); n++ {
				got, f := filtered(tt.text, 3, n)
				if got != tt.want || f.cites.dropped != tt.dropped || f.declined() != tt.declined {
					t.Fatalf("in pieces of %d: %q, %d dropped, declined %v; want %q, %d, %v", n, got, f.cites.dropped, f.declined(), tt.want, tt.dropped, tt.declined)
				}
				for i := 1; i <= 3; i++ {
					if f.cites.used[i] != slices.Contains(tt.used, i) {
						t.Fatalf("in pieces of %d: used %v, want %v", n, f.cites.used, tt.used)
					}
				}
			}
		})
	}
}

// TestTextIsNotHeldBack: what cannot change any more is let go at once.
func TestTextIsNotHeldBack(t *testing.T) {
	f := &filter{cites: citer{count: 3}}
	for _, step := range []struct{ in, want string }{
		{"The price", "The price"}, {" is 35", " is 35"}, {" ", ""}, {"[", ""}, {"1", ""}, {"]", " [1]"}, {". No", "."}, {"w [x", " Now [x"}, {"]", "]"},
	} {
		if got := f.write(step.in); got != step.want {
			t.Errorf("after %q came %q, want %q", step.in, got, step.want)
		}
	}
}

var anyCitation = regexp.MustCompile(`\[(\d{1,9})\]`)

// FuzzTextIsTheSameInAnyPieces: where a provider cuts its text is of no
// account, the line that there is no answer never shows, and outside of code
// nothing points to a passage that is not there.
func FuzzTextIsTheSameInAnyPieces(f *testing.F) {
	for _, text := range []string{
		"So [1, 2] and [9].", "`a[1]` [2]", "```\n[1]\n```\n[3]", "NO-ANSWER-IN-PASSAGES", "a【2†source】b [passages 1 and 7] [", "[[9]1] [1 [9]] [1[9], 2]",
		"  ```x`[7]", "<think>a</think>b [1]", "~~~\n   ~~~~ \n[5]", "é[1]\xc3", "``` [1]`",
	} {
		f.Add(text, 3)
	}
	f.Fuzz(func(t *testing.T, text string, n int) {
		if n < 1 || n > 1<<20 {
			n = 1
		}
		want, w := filtered(text, 3, len(text))
		got, g := filtered(text, 3, n)
		if got != want || w.cites.dropped != g.cites.dropped || w.declined() != g.declined() {
			t.Fatalf("in pieces of %d %q, whole %q", n, got, want)
		}
		if indexFold(got, noAnswer) >= 0 {
			t.Fatalf("%q shows the line", got)
		}
		if strings.ContainsAny(text, "`~") {
			return
		}
		for _, m := range anyCitation.FindAllStringSubmatch(got, -1) {
			if i, _ := strconv.Atoi(m[1]); !g.cites.used[i] {
				t.Fatalf("%q became %q, where [%d] is no citation", text, got, i)
			}
		}
	})
}

// TestManyMarkersInOnePiece: a provider that repeats the line as often as an
// answer has room for must not keep the caller past its deadline. Each took a
// copy of all that follows it.
func TestManyMarkersInOnePiece(t *testing.T) {
	text := "X " + strings.Repeat(noAnswer+" ", 10_000) + "Y"
	var got string
	allocs := testing.AllocsPerRun(1, func() {
		var f filter
		got = f.write(text) + f.flush()
	})
	if !strings.HasPrefix(got, "X ") || !strings.HasSuffix(got, " Y") || strings.Contains(got, noAnswer) {
		t.Errorf("%.40q…", got)
	}
	if allocs > 1000 {
		t.Errorf("%v allocations", allocs)
	}
}
