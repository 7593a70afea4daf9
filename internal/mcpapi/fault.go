package mcpapi

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"

	"weir/internal/rag"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// fault is an error as a client is told it: the text of a tool's error, the data
// of a protocol error.
type fault struct {
	Code         rag.Code `json:"code"`
	Message      string   `json:"message"`
	Field        string   `json:"field,omitempty"` // the argument at fault
	Phase        string   `json:"phase,omitempty"`
	RetryAfterMS int64    `json:"retry_after_ms,omitempty"`
	OperationID  string   `json:"operation_id"`
}

// faultOf makes the fault of err, and logs what a caller is not told.
func (d *Door) faultOf(ctx context.Context, err error) fault {
	f := fault{Code: rag.CodeOf(err), OperationID: rag.Operation(ctx)}
	rag.AccountOf(ctx).Failed(f.Code)
	var e *rag.Error
	switch {
	case errors.As(err, &e):
		f.Message, f.Field, f.Phase, f.RetryAfterMS = e.Msg, e.Field, e.Phase, e.RetryAfter.Milliseconds()
	case f.Code == rag.Timeout:
		f.Message = "no answer was ready by the deadline"
	case f.Code == rag.Canceled:
		f.Message = "the caller left before the answer was ready"
	default:
		f.Message = "an internal error; the server's log has it under this operation_id"
	}
	level := slog.LevelWarn
	switch f.Code {
	case rag.Internal:
		level = slog.LevelError
	case rag.Unavailable, rag.Timeout, rag.Overloaded:
	default: // the words of these are about what the caller sent
		return f
	}
	d.cfg.Log.LogAttrs(ctx, level, "mcp call failed",
		slog.String("code", string(f.Code)), slog.String("operation_id", f.OperationID), slog.String("error", err.Error()))
	return f
}

func (f fault) json() []byte {
	b, err := json.Marshal(f)
	if err != nil { // cannot be: strings and a number
		return []byte(`{"code":"internal"}`)
	}
	return b
}

// toolError is err as a tool's answer: the model reads it and may do better.
func (d *Door) toolError(ctx context.Context, err error) *mcp.CallToolResult {
	return &mcp.CallToolResult{IsError: true, Content: []mcp.Content{&mcp.TextContent{Text: string(d.faultOf(ctx, err).json())}}}
}

// protocolError is err where there is no tool whose answer it could be.
func (d *Door) protocolError(ctx context.Context, err error) error {
	f := d.faultOf(ctx, err)
	code := int64(jsonrpc.CodeInternalError)
	if f.Code == rag.Invalid || f.Code == rag.NotFound {
		code = jsonrpc.CodeInvalidParams
	}
	return &jsonrpc.Error{Code: code, Message: f.Message, Data: f.json()}
}
