package chat

import (
	"context"

	"weir/internal/rag"
)

// None stands for a model that is not configured: it writes nothing.
type None struct{}

var _ rag.ChatModel = None{}

// Name returns "".
func (None) Name() string { return "" }

// Chat returns an Unavailable error.
func (None) Chat(context.Context, rag.User, rag.ChatRequest, func(string) error) (rag.ChatEnd, error) {
	return rag.ChatEnd{}, &rag.Error{Code: rag.Unavailable, Phase: "validate", Msg: "no chat model is configured"}
}
