package chaos

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"weir/internal/openai"
)

// Reply is the right answer to a conversation: always the same words for the
// same passages. It cites the first two that stand in the last message, as
// number="1" in a tag or as [1], with the first words of what follows.
func Reply(messages []openai.ChatMessage) string { return strings.Join(said(messages), "") }

// NoPassages is the right answer where there is nothing to cite.
const NoPassages = "There is no passage to answer this from."

// said is the answer in the pieces in which it is streamed.
func said(messages []openai.ChatMessage) []string {
	last := messages[len(messages)-1].Content
	found := passages(last, `number="(\d{1,4})"[^>\n]*>\n?([^\n]*)`)
	if len(found) == 0 {
		found = passages(last, `\[(\d{1,4})\][ \t]*([^\n]*)`)
	}
	if len(found) == 0 {
		return pieces(NoPassages)
	}
	var b strings.Builder
	for _, f := range found[:min(len(found), 2)] {
		words := strings.Fields(f[2])
		b.WriteString("It says: " + strings.Join(words[:min(len(words), 12)], " ") + " [" + f[1] + "]. ")
	}
	return pieces(strings.TrimSpace(b.String()))
}

func passages(text, pattern string) [][]string {
	return regexp.MustCompile(pattern).FindAllStringSubmatch(text, 2)
}

// pieces cuts text before each word.
func pieces(text string) []string {
	out := strings.SplitAfter(text, " ")
	for i := len(out) - 1; i > 0; i-- { // the space goes with the word that follows, as models have it
		if before, ok := strings.CutSuffix(out[i-1], " "); ok {
			out[i-1], out[i] = before, " "+out[i]
		}
	}
	return out
}

// streams: the answer is asked for as events.
func (c *call) streams() bool { return c.chat != nil && c.chat.Stream }

// texts are all that was sent.
func (c *call) texts() []string {
	if c.chat == nil {
		return c.Input
	}
	out := make([]string, len(c.chat.Messages))
	for i, m := range c.chat.Messages {
		out[i] = m.Content
	}
	return out
}

// header is the head of a right answer, with more in pairs.
func (c *call) header(more ...string) http.Header {
	h := http.Header{}
	if c.streams() {
		h.Set("Content-Type", "text/event-stream")
	}
	for i := 0; i+1 < len(more); i += 2 {
		h.Set(more[i], more[i+1])
	}
	return h
}

// words are the right answer in pieces.
func (p *Provider) words(c *call) []string { return said(c.chat.Messages) }

// events are the right answer, streamed.
func (p *Provider) events(c *call) [][]byte {
	words := p.words(c)
	out := [][]byte{p.event(openai.ChatPiece{Role: "assistant"}, "")}
	for _, w := range words {
		out = append(out, p.event(openai.ChatPiece{Content: w}, ""))
	}
	return append(out, p.ending(c, len(words), "stop")...)
}

// ending are the last events.
func (p *Provider) ending(c *call, words int, reason string) [][]byte {
	out := [][]byte{p.event(openai.ChatPiece{}, reason)}
	if c.chat.IncludeUsage {
		usage := p.usage(c, words)
		out = append(out, line(openai.ChatChunk{ID: "chatcmpl-chaos", Object: openai.ChatChunkObject, Model: p.cfg.Model, Choices: []openai.ChatDelta{}, Usage: &usage}))
	}
	return append(out, []byte("data: "+openai.ChatDone+"\n\n"))
}

func (p *Provider) usage(c *call, words int) openai.ChatUsage {
	u := openai.ChatUsage{CompletionTokens: words}
	for _, t := range c.texts() {
		u.PromptTokens += 1 + len(t)/4
	}
	u.TotalTokens = u.PromptTokens + u.CompletionTokens
	return u
}

// event is one event; reason "": the answer goes on.
func (p *Provider) event(piece openai.ChatPiece, reason string) []byte {
	d := openai.ChatDelta{Delta: piece}
	if reason != "" {
		d.FinishReason = &reason
	}
	return line(openai.ChatChunk{ID: "chatcmpl-chaos", Object: openai.ChatChunkObject, Model: p.cfg.Model, Choices: []openai.ChatDelta{d}})
}

func line(v any) []byte { return []byte("data: " + string(marshal(v)) + "\n\n") }

// completion is an answer in one piece.
func (p *Provider) completion(c *call, words []string, reason string) []byte {
	return marshal(openai.ChatCompletion{
		ID: "chatcmpl-chaos", Object: openai.ChatObject, Model: p.cfg.Model, Usage: p.usage(c, len(words)),
		Choices: []openai.ChatChoice{{Message: openai.ChatMessage{Role: "assistant", Content: strings.Join(words, "")}, FinishReason: reason}},
	})
}

func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings and numbers always encode
	}
	return b
}

// stream writes an answer event by event; false: the peer left.
func (p *Provider) stream(s sink, c *call, events ...[]byte) bool {
	if !begun(s, c, events...) || s.end() != nil {
		return false
	}
	p.count(func(s *Stats) { s.Answered++ })
	return true
}

// begun writes the head and events, and no end.
func begun(s sink, c *call, events ...[]byte) bool {
	if s.head(http.StatusOK, c.header(), -1) != nil {
		return false
	}
	for _, e := range events {
		if s.write(e) != nil {
			return false
		}
	}
	return true
}

// first are the events of the right answer up to its second word.
func (p *Provider) first(c *call) [][]byte { return p.events(c)[:3] }

// opening begins an answer that is as it should be, as far as it goes.
func (c *call) opening() string {
	switch {
	case c.streams():
		return `data: {"choices":[{"index":0,"delta":{"content":"`
	case c.chat != nil:
		return `{"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"`
	default:
		return opening
	}
}

// number is a passage that there is not.
func number(n int) string { return " [" + strconv.Itoa(n) + "]" }
