package analysis

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// piece is one thing a run can be found by.
type piece struct {
	text  string // a word not yet folded, or a finished term
	kind  pieceKind
	parts bool // whole: its parts are pieces too
}

type pieceKind uint8

const (
	wordPiece  pieceKind = iota // to be folded and stemmed
	termPiece                   // a number or a single n-gram: finished
	wholePiece                  // the run, or what hyphens link in it, as one term: finished
)

// maxRunBytes bounds what of a linked run is looked at; URLs with a page of
// parameters end here.
const maxRunBytes = 1 << 10

// maxParts bounds the parts of a linked run that become terms of their own.
const maxParts = 32

// pieces takes a run without n-gram scripts apart. A plain word is one piece;
// a linked run is its parts and itself.
func pieces(dst []piece, text string, linked bool) []piece {
	if !linked && plain(text) {
		return append(dst, piece{text: text, kind: wordPiece})
	}
	if len(text) > maxRunBytes {
		text = strings.ToValidUTF8(text[:maxRunBytes], "")
	}
	text = apostrophes.Replace(text)
	if !linked {
		return atom(dst, text)
	}
	first := len(dst)
	atoms := strings.FieldsFunc(text, func(r rune) bool {
		return !unicode.In(r, unicode.L, unicode.N, unicode.M) && !strings.ContainsRune(".,'·", r) && !invisible(r)
	})
	atoms = atoms[:min(len(atoms), maxParts)]
	for _, s := range atoms {
		dst = atom(dst, strings.Trim(s, ".,'"))
	}
	whole := wholeOf(text)
	if len(dst) == first || (len(dst) == first+1 && dst[first].text == whole) {
		return dst
	}
	dst = append(dst, piece{text: whole, kind: wholePiece, parts: true})
	if !strings.ContainsAny(text, "/@:&=?~") {
		return dst
	}
	// what hyphens link inside a longer run: the "co-pay" of "co-pay/visit"
	for s := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune("/@:&=?~$%#+", r) }) {
		s = strings.Trim(s, ".,'-")
		if strings.ContainsFunc(s, hyphen) {
			dst = append(dst, piece{text: wholeOf(s), kind: wholePiece, parts: true})
		}
	}
	return dst
}

// apostrophes are one sign, however they were typed.
//
//nolint:gochecknoglobals // immutable table
var apostrophes = strings.NewReplacer("’", "'", "ʼ", "'", "‘", "'")

// plain reports a run that is letters or digits only, ASCII only.
func plain(s string) bool {
	letters, digits := false, false
	for i := range len(s) {
		switch c := s[i]; {
		case c|0x20 >= 'a' && c|0x20 <= 'z':
			letters = true
		case c >= '0' && c <= '9':
			digits = true
		default:
			return false
		}
	}
	return letters || !digits
}

// atom adds what one UAX #29 word is found by: a number in its plain form, a
// word without its elided article, the parts of "example.org" beside the whole.
func atom(dst []piece, s string) []piece {
	if s == "" {
		return dst
	}
	if n, also, ok := number(s); ok {
		dst = append(dst, piece{text: n, kind: termPiece})
		if also != "" {
			dst = append(dst, piece{text: also, kind: termPiece})
		}
		return dst
	}
	if left, right, ok := strings.Cut(s, "'"); ok {
		return elided(dst, s, left, right)
	}
	if !strings.ContainsAny(s, ".,:_·") {
		return append(dst, piece{text: s, kind: wordPiece})
	}
	first := len(dst)
	single := true
	for part := range strings.FieldsFuncSeq(s, func(r rune) bool { return strings.ContainsRune(".,:_·", r) }) {
		if len(dst)-first >= maxParts {
			break
		}
		single = single && utf8.RuneCountInString(part) == 1
		dst = append(dst, piece{text: part, kind: wordPiece})
	}
	if len(dst) == first+1 {
		return dst
	}
	if single { // "U.S.A": the letters alone say nothing
		dst = append(dst[:first], piece{text: fold(lower(Unknown, strings.ReplaceAll(s, ".", ""))), kind: termPiece})
	}
	return append(dst, piece{text: fold(lower(Unknown, s)), kind: wholePiece, parts: !single})
}

// elided splits at an apostrophe: "plan's" is plan, "l'assurance" and
// "dell'acqua" are the noun, "don't" stays one word, "O'Connor" is found as
// typed and by the name.
func elided(dst []piece, s, left, right string) []piece {
	left, right = lower(Unknown, left), strings.TrimRight(right, "'")
	switch {
	case right == "" || right == "s" || right == "S":
		return append(dst, piece{text: left, kind: wordPiece})
	case left == "":
		return atom(dst, right)
	case elision(left):
		return atom(dst, right)
	case len(right) <= 2: // don't, we're, you'll
		return append(dst, piece{text: s, kind: wordPiece})
	}
	dst = append(dst, piece{text: left, kind: wordPiece})
	dst = atom(dst, strings.ReplaceAll(right, "'", ""))
	return append(dst, piece{text: fold(lower(Unknown, strings.ReplaceAll(s, "'", ""))), kind: wholePiece, parts: true})
}

func elision(left string) bool {
	switch left {
	case "l", "d", "j", "n", "s", "c", "m", "t", "qu", "jusqu", "lorsqu", "puisqu", "quelqu", "quoiqu",
		"un", "dell", "all", "nell", "sull", "dall", "coll", "quell", "quest", "sant", "com", "dov", "cos":
		return true
	}
	return false
}

// wholeOf returns a linked run as one term. Hyphens vanish, so that "e-mail"
// meets "email" and "H5427-003" meets "H5427003"; where there are no letters
// they stay ("2024-05-12"), as does every other sign. The number of an amount takes its
// plain form: "$1,500.00" is "$1500".
func wholeOf(s string) string {
	s = strings.TrimRight(lower(Unknown, s), "/.'?=&:@~-")
	cur, size := utf8.DecodeRuneInString(s)
	if n, _, ok := number(strings.TrimRight(s[min(size, len(s)):], "%+#")); ok && unicode.Is(unicode.Sc, cur) {
		return string(cur) + n
	}
	if n, _, ok := number(strings.TrimSuffix(s, "%")); ok {
		return n + "%"
	}
	var b strings.Builder
	lettered := strings.ContainsFunc(s, unicode.IsLetter)
	for _, r := range s {
		if hyphen(r) {
			if lettered {
				continue
			}
			r = '-'
		}
		b.WriteRune(r)
		if b.Len() > maxTermRunes*utf8.UTFMax {
			break
		}
	}
	return fold(b.String())
}
