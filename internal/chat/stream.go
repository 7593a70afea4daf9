package chat

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"weir/internal/openai"
)

// stream reads server-sent events as chat providers write them: the data of
// each, as soon as it is there. It bears what the specification has (comments,
// lines that end in CR, LF or both, several data lines, a byte order mark) and
// what is seen besides: events without an empty line between them, an error
// written as bare JSON, an end without one. No line, and no event, is longer
// than most; neither is what comes between two events.
//
// WHATWG HTML, section 9.2.6, Interpreting an event stream.
type stream struct {
	in   *bufio.Reader
	most int
	line []byte
	data []byte // of the event that has begun
	some bool   // it has
	idle int    // bytes since the last event
	cr   bool   // the line before ended in CR: a LF is part of that
	any  bool   // a line was read
}

var (
	errLongLine = errors.New("a line is too long")
	errHalfLine = errors.New("it ended in the middle of a line")
)

func newStream(r *bufio.Reader, most int) *stream {
	return &stream{in: r, most: most}
}

// next returns the data of the next event, which is valid until the next call;
// io.EOF at an end between two events. All its other errors are the reader's,
// errLongLine or errHalfLine.
func (s *stream) next() ([]byte, error) {
	if !s.some {
		s.data = s.data[:0]
	}
	for {
		whole, err := s.read()
		if err != nil {
			return s.rest(err)
		}
		if !whole {
			return nil, errLongLine
		}
		if s.idle += len(s.line) + 1; s.idle > 4*s.most+maxIdle {
			return nil, errLongLine
		}
		if before, done := s.take(); done {
			s.idle = 0
			return before, nil
		}
	}
}

// maxIdle is how much may come between two events; comments every second for
// the longest of answers are far less.
const maxIdle = 64 << 10

// take looks at a line. done: an event is complete, which it returns.
func (s *stream) take() (event []byte, done bool) {
	line := s.line
	switch {
	case len(line) == 0:
		if !s.some {
			return nil, false
		}
		s.some = false
		return s.data, true
	case line[0] == ':':
		return nil, false
	case line[0] == '{': // not of the format, but what some proxies say when they fail
	case bytes.HasPrefix(line, []byte("data:")):
		line = bytes.TrimPrefix(line[len("data:"):], []byte(" "))
	default: // event, id, retry, or of no meaning
		return nil, false
	}
	if s.some && complete(s.data) { // no empty line between two events
		before := bytes.Clone(s.data)
		s.data = append(s.data[:0], line...)
		return before, true
	}
	if s.some {
		s.data = append(s.data, '\n')
	}
	s.data = append(s.data, line...)
	s.some = true
	return nil, false
}

// complete reports whether data is an event by itself.
func complete(data []byte) bool {
	return string(data) == openai.ChatDone || json.Valid(data)
}

// rest is what is left at the end.
func (s *stream) rest(err error) ([]byte, error) {
	if !errors.Is(err, io.EOF) {
		return nil, err
	}
	if half := len(s.line) > 0; half {
		if before, done := s.take(); done { // the half line is an event of its own
			s.line = s.line[:0]
			return before, nil
		}
		s.line = s.line[:0]
	}
	switch {
	case !s.some:
		return nil, io.EOF
	case complete(s.data): // only the empty line is missing
		s.some = false
		return s.data, nil
	default:
		return nil, errHalfLine
	}
}

// read reads a line into s.line, without its end. whole is false when it is too
// long. At the end of the input, s.line is what was there without an end.
func (s *stream) read() (whole bool, err error) {
	s.line = s.line[:0]
	for {
		c, err := s.in.ReadByte()
		if err != nil {
			return false, err
		}
		was := s.cr
		s.cr = c == '\r'
		switch {
		case c == '\n' && was: // the rest of the end of the line before
		case c == '\n', c == '\r':
			if !s.any {
				s.any = true
				s.line = bytes.TrimPrefix(s.line, []byte("\ufeff"))
			}
			return true, nil
		case len(s.line)+len(s.data) >= s.most:
			return false, nil
		default:
			s.line = append(s.line, c)
		}
	}
}
