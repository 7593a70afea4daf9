package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"weir/internal/openai"
	"weir/internal/rag"
)

// readJSON reads a body of at most most bytes into v; see decodeStrict.
func (x *exchange) readJSON(most int64, v any) error {
	if !isJSON(x.r.Header) {
		return unsupported(x.r.Header, "application/json")
	}
	body, err := x.readAll(most)
	if err != nil {
		return err
	}
	return decodeStrict(body, v)
}

func isJSON(h http.Header) bool {
	m, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	charset := params["charset"]
	return err == nil && m == "application/json" && (charset == "" || strings.EqualFold(charset, "utf-8"))
}

// decodeStrict decodes one JSON object into the struct v points to, whose
// fields are scalars and lists of scalars. What encoding/json would let pass
// in silence is an Invalid error here: unknown fields, a field given twice or
// in other case, anything after the object, and bytes that are not UTF-8.
func decodeStrict(body []byte, v any) error {
	if !utf8.Valid(body) {
		return rag.Errorf(rag.Invalid, "the body is not valid UTF-8")
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return rag.Errorf(rag.Invalid, "the body is empty; a JSON object is wanted")
	}
	if !json.Valid(body) {
		return syntaxError(json.Unmarshal(body, new(json.RawMessage)))
	}
	if err := checkFields(body, fieldNames(v)); err != nil {
		return err
	}
	err := json.Unmarshal(body, v)
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) && strings.HasPrefix(wrong.Value, "number ") {
		if plain := plainWholes(body); json.Unmarshal(plain, v) == nil {
			return nil
		}
	}
	switch {
	case errors.As(err, &wrong):
		return wrongType(body, wrong)
	case err != nil:
		return &rag.Error{Code: rag.Invalid, Msg: "the body cannot be decoded", Err: err}
	}
	return nil
}

// plainWholes is a JSON object in which whole numbers that were written with a
// fraction or an exponent are written without: 2.0 is an integer to JSON Schema,
// and not to encoding/json.
func plainWholes(body []byte) []byte {
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil {
		return body
	}
	for name, value := range fields {
		if n, ok := openai.Whole(value); ok {
			fields[name] = strconv.AppendInt(nil, int64(n), 10)
		}
	}
	plain, err := json.Marshal(fields)
	if err != nil {
		return body
	}
	return plain
}

// wrongType says what is wrong with which field, or which value of a list.
func wrongType(body []byte, wrong *json.UnmarshalTypeError) error {
	field := wrong.Field
	if i := badElement(body, wrong); i >= 0 {
		field = fmt.Sprintf("%s[%d]", field, i)
	}
	want, given := kindName(wrong.Type), "a "+wrong.Value
	number, isNumber := strings.CutPrefix(wrong.Value, "number ")
	switch {
	case isNumber:
		given = number
		if len(given) > 64 {
			given = given[:64] + "…"
		}
		if fraction := strings.ContainsAny(number, ".eE"); !fraction || wrong.Type.Kind() == reflect.Float32 || wrong.Type.Kind() == reflect.Float64 {
			want += " in range"
		}
	case wrong.Value == "array":
		given = "a list"
	case wrong.Value == "bool":
		given = "a boolean"
	}
	return rag.FieldErrorf(field, "must be %s, not %s", want, given)
}

// badElement is the index of the value that is wrong in a list, or -1 when the
// field itself is.
func badElement(body []byte, wrong *json.UnmarshalTypeError) int {
	if wrong.Value == "array" { // of a list in a list, checkFlat told already
		return -1
	}
	var fields map[string]json.RawMessage
	var list []json.RawMessage
	if json.Unmarshal(body, &fields) != nil || json.Unmarshal(fields[wrong.Field], &list) != nil {
		return -1
	}
	return slices.IndexFunc(list, func(v json.RawMessage) bool { return json.Unmarshal(v, reflect.New(wrong.Type).Interface()) != nil })
}

func syntaxError(err error) error {
	var s *json.SyntaxError
	if errors.As(err, &s) {
		return &rag.Error{Code: rag.Invalid, Msg: fmt.Sprintf("the body is not valid JSON: %s at byte %d", s.Error(), s.Offset), Err: err}
	}
	return &rag.Error{Code: rag.Invalid, Msg: "the body is not valid JSON", Err: err}
}

// checkFields looks at the names in a valid JSON text.
func checkFields(body []byte, known []string) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	t, err := dec.Token()
	if err != nil {
		return syntaxError(err)
	}
	if t != json.Delim('{') {
		return rag.Errorf(rag.Invalid, "the body must be a JSON object")
	}
	var seen []string
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return syntaxError(err)
		}
		name, _ := t.(string) // a key is one, in valid JSON
		switch {
		case !slices.Contains(known, name):
			return unknownField(name, "field", known)
		case slices.Contains(seen, name):
			return rag.FieldErrorf(name, "is there twice")
		}
		seen = append(seen, name)
		if err := checkFlat(dec, name); err != nil {
			return err
		}
	}
	return nil
}

// checkFlat reads one value: a scalar, or a list of scalars. So depth needs no
// limit.
func checkFlat(dec *json.Decoder, name string) error {
	for depth, index := 0, -1; ; index++ {
		t, err := dec.Token()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return syntaxError(err)
		}
		switch t {
		case json.Delim('{'):
			return rag.FieldErrorf(name, "must not hold an object")
		case json.Delim('['):
			if depth++; depth > 1 {
				return rag.FieldErrorf(name, "must not hold a list in a list")
			}
		case json.Delim(']'):
			depth--
		case nil:
			if depth > 0 { // it would count as zero
				return rag.FieldErrorf(fmt.Sprintf("%s[%d]", name, index), "must not be null")
			}
		}
		if depth == 0 {
			return nil
		}
	}
}

// fieldNames are the JSON names of the struct v points to.
func fieldNames(v any) []string {
	t := reflect.TypeOf(v).Elem()
	var names []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

// kindName is a Go type in the words of JSON.
func kindName(t reflect.Type) string {
	switch t.Kind() { // the kinds that requests have
	case reflect.String:
		return "a string"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list"
	case reflect.Pointer:
		return kindName(t.Elem())
	default:
		return "something else"
	}
}
