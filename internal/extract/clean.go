package extract

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// clean makes text safe and comparable: valid UTF-8, composed (NFC), ligatures
// taken apart, no control characters but "\n" and "\t", no soft hyphens and
// other invisible characters, plain spaces only.
func clean(s string) string {
	if plain(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for _, r := range s { // invalid bytes come as U+FFFD
		switch {
		case r == '\n' || r == '\t':
			b.WriteRune(r)
		case r == '\r', r == 0x2028, r == 0x2029, r == 0x85:
			b.WriteByte('\n')
		case unicode.Is(unicode.Zs, r):
			b.WriteByte(' ')
		case r == 0x2010 || r == 0x2011: // hyphens that look like others and are not found as such
			b.WriteByte('-')
		case r >= 0xFB00 && r <= 0xFB06:
			b.WriteString([...]string{"ff", "fi", "fl", "ffi", "ffl", "st", "st"}[r-0xFB00])
		case r >= 0xFDD0 && r <= 0xFDEF: // not characters
		case r == 0xF0B7 || r == 0xF0A7 || r == 0xF0D8: // the bullets of Symbol and Wingdings
			b.WriteRune('•')
		case r >= 0xFB50 && r <= 0xFDFF, r >= 0xFE70 && r < 0xFEFF, r >= 0x2F00 && r <= 0x2FDF: // letters as PDFs draw them
			b.WriteString(norm.NFKC.String(string(r)))
		case r == 0x200C || r == 0x200D: // joiners carry meaning in Persian and Indic scripts
			b.WriteRune(r)
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Co, r), unicode.Is(unicode.Cs, r), r&0xFFFE == 0xFFFE:
		default:
			b.WriteRune(r)
		}
	}
	return norm.NFC.String(b.String())
}

// plain reports whether s is printable ASCII, which clean leaves alone.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= utf8.RuneSelf || c < ' ' && c != '\n' && c != '\t' || c == 0x7F {
			return false
		}
	}
	return true
}

// squeeze makes every run of white space one space.
func squeeze(s string) string { return strings.Join(strings.Fields(s), " ") }
