package main

import (
	"context"
	"net/http"

	"weir/internal/chat"
	"weir/internal/metrics"
	"weir/internal/rag"
)

// newChat opens the chat model that the settings name, or none. It lives until
// closeChat. m may be nil.
func newChat(c config, m *metrics.Metrics) (rag.ChatModel, error) {
	if c.ChatModel == "" {
		return chat.None{}, nil
	}
	cfg := chat.Config{
		BaseURL: c.ChatBaseURL, APIKey: c.ChatAPIKey, Model: c.ChatModel,
		FirstToken: c.ChatFirstToken, TokenGap: c.ChatTokenGap, Timeout: c.ChatTimeout,
		MaxConcurrent: c.ChatConcurrency, UserShare: c.UserShare,
		Proxy: http.ProxyFromEnvironment, UserAgent: "weir/" + thisBuild().Version,
	}
	if m != nil {
		cfg.Observer = m
	}
	return chat.New(cfg)
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
