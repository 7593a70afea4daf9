package main

import (
	"context"

	"weir/internal/chat"
	"weir/internal/metrics"
	"weir/internal/rag"
)

// newChat opens the chat model that the settings name, or none. It lives until
// closeChat. m may be nil.
func newChat(_ config, _ *metrics.Metrics) (rag.ChatModel, error) {
	return chat.None{}, nil
}

// closeChat waits for its answers, not long: they were told to end.
func closeChat(ctx context.Context, m rag.ChatModel) error {
	c, ok := m.(interface{ Close(context.Context) error })
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), partingTime)
	defer cancel()
	return c.Close(ctx)
}
