package main

import (
	"context"
	"net/http"
	"time"

	"weir/internal/chat"
	"weir/internal/metrics"
	"weir/internal/provider"
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
		Network: provider.Network{Proxy: http.ProxyFromEnvironment}, UserAgent: "weir/" + thisBuild().Version,
	}
	if m != nil {
		cfg.Observer = m
	}
	if c.to != nil {
		cfg.Tracer = c.to
	}
	return chat.New(cfg) // it lives until its Close
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

// checkChat has one word written. Most of what can be wrong with a chat model
// shows in that, and it costs next to nothing.
func checkChat(ctx context.Context, c config) finding {
	if c.ChatModel == "" {
		return good("chat", "none: questions are answered with passages (WEIR_CHAT_MODEL for answers in words)")
	}
	m, err := newChat(c, nil) //nolint:contextcheck // it lives until its Close, not as long as this ctx
	if err != nil {
		return bad("chat", "%v", err)
	}
	ctx, cancel := context.WithTimeout(ctx, min(c.ChatTimeout, patience-partingTime))
	defer cancel()
	began := time.Now()
	var first time.Duration
	// Not fewer tokens: a model that thinks first uses them up before it says a word.
	ask := rag.ChatRequest{Messages: []rag.ChatMessage{{Role: "user", Content: "Say the word yes."}}, MaxTokens: 512}
	_, err = m.Chat(ctx, defaultUser, ask, func(string) error {
		if first == 0 {
			first = time.Since(began)
		}
		return nil
	})
	if closeErr := closeChat(ctx, m); err == nil {
		err = closeErr
	}
	if err != nil {
		return bad("chat", "%s at %s: %s", c.ChatModel, c.ChatBaseURL, explain(err))
	}
	return good("chat", "%s at %s said its first word in %s, all in %s", c.ChatModel, c.ChatBaseURL, took(first.Milliseconds()), took(time.Since(began).Milliseconds()))
}
