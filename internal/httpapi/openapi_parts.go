package httpapi

import (
	"net/http"
	"strconv"

	"weir/internal/openapi"
	"weir/internal/rag"
)

const aboutService = `Weir finds the passages of a user's own documents that answer a question. Every call ends by its deadline, with an answer or a clear error.

- Field names are exact. Unknown fields and query parameters, fields given twice and values of a wrong type are errors that name the field (` + "`/v1/embeddings` and `/v1/chat/completions`" + ` pass over members that they do not know, as OpenAI's clients send many). ` + "`null`" + ` stands for the default.
- JSON is UTF-8. Lengths that are given in bytes are those of UTF-8.
- Every error is a problem (RFC 9457) with a ` + "`code`" + ` to go by, but for the paths of OpenAI's shape, which answer in that.
- A method that a path does not have is answered with 405 and ` + "`Allow`" + `; a path that is not here, with 404. Requests that are no HTTP are answered in plain text by the layer below, with 400, 431 or 505.`

func tags() []openapi.Tag {
	return []openapi.Tag{
		{Name: "retrieval", Description: "Questions in, passages and answers out"},
		{Name: "documents", Description: "What a user has uploaded"},
		{Name: "openai", Description: "For clients of OpenAI's API"},
		{Name: "agents", Description: "The Model Context Protocol"},
		{Name: "service", Description: "Is it alive, is it ready, what is it doing"},
	}
}

func parameter(name string) *openapi.Parameter {
	return &openapi.Parameter{Ref: "#/components/parameters/" + name}
}

func header(name string) *openapi.Header { return &openapi.Header{Ref: "#/components/headers/" + name} }

// bearer is the name of the one way to say who calls.
const bearer = "bearer"

// security is how callers say who they are; nothing, where nobody asks.
func (d *door) security() map[string]*openapi.Security {
	if d.cfg.Gate == nil {
		return nil
	}
	return map[string]*openapi.Security{bearer: { //nolint:gosec // a name, no secret
		Type: "http", Scheme: "bearer", BearerFormat: "an API key, or a JWT",
		Description: "`Authorization: Bearer …`. The user is that of the key or token; a key that acts for several users takes it from `" + userHeader + "`.",
	}}
}

func (d *door) parameters() map[string]*openapi.Parameter {
	whose := "Whose documents are meant, `" + string(defaultUser) + "` without it."
	if d.cfg.Gate != nil {
		whose = "For whom a service's key acts, which must say so. The user of any other key, and of a token, is its own."
	}
	user := &openapi.Schema{Type: "string", Pattern: `^[^\x00-\x1f\x7f-\x9f]+$`}
	openapi.Lengths(user, 1, rag.MaxUserBytes)
	timeout := &openapi.Schema{Type: "string", Pattern: "^0*[1-9][0-9]{0,17}$"} // as it is on the wire
	return map[string]*openapi.Parameter{
		"User": {
			Name: userHeader, In: "header", Schema: user, Example: "ann",
			Description: whose + " At most " + strconv.Itoa(rag.MaxUserBytes) + " bytes of UTF-8 without control characters.",
		},
		"DocumentID": {
			Name: "id", In: "path", Required: true, Schema: &openapi.Schema{Type: "string"}, Example: "01a20859-3f9d-7c55-a51c-9f0c5bd8a4f1",
			Description: "The document's `id`. One of another user is answered like one that does not exist.",
		},
		"ModelID": {
			Name: "id", In: "path", Required: true, Schema: &openapi.Schema{Type: "string"}, Example: "text-embedding-3-small",
			Description: "The model's `id`; it may have slashes, as they are or escaped.",
		},
		"Timeout": {
			Name: timeoutHeader, In: "header", Schema: timeout, Example: "5000",
			Description: "The deadline of this call in milliseconds, from 1; never more than the server's.",
		},
		"IfNoneMatch": {
			Name: "If-None-Match", In: "header", Schema: &openapi.Schema{Type: "string"},
			Description: "The `ETag` of the document that the caller has.",
		},
	}
}

