package openai

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
)

// written is a request as it is sent.
func written(request any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // \u003c is six bytes, and no browser reads this
	if err := enc.Encode(request); err != nil {
		return nil, fmt.Errorf("write the request: %w", err)
	}
	return b.Bytes(), nil
}

// readRequest has take pass each member of a request that is known. The others
// are passed over, as clients send many; a known one must not stand twice. Its
// errors are [*Error] values.
func readRequest(body []byte, known []string, take func(s *scanner, key string) error) error {
	if !utf8.Valid(body) {
		return refuse("", "the body is not JSON: it is not UTF-8")
	}
	s := &scanner{b: body}
	if c := s.next(); c != '{' && s.i < len(body) {
		return refuse("", "the body must be a JSON object")
	}
	var seen []string
	err := s.object(func(key string) error {
		switch {
		case !slices.Contains(known, key):
			_, err := s.skip()
			return err
		case slices.Contains(seen, key):
			return refuse(key, "it stands twice")
		}
		seen = append(seen, key)
		return take(s, key)
	})
	if err == nil {
		err = s.end()
	}
	var refusal *Error
	switch {
	case errors.As(err, &refusal):
		return refusal
	case err != nil:
		return refuse("", "the body is not JSON: %v", err)
	default:
		return nil
	}
}

// readAnswer has take pass the members of an answer; it reports whether it knows
// the key and has passed its value. An answer with an error in it is that error.
// One that is not enough in the end is not of the shape, and gets the error none.
func readAnswer(body []byte, take func(s *scanner, key string) (known bool, err error), enough func() bool, none error) error {
	s := &scanner{b: body}
	if s.next() != '{' {
		if e := ParseError(0, body); s.next() == '[' && e.Structured {
			return e
		}
		return fmt.Errorf("the answer: %w", errNotObject)
	}
	failed := false
	err := s.object(func(key string) error {
		if key == "error" {
			raw, err := s.skip()
			switch string(raw) { // makes no copy of it
			case "null", "false", `""`, "{}": // there is none
			default:
				failed = true
			}
			return err
		}
		known, err := take(s, key)
		if known || err != nil {
			return err
		}
		_, err = s.skip()
		return err
	})
	if err == nil {
		err = s.end()
	}
	switch {
	case err != nil:
		return fmt.Errorf("the answer: %w", err)
	case failed:
		return ParseError(0, body)
	case !enough():
		if e := ParseError(0, body); e.Structured {
			return e
		}
		return fmt.Errorf("the answer: %w", none)
	default:
		return nil
	}
}
