package openai

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// Error is a failure as the wire tells it. Message is the peer's own words and
// may be long, or repeat what it was sent; it is not fit to be shown as it is.
type Error struct {
	Status  int // the HTTP status, or the one the body names where it was sent under 200; 0: none
	Message string
	Type    string
	Param   string // which member of the request is at fault, if the peer says so
	Code    string // the machine's word for it, such as insufficient_quota
	// Structured: Message was found in JSON, as an API writes it, not in plain
	// text, as whatever stands before it may.
	Structured bool
}

func (e *Error) Error() string {
	s := e.Message
	if s == "" {
		s = "no message"
	}
	for _, part := range []string{e.Type, e.Code} {
		if part != "" {
			s += " [" + part + "]"
		}
	}
	if e.Status != 0 {
		s = strconv.Itoa(e.Status) + " " + s
	}
	return s
}

// maxError is the longest body that ParseError looks into: what is decoded
// without a shape may take twenty times its length.
const maxError = 64 << 10

// ParseError reads the body of a failed call in any of the forms seen in the
// wild: OpenAI's object, a string under "error" (Ollama, LM Studio), "message"
// at the top (vLLM, TEI, Mistral), "detail" as a string or a list (FastAPI), a
// list around it all (Google), plain text. HTML gives no message, as it is a
// proxy's, nor does a body of more than 64 KiB. status 0 means that there was no
// failing status; then Status is what the body itself names, if anything.
func ParseError(status int, body []byte) *Error {
	e := &Error{Status: status}
	if len(body) > maxError {
		return e
	}
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		text := string(bytes.TrimSpace(body))
		if !strings.HasPrefix(text, "<") && !strings.HasPrefix(text, "{") && !strings.HasPrefix(text, "[") {
			e.Message = text
		}
		return e
	}
	e.read(v, 0)
	return e
}

// read looks for the members of an error in v; depth bounds how far down.
func (e *Error) read(v any, depth int) {
	if depth > 4 {
		return
	}
	switch v := v.(type) {
	case string:
		if e.Message == "" {
			e.Message = v
			e.Structured = e.Structured || depth > 0
		}
	case []any:
		if len(v) > 0 {
			e.read(v[0], depth+1)
		}
	case map[string]any:
		e.members(v, depth)
	}
}

func (e *Error) members(m map[string]any, depth int) {
	for _, key := range []string{"error", "errors", "message", "msg", "detail"} {
		e.read(m[key], depth+1)
	}
	first(&e.Type, m["type"], m["error_type"])
	first(&e.Param, m["param"])
	if loc, ok := m["loc"].([]any); ok && len(loc) > 1 { // FastAPI: ["body", "input", 0]
		first(&e.Param, loc[1])
	}
	// Google keeps its most precise word in details[].reason.
	if details, ok := m["details"].([]any); ok {
		for _, d := range details {
			if d, ok := d.(map[string]any); ok {
				first(&e.Code, d["reason"])
			}
		}
	}
	first(&e.Code, m["code"], m["status"])
	if n, ok := m["code"].(float64); ok && e.Status == 0 && n >= 400 && n < 600 {
		e.Status = int(n)
	}
}

// first sets to to the first of values that is a string and not empty, if it
// is not set yet.
func first(to *string, values ...any) {
	for _, v := range values {
		if s, ok := v.(string); ok && *to == "" {
			*to = s
		}
	}
}

// Encode writes the error in OpenAI's form.
func (e *Error) Encode() ([]byte, error) {
	null := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	type inner struct {
		Message string  `json:"message"`
		Type    string  `json:"type"`
		Param   *string `json:"param"`
		Code    *string `json:"code"`
	}
	return json.Marshal(map[string]inner{"error": {e.Message, e.Type, null(e.Param), null(e.Code)}})
}
