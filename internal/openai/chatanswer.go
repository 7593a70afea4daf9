package openai

// ChatCompletion is a whole answer.
type ChatCompletion struct {
	ID      string       `json:"id"`
	Object  string       `json:"object"`  // chat.completion
	Created int64        `json:"created"` // Unix time in seconds
	Model   string       `json:"model"`
	Choices []ChatChoice `json:"choices"`
	Usage   ChatUsage    `json:"usage"`
}

// ChatChoice is one answer of those that were asked for.
type ChatChoice struct {
	Index        int         `json:"index"`
	Message      ChatMessage `json:"message"`
	FinishReason string      `json:"finish_reason"` // stop, length, content_filter
}

// ChatChunk is one event of an answer that is streamed.
type ChatChunk struct {
	ID      string      `json:"id"`
	Object  string      `json:"object"` // chat.completion.chunk
	Created int64       `json:"created"`
	Model   string      `json:"model"`
	Choices []ChatDelta `json:"choices"`         // empty in the event that tells the usage
	Usage   *ChatUsage  `json:"usage,omitempty"` // in the last event, where it was asked for
}

// ChatDelta is what an event adds to one answer.
type ChatDelta struct {
	Index        int       `json:"index"`
	Delta        ChatPiece `json:"delta"`
	FinishReason *string   `json:"finish_reason"` // null until the last
}

// ChatPiece is a piece of a message: Role stands in the first, Content in
// those that follow.
type ChatPiece struct {
	Role    string `json:"role,omitempty"`
	Content string `json:"content,omitempty"`
}

// ChatUsage counts tokens; zero where it is not known.
type ChatUsage struct {
	PromptTokens     int `json:"prompt_tokens"`
	CompletionTokens int `json:"completion_tokens"`
	TotalTokens      int `json:"total_tokens"`
}

// The words of Object, and the line that ends a stream.
const (
	ChatObject      = "chat.completion"
	ChatChunkObject = "chat.completion.chunk"
	ChatDone        = "[DONE]"
)
