package extract

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"weir/internal/rag"
)

func TestLostText(t *testing.T) {
	var odd []int
	for n := 1; n < 60; n += 2 {
		odd = append(odd, n)
	}
	tests := []struct {
		lost []int
		want string
	}{
		{[]int{4}, "page 4 of 90 cannot be read"},
		{[]int{4, 9}, "pages 4 and 9 of 90 cannot be read"},
		{[]int{2, 5, 6, 7, 9, 10}, "pages 2, 5-7 and 9-10 of 90 cannot be read"},
		{odd, "pages 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23 and 18 more of 90 cannot be read"},
	}
	for _, tt := range tests {
		if got := lostText(tt.lost, 90); got != tt.want {
			t.Errorf("%v: %s", tt.lost, got)
		}
	}
}

// damaged makes a PDF of n pages, each with its number in words of its own, of
// which those at fault have an object that is no page.
func damaged(n int, fault ...int) []byte {
	contents := make([]string, n)
	for i := range contents {
		contents[i] = at(72, 700, "F1", 12, fmt.Sprintf("Here is leaf number%d and all is well.", i+1))
	}
	data := pdfPages(contents...)
	for _, page := range fault {
		object := fmt.Appendf(nil, "\n%d 0 obj\n", 3+2*page)
		data = bytes.Replace(data, append(object, "<< /Type /Page"...), append(object, "<< /Type /Fake"...), 1)
	}
	return data
}

// TestUnreadablePages: what can be read of a PDF is, and what cannot is named.
func TestUnreadablePages(t *testing.T) {
	good := damaged(3)
	tests := []struct {
		name    string
		content []byte
		pages   int
		lost    []int
		warning string
	}{
		{"whole", good, 3, nil, ""},
		{"an object that is no page", damaged(3, 2), 3, []int{2}, "page 2 of 3 cannot be read; all else is searched"},
		{"an object that is not there", bytes.Replace(good, []byte("7 0 R 9 0 R"), []byte("77 0 R 9 0 R"), 1), 3, []int{2}, "page 2 of 3 cannot be read; all else is searched"},
		{"an object that cannot be parsed", bytes.Replace(good, []byte("5 0 obj\n<<"), []byte("5 0 obj\n))"), 1), 3, []int{1}, "page 1 of 3 cannot be read; all else is searched"},
		{"a tree that bites its tail", bytes.Replace(good, []byte("9 0 R]"), []byte("2 0 R]"), 1), 3, []int{3}, "page 3 of 3 cannot be read; all else is searched"},
		{
			"several instances", damaged(3*pagesPerHelper, 1, 30, 31, 3*pagesPerHelper), 3 * pagesPerHelper,
			[]int{1, 30, 31, 3 * pagesPerHelper},
			"pages 1, 30-31 and 72 of 72 cannot be read; all else is searched",
		},
	}
	x := newExtractor(t, Config{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var last rag.Progress
			out, err := x.Extract(t.Context(), "t.pdf", tt.content, func(p rag.Progress) { last = p })
			if err != nil {
				t.Fatal(err)
			}
			if out.Warning != tt.warning || out.Pages != tt.pages || last != (rag.Progress{Done: tt.pages, Total: tt.pages}) {
				t.Errorf("%d pages, progress %+v, warning %q", out.Pages, last, out.Warning)
			}
			var text strings.Builder
			for _, c := range out.Chunks {
				text.WriteString(c.Content + "\n")
			}
			for n := 1; n <= tt.pages; n++ {
				found := strings.Contains(text.String(), fmt.Sprintf("number%d and", n))
				if lost := slices.Contains(tt.lost, n); found == lost {
					t.Errorf("page %d: found %v, lost %v", n, found, lost)
				}
			}
			for _, c := range out.Chunks { // a citation leads to the page in the file, whatever came before it
				if tt.pages <= 3 && !strings.Contains(c.Content, fmt.Sprintf("number%d and", c.PageStart)) {
					t.Errorf("page %d has %q", c.PageStart, c.Content)
				}
			}
		})
	}
}

func TestNoPageCanBeRead(t *testing.T) {
	picture := pdfPages("0 0 612 792 re f", at(72, 700, "F1", 12, "Lost."))
	tests := []struct {
		name    string
		content []byte
		want    string
	}{
		{"one page", damaged(1, 1), "t.pdf: is damaged: none of its pages can be read"},
		{"three", damaged(3, 1, 2, 3), "t.pdf: is damaged: none of its pages can be read"},
		{
			"one, and a picture", bytes.Replace(picture, []byte("7 0 obj\n<< /Type /Page"), []byte("7 0 obj\n<< /Type /Fake"), 1),
			"t.pdf: holds no text: page 2 of 2 cannot be read, and its other pages are pictures, such as scans, and text recognition (OCR) is not built in; run it through OCR first",
		},
	}
	x := newExtractor(t, Config{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := x.Extract(t.Context(), "t.pdf", tt.content, nil)
			var e *rag.Error
			if !errors.As(err, &e) || e.Code != rag.Invalid || e.Msg != tt.want {
				t.Errorf("got %v", err)
			}
		})
	}
}
