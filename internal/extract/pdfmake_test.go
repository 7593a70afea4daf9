package extract

import (
	"bytes"
	"fmt"
	"strings"
)

// pdfFile makes small PDFs for tests: objects are numbered from 1 in order;
// trailer is what the trailer says besides Size and Root, which is object 1.
func pdfFile(trailer string, objects ...string) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n%\xE2\xE3\xCF\xD3\n")
	at := make([]int, len(objects))
	for i, o := range objects {
		at[i] = b.Len()
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	start := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, n := range at {
		fmt.Fprintf(&b, "%010d 00000 n \n", n)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, trailer, start)
	return b.Bytes()
}

func stream(dict, content string) string {
	return fmt.Sprintf("<< %s /Length %d >>\nstream\n%s\nendstream", dict, len(content), content)
}

// pdfPages makes a PDF whose pages have the given contents, in Helvetica (F1)
// and Helvetica-Bold (F2).
func pdfPages(contents ...string) []byte {
	kids := make([]string, len(contents))
	objects := []string{
		"<< /Type /Catalog /Pages 2 0 R >>",
		"",
		"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
		"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold >>",
	}
	for i, c := range contents {
		n := len(objects) + 1
		kids[i] = fmt.Sprintf("%d 0 R", n)
		objects = append(objects,
			fmt.Sprintf("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R /Resources << /Font << /F1 3 0 R /F2 4 0 R >> >> >>", n+1),
			stream("", c))
	}
	objects[1] = fmt.Sprintf("<< /Type /Pages /Count %d /Kids [%s] >>", len(contents), strings.Join(kids, " "))
	return pdfFile("", objects...)
}

// at shows text at a place.
func at(x, y int, font string, size int, text string) string {
	return fmt.Sprintf("BT /%s %d Tf 1 0 0 1 %d %d Tm (%s) Tj ET\n", font, size, x, y, text)
}

// endlessPDF is a page that takes longer to read than anybody will wait: forms
// that each show the next one many times.
func endlessPDF() []byte {
	const levels, times = 24, 12
	objects := []string{
		"<< /Type /Catalog /Pages 2 0 R >>",
		"<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /XObject << /X 5 0 R >> >> >>",
		stream("", "/X Do"),
	}
	for i := range levels {
		next := fmt.Sprintf("/Resources << /XObject << /X %d 0 R >> >>", 6+i)
		content := strings.Repeat("/X Do\n", times)
		if i == levels-1 {
			next, content = "", "0 0 1 1 re f"
		}
		objects = append(objects, stream("/Type /XObject /Subtype /Form /BBox [0 0 612 792] "+next, content))
	}
	return pdfFile("", objects...)
}

func encryptedPDF() []byte {
	key := strings.Repeat("A7", 32)
	return pdfFile(fmt.Sprintf("/Encrypt 4 0 R /ID [<%s> <%s>]", key[:32], key[:32]),
		"<< /Type /Catalog /Pages 2 0 R >>",
		"<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] >>",
		fmt.Sprintf("<< /Filter /Standard /V 1 /R 2 /O <%s> /U <%s> /P -4 >>", key, key))
}

func manyPagesPDF() []byte {
	return pdfFile("",
		"<< /Type /Catalog /Pages 2 0 R >>",
		"<< /Type /Pages /Count 1000000 /Kids [3 0 R] >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] >>")
}
