package httpapi

import (
	"encoding/json"
	"fmt"
	"strings"

	"weir/internal/openai"
	"weir/internal/rag"
)

// wholeCompletion is an answer in OpenAI's shape, with what the shape has no
// members for beside it.
type wholeCompletion struct {
	ID      string           `json:"id"`
	Object  string           `json:"object"` // chat.completion
	Created int64            `json:"created"`
	Model   string           `json:"model"`
	Choices []wholeChoice    `json:"choices"`
	Usage   openai.ChatUsage `json:"usage"`
	Weir    answerDetails    `json:"weir"`
}

type wholeChoice struct {
	Index        int          `json:"index"`
	Message      wholeMessage `json:"message"`
	Logprobs     *struct{}    `json:"logprobs"` // null
	FinishReason string       `json:"finish_reason"`
}

type wholeMessage struct {
	Role    string  `json:"role"`
	Content string  `json:"content"`
	Refusal *string `json:"refusal"` // null
}

// chunk is one event of a streamed answer.
type chunk struct {
	ID      string            `json:"id"`
	Object  string            `json:"object"` // chat.completion.chunk
	Created int64             `json:"created"`
	Model   string            `json:"model"`
	Choices []chunkChoice     `json:"choices"`
	Usage   *openai.ChatUsage `json:"usage,omitempty"`
	Weir    *answerDetails    `json:"weir,omitempty"` // with the last choice
}

type chunkChoice struct {
	Index        int        `json:"index"`
	Delta        chunkDelta `json:"delta"`
	Logprobs     *struct{}  `json:"logprobs"`      // null
	FinishReason *string    `json:"finish_reason"` // null until the last
}

type chunkDelta struct {
	Role    string  `json:"role,omitempty"`
	Content *string `json:"content,omitempty"`
}

// answerDetails is a rag.Answer but for its text, which is the message, and
// its usage.
type answerDetails struct {
	OperationID  string           `json:"operation_id"`
	Answered     bool             `json:"answered"`
	Model        string           `json:"model"` // that wrote the answer; "" when none did
	Citations    []rag.Citation   `json:"citations"`
	Dropped      int              `json:"dropped_citations"`
	Passages     []rag.Passage    `json:"passages"`
	SearchedWith []string         `json:"searched_with,omitempty"`
	Mode         rag.Mode         `json:"mode"`
	Tokens       int              `json:"tokens"`
	Truncated    bool             `json:"truncated"`
	Degraded     []rag.Degraded   `json:"degraded,omitempty"`
	EmptyReason  *rag.EmptyReason `json:"empty_reason,omitempty"`
	Timings      rag.Timings      `json:"timings_ms"`
}

func details(a *rag.Answer) answerDetails {
	return answerDetails{
		a.OperationID, a.Answered, a.Model, a.Citations, a.Dropped, a.Passages, a.SearchedWith, a.Mode, a.Tokens, a.Truncated, a.Degraded, a.EmptyReason, a.Timings,
	}
}

// completion writes an answer in the chat shape.
type completion struct {
	x     *exchange
	chunk chunk // what all of them have
	usage bool  // was asked for
}

func (c *completion) whole(a *rag.Answer) wholeCompletion {
	return wholeCompletion{
		ID: c.chunk.ID, Object: openai.ChatObject, Created: c.chunk.Created, Model: c.chunk.Model,
		Choices: []wholeChoice{{Message: wholeMessage{Role: "assistant", Content: a.Text + sources(a)}, FinishReason: finishOf(a)}},
		Usage:   usageOf(a), Weir: details(a),
	}
}

func (c *completion) step(d *door, e rag.AskEvent) error {
	delta := chunkDelta{Content: &e.Text}
	if e.Passages != nil {
		delta.Role = "assistant"
	}
	return c.choice(d, delta, nil, nil)
}

func (c *completion) done(d *door, a *rag.Answer) error {
	if list := sources(a); list != "" {
		if err := c.choice(d, chunkDelta{Content: &list}, nil, nil); err != nil {
			return err
		}
	}
	finish, beside := finishOf(a), details(a)
	if err := c.choice(d, chunkDelta{}, &finish, &beside); err != nil {
		return err
	}
	if c.usage {
		last, usage := c.chunk, usageOf(a)
		last.Choices, last.Usage = []chunkChoice{}, &usage
		if err := c.push(d, last); err != nil {
			return err
		}
	}
	return c.x.push(d.cfg.WriteTimeout, "data: "+openai.ChatDone+"\n\n")
}

// failed tells of an answer that broke off. No line says that it is done.
func (c *completion) failed(d *door, p Problem) error {
	body, err := openAIError(p).Encode()
	if err != nil {
		return fmt.Errorf("writing an error as JSON: %w", err)
	}
	return c.x.push(d.cfg.WriteTimeout, "data: "+string(body)+"\n\n")
}

func (c *completion) choice(d *door, delta chunkDelta, finish *string, beside *answerDetails) error {
	next := c.chunk
	next.Choices, next.Weir = []chunkChoice{{Delta: delta, FinishReason: finish}}, beside
	return c.push(d, next)
}

func (c *completion) push(d *door, next chunk) error {
	b, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("writing a chunk as JSON: %w", err)
	}
	return c.x.push(d.cfg.WriteTimeout, "data: "+string(b)+"\n\n")
}

// finishOf is a reason that clients of the shape know.
func finishOf(a *rag.Answer) string {
	switch a.Finish {
	case "length", "content_filter":
		return a.Finish
	default:
		return "stop"
	}
}

func usageOf(a *rag.Answer) openai.ChatUsage {
	if a.Usage == nil {
		return openai.ChatUsage{} // the provider did not tell
	}
	return openai.ChatUsage{PromptTokens: a.Usage.Prompt, CompletionTokens: a.Usage.Completion, TotalTokens: a.Usage.Total}
}

// sources is the end of an answer that cites: clients of the chat shape show
// the message alone.
func sources(a *rag.Answer) string {
	if !a.Answered || len(a.Citations) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\n\nSources:\n")
	for i, c := range a.Citations {
		if i > 0 {
			b.WriteString("  \n") // the spaces are Markdown's line break
		}
		fmt.Fprintf(&b, "[%d] %s", c.Number, c.Place())
	}
	return b.String()
}