// headerName is the name on the wire of a header of components.
func headerName(component string) string {
	return map[string]string{
		"OperationID": operationHeader, "RequestID": "X-Request-Id", "RetryAfter": "Retry-After", "RetryAfterMS": "Retry-After-Ms",
		"ShouldRetry": "X-Should-Retry", "Location": "Location", "ETag": "ETag", "RateLimit": "RateLimit", "RateLimitPolicy": "RateLimit-Policy",
	}[component]
}

func headers() map[string]*openapi.Header {
	text := func() *openapi.Schema { return &openapi.Schema{Type: "string"} }
	number := func() *openapi.Schema {
		s := &openapi.Schema{Type: "integer"}
		openapi.AtLeast(s, 1)
		return s
	}
	return map[string]*openapi.Header{
		"OperationID":     {Required: true, Schema: text(), Description: "The id of this call; it is also in the server's log."},
		"RequestID":       {Required: true, Schema: text(), Description: "The same id, where OpenAI's clients look for it."},
		"RetryAfter":      {Schema: number(), Description: "Seconds after which to try again."},
		"RetryAfterMS":    {Schema: number(), Description: "The same in milliseconds, for OpenAI's clients."},
		"ShouldRetry":     {Schema: &openapi.Schema{Type: "string", Enum: []any{"false"}}, Description: "Tells OpenAI's clients that trying again is of no use."},
		"Location":        {Required: true, Schema: text(), Description: "The document's address."},
		"Challenge":       {Required: true, Schema: text(), Description: "How to say who calls (RFC 6750)."},
		"RateLimit":       {Schema: text(), Description: "How many calls the user has left, and in how many seconds it has all again: `\"user\";r=199;t=1`."},
		"RateLimitPolicy": {Schema: text(), Description: "How many calls the user may make, in how many seconds: `\"user\";q=1200;w=60`."},
		"ETag":            {Required: true, Schema: text(), Description: "Changes with the content."},
	}
}

// refusalName is the component for an error of a status.
func refusalName(status int, openai bool) string {
	if openai {
		return "OpenAI" + strconv.Itoa(status)
	}
	return "Problem" + strconv.Itoa(status)
}

// refusals are the answers of all errors, in both shapes.
func refusals() map[string]*openapi.Response {
	about := map[int]string{}
	for _, code := range codes() {
		status, title := statusOf(code)
		if status == statusClientClosed {
			continue // nobody is there to read it
		}
		if about[status] != "" {
			about[status] += ". "
		}
		about[status] += "`" + string(code) + "`: " + title
	}
	all := map[string]*openapi.Response{}
	for status, words := range about {
		retry := status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout
		problem := &openapi.Response{
			Description: words, Headers: map[string]*openapi.Header{operationHeader: header("OperationID")},
			Content: map[string]*openapi.Media{problemType: {Schema: openapi.Ref("Problem")}},
		}
		other := &openapi.Response{
			Description: words, Content: asJSON(openapi.Ref("OpenAIError")),
			Headers: map[string]*openapi.Header{
				operationHeader: header("OperationID"), "X-Request-Id": header("RequestID"), "X-Should-Retry": header("ShouldRetry"),
			},
		}
		if status == http.StatusUnauthorized {
			problem.Headers["WWW-Authenticate"], other.Headers["WWW-Authenticate"] = header("Challenge"), header("Challenge")
		}
		if retry {
			problem.Headers["Retry-After"] = header("RetryAfter")
			other.Headers["Retry-After"] = header("RetryAfter")
			other.Headers["Retry-After-Ms"] = header("RetryAfterMS")
		}
		all[refusalName(status, false)], all[refusalName(status, true)] = problem, other
	}
	return all
}

// codes are all there are.
func codes() []rag.Code {
	return []rag.Code{
		rag.Invalid, rag.Unauthorized, rag.Forbidden, rag.NotFound, rag.Conflict, rag.TooLarge, rag.UnsupportedMedia,
		rag.RateLimited, rag.Overloaded, rag.Unavailable, rag.Timeout, rag.Canceled, rag.Internal,
	}
}
