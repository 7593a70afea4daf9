package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"weir/internal/openapi"
	"weir/internal/rag"
)

// maxAgentMessage is the longest body of POST /mcp.
const maxAgentMessage = 8 << 20

// agents is POST /mcp, by a handler that is given. It is asked only once the
// body has come, and its answer is kept until it is whole: what it works with
// does not wait for a network, and its own deadline is the service's.
func (d *door) agents(ctx context.Context, x *exchange) (reply, error) {
	if !isJSON(x.r.Header) {
		return reply{}, unsupported(x.r.Header, contentJSON)
	}
	body, err := x.readAll(maxAgentMessage)
	if err != nil {
		return reply{}, err
	}
	if err := checkCall(body, true); err != nil {
		return reply{}, err
	}
	x.tool = toolOf(body)
	leaveOwn, err := d.agentShares.enter(ctx, x.user, 0)
	if err != nil {
		return reply{}, err
	}
	defer leaveOwn()
	leave, err := d.calls.enter(ctx, 0)
	if err != nil {
		return reply{}, err
	}
	defer leave()
	telling, account := rag.WithAccount(ctx)
	x.account = account
	bound, cancel := x.within(telling)
	defer cancel()
	r := x.r.WithContext(bound)
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
	kept := &keptAnswer{header: http.Header{}}
	d.cfg.MCP(kept, r, x.user)
	switch {
	case ctx.Err() != nil:
		return reply{}, ctx.Err()
	case kept.status == 0:
		return reply{}, fmt.Errorf("the MCP door did not answer")
	case kept.body.Len() == 0:
		return reply{status: kept.status}, nil
	case kept.isJSON():
		return reply{status: kept.status, raw: kept.body.Bytes()}, nil
	default: // plain words about the request
		return reply{}, rag.Errorf(codeOfPlain(kept.status), "%s", shortened(strings.TrimSpace(kept.body.String())))
	}
}

// codeOfPlain is the code of an answer in plain words.
func codeOfPlain(status int) rag.Code {
	switch status {
	case http.StatusForbidden:
		return rag.Forbidden
	case http.StatusNotFound:
		return rag.NotFound
	case http.StatusRequestEntityTooLarge:
		return rag.TooLarge
	case http.StatusUnsupportedMediaType:
		return rag.UnsupportedMedia
	default:
		if status >= 500 {
			return rag.Internal
		}
		return rag.Invalid
	}
}

// shortened is words that may repeat what a caller sent.
func shortened(s string) string {
	const most = 256
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strings.ToValidUTF8(s, "?")
}

// keptAnswer keeps an answer instead of sending it. It is used by one goroutine
// at a time.
type keptAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (k *keptAnswer) Header() http.Header { return k.header }

func (k *keptAnswer) WriteHeader(status int) {
	if k.status == 0 {
		k.status = status
	}
}

func (k *keptAnswer) Write(p []byte) (int, error) {
	k.WriteHeader(http.StatusOK)
	return k.body.Write(p) //nolint:wrapcheck // never fails
}

func (k *keptAnswer) isJSON() bool {
	m, _, err := mime.ParseMediaType(k.header.Get("Content-Type"))
	return err == nil && m == contentJSON
}

func agentsDoc() description {
	id := &openapi.Schema{Types: []string{"string", "integer", "null"}, Description: "Of a request, and of the answer to it."}
	openapi.Between(id, -(1<<53 - 1), 1<<53-1)
	message := func() *openapi.Media {
		return &openapi.Media{Schema: &openapi.Schema{
			Type: "object", Required: []string{"jsonrpc"}, Description: "A JSON-RPC message.",
			Properties: map[string]*openapi.Schema{
				"jsonrpc": {Type: "string", Enum: []any{"2.0"}},
				"id":      id,
				"method":  {Type: "string"},
				"params":  {Types: []string{"object", "null"}, Description: "As the method has it."},
			},
			AdditionalProperties: &openapi.Schema{},
		}}
	}
	asked := message()
	asked.Examples = map[string]*openapi.Example{"example": {Value: map[string]any{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}}}
	return description{
		id: "mcp", tag: "agents", summary: "The Model Context Protocol, streamable HTTP without sessions",
		about: "One JSON-RPC message, and one JSON answer. See https://modelcontextprotocol.io.",
		takes: map[string]*openapi.Media{contentJSON: asked},
		gives: map[int]given{
			http.StatusOK:         {about: "The answer, which may be a JSON-RPC error.", content: map[string]*openapi.Media{contentJSON: message()}},
			http.StatusAccepted:   {about: "A notification was taken."},
			http.StatusBadRequest: {about: "No message that is understood: a JSON-RPC error, or a problem.", content: map[string]*openapi.Media{contentJSON: message(), problemType: {Schema: openapi.Ref("Problem")}}},
		},
	}
}

// toolOf is what a message asks for, for the audit log: its method, and the tool
// that it calls. Words that neither can be are left out.
func toolOf(body []byte) string {
	var m struct {
		Method string `json:"method"`
		Params struct {
			Name string `json:"name"`
		} `json:"params"`
	}
	if json.Unmarshal(body, &m) != nil || !plainWord(m.Method) {
		return ""
	}
	if m.Method == "tools/call" && plainWord(m.Params.Name) {
		return m.Method + " " + m.Params.Name
	}
	return m.Method
}

// checkCall refuses a message whose method, or whose tool, two readers could
// take for different ones: encoding/json takes names in any case and the last of several,
// the handler does not, and the audit log must not tell of another call than
// was made. What is no JSON object is for the handler to refuse.
func checkCall(body []byte, outer bool) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil //nolint:nilerr // see above
	}
	known := []string{"name"}
	if outer {
		known = []string{"jsonrpc", "id", "method", "params"}
	}
	seen := map[string]bool{}
	for dec.More() {
		t, err := dec.Token()
		name, ok := t.(string)
		var value json.RawMessage
		if err != nil || !ok || dec.Decode(&value) != nil {
			return nil //nolint:nilerr // see above
		}
		for _, k := range known {
			if name != k && strings.EqualFold(name, k) {
				return rag.FieldErrorf(k, "is written %s; the case counts", shorten(name))
			}
		}
		if seen[name] {
			return rag.Errorf(rag.Invalid, "%s is there twice", shorten(name))
		}
		seen[name] = true
		if outer && name == "params" {
			if err := checkCall(value, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// plainWord reports whether s can be the name of a method or tool.
func plainWord(s string) bool {
	const most = 40
	return s != "" && len(s) <= most && !strings.ContainsFunc(s, func(r rune) bool { return (r < 'a' || r > 'z') && r != '_' && r != '/' })
}
