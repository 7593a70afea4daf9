package rag

import "unicode/utf8"

// filter turns the model's text, in whatever pieces it comes, into what is
// shown: without what it thought before, without the line that there is no
// answer, with citations in one form and only those that point to a passage. It holds back no more than may still
// change, so that text streams, and what it lets go is never taken back.
type filter struct {
	rune  string // the beginning of a character
	mind  thoughts
	marks marker
	cites citer
}

// write takes a piece and returns what is settled.
func (f *filter) write(s string) string {
	s = f.rune + s
	end := whole(s)
	f.rune = s[end:]
	return f.cites.write(f.marks.write(f.mind.write(s[:end], false), false), false)
}

// flush ends the text. What is half said, such as a citation that was cut off,
// is dropped.
func (f *filter) flush() string {
	return f.cites.write(f.marks.write(f.mind.write("", true), true), true)
}

// declined reports whether the text says that there is no answer, and nothing
// else.
func (f *filter) declined() bool { return f.marks.declined }

// whole is how much of s ends with a whole character.
func whole(s string) int {
	for n := 1; n < utf8.UTFMax && n <= len(s); n++ {
		if utf8.RuneStart(s[len(s)-n]) {
			if !utf8.FullRuneInString(s[len(s)-n:]) {
				return len(s) - n
			}
			break
		}
	}
	return len(s)
}
