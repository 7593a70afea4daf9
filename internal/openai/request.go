package openai

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// EmbeddingsRequest asks for the vectors of Input.
type EmbeddingsRequest struct {
	Model      string
	Input      []string
	Encoding   Encoding // "": not said, which means Float
	Dimensions int      // 0: not said, which means the model's own
	User       string   // whom the caller names; may be ""
}

// requestWire is the form on the wire. Input may be one string or a list.
type requestWire struct {
	Model      string          `json:"model"`
	Input      json.RawMessage `json:"input"`
	Encoding   *Encoding       `json:"encoding_format"`
	Dimensions *int            `json:"dimensions"`
	User       *string         `json:"user"`
}

// Encode writes the request; what is not said is left out.
func (r EmbeddingsRequest) Encode() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // \u003c is six bytes, and no browser reads this
	err := enc.Encode(struct {
		Model      string   `json:"model"`
		Input      []string `json:"input"`
		Encoding   Encoding `json:"encoding_format,omitempty"`
		Dimensions int      `json:"dimensions,omitempty"`
		User       string   `json:"user,omitempty"`
	}(r))
	if err != nil {
		return nil, fmt.Errorf("write the request: %w", err)
	}
	return b.Bytes(), nil
}

// DecodeEmbeddingsRequest reads a request of at most limit.Items inputs; the
// caller bounds len(body). Members that it does not know are passed over, as
// clients send many. Its errors are [*Error] values with Param set.
func DecodeEmbeddingsRequest(body []byte, limit Limits) (EmbeddingsRequest, error) {
	var w requestWire
	if err := json.Unmarshal(body, &w); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return EmbeddingsRequest{}, refuse(wrong.Field, "it is of the wrong type: %s", wrong.Value)
		}
		return EmbeddingsRequest{}, refuse("", "the body is not JSON: %v", err)
	}
	r := EmbeddingsRequest{Model: w.Model}
	if w.Encoding != nil {
		r.Encoding = *w.Encoding
		if r.Encoding != Float && r.Encoding != Base64 {
			return EmbeddingsRequest{}, refuse("encoding_format", "it must be float or base64")
		}
	}
	if w.Dimensions != nil {
		r.Dimensions = *w.Dimensions
		if r.Dimensions < 1 || r.Dimensions > limit.Values {
			return EmbeddingsRequest{}, refuse("dimensions", "it must be from 1 to %d", limit.Values)
		}
	}
	if w.User != nil {
		r.User = *w.User
	}
	var err error
	r.Input, err = decodeInput(w.Input, limit.Items)
	return r, err
}

func decodeInput(raw []byte, limit int) ([]string, error) {
	s := &scanner{b: raw}
	var texts []string
	var refusal error
	one := func(n int) error {
		if n == limit {
			refusal = refuse("input", "it may hold at most %d texts", limit)
			return refusal
		}
		if s.next() != '"' {
			refusal = refuse("input", "it must be a string or a list of strings; lists of token numbers are not read")
			return refusal
		}
		t, err := s.text()
		texts = append(texts, t)
		return err
	}
	var err error
	switch s.next() {
	case 0, 'n':
		return nil, refuse("input", "it is missing")
	case '[':
		err = s.array(one)
	default:
		err = one(0)
	}
	switch {
	case refusal != nil:
		return nil, refusal
	case err != nil:
		return nil, refuse("input", "%v", err)
	case len(texts) == 0:
		return nil, refuse("input", "it is empty")
	default:
		return texts, nil
	}
}

func refuse(param, format string, args ...any) *Error {
	msg := fmt.Sprintf(format, args...)
	if param != "" {
		msg = param + ": " + msg
	}
	return &Error{Status: http.StatusBadRequest, Message: msg, Type: "invalid_request_error", Param: param}
}
