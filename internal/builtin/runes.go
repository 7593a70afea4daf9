package builtin

import "unicode/utf8"

// kind is what a normalised character does to words.
type kind uint8

const (
	letter kind = iota
	space
	single // a word of its own
)

// maxMarks is how many combining marks in a row are put in order at a time;
// the Stream-Safe Text Format (UAX #15) knows no more than 30.
const maxMarks = 64

// maxMapped is the most characters that one becomes; a model file with a longer
// mapping is refused.
const maxMapped = 4

// runes normalises a text: control characters out, any white space to space,
// canonical decomposition in canonical order, accents out, lower case. Bytes
// that are not UTF-8 are left out, as U+FFFD is.
type runes struct {
	file *file
	text string

	out     [maxMarks + 2*maxMapped]item // a queue: normalised, not read yet
	from, n int
	marks   [maxMarks]mark // wait for the next character that is none
	held    int
}

type item struct {
	r rune
	k kind
}

type mark struct {
	r     rune
	class uint8
}

func (s *runes) next() (rune, kind, bool) {
	for {
		if s.from < s.n {
			i := s.out[s.from]
			s.from++
			return i.r, i.k, true
		}
		s.from, s.n = 0, 0
		if s.text == "" {
			if s.held == 0 {
				return 0, 0, false
			}
			s.flush()
			continue
		}
		if b := s.text[0]; b < utf8.RuneSelf && s.held == 0 {
			s.text = s.text[1:]
			if 'a' <= b && b <= 'z' {
				return rune(b), letter, true
			}
			s.put(rune(b))
			continue
		}
		r, size := utf8.DecodeRuneInString(s.text)
		s.text = s.text[size:]
		s.put(r)
	}
}

// put normalises r into the queue, which has room for what one character gives.
func (s *runes) put(r rune) {
	switch code := s.file.code(r); code {
	case codeMark:
		s.hold(r)
	case codeDrop:
	case codeHangul:
		s.flush()
		letters, n := decompose(r)
		for _, l := range letters[:n] {
			s.push(l, letter)
		}
	case codeDropStarter, codeKeep, codeSpace, codePunct, codeIdeograph:
		s.plain(r, code)
	default:
		start, n, alone := s.file.mapped(code)
		if alone {
			s.flush()
			s.push(s.file.mapRune(start), single)
			return
		}
		for i := range n {
			m := s.file.mapRune(start + i)
			if c := s.file.code(m); c == codeMark {
				s.hold(m)
			} else {
				s.plain(m, c)
			}
		}
	}
}

// plain puts a character that is what it is.
func (s *runes) plain(r rune, code int) {
	s.flush()
	switch code {
	case codeDropStarter:
	case codeSpace:
		s.push(' ', space)
	case codePunct, codeIdeograph:
		s.push(r, single)
	default:
		s.push(r, letter)
	}
}

func (s *runes) push(r rune, k kind) {
	s.out[s.n] = item{r, k}
	s.n++
}

// hold keeps a mark back, in the order of classes, behind those of its own.
func (s *runes) hold(r rune) {
	if s.held == maxMarks {
		s.flush()
	}
	m := mark{r, s.file.class(r)}
	i := s.held
	for ; i > 0 && s.marks[i-1].class > m.class; i-- {
		s.marks[i] = s.marks[i-1]
	}
	s.marks[i] = m
	s.held++
}

// flush queues the marks that are held.
func (s *runes) flush() {
	for _, m := range s.marks[:s.held] {
		s.push(m.r, letter)
	}
	s.held = 0
}
