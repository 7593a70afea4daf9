package openai

import (
	"fmt"
	"slices"
	"strings"
)

// messages passes the turns of a conversation.
func (s *scanner) messages(to *[]ChatMessage, most int) error {
	if s.next() != '[' {
		if _, err := s.skip(); err != nil {
			return err
		}
		return refuse("messages", "it must be a list of messages")
	}
	return s.array(func(n int) error {
		if n == most {
			return refuse("messages", "it may hold at most %d messages", most)
		}
		m, err := s.message(fmt.Sprintf("messages[%d]", n))
		*to = append(*to, m)
		return err
	})
}

func (s *scanner) message(at string) (ChatMessage, error) {
	var m ChatMessage
	if s.next() != '{' {
		if _, err := s.skip(); err != nil {
			return m, err
		}
		return m, refuse(at, "it must be an object with role and content")
	}
	var seen []string
	err := s.object(func(key string) error {
		if key != "role" && key != "content" {
			_, err := s.skip()
			return err
		}
		if slices.Contains(seen, key) {
			return refuse(at+"."+key, "it stands twice")
		}
		seen = append(seen, key)
		if key == "role" {
			return s.optional(at+".role", &m.Role)
		}
		return s.content(at+".content", &m.Content)
	})
	if err == nil && !slices.Contains([]string{"system", "developer", "user", "assistant", "tool", "function"}, m.Role) {
		err = refuse(at+".role", "it must be system, developer, user, assistant or tool")
	}
	return m, err
}

// content passes what a turn says: a string, a list of parts, or null, which is
// what a turn that only called a tool says.
func (s *scanner) content(at string, to *string) error {
	switch {
	case s.word("null"):
		return nil
	case s.next() == '"':
		v, err := s.text()
		*to = v
		return err
	case s.next() != '[':
		if _, err := s.skip(); err != nil {
			return err
		}
		return refuse(at, "it must be a string or a list of parts")
	}
	var parts []string
	err := s.array(func(n int) error {
		text, err := s.contentPart(fmt.Sprintf("%s[%d]", at, n))
		parts = append(parts, text)
		return err
	})
	*to = strings.Join(parts, "\n")
	return err
}

// contentPart passes one part, {"type":"text","text":"…"}.
func (s *scanner) contentPart(at string) (string, error) {
	var kind, text string
	var written bool
	if s.next() != '{' {
		if _, err := s.skip(); err != nil {
			return "", err
		}
		return "", refuse(at, "it must be an object such as {\"type\":\"text\",\"text\":\"…\"}")
	}
	err := s.object(func(key string) error {
		switch key {
		case "type":
			return s.optional(at+".type", &kind)
		case "text":
			if written = true; s.next() != '"' {
				return refuse(at+".text", "it must be a string")
			}
			v, err := s.text()
			text = v
			return err
		default:
			_, err := s.skip()
			return err
		}
	})
	switch {
	case err != nil:
		return "", err
	case kind != "text" && kind != "input_text":
		return "", refuse(at, "a part of type %.40q is not read here; only text is", kind)
	case !written:
		return "", refuse(at+".text", "it is missing")
	default:
		return text, nil
	}
}
