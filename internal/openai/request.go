package openai

import (
	"bytes"
	"fmt"
	"math"
	"net/http"
	"strconv"
)

// EmbeddingsRequest asks for the vectors of Input, or of Tokens.
type EmbeddingsRequest struct {
	Model      string // "": not said
	Input      []string
	Tokens     [][]int  // instead of Input: the ids of a tokenizer that both sides know, a list for each text
	Encoding   Encoding // "": not said, which means Float
	Dimensions int      // 0: not said, which means the model's own
	User       string   // whom the caller names; may be ""
}

// Encode writes the request; what is not said is left out.
func (r EmbeddingsRequest) Encode() ([]byte, error) {
	var input any = r.Input
	if r.Tokens != nil {
		input = r.Tokens
	}
	return written(struct {
		Model      string   `json:"model,omitempty"`
		Input      any      `json:"input"`
		Encoding   Encoding `json:"encoding_format,omitempty"`
		Dimensions int      `json:"dimensions,omitempty"`
		User       string   `json:"user,omitempty"`
	}{r.Model, input, r.Encoding, r.Dimensions, r.User})
}

// DecodeEmbeddingsRequest reads a request of at most limit.Items inputs; the
// caller bounds len(body). Members that it does not know are passed over, as
// clients send many; one that it knows must not stand twice. Its errors are
// [*Error] values, with Param set to the member at fault.
func DecodeEmbeddingsRequest(body []byte, limit Limits) (EmbeddingsRequest, error) {
	var r EmbeddingsRequest
	known := []string{"model", "input", "encoding_format", "dimensions", "user"}
	err := readRequest(body, known, func(s *scanner, key string) error { return s.member(key, &r, limit) })
	switch {
	case err != nil:
		return EmbeddingsRequest{}, err
	case r.Input == nil && r.Tokens == nil:
		return EmbeddingsRequest{}, refuse("input", "it is missing")
	default:
		return r, nil
	}
}

// member passes the value of a member that is known.
func (s *scanner) member(key string, r *EmbeddingsRequest, limit Limits) error {
	switch key {
	case "model":
		return s.optional(key, &r.Model)
	case "input":
		return s.input(r, limit)
	case "encoding_format":
		return s.encoding(&r.Encoding)
	case "dimensions":
		return s.dimensions(&r.Dimensions, limit.Values)
	default:
		return s.optional(key, &r.User)
	}
}

// optional passes a string, or null.
func (s *scanner) optional(key string, to *string) error {
	if s.word("null") {
		return nil
	}
	if s.next() != '"' {
		return refuse(key, "it must be a string")
	}
	v, err := s.text()
	*to = v
	return err
}

func (s *scanner) encoding(to *Encoding) error {
	var v string
	if s.word("null") {
		return nil
	}
	if err := s.optional("encoding_format", &v); err != nil {
		return err
	}
	*to = Encoding(v)
	if *to != Float && *to != Base64 {
		return refuse("encoding_format", "it must be float or base64")
	}
	return nil
}

func (s *scanner) dimensions(to *int, most int) error {
	if s.word("null") {
		return nil
	}
	n, ok, err := s.whole()
	switch {
	case err != nil:
		return err
	case !ok:
		return refuse("dimensions", "it must be a whole number")
	case n < 1 || n > most:
		return refuse("dimensions", "it must be from 1 to %d", most)
	}
	*to = n
	return nil
}

// whole passes any value; ok if it is a whole number that an int32 holds.
func (s *scanner) whole() (n int, ok bool, err error) {
	raw, err := s.skip()
	if err != nil {
		return 0, false, err
	}
	n, ok = Whole(raw)
	return n, ok, nil
}

// Whole is the JSON value raw if it is a whole number that an int32 holds. As
// JSON Schema has it, 2.0 and 2e0 are whole too: writers whose numbers are all
// of one kind send those.
func Whole(raw []byte) (n int, ok bool) {
	if v, err := strconv.ParseInt(string(raw), 10, 32); err == nil {
		return int(v), true
	}
	if !bytes.ContainsAny(raw, ".eE") {
		return 0, false
	}
	v, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || v != math.Trunc(v) || math.Abs(v) > math.MaxInt32 {
		return 0, false
	}
	return int(v), true
}

func refuse(param, format string, args ...any) *Error {
	msg := fmt.Sprintf(format, args...)
	if param != "" {
		msg = param + ": " + msg
	}
	return &Error{Status: http.StatusBadRequest, Message: msg, Type: "invalid_request_error", Param: param}
}
