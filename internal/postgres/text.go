package postgres

import (
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Postgres stores every character but U+0000. It is written as the
// noncharacter U+10FFFF and a 0, that noncharacter itself as two characters
// too, so that what comes out is what went in and all ordinary text is stored
// as it is.
const (
	escapeMark  = "\U0010FFFF"
	escapedNUL  = escapeMark + "0"
	escapedMark = escapeMark + "1"
)

// stored makes any string one that Postgres can store.
func stored(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if !strings.ContainsAny(s, "\x00"+escapeMark) {
		return s
	}
	return strings.NewReplacer("\x00", escapedNUL, escapeMark, escapedMark).Replace(s)
}

// original undoes stored.
func original(s string) string {
	if !strings.Contains(s, escapeMark) {
		return s
	}
	return strings.NewReplacer(escapedNUL, "\x00", escapedMark, escapeMark).Replace(s)
}

// fold makes filenames comparable without regard to case, and to whether an
// accent is a character of its own (as file systems of macOS have it).
func fold(name string) string {
	return norm.NFC.String(cases.Fold().String(norm.NFC.String(name)))
}
