package httpapi

import (
	"net/http"
	"strconv"
	"time"

	"weir/internal/openai"
	"weir/internal/rag"
)

// openAIError is p in OpenAI's shape. The codes are ours, but for the one that
// clients look for.
func openAIError(p Problem) *openai.Error {
	e := &openai.Error{Status: p.Status, Message: p.Detail, Type: openAIType(p.Code), Param: p.Field, Code: string(p.Code)}
	if p.Code == rag.NotFound { // what is not found on these routes is always that
		e.Code = "model_not_found"
	}
	return e
}

// openAIType is the word for a kind of errors.
func openAIType(code rag.Code) string {
	switch code {
	case rag.Unauthorized:
		return "authentication_error"
	case rag.Forbidden:
		return "permission_error"
	case rag.RateLimited:
		return "rate_limit_error"
	case rag.Overloaded, rag.Unavailable, rag.Timeout, rag.Canceled, rag.Internal:
		return "server_error"
	case rag.Invalid, rag.NotFound, rag.Conflict, rag.TooLarge, rag.UnsupportedMedia:
		return "invalid_request_error"
	default:
		return "server_error"
	}
}

// obeyed is the longest Retry-After that OpenAI's clients keep to; after a
// longer one they try again within seconds.
const obeyed = time.Minute

// clientBackoff is about how long OpenAI's clients wait when they are not told.
const clientBackoff = 500 * time.Millisecond

// hopeless reports whether OpenAI's clients, which by themselves try twice more
// after any 408, 409, 429 and 5xx, must be told not to.
//
//   - By a Timeout, or a failure that took nearly as long, Weir had tried until
//     the deadline. Two more tries would have the caller wait three times as long
//     as it was to wait, and the provider asked three times as often while it is
//     down. Only when the request itself was late on its way, another may fare
//     better.
//   - Without an embedder there will be none in a second either.
func (d *door) hopeless(x *exchange, p Problem) bool {
	after := time.Duration(p.RetryAfterMS) * time.Millisecond
	deadline := orDefault(x.longest, d.cfg.Timeout)
	if x.timeout > 0 {
		deadline = min(deadline, x.timeout)
	}
	late := time.Since(x.began)+max(after, clientBackoff) >= deadline
	switch p.Code {
	case rag.Timeout:
		return p.Phase != "body"
	case rag.RateLimited, rag.Overloaded:
		return after > obeyed || x.timeout > 0 && late
	case rag.Unavailable:
		return after > obeyed || late || x.hopeless
	case rag.Invalid, rag.Unauthorized, rag.Forbidden, rag.NotFound, rag.Conflict, rag.TooLarge, rag.UnsupportedMedia, rag.Canceled, rag.Internal:
		return true
	default:
		return true
	}
}

// inOpenAIShape makes the body and the headers of an error for OpenAI's
// clients.
func (d *door) inOpenAIShape(x *exchange, p Problem, h http.Header) []byte {
	if d.hopeless(x, p) {
		h.Set("X-Should-Retry", "false")
	}
	if p.RetryAfterMS > 0 {
		h.Set("Retry-After-Ms", strconv.FormatInt(p.RetryAfterMS, 10))
	}
	body, err := openAIError(p).Encode()
	if err != nil { // of strings: cannot be
		return []byte(`{"error":{"message":"the server failed","type":"server_error","param":null,"code":"internal"}}`)
	}
	return body
}
