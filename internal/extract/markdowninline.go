package extract

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"
)

// markdownInline takes the marks out of the text of a block: of a link it
// leaves the words, of a picture the description, of emphasis what is
// emphasised. Every step looks ahead a bounded way, so that it takes time in
// proportion to its input.
func markdownInline(s string) string {
	p := inlineText{s: s}
	for p.i < len(s) {
		p.step()
	}
	return p.text()
}

type inlineText struct {
	s      string
	i      int
	out    []byte
	drop   []dropped // parts of out that turned out to be marks
	opened []opened  // brackets and emphasis that may yet close
	lacks  map[int]bool
}

type dropped struct{ at, n int }

type opened struct {
	sign byte
	at   int // in out
	n    int
}

// Nothing of a mark is longer.
const (
	maxMarkup = 1000
	maxOpened = 64
)

func (p *inlineText) step() {
	c := p.s[p.i]
	rest := p.s[p.i:]
	switch c {
	case '\\':
		if len(rest) > 1 && isPunct(rest[1]) {
			p.out = append(p.out, rest[1])
			p.i += 2
			return
		}
	case '`':
		if p.code() {
			return
		}
	case '<':
		if p.tag(rest) {
			return
		}
	case '&':
		if end := strings.IndexByte(rest[:min(len(rest), 33)], ';'); end > 1 {
			p.out = append(p.out, html.UnescapeString(rest[:end+1])...)
			p.i += end + 1
			return
		}
	case '!':
		if len(rest) > 1 && rest[1] == '[' {
			p.open('[', 2)
			return
		}
	case '[':
		if end := strings.IndexByte(rest[:min(len(rest), 65)], ']'); end > 2 && rest[1] == '^' {
			p.out = append(append(append(p.out, '['), rest[2:end]...), ']')
			p.i += end + 1
			return
		}
		p.open('[', 1)
		return
	case ']':
		p.closeBracket(rest)
		return
	case '*', '_', '~':
		p.emphasis(c)
		return
	}
	p.out = append(p.out, c)
	p.i++
}

func isPunct(c byte) bool {
	return c >= '!' && c <= '/' || c >= ':' && c <= '@' || c >= '[' && c <= '`' || c >= '{' && c <= '~'
}

// code copies a code span as it is.
func (p *inlineText) code() bool {
	n := 0
	for p.i+n < len(p.s) && p.s[p.i+n] == '`' {
		n++
	}
	if p.lacks[n] { // none of this length further on
		p.out = append(p.out, p.s[p.i:p.i+n]...)
		p.i += n
		return true
	}
	for k := p.i + n; k < len(p.s); {
		if p.s[k] != '`' {
			k++
			continue
		}
		m := 0
		for k+m < len(p.s) && p.s[k+m] == '`' {
			m++
		}
		if m == n {
			p.out = append(p.out, strings.TrimSpace(p.s[p.i+n:k])...)
			p.i = k + m
			return true
		}
		k += m
	}
	if p.lacks == nil {
		p.lacks = map[int]bool{}
	}
	p.lacks[n] = true
	return p.code()
}

var inlineTag = regexp.MustCompile(`^<(/?[A-Za-z][A-Za-z0-9-]*[^<>]*|!--[^>]*--)>`)

// tag passes over raw HTML and unwraps <https://…> and <a@b.c>.
func (p *inlineText) tag(rest string) bool {
	m := inlineTag.FindString(rest[:min(len(rest), maxMarkup)])
	if m == "" {
		return false
	}
	inside := m[1 : len(m)-1]
	switch {
	case strings.ContainsAny(inside, " \t\n"):
	case strings.Contains(inside, "://") || strings.Contains(inside, "@"):
		p.out = append(p.out, inside...)
	case strings.HasPrefix(strings.ToLower(inside), "br"):
		p.out = append(p.out, ' ')
	}
	p.i += len(m)
	return true
}

// open writes a mark that is dropped again if it closes.
func (p *inlineText) open(sign byte, n int) {
	p.push(opened{sign, len(p.out), n})
	p.out = append(p.out, p.s[p.i:p.i+n]...)
	p.i += n
}

func (p *inlineText) push(o opened) {
	if len(p.opened) == maxOpened {
		p.opened = append(p.opened[:0], p.opened[1:]...)
	}
	p.opened = append(p.opened, o)
}

// find is the innermost open mark of a sign, or -1.
func (p *inlineText) find(sign byte) int {
	for k := len(p.opened) - 1; k >= 0; k-- {
		if p.opened[k].sign == sign {
			return k
		}
	}
	return -1
}

// closeBracket: [words](target), [words][name]; else the brackets stay.
func (p *inlineText) closeBracket(rest string) {
	k := p.find('[')
	if k < 0 {
		p.out = append(p.out, ']')
		p.i++
		return
	}
	o := p.opened[k]
	p.opened = p.opened[:k]
	n := 0
	if len(rest) > 1 {
		switch ahead := rest[1:min(len(rest), maxMarkup)]; rest[1] {
		case '(':
			n = parenthesis(ahead)
		case '[':
			n = strings.IndexByte(ahead, ']') + 1
		}
	}
	if n == 0 && o.n == 1 {
		p.out = append(p.out, ']')
		p.i++
		return
	}
	p.drop = append(p.drop, dropped{o.at, o.n})
	p.i += 1 + n
}

// parenthesis is the length of the target of a link that s begins with, or 0.
func parenthesis(s string) int {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		case '\n':
			if i+1 < len(s) && s[i+1] == '\n' {
				return 0
			}
		}
	}
	return 0
}

// emphasis drops runs of * and _ and ~~ that come in pairs around words.
func (p *inlineText) emphasis(c byte) {
	n := 0
	for p.i+n < len(p.s) && p.s[p.i+n] == c {
		n++
	}
	before, _ := utf8.DecodeLastRuneInString(p.s[:p.i])
	after, _ := utf8.DecodeRuneInString(p.s[p.i+n:])
	if p.i == 0 {
		before = ' '
	}
	if p.i+n == len(p.s) {
		after = ' '
	}
	opens, closes := !unicode.IsSpace(after), !unicode.IsSpace(before)
	if c == '_' { // not inside a word: snake_case
		word := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
		opens, closes = opens && !word(before), closes && !word(after)
	}
	if k := p.find(c); closes && k >= 0 && p.opened[k].n == n && n <= 3 && (c != '~' || n == 2) {
		p.drop = append(p.drop, dropped{p.opened[k].at, n})
		p.opened = p.opened[:k]
		p.i += n
		return
	}
	if opens && n <= 3 {
		p.open(c, n)
		return
	}
	p.out = append(p.out, p.s[p.i:p.i+n]...)
	p.i += n
}

// text is what is left without the marks.
func (p *inlineText) text() string {
	if len(p.drop) == 0 {
		return string(p.out)
	}
	gone := make([]bool, len(p.out))
	for _, d := range p.drop {
		for k := d.at; k < d.at+d.n; k++ {
			gone[k] = true
		}
	}
	var b strings.Builder
	for k, c := range p.out {
		if !gone[k] {
			b.WriteByte(c)
		}
	}
	return b.String()
}

var linkDefinition = regexp.MustCompile(`^ {0,3}\[[^\]\n]{1,200}\]:\s*\S`)

// withoutDefinitions leaves out a paragraph that only says where links lead.
func withoutDefinitions(s string) string {
	if linkDefinition.MatchString(s) && (strings.Contains(s, "://") || strings.Contains(s, "]: /") || strings.Contains(s, "]: #") || strings.Contains(s, "]: .")) {
		return ""
	}
	return s
}
