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

func TestWarning(t *testing.T) {
	var odd []int
	for n := 1; n < 60; n += 2 {
		odd = append(odd, n)
	}
	tests := []struct {
		name string
		gaps gaps
		want string
	}{
		{"all was read", gaps{}, ""},
		{"one page", gaps{lost: []int{4}}, "page 4 of 90 cannot be read; all else is searched"},
		{"two", gaps{lost: []int{4, 9}}, "pages 4 and 9 of 90 cannot be read; all else is searched"},
		{"runs", gaps{lost: []int{2, 5, 6, 7, 9, 10}}, "pages 2, 5-7 and 9-10 of 90 cannot be read; all else is searched"},
		{"too many to name", gaps{lost: odd}, "pages 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23 and 18 more of 90 cannot be read; all else is searched"},
		{"a scan", gaps{pictures: []int{8}}, "page 8 of 90 is a picture without text, such as a scan; all else is searched"},
		{"both", gaps{lost: []int{1}, pictures: []int{8, 9}}, "page 1 of 90 cannot be read and pages 8-9 of 90 are pictures without text, such as scans; all else is searched"},
	}
	for _, tt := range tests {
		if got := tt.gaps.warning(90); got != tt.want {
			t.Errorf("%s: %s", tt.name, got)
		}
	}
}

// TestPagesWithoutText: pictures are told of, blank pages and drawn lines are
// not.
func TestPagesWithoutText(t *testing.T) {
	const words = "BT /F1 12 Tf 1 0 0 1 72 700 Tm (Here is text.) Tj ET"
	const image = "q 600 0 0 700 0 0 cm BI /W 1 /H 1 /BPC 8 /CS /G ID x EI Q"
	tests := []struct {
		name     string
		contents []string
		want     string
	}{
		{"text", []string{words}, ""},
		{"text on a picture", []string{image + "\n" + words}, ""},
		{"a blank page", []string{words, "", words}, ""},
		{"lines", []string{words, "0 0 612 792 re f", "100 100 m 300 300 l S"}, ""},
		{"a scan among them", []string{words, image, words}, "page 2 of 3 is a picture without text, such as a scan; all else is searched"},
		{"after much else", []string{words, strings.Repeat("0 0 9 9 re f\n", 200) + image}, "page 2 of 2 is a picture without text, such as a scan; all else is searched"},
	}
	x := newExtractor(t, Config{})
	for form, want := range map[string]string{"": "", image: "page 2 of 2 is a picture without text, such as a scan; all else is searched"} {
		out, err := x.Extract(t.Context(), "t.pdf", formPDF(words, form), nil)
		if err != nil || out.Warning != want {
			t.Errorf("a form of %q: %v, warning %q", form, err, out.Warning)
		}
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, err := x.Extract(t.Context(), "t.pdf", pdfPages(tt.contents...), nil)
			if err != nil || out.Warning != tt.want || len(out.Chunks) != 1 {
				t.Errorf("%v, %d passages, warning %q", err, len(out.Chunks), out.Warning)
			}
		})
	}
}

// formPDF makes a PDF of a page with text, and one that shows a form alone.
func formPDF(words, form string) []byte {
	return pdfFile("",
		"<< /Type /Catalog /Pages 2 0 R >>",
		"<< /Type /Pages /Count 2 /Kids [3 0 R 5 0 R] >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 8 0 R >> >> >>",
		stream("", words),
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 6 0 R /Resources << /XObject << /X 7 0 R >> >> >>",
		stream("", "/X Do"),
		stream("/Type /XObject /Subtype /Form /BBox [0 0 612 792]", form),
		"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
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
			"t.pdf: holds no text: page 2 of 2 cannot be read, and there is none on the others; if they are pictures, such as scans, run it through text recognition (OCR) first",
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
