package rag

import "context"

// ChatModel writes an answer from messages. Service asks it; it never sees the
// store.
type ChatModel interface {
	// Name is the model's; "" when there is none, and then Chat fails with
	// Unavailable.
	Name() string
	// Chat has one answer written for user, and gives emit each piece of it in
	// order, as it comes, by the goroutine that called Chat. An error of emit
	// ends the answer and is returned as it is. Pieces are valid UTF-8 and never
	// empty.
	//
	// Chat returns soon after ctx ends, whatever the provider does. Its other
	// errors are [Error] values: Overloaded and Unavailable, with RetryAfter
	// where it is known, Timeout with the phase that took too long (queue, dial,
	// tls, headers, first_token, token), Invalid for what the provider refuses,
	// Internal. An answer that broke off is an error, whatever was emitted of it.
	Chat(ctx context.Context, user User, r ChatRequest, emit func(piece string) error) (ChatEnd, error)
}

// ChatRequest is what a ChatModel is asked.
type ChatRequest struct {
	Messages    []ChatMessage
	MaxTokens   int      // of the answer; 0: the model's own limit
	Temperature *float64 // nil: the model's own
}

// ChatMessage is one turn of a conversation.
type ChatMessage struct {
	Role    string `json:"role"` // system, user or assistant
	Content string `json:"content"`
}

// ChatEnd is how an answer ended, as the provider tells it.
type ChatEnd struct {
	FinishReason     string // stop; length: it was cut; content_filter
	PromptTokens     int    // 0: not told
	CompletionTokens int    // 0: not told
}
