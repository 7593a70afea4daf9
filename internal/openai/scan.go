package openai

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// maxDepth is how deep values that are skipped may nest.
const maxDepth = 64

var errEnd = errors.New("it ends too early")

// scanner walks over one JSON text. It checks all it passes by the grammar of
// RFC 8259, apart from the UTF-8 inside strings. Its errors hold positions,
// never content, for what it reads may be anything.
type scanner struct {
	b    []byte
	i    int
	last int // how many values the vector before had
}

func (s *scanner) errorf(format string, args ...any) error {
	return fmt.Errorf("byte %d: %w", s.i, fmt.Errorf(format, args...)) //nolint:err113 // positions differ
}

// next skips white space and returns the byte that follows without passing
// it; 0 at the end.
func (s *scanner) next() byte {
	for s.i < len(s.b) {
		switch c := s.b[s.i]; c {
		case ' ', '\t', '\r', '\n':
			s.i++
		default:
			return c
		}
	}
	return 0
}

// take passes c, which must come next.
func (s *scanner) take(c byte) error {
	switch got := s.next(); {
	case got == c:
		s.i++
		return nil
	case s.i >= len(s.b):
		return s.errorf("%w", errEnd)
	default:
		return s.errorf("%q expected", c)
	}
}

// word passes a literal, such as null, if it comes next.
func (s *scanner) word(w string) bool {
	s.next()
	if !bytes.HasPrefix(s.b[s.i:], []byte(w)) {
		return false
	}
	s.i += len(w)
	return true
}

// object calls f for each member with its key; f passes the value.
func (s *scanner) object(f func(key string) error) error {
	if err := s.take('{'); err != nil {
		return err
	}
	if s.next() == '}' {
		s.i++
		return nil
	}
	for {
		key, err := s.text()
		if err != nil {
			return err
		}
		if err := s.take(':'); err != nil {
			return err
		}
		if err := f(key); err != nil {
			return err
		}
		if s.next() != ',' {
			return s.take('}')
		}
		s.i++
	}
}

// array calls f for each element with its position; f passes the value.
func (s *scanner) array(f func(n int) error) error {
	if err := s.take('['); err != nil {
		return err
	}
	if s.next() == ']' {
		s.i++
		return nil
	}
	for n := 0; ; n++ {
		if err := f(n); err != nil {
			return err
		}
		if s.next() != ',' {
			return s.take(']')
		}
		s.i++
	}
}

// quoted passes a string and returns it with its quotes, and whether it holds
// escapes.
func (s *scanner) quoted() (raw []byte, escaped bool, err error) {
	if err := s.take('"'); err != nil {
		return nil, false, err
	}
	start := s.i - 1
	for ; s.i < len(s.b); s.i++ {
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			return s.b[start:s.i], escaped, nil
		case c == '\\':
			escaped = true
			if err := s.escape(); err != nil {
				return nil, false, err
			}
		case c < ' ':
			return nil, false, s.errorf("a control character in a string")
		}
	}
	return nil, false, s.errorf("%w", errEnd)
}

// escape passes all of an escape but its last byte.
func (s *scanner) escape() error {
	s.i++
	if s.i >= len(s.b) {
		return s.errorf("%w", errEnd)
	}
	switch s.b[s.i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return nil
	case 'u':
		for range 4 {
			s.i++
			if s.i >= len(s.b) {
				return s.errorf("%w", errEnd)
			}
			c := s.b[s.i] | 0x20
			if (c < '0' || c > '9' || s.b[s.i] < '0') && (c < 'a' || c > 'f') {
				return s.errorf("a bad escape in a string")
			}
		}
		return nil
	default:
		return s.errorf("a bad escape in a string")
	}
}

// text passes a string and returns its value.
func (s *scanner) text() (string, error) {
	raw, escaped, err := s.quoted()
	if err != nil {
		return "", err
	}
	return unquote(raw, escaped)
}

func unquote(raw []byte, escaped bool) (string, error) {
	if !escaped {
		return string(raw[1 : len(raw)-1]), nil
	}
	var v string
	if err := json.Unmarshal(raw, &v); err != nil {
		return "", fmt.Errorf("a string: %w", err)
	}
	return v, nil
}

// number passes a number and returns it as written.
func (s *scanner) number() ([]byte, error) {
	s.next()
	start := s.i
	if s.at() == '-' {
		s.i++
	}
	switch c := s.at(); {
	case c == '0':
		s.i++
	case c >= '1' && c <= '9':
		s.digits()
	default:
		return nil, s.errorf("a number expected")
	}
	if s.at() == '.' {
		s.i++
		if !s.digits() {
			return nil, s.errorf("a digit expected")
		}
	}
	if s.at()|0x20 == 'e' {
		s.i++
		if c := s.at(); c == '+' || c == '-' {
			s.i++
		}
		if !s.digits() {
			return nil, s.errorf("a digit expected")
		}
	}
	return s.b[start:s.i], nil
}

func (s *scanner) at() byte {
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

func (s *scanner) digits() bool {
	start := s.i
	for s.i < len(s.b) && s.b[s.i] >= '0' && s.b[s.i] <= '9' {
		s.i++
	}
	return s.i > start
}

// skip passes any value and returns it as written.
func (s *scanner) skip() ([]byte, error) {
	s.next()
	start := s.i
	err := s.pass(maxDepth)
	return s.b[start:s.i], err
}

func (s *scanner) pass(depth int) error {
	if depth == 0 {
		return s.errorf("nested deeper than %d", maxDepth)
	}
	switch c := s.next(); {
	case c == '{':
		return s.object(func(string) error { return s.pass(depth - 1) })
	case c == '[':
		return s.array(func(int) error { return s.pass(depth - 1) })
	case c == '"':
		_, _, err := s.quoted()
		return err
	case c == '-' || (c >= '0' && c <= '9'):
		_, err := s.number()
		return err
	case s.word("null"), s.word("true"), s.word("false"):
		return nil
	case s.i >= len(s.b):
		return s.errorf("%w", errEnd)
	default:
		return s.errorf("a value expected")
	}
}

// end checks that nothing follows.
func (s *scanner) end() error {
	if s.next(); s.i < len(s.b) {
		return s.errorf("something follows the end")
	}
	return nil
}
