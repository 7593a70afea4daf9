package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"weir/internal/openai"
	"weir/internal/rag"
)

const (
	// answerer is the model that clients of the chat shape ask: the chat model
	// together with the user's documents.
	answerer = "weir"
	// maxConversation is the longest body of POST /v1/chat/completions.
	maxConversation = 4 << 20
	// maxTurns is how many messages it may hold.
	maxTurns = 2000
)

// completions is POST /v1/chat/completions: the last message is a question to
// the user's documents, answered in OpenAI's shape.
func (d *door) completions(ctx context.Context, x *exchange) (reply, error) {
	x.longest = d.cfg.AnswerTimeout
	if !isJSON(x.r.Header) {
		return reply{}, unsupported(x.r.Header, contentJSON)
	}
	body, err := x.readAll(maxConversation)
	if err != nil {
		return reply{}, err
	}
	q, err := d.decodeConversation(body)
	if err != nil {
		return reply{}, err
	}
	r := rag.AskRequest{
		Request:   q.fields.request(q.question, x.sooner(0)),
		MaxTokens: q.MaxTokens, Temperature: q.Temperature, Instructions: q.instructions, History: q.history,
	}
	leave, err := d.enterAnswers(ctx, x, q.fields)
	if err != nil {
		return reply{}, err
	}
	defer leave()
	c := &completion{
		x: x, usage: q.IncludeUsage,
		chunk: chunk{
			ID: "chatcmpl-" + x.operation, Object: openai.ChatChunkObject, Created: time.Now().Unix(), Model: orDefault(q.Model, answerer),
		},
	}
	if q.Stream {
		return reply{}, q.inItsWords(d.relay(ctx, x, r, c))
	}
	a, err := d.svc.Ask(ctx, x.user, r, nil)
	if err != nil {
		return reply{}, q.inItsWords(err)
	}
	return reply{status: http.StatusOK, body: c.whole(a)}, nil
}

// conversation is what a request of the chat shape asks.
type conversation struct {
	openai.ChatRequest
	fields       retrievalFields
	instructions string
	history      []rag.ChatMessage
	question     string
}

// decodeConversation reads a request, and refuses what would be answered
// otherwise than asked.
func (d *door) decodeConversation(body []byte) (conversation, error) {
	var q conversation
	var err error
	q.ChatRequest, err = openai.DecodeChatRequest(body, openai.ChatLimits{Messages: maxTurns})
	var refusal *openai.Error
	switch {
	case errors.As(err, &refusal):
		return q, &rag.Error{Code: rag.Invalid, Field: refusal.Param, Msg: refusal.Message}
	case err != nil:
		return q, err
	}
	if own := d.svc.ChatModel(); q.Model != "" && q.Model != answerer && (own == "" || q.Model != own) {
		return q, &rag.Error{
			Code: rag.NotFound, Field: "model",
			Msg: "the model " + shorten(q.Model) + " does not answer questions here; the one that does is " + answerer,
		}
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return q, &rag.Error{Code: rag.Invalid, Msg: "the body cannot be decoded", Err: err}
	}
	if err := checkMembers(members, q.ChatRequest); err != nil {
		return q, err
	}
	if own, ok := members["weir"]; ok && string(own) != "null" {
		if err := decodeStrict(own, &q.fields); err != nil {
			return q, inObject("weir", err)
		}
	}
	return q, q.turns()
}

// checkMembers refuses the members that ask for what Weir does not do. Others
// that it does not know change the wording at most, and are passed over.
func checkMembers(members map[string]json.RawMessage, r openai.ChatRequest) error {
	if r.N > 1 {
		return rag.FieldErrorf("n", "must be 1; there is one answer")
	}
	if len(r.Stop) > 0 {
		return rag.FieldErrorf("stop", "is not supported; the answer ends where the model ends it")
	}
	harmless := map[string][]string{ // values that ask for nothing, besides those of all
		"tool_choice":     {`"none"`, `"auto"`},
		"function_call":   {`"none"`, `"auto"`},
		"modalities":      {`["text"]`},
		"response_format": {`{"type":"text"}`},
		"top_logprobs":    {"0"},
	}
	for _, name := range []string{
		"tools", "tool_choice", "functions", "function_call", "logprobs", "top_logprobs", "audio", "modalities", "response_format",
		"logit_bias", "prediction", "web_search_options",
	} {
		value := compact(members[name])
		if !slices.Contains([]string{"", "null", "false", "[]", "{}"}, value) && !slices.Contains(harmless[name], value) {
			return rag.FieldErrorf(name, "is not supported; answers are text, written from the user's documents")
		}
	}
	return nil
}

// compact is valid JSON without white space.
func compact(raw json.RawMessage) string {
	if len(raw) == 0 {
		return ""
	}
	b, err := json.Marshal(raw)
	if err != nil { // it is valid
		return string(raw)
	}
	return string(b)
}

// inObject names the object that holds the field at fault.
func inObject(object string, err error) error {
	var e *rag.Error
	if !errors.As(err, &e) {
		return err
	}
	named := *e
	named.Field, named.Msg = object, object+": "+e.Msg
	if e.Field != "" {
		named.Field += "." + e.Field
	}
	return &named
}

// turns sorts the messages: what the application says, what was said before,
// and the question, which is last.
func (q *conversation) turns() error {
	last := len(q.Messages) - 1
	var instructions []string
	for i, m := range q.Messages {
		switch m.Role {
		case "system", "developer":
			instructions = append(instructions, m.Content)
		case "user", "assistant":
			if i < last && strings.TrimSpace(m.Content) != "" {
				q.history = append(q.history, rag.ChatMessage{Role: m.Role, Content: m.Content})
			}
		default:
			return rag.FieldErrorf(fmt.Sprintf("messages[%d].role", i), "%s is not supported; there are no tools here", m.Role)
		}
	}
	if q.Messages[last].Role != "user" {
		return rag.FieldErrorf(fmt.Sprintf("messages[%d].role", last), "must be user: the last message is the question")
	}
	q.question = q.Messages[last].Content
	if strings.TrimSpace(q.question) == "" {
		return rag.FieldErrorf(fmt.Sprintf("messages[%d].content", last), "must not be empty: the last message is the question")
	}
	q.instructions = strings.Join(instructions, "\n\n")
	return nil
}

// inItsWords is err with the field at fault as the caller of the chat shape
// knows it.
func (q *conversation) inItsWords(err error) error {
	var e *rag.Error
	if !errors.As(err, &e) || e.Code != rag.Invalid || e.Field == "" {
		return err
	}
	named := *e
	_, rest, _ := strings.Cut(e.Msg, ": ")
	switch e.Field {
	case "query":
		named.Field = fmt.Sprintf("messages[%d].content", len(q.Messages)-1)
	case "instructions", "history":
		named.Field, rest = "messages", "the "+e.Field+" "+rest
	case "max_tokens", "temperature":
		return err
	default:
		named.Field = "weir." + e.Field
	}
	named.Msg = named.Field + ": " + rest
	return &named
}
