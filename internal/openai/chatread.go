package openai

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// ChatNews is what a whole answer, or one event of an answer that is streamed,
// says of the first choice.
type ChatNews struct {
	// Text is what it adds. It may end in the middle of a character, which the
	// next one goes on with: some providers cut between bytes.
	Text string
	// Thinking: it adds to what the model says to itself, not to its answer.
	Thinking bool
	// FinishReason is why the answer has ended; "": it goes on.
	FinishReason string
	// Usage is nil where it is not told.
	Usage *ChatUsage
}

var errNoNews = errors.New("it holds neither choices nor usage")

// DecodeChatNews reads an answer, or an event of one. Other choices than the
// first, and whatever a provider adds to the shape, are passed over. The error
// is an [*Error] when it is an error in spite of its status 200, else a
// description of where it is not of the shape.
func DecodeChatNews(body []byte) (ChatNews, error) {
	var out ChatNews
	told := false
	err := readAnswer(body, func(s *scanner, key string) (bool, error) {
		switch key {
		case "choices":
			told = true
			return true, s.choices(&out)
		case "usage":
			told = true
			return true, s.chatUsage(&out)
		case "object", "id": // an event that says no more than who speaks
			raw, err := s.skip()
			told = told || strings.HasPrefix(string(raw), `"chat`)
			return true, err
		default:
			return false, nil
		}
	}, func() bool { return told }, errNoNews)
	if err != nil {
		return ChatNews{}, err
	}
	return out, nil
}

// mostTokens is far more than any model reads or writes; two of it can be added.
const mostTokens = 1 << 29

func (s *scanner) chatUsage(out *ChatNews) error {
	raw, err := s.skip()
	if err != nil || string(raw) == "null" {
		return err
	}
	var u ChatUsage
	counts := func(n int) bool { return n >= 0 && n <= mostTokens }
	if json.Unmarshal(raw, &u) == nil && counts(u.PromptTokens) && counts(u.CompletionTokens) { // it is for statistics: not worth a failure
		out.Usage = &u
	}
	return nil
}

func (s *scanner) choices(out *ChatNews) error {
	if s.word("null") {
		return nil
	}
	return s.array(func(n int) error {
		if s.next() != '{' && s.i < len(s.b) {
			return s.errorf("choices[%d]: %w", n, errNotObject)
		}
		var c ChatNews
		index, err := s.choice(&c)
		if err != nil {
			return fmt.Errorf("choices[%d]: %w", n, err)
		}
		if index == 0 && (n == 0 || out.Text+out.FinishReason == "") {
			out.Text, out.Thinking, out.FinishReason = c.Text, c.Thinking, c.FinishReason
		}
		return nil
	})
}

func (s *scanner) choice(c *ChatNews) (index int, err error) {
	err = s.object(func(key string) error {
		var err error
		switch key {
		case "index":
			if !s.word("null") {
				index, err = s.counter()
			}
		case "delta", "message":
			if !s.word("null") {
				err = s.delta(c)
			}
		case "finish_reason":
			err = s.words(&c.FinishReason)
		default:
			_, err = s.skip()
		}
		return err
	})
	return index, err
}

// delta passes a message, or what is added to one.
func (s *scanner) delta(c *ChatNews) error {
	return s.object(func(key string) error {
		switch key {
		case "content", "refusal": // a refusal is what the model has to say, too
			return s.said(&c.Text)
		case "reasoning_content", "reasoning", "thinking":
			raw, err := s.skip()
			switch string(raw) {
			case "null", `""`, "[]", "{}":
			default:
				c.Thinking = true
			}
			return err
		default:
			_, err := s.skip()
			return err
		}
	})
}

// said passes what was said: a string, null, or a list of parts of which those
// with a text are taken.
func (s *scanner) said(to *string) error {
	switch {
	case s.word("null"):
		return nil
	case s.next() == '"':
		return s.loose(to)
	case s.next() != '[':
		_, err := s.skip()
		return err
	}
	return s.array(func(int) error {
		if s.next() != '{' {
			_, err := s.skip()
			return err
		}
		return s.object(func(key string) error {
			if key == "text" && s.next() == '"' {
				return s.loose(to)
			}
			_, err := s.skip()
			return err
		})
	})
}

// words passes a string, or something else that is not looked at.
func (s *scanner) words(to *string) error {
	if s.next() != '"' {
		_, err := s.skip()
		return err
	}
	v, err := s.text()
	*to = v
	return err
}

// loose passes a string and adds its value as its bytes are, which may be no
// UTF-8 by themselves.
func (s *scanner) loose(to *string) error {
	raw, escaped, err := s.quoted()
	if err != nil {
		return err
	}
	raw = raw[1 : len(raw)-1]
	if !escaped {
		*to += string(raw)
		return nil
	}
	out := make([]byte, 0, len(*to)+len(raw))
	out = append(out, *to...)
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			out = append(out, raw[i])
			continue
		}
		i++
		if raw[i] != 'u' {
			out = append(out, unescape(raw[i]))
			continue
		}
		r := hex4(raw[i+1:])
		i += 4
		if utf16.IsSurrogate(r) {
			if rest := raw[i+1:]; len(rest) >= 6 && rest[0] == '\\' && rest[1] == 'u' {
				if both := utf16.DecodeRune(r, hex4(rest[2:])); both != utf8.RuneError {
					out = utf8.AppendRune(out, both)
					i += 6
					continue
				}
			}
			r = utf8.RuneError
		}
		out = utf8.AppendRune(out, r)
	}
	*to = string(out)
	return nil
}

// hex4 reads four digits that were checked before.
func hex4(b []byte) rune {
	v, err := strconv.ParseUint(string(b[:4]), 16, 16)
	if err != nil {
		return utf8.RuneError
	}
	return rune(v)
}

func unescape(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	default:
		return c
	}
}
