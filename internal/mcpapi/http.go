package mcpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"

	"weir/internal/rag"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
)

// ServeUser answers one message over streamable HTTP for user. It reads all of
// the body first, at most MaxMessageBytes; the answer is JSON in one piece, and
// comes once the call is over. When r's context ends, so does the call: it is answered where
// that was by a deadline, and not where the caller left.
func (d *Door) ServeUser(w http.ResponseWriter, r *http.Request, user rag.User) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxMessageBytes)) //nolint:forbidigo // bounded
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		refuse(w, http.StatusRequestEntityTooLarge, nil, jsonrpc.CodeInvalidRequest, "the message is longer than 8 MiB")
		return
	case err != nil:
		refuse(w, http.StatusBadRequest, nil, jsonrpc.CodeParseError, "the message did not arrive whole")
		return
	}
	if r.Method == http.MethodPost && !checkMessage(w, body) {
		return
	}
	ctx, cancel := present(r.Context())
	defer cancel()
	r = r.WithContext(withCaller(ctx, r.Context(), user))
	r.Body = io.NopCloser(bytes.NewReader(body))
	said := &inMessages{ResponseWriter: w}
	d.http.ServeHTTP(said, r)
	said.end(r, body)
}

// checkMessage refuses, in the words of JSON-RPC, what the SDK would take or
// refuse in plain text.
func checkMessage(w http.ResponseWriter, body []byte) bool {
	if !json.Valid(body) { // which also bounds how deep it is nested
		refuse(w, http.StatusBadRequest, nil, jsonrpc.CodeParseError, "the body is not valid JSON")
		return false
	}
	if b := bytes.TrimLeft(body, " \t\r\n"); b[0] != '{' {
		// Batches are gone from the protocol, and one would be as many calls
		// as fit a body.
		refuse(w, http.StatusBadRequest, nil, jsonrpc.CodeInvalidRequest, "the body must be one JSON-RPC message, not a batch")
		return false
	}
	var message struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
		Params json.RawMessage `json:"params"`
	}
	if err := json.Unmarshal(body, &message); err != nil {
		refuse(w, http.StatusBadRequest, nil, jsonrpc.CodeInvalidRequest, "the body is not a JSON-RPC message")
		return false
	}
	switch {
	case !isID(message.ID):
		refuse(w, http.StatusBadRequest, nil, jsonrpc.CodeInvalidRequest, "id must be a string, or a whole number that a float64 holds")
		return false
	case len(message.Params) > 0 && message.Params[0] != '{' && string(message.Params) != "null":
		refuse(w, http.StatusBadRequest, message.ID, jsonrpc.CodeInvalidRequest, "params must be an object")
		return false
	}
	if message.Method == "subscriptions/listen" { // the SDK would keep it open
		refuse(w, http.StatusNotFound, message.ID, jsonrpc.CodeMethodNotFound, "there is nothing to subscribe to")
		return false
	}
	return true
}

// isID reports whether an id can come back as it is: of other numbers the SDK
// would make another, and the caller would wait for its own.
func isID(id json.RawMessage) bool {
	const most = 1<<53 - 1
	var n float64
	switch {
	case len(id) == 0 || id[0] == '"' || string(id) == "null":
		return true
	case json.Unmarshal(id, &n) != nil:
		return false
	default:
		return n == math.Trunc(n) && math.Abs(n) <= most
	}
}

// refuse writes a JSON-RPC error.
func refuse(w http.ResponseWriter, status int, id json.RawMessage, code int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(rpcError(id, code, message)) // there is nobody else to tell
}

// rpcError is a JSON-RPC error. id is the caller's, or nil where it is not
// known.
func rpcError(id json.RawMessage, code int, message string) []byte {
	if len(id) == 0 {
		id = json.RawMessage("null")
	}
	type wireError struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}
	b, err := json.Marshal(struct {
		Version string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Error   wireError       `json:"error"`
	}{"2.0", id, wireError{code, message}})
	if err != nil { // cannot be: id is valid JSON
		return []byte(`{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"an internal error"}}`)
	}
	return b
}
