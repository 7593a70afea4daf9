package mcpapi

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"weir/internal/rag"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
)

// notHandled is how the SDK begins its words about a method that it does not
// know.
const notHandled = "JSON RPC not handled"

// inMessages is an answer over HTTP in which what the SDK says in plain text is
// held back. A client that gets anything but a message takes the server for
// broken, and all of its later calls with it.
type inMessages struct {
	http.ResponseWriter
	status int // of plain text; 0: none came
	text   bytes.Buffer
}

// Unwrap is for http.ResponseController.
func (m *inMessages) Unwrap() http.ResponseWriter { return m.ResponseWriter }

func (m *inMessages) WriteHeader(status int) {
	kind, _, err := mime.ParseMediaType(m.Header().Get("Content-Type"))
	if status >= http.StatusBadRequest && err == nil && kind == "text/plain" {
		m.status = status
		return
	}
	m.ResponseWriter.WriteHeader(status)
}

func (m *inMessages) Write(p []byte) (int, error) {
	if m.status != 0 {
		return m.text.Write(p) //nolint:wrapcheck // never fails
	}
	return m.ResponseWriter.Write(p) //nolint:wrapcheck // as it is
}

// end says what was held back about message as an error of JSON-RPC. A method
// that is not there is answered as on standard input, and a notification that
// nobody knows is passed over as there.
func (m *inMessages) end(r *http.Request, message []byte) {
	if m.status == 0 {
		return
	}
	m.Header().Del("X-Content-Type-Options")
	m.Header().Del("Content-Type")
	text, id := strings.TrimSpace(m.text.String()), idOf(message)
	switch unknown := m.status == http.StatusBadRequest && strings.HasPrefix(text, notHandled); {
	case unknown && len(id) == 0:
		m.ResponseWriter.WriteHeader(http.StatusAccepted)
	case unknown:
		rag.AccountOf(r.Context()).Failed(rag.Invalid)
		refuse(m.ResponseWriter, http.StatusOK, id, jsonrpc.CodeMethodNotFound, shortened("method not found: "+methodOf(message)))
	default:
		refuse(m.ResponseWriter, m.status, id, jsonrpc.CodeInvalidRequest, shortened(text))
	}
}

// methodOf is the method of a message, in quotes.
func methodOf(message []byte) string {
	var m struct {
		Method string `json:"method"`
	}
	if json.Unmarshal(message, &m) != nil { // cannot be: the SDK has read it
		return "?"
	}
	return strconv.Quote(m.Method)
}

// shortened is words that may repeat what a caller sent.
func shortened(s string) string {
	const most = 256
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strings.ToValidUTF8(s, "?")
}
