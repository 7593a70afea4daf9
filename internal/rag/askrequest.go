package rag

import (
	"slices"
	"time"
	"unicode/utf8"
)

// The most that the words around a question may be.
const (
	MaxInstructions = 16 << 10 // bytes
	// MaxHistory is how many bytes of the turns before the question go to the
	// model; older ones are left out.
	MaxHistory = 16 << 10
)

// AskRequest is a question to be answered in words. Of Request it has all but
// Embedding; TimeoutMS is of the whole.
type AskRequest struct {
	Request

	// Instructions are the caller's own, about form and tone; those of Weir
	// stand above them.
	Instructions string `json:"-"`
	// History is what was said before the question, oldest first, by user and
	// assistant. The model is told it, and the latest of what the user said is
	// searched for too, at less weight than the question.
	History     []ChatMessage `json:"-"`
	MaxTokens   int           `json:"-"` // of the answer; 0: the model's own limit
	Temperature *float64      `json:"-"` // nil: the model's own
}

// AskEvent is one step towards an [Answer]: either Passages, which comes first,
// or Text.
type AskEvent struct {
	Passages *Response // what the answer is written from; number n is Chunks[n-1]
	Text     string    // a piece of the answer; all of them joined are Answer.Text
	Notice   bool      // Text is Weir's own, instead of an answer by the model
}

// Answer is what became of an AskRequest.
type Answer struct {
	OperationID string `json:"operation_id"`
	// Text is Markdown. Its citations have the form [n], each the number of one
	// of Citations.
	Text string `json:"answer"`
	// Answered is false when no model wrote Text, or when the model found that
	// the passages do not answer the question.
	Answered  bool       `json:"answered"`
	Model     string     `json:"model"` // that wrote it; "" when none did
	Citations []Citation `json:"citations"`
	Dropped   int        `json:"dropped_citations"` // which pointed to nothing
	Passages  []Passage  `json:"passages"`          // number n is Passages[n-1]
	// SearchedWith is what the user asked before that was searched for beside the
	// question, oldest first.
	SearchedWith []string     `json:"searched_with,omitempty"`
	Mode         Mode         `json:"mode"`
	Tokens       int          `json:"tokens"` // sum over Passages
	Truncated    bool         `json:"truncated"`
	Degraded     []Degraded   `json:"degraded,omitempty"`
	EmptyReason  *EmptyReason `json:"empty_reason,omitempty"`  // only without passages
	Finish       string       `json:"finish_reason,omitempty"` // stop, length or content_filter, as the provider told
	Usage        *ChatUsage   `json:"usage,omitempty"`         // nil: the provider did not tell
	Timings      Timings      `json:"timings_ms"`
}

// Citation is a passage that the text of an answer points to.
type Citation struct {
	Number       int     `json:"number"` // from 1
	ID           string  `json:"id"`     // of the passage
	DocID        string  `json:"doc_id"`
	Filename     string  `json:"filename"`
	SectionTitle *string `json:"section_title"`
	PageStart    *int    `json:"page_start"`
	PageEnd      *int    `json:"page_end"`
}

// ChatUsage counts the tokens of an answer, as the provider does.
type ChatUsage struct {
	Prompt     int `json:"prompt_tokens"`
	Completion int `json:"completion_tokens"`
	Total      int `json:"total_tokens"`
}

func (r AskRequest) validate(model Model) (question, error) {
	switch {
	case r.Embedding != nil:
		return question{}, FieldErrorf("embedding", "an answer needs a question in words; give query")
	case r.Query == "":
		return question{}, FieldErrorf("query", "is missing")
	case len(r.Instructions) > MaxInstructions:
		return question{}, FieldErrorf("instructions", "are %d bytes long; the limit is %d", len(r.Instructions), MaxInstructions)
	case !utf8.ValidString(r.Instructions):
		return question{}, FieldErrorf("instructions", "are not valid UTF-8")
	case r.MaxTokens < 0:
		return question{}, FieldErrorf("max_tokens", "must not be negative")
	case r.Temperature != nil && !(*r.Temperature >= 0 && *r.Temperature <= 2): // catches NaN too
		return question{}, FieldErrorf("temperature", "must be from 0 to 2, not %v", *r.Temperature)
	case slices.ContainsFunc(r.History, func(m ChatMessage) bool { return m.Role != "user" && m.Role != "assistant" }):
		return question{}, FieldErrorf("history", "must be of user and assistant")
	case slices.ContainsFunc(r.History, func(m ChatMessage) bool { return !utf8.ValidString(m.Content) }):
		return question{}, FieldErrorf("history", "is not valid UTF-8")
	}
	q, err := r.Request.validate(model)
	q.earlier = r.earlier()
	return q, err
}

// recent is the end of the history that there is room for; cut if that is not
// all.
func (r AskRequest) recent() (turns []ChatMessage, cut bool) {
	room, from := MaxHistory, len(r.History)
	for from > 0 && len(r.History[from-1].Content) <= room {
		from--
		room -= len(r.History[from].Content)
	}
	return r.History[from:], from > 0
}

// citation is passage number n.
func citation(n int, p Passage) Citation {
	return Citation{n, p.ID, p.DocID, p.Filename, p.SectionTitle, p.PageStart, p.PageEnd}
}

// askTimeout is the longest that the call may take: without a model it is a
// retrieval and no more.
func (s *Service) askTimeout() time.Duration {
	if s.ChatModel() == "" {
		return s.cfg.Timeout
	}
	return s.cfg.AnswerTimeout
}

// ChatModel is the name of the model that writes answers; "" when there is none.
func (s *Service) ChatModel() string {
	if s.cfg.Chat == nil {
		return ""
	}
	return s.cfg.Chat.Name()
}
