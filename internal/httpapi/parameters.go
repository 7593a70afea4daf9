package httpapi

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"weir/internal/rag"
)

// userOf reads the user that the headers name; "" when they name none.
func userOf(h http.Header) (rag.User, error) {
	values := h.Values(userHeader)
	if len(values) == 0 {
		return "", nil
	}
	user := values[0]
	switch {
	case len(values) > 1:
		return "", rag.FieldErrorf(userHeader, "is there %d times; one call is of one user", len(values))
	case user == "":
		return "", rag.FieldErrorf(userHeader, "must not be empty; leave the header out for the user %q", string(defaultUser))
	case len(user) > rag.MaxUserBytes:
		return "", rag.FieldErrorf(userHeader, "is %d bytes long; the limit is %d", len(user), rag.MaxUserBytes)
	case !utf8.ValidString(user):
		return "", rag.FieldErrorf(userHeader, "is not valid UTF-8")
	case strings.ContainsFunc(user, unicode.IsControl):
		return "", rag.FieldErrorf(userHeader, "must not hold control characters")
	}
	return rag.User(user), nil
}

// parseQuery reads the query parameters, each known to the route and there at
// most once.
func parseQuery(raw string, rt route) (url.Values, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, &rag.Error{Code: rag.Invalid, Msg: "the query string cannot be read", Err: err}
	}
	for name, given := range values {
		switch {
		case !slices.Contains(rt.query, name):
			return nil, unknownField(name, "query parameter", rt.query)
		case len(given) > 1:
			return nil, rag.FieldErrorf(name, "is there %d times", len(given))
		case !utf8.ValidString(given[0]):
			return nil, rag.FieldErrorf(name, "is not valid UTF-8")
		}
	}
	return values, nil
}

// flag reads a boolean parameter; absent is false.
func (x *exchange) flag(name string) (bool, error) {
	if !x.query.Has(name) {
		return false, nil
	}
	switch v := x.query.Get(name); v {
	case "true":
		return true, nil
	case "false":
		return false, nil
	default:
		return false, rag.FieldErrorf(name, "must be true or false, not %s", shorten(v))
	}
}

// number reads a whole number; absent is 0.
func (x *exchange) number(name string, least, most int) (int, error) {
	if !x.query.Has(name) {
		return 0, nil
	}
	n, err := strconv.Atoi(x.query.Get(name))
	if err != nil || n < least || n > most {
		return 0, rag.FieldErrorf(name, "must be a whole number from %d to %d, not %s", least, most, shorten(x.query.Get(name)))
	}
	return n, nil
}

// documentID reads the id in the path. One that no document can have is as
// unknown as any other.
func (x *exchange) documentID() (string, error) {
	id := x.r.PathValue("id")
	if len(id) > 256 || !utf8.ValidString(id) || strings.ContainsFunc(id, unicode.IsControl) {
		return "", rag.Errorf(rag.NotFound, "there is no document with this id")
	}
	return id, nil
}

// unknownField is the error of a name that a request must not hold.
func unknownField(name, kind string, known []string) error {
	e := &rag.Error{Code: rag.Invalid, Field: name}
	if len(name) > 64 {
		e.Field = strings.ToValidUTF8(name[:64], "") + "…"
	}
	e.Msg = shorten(name) + " is not a " + kind + " of this call"
	switch {
	case name == "user" || name == "user_id":
		e.Msg += "; the user goes into the header " + userHeader
	case len(known) == 0:
		e.Msg += "; it has none"
	default:
		e.Msg += "; it has " + strings.Join(known, ", ")
	}
	return e
}
