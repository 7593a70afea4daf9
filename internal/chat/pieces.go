package chat

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// pieces makes pieces that can be handed on of what a provider sends: whole
// characters of valid UTF-8, however they were cut, and never of white space
// alone, which is held back until a word follows. The white space around an
// answer is not part of it.
type pieces struct {
	most  int    // bytes of an answer
	given int    // bytes handed out
	held  []byte // white space after the last word, then at most a part of a character
	space int    // how much of held is white space
}

var (
	errLongAnswer = errors.New("the answer is too long")
	errBlank      = errors.New("nothing but white space comes")
)

// maxBlank is how much white space may come in a row. Models that have lost
// their way write it for ever.
const maxBlank = 4 << 10

// add takes in what came, and returns the piece that can be handed on; "": not
// yet.
func (p *pieces) add(text string) (string, error) {
	fresh := string(p.held[p.space:]) + text
	end := len(fresh) - part(fresh)
	valid := strings.ToValidUTF8(fresh[:end], string(utf8.RuneError))
	word := strings.TrimRightFunc(valid, unicode.IsSpace)
	before := p.held[:p.space]
	after := valid[len(word):]
	if word != "" {
		word = string(before) + word
		before = before[:0]
	}
	p.space = len(before) + len(after)
	p.held = append(append(before, after...), fresh[end:]...)
	if p.space > maxBlank {
		return "", errBlank
	}
	if word == "" {
		return "", nil
	}
	if p.given == 0 {
		word = strings.TrimLeftFunc(word, unicode.IsSpace)
	}
	if p.given += len(word); p.given > p.most {
		return "", errLongAnswer
	}
	return word, nil
}

// last returns what is left at the end: of a character that was never
// completed, the sign for it.
func (p *pieces) last() string {
	if len(p.held) == p.space || p.given == 0 {
		return ""
	}
	return string(p.held[:p.space]) + string(utf8.RuneError)
}

// part returns how many bytes at the end of b are the beginning of a character
// that may be completed by what follows.
func part(b string) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if tail := b[len(b)-n:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRuneInString(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}
