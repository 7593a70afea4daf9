package openai

import (
	"encoding/json"
	"math"
)

// ChatMessage is one turn of a conversation.
type ChatMessage struct {
	Role    string `json:"role"` // system, developer, user or assistant
	Content string `json:"content"`
}

// ChatRequest asks for the next turn of a conversation.
type ChatRequest struct {
	Model        string // "": not said
	Messages     []ChatMessage
	Stream       bool
	IncludeUsage bool     // stream_options.include_usage
	MaxTokens    int      // of the answer, as max_tokens or max_completion_tokens; 0: not said
	Temperature  *float64 // nil: not said
	TopP         *float64 // nil: not said
	N            int      // answers wanted; 0: not said, which means 1
	Stop         []string
	User         string // whom the caller names; may be ""

	// NewNames: Encode writes MaxTokens as max_completion_tokens, as OpenAI's own
	// newer models want it; other servers mostly know max_tokens alone.
	NewNames bool
}

// ChatLimits bounds what DecodeChatRequest keeps.
type ChatLimits struct {
	Messages int // most turns
}

// Encode writes the request; what is not said is left out.
func (r ChatRequest) Encode() ([]byte, error) {
	type streamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	}
	out := struct {
		Model               string         `json:"model,omitempty"`
		Messages            []ChatMessage  `json:"messages"`
		Stream              bool           `json:"stream,omitempty"`
		StreamOptions       *streamOptions `json:"stream_options,omitempty"`
		MaxTokens           int            `json:"max_tokens,omitempty"`
		MaxCompletionTokens int            `json:"max_completion_tokens,omitempty"`
		Temperature         *float64       `json:"temperature,omitempty"`
		TopP                *float64       `json:"top_p,omitempty"`
		N                   int            `json:"n,omitempty"`
		Stop                []string       `json:"stop,omitempty"`
		User                string         `json:"user,omitempty"`
	}{
		Model: r.Model, Messages: r.Messages, Stream: r.Stream, MaxTokens: r.MaxTokens,
		Temperature: r.Temperature, TopP: r.TopP, N: r.N, Stop: r.Stop, User: r.User,
	}
	if r.NewNames {
		out.MaxTokens, out.MaxCompletionTokens = 0, r.MaxTokens
	}
	if r.Stream && r.IncludeUsage {
		out.StreamOptions = &streamOptions{true}
	}
	return written(out)
}

// DecodeChatRequest reads a request of at most limit.Messages turns; the caller
// bounds len(body). The content of a turn is a string, or a list of parts of
// which those of type text are read, joined by line breaks, and others are
// refused. Members that it does not know are passed over, as clients send many;
// one that it knows must not stand twice. Its errors are [*Error] values, with
// Param set to the member at fault.
func DecodeChatRequest(body []byte, limit ChatLimits) (ChatRequest, error) {
	var r ChatRequest
	err := readRequest(body, chatMembers(), func(s *scanner, key string) error { return s.chatMember(key, &r, limit) })
	switch {
	case err != nil:
		return ChatRequest{}, err
	case len(r.Messages) == 0:
		return ChatRequest{}, refuse("messages", "it is missing, or empty")
	default:
		return r, nil
	}
}

func chatMembers() []string {
	return []string{
		"model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens",
		"temperature", "top_p", "n", "stop", "user",
	}
}

// chatMember passes the value of a member that is known.
func (s *scanner) chatMember(key string, r *ChatRequest, limit ChatLimits) error {
	switch key {
	case "model":
		return s.optional(key, &r.Model)
	case "messages":
		return s.messages(&r.Messages, limit.Messages)
	case "stream":
		return s.truth(key, &r.Stream)
	case "stream_options":
		return s.streamOptions(&r.IncludeUsage)
	case "max_tokens":
		n := 0
		err := s.count(key, &n)
		if r.MaxTokens == 0 { // max_completion_tokens is the newer word
			r.MaxTokens = n
		}
		return err
	case "max_completion_tokens":
		n := 0
		err := s.count(key, &n)
		if n > 0 {
			r.MaxTokens = n
		}
		return err
	case "temperature":
		return s.part(key, &r.Temperature, 2)
	case "top_p":
		return s.part(key, &r.TopP, 1)
	case "n":
		return s.count(key, &r.N)
	case "stop":
		return s.stop(&r.Stop)
	default:
		return s.optional(key, &r.User)
	}
}

// truth passes true, false or null.
func (s *scanner) truth(key string, to *bool) error {
	raw, err := s.skip()
	if err != nil {
		return err
	}
	switch string(raw) {
	case "true":
		*to = true
	case "false", "null":
		*to = false
	default:
		return refuse(key, "it must be true or false")
	}
	return nil
}

// count passes a whole number from 1, or null.
func (s *scanner) count(key string, to *int) error {
	if s.word("null") {
		return nil
	}
	n, ok, err := s.whole()
	switch {
	case err != nil:
		return err
	case !ok || n < 1:
		return refuse(key, "it must be a whole number from 1")
	}
	*to = n
	return nil
}

// part passes a number from 0 to most, or null.
func (s *scanner) part(key string, to **float64, most float64) error {
	if s.word("null") {
		return nil
	}
	raw, err := s.skip()
	if err != nil {
		return err
	}
	var v float64
	if json.Unmarshal(raw, &v) != nil || math.IsInf(v, 0) || v < 0 || v > most {
		return refuse(key, "it must be a number from 0 to %v", most)
	}
	*to = &v
	return nil
}

func (s *scanner) streamOptions(usage *bool) error {
	if s.word("null") {
		return nil
	}
	raw, err := s.skip()
	if err != nil {
		return err
	}
	var v struct {
		IncludeUsage bool `json:"include_usage"`
	}
	if json.Unmarshal(raw, &v) != nil {
		return refuse("stream_options", "it must be an object such as {\"include_usage\":true}")
	}
	*usage = v.IncludeUsage
	return nil
}

// maxStops is how many ends of an answer a request may name, as OpenAI has it.
const maxStops = 4

func (s *scanner) stop(to *[]string) error {
	const forms = "it must be a string or a list of at most 4 strings"
	switch {
	case s.word("null"):
		return nil
	case s.next() == '"':
		v, err := s.text()
		*to = []string{v}
		return err
	case s.next() != '[':
		if _, err := s.skip(); err != nil {
			return err
		}
		return refuse("stop", forms)
	}
	return s.array(func(n int) error {
		if s.next() != '"' || n == maxStops {
			if _, err := s.skip(); err != nil {
				return err
			}
			return refuse("stop", forms)
		}
		v, err := s.text()
		*to = append(*to, v)
		return err
	})
}
