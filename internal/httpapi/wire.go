package httpapi

import (
	"encoding/json"
	"time"

	"weir/internal/rag"
)

// DocumentList is the answer of GET /v1/documents.
type DocumentList struct {
	Documents  []rag.Document `json:"documents"`   // newest first
	NextCursor string         `json:"next_cursor"` // "" on the last page
}

// PassageList is the answer of GET /v1/documents/{id}/passages.
type PassageList struct {
	Passages []rag.Passage `json:"passages"`       // in the order of the document
	Next     int           `json:"next,omitempty"` // first of the next call; absent after the last
}

// Status is the answer of GET /v1/status.
type Status struct {
	rag.Activity
	Version  string    `json:"version"`
	Started  time.Time `json:"started_at"`
	UptimeMS int64     `json:"uptime_ms"`
	Requests Lane      `json:"requests"`   // under way at the door, health and status apart
	Bodies   Lane      `json:"body_bytes"` // of memory that JSON bodies and vectors in answers hold
	Uploads  Lane      `json:"uploads"`    // being received
	Streams  Lane      `json:"streams"`    // open: events and wait=true
	Answers  Lane      `json:"answers"`    // being written, of /v1/ask and /v1/chat/completions
	MCPCalls Lane      `json:"mcp_calls"`  // of POST /mcp, once their body has come
	Draining bool      `json:"draining"`   // the server is about to stop
	// Others are the calls in flight of other users, by stage, where the caller
	// may not see each; nil: all are in InFlight.
	Others map[string]int `json:"in_flight_of_others,omitempty"`
	// Identity is how it stands with keys and tokens, in the words of the gate;
	// nil: there is none, or it is not for this caller.
	Identity any `json:"identity,omitempty"`
	// Chat is what the chat model is doing, in its own words; nil: there is none.
	Chat json.RawMessage `json:"chat,omitempty"`
	// Pipeline is what the embedder is doing, in its own words; nil: it does
	// not say.
	Pipeline json.RawMessage `json:"pipeline,omitempty"`
}

// Lane is how many there are of something, and the most there may be.
type Lane struct {
	Now int `json:"now"`
	Max int `json:"max"`
}

// textDocument is the JSON body of POST /v1/documents.
type textDocument struct {
	Filename string `json:"filename"`
	Text     string `json:"text"`
}

// Problem is the body of every error (RFC 9457, application/problem+json).
type Problem struct {
	Type         string        `json:"type"` // about:blank: Code says all there is to know
	Title        string        `json:"title"`
	Status       int           `json:"status"`
	Detail       string        `json:"detail"`
	Code         rag.Code      `json:"code"`
	Field        string        `json:"field,omitempty"`
	Phase        string        `json:"phase,omitempty"`
	RetryAfterMS int64         `json:"retry_after_ms,omitempty"`
	OperationID  string        `json:"operation_id"`
	Document     *rag.Document `json:"document,omitempty"` // of an upload with wait=true that failed
}

// err is the Problem as an error, for a Client's caller.
func (p Problem) err() error {
	return &rag.Error{
		Code: p.Code, Msg: p.Detail, Field: p.Field, Phase: p.Phase,
		RetryAfter: time.Duration(p.RetryAfterMS) * time.Millisecond,
	}
}

// Event is one event of GET /v1/documents/{id}/events, by name and data.
const (
	eventProgress = "progress" // data: the document, not yet in a final status
	eventDone     = "done"     // data: the document in its final status; the last event
	eventError    = "error"    // data: a Problem; the last event
)

// Event is one event of POST /v1/ask; the last is eventDone, whose data is the
// Answer, or eventError.
const (
	eventPassages = "passages" // data: as the answer of POST /v1/retrieve; the first event
	eventText     = "text"     // data: textEvent
)

// textEvent is a piece of an answer.
type textEvent struct {
	Text   string `json:"text"`
	Notice bool   `json:"notice,omitempty"` // Weir's own words, instead of an answer by the model
}

// heartbeat is how often a stream says that it is alive.
const heartbeat = 15 * time.Second

const (
	userHeader      = "X-User-ID"
	timeoutHeader   = "X-Weir-Timeout-Ms"
	operationHeader = "X-Operation-Id"
	defaultUser     = rag.User("default")
)

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}
