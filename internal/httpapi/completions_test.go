package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"weir/internal/openai"
	"weir/internal/rag"
)

const completionsPath = "/v1/chat/completions"

func TestCompletion(t *testing.T) {
	var asked rag.ChatRequest
	chat := writer(func(ctx context.Context, r rag.ChatRequest, emit func(string) error) (rag.ChatEnd, error) {
		asked = r
		return writing("It costs 35 [1][7].")(ctx, r, emit)
	})
	got := postJSON(t, answering(t, Config{}, chat), completionsPath, `{"model":"weir","temperature":0.5,"max_completion_tokens":70,"seed":1,"user":"other",
		"tools":[],"tool_choice":"auto","n":1,"logprobs":false,"response_format":{"type": "text"},"metadata":{"a":"b"},
		"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"hello"},{"role":"assistant","content":"Hello!"},
			{"role":"user","content":[{"type":"text","text":"insulin"}]}],"weir":{"max_chunks":3}}`)
	if got.status != 200 || got.header.Get("X-Request-Id") == "" {
		t.Fatalf("%d %s", got.status, got.body)
	}
	c := decode[wholeCompletion](t, got)
	const want = "It costs 35 [1].\n\nSources:\n[1] plan.pdf"
	if c.Object != "chat.completion" || c.Model != "weir" || !strings.HasPrefix(c.ID, "chatcmpl-") || c.Created == 0 ||
		len(c.Choices) != 1 || c.Choices[0].Message.Content != want || c.Choices[0].Message.Role != "assistant" || c.Choices[0].FinishReason != "stop" {
		t.Errorf("%s", got.body)
	}
	if c.Usage != (openai.ChatUsage{PromptTokens: 9, CompletionTokens: 3, TotalTokens: 12}) || c.Weir.Dropped != 1 || c.Weir.Model != "maker/writer-1" || len(c.Weir.Passages) != 1 {
		t.Errorf("%s", got.body)
	}
	if !slices.Equal(c.Weir.SearchedWith, []string{"hello"}) {
		t.Errorf("searched with %q", c.Weir.SearchedWith)
	}
	if len(asked.Messages) != 4 || !strings.HasSuffix(asked.Messages[0].Content, "Be brief.") || asked.Messages[2].Content != "Hello!" ||
		!strings.HasSuffix(asked.Messages[3].Content, "Question: insulin") || asked.MaxTokens != 70 || *asked.Temperature != 0.5 {
		t.Errorf("the model was asked %+v", asked)
	}
	if strings.Contains(fmt.Sprint(asked), "secret") {
		t.Error("another user's document is in the prompt")
	}
}

func TestCompletionWithoutAModel(t *testing.T) {
	c := decode[wholeCompletion](t, postJSON(t, answering(t, Config{}, nil), completionsPath, `{"messages":[{"role":"user","content":"insulin"}]}`))
	if c.Weir.SearchedWith != nil {
		t.Errorf("searched with %q, and nothing was said before", c.Weir.SearchedWith)
	}
	if text := c.Choices[0].Message.Content; !strings.Contains(text, "> insulin costs 35 dollars") || strings.Contains(text, "Sources:") ||
		c.Choices[0].FinishReason != "stop" || c.Weir.Degraded[0].Reason != "no_chat_model" {
		t.Errorf("%+v", c)
	}
}

// chunksOf reads a stream of the chat shape; rest is what is no chunk.
func chunksOf(t *testing.T, body string) (chunks []chunk, rest []string) {
	t.Helper()
	for _, e := range eventsOf(t, body) {
		var c chunk
		if !strings.HasPrefix(e.data, `{"id"`) {
			rest = append(rest, e.data)
		} else if err := json.Unmarshal([]byte(e.data), &c); err != nil {
			t.Fatal(err)
		} else {
			chunks = append(chunks, c)
		}
	}
	return chunks, rest
}

func TestCompletionIsStreamed(t *testing.T) {
	for _, usage := range []bool{false, true} {
		got := postJSON(t, answering(t, Config{}, writing("It costs 35 [1].")), completionsPath,
			fmt.Sprintf(`{"model":"maker/writer-1","stream":true,"stream_options":{"include_usage":%v},"messages":[{"role":"user","content":"insulin"}]}`, usage))
		chunks, rest := chunksOf(t, string(got.body))
		if got.status != 200 || len(rest) != 1 || rest[0] != "[DONE]" || !strings.HasSuffix(string(got.body), "data: [DONE]\n\n") {
			t.Fatalf("%d %s", got.status, got.body)
		}
		if d := chunks[0].Choices[0].Delta; d.Role != "assistant" || *d.Content != "" || chunks[0].Object != "chat.completion.chunk" || chunks[0].Model != "maker/writer-1" {
			t.Errorf("first chunk %+v", chunks[0])
		}
		if usage {
			last := chunks[len(chunks)-1]
			if len(last.Choices) != 0 || last.Usage == nil || last.Usage.TotalTokens != 12 {
				t.Errorf("usage chunk %+v", last)
			}
			chunks = chunks[:len(chunks)-1]
		}
		var text string
		for i, c := range chunks {
			finish := c.Choices[0].FinishReason
			if i < len(chunks)-1 && (finish != nil || c.Weir != nil) || c.ID != chunks[0].ID || c.Usage != nil {
				t.Errorf("chunk %d: %+v", i, c)
			}
			if content := c.Choices[0].Delta.Content; content != nil {
				text += *content
			}
		}
		last := chunks[len(chunks)-1]
		if *last.Choices[0].FinishReason != "stop" || last.Weir == nil || len(last.Weir.Citations) != 1 || text != "It costs 35 [1].\n\nSources:\n[1] plan.pdf" {
			t.Errorf("last chunk %+v, text %q", last, text)
		}
	}
}

// TestACompletionThatBreaksOffIsNotDone: an error in its place, as OpenAI's
// clients know it, and no line that says that all is there.
func TestACompletionThatBreaksOffIsNotDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTape()
		ended, leave := begin(t, answering(t, Config{}, breaking("It costs 35 [1]. ")), w, completionsPath, `{"stream":true,"messages":[{"role":"user","content":"insulin"}]}`)
		defer leave()
		<-ended
		chunks, rest := chunksOf(t, w.text())
		var e struct {
			Error struct{ Message, Type, Code string }
		}
		if len(rest) != 1 || json.Unmarshal([]byte(rest[0]), &e) != nil || e.Error.Code != "unavailable" || e.Error.Type != "server_error" || !strings.Contains(e.Error.Message, "not whole") {
			t.Errorf("stream:\n%s", w.text())
		}
		for _, c := range chunks {
			if c.Choices[0].FinishReason != nil {
				t.Errorf("it says that it is finished: %+v", c)
			}
		}
	})
}

func TestCompletionRefusals(t *testing.T) {
	h := answering(t, Config{}, writing("x"))
	with := func(member string) string { return `{"messages":[{"role":"user","content":"insulin"}],` + member + `}` }
	messages := func(list string) string { return `{"messages":[` + list + `]}` }
	tests := []struct {
		name, body, param, code string
		status                  int
	}{
		{"another model", with(`"model":"gpt-4o"`), "model", "model_not_found", 404},
		{"tools", with(`"tools":[{"type":"function"}]`), "tools", "invalid", 400},
		{"a tool that must be called", with(`"tool_choice":"required"`), "tool_choice", "invalid", 400},
		{"functions", with(`"functions":[{}]`), "functions", "invalid", 400},
		{"more answers than one", with(`"n":2`), "n", "invalid", 400},
		{"logprobs", with(`"logprobs":true`), "logprobs", "invalid", 400},
		{"top_logprobs", with(`"top_logprobs":3`), "top_logprobs", "invalid", 400},
		{"audio", with(`"audio":{"voice":"alloy","format":"wav"}`), "audio", "invalid", 400},
		{"modalities", with(`"modalities":["text","audio"]`), "modalities", "invalid", 400},
		{"JSON", with(`"response_format":{"type":"json_object"}`), "response_format", "invalid", 400},
		{"stop", with(`"stop":"\n"`), "stop", "invalid", 400},
		{"logit_bias", with(`"logit_bias":{"1":2}`), "logit_bias", "invalid", 400},
		{"a field of ours that is not there", with(`"weir":{"max_chunk":3}`), "weir.max_chunk", "invalid", 400},
		{"a field of ours out of range", with(`"weir":{"max_chunks":0}`), "weir.max_chunks", "invalid", 400},
		{"ours is no object", with(`"weir":3`), "weir", "invalid", 400},
		{"a temperature out of range", with(`"temperature":3`), "temperature", "invalid", 400},
		{"no messages", `{"model":"weir"}`, "messages", "invalid", 400},
		{"an image", messages(`{"role":"user","content":[{"type":"image_url","image_url":{"url":"http://x"}}]}`), "messages[0].content[0]", "invalid", 400},
		{"a tool's answer", messages(`{"role":"user","content":"x"},{"role":"tool","content":"x"}`), "messages[1].role", "invalid", 400},
		{"no question", messages(`{"role":"user","content":"x"},{"role":"assistant","content":"x"}`), "messages[1].role", "invalid", 400},
		{"an empty question", messages(`{"role":"user","content":" "}`), "messages[0].content", "invalid", 400},
		{"a question that is too long", messages(`{"role":"user","content":"` + strings.Repeat("x", rag.MaxQueryBytes+1) + `"}`), "messages[0].content", "invalid", 400},
		{"instructions that are too long", messages(`{"role":"system","content":"` + strings.Repeat("x", rag.MaxInstructions+1) + `"},{"role":"user","content":"x"}`), "messages", "invalid", 400},
		{"no JSON", `x`, "", "invalid", 400},
	}
	for _, tt := range tests {
		for _, stream := range []string{"", `{"stream":true,`} {
			t.Run(tt.name+" "+stream, func(t *testing.T) {
				body := tt.body
				if stream != "" {
					body = strings.Replace(body, "{", stream, 1)
				}
				got := postJSON(t, h, completionsPath, body)
				message, _, param, code := got.openAIError(t)
				if got.status != tt.status || param != tt.param || code != tt.code || message == "" {
					t.Errorf("%d %s", got.status, got.body)
				}
				if object, _, _ := strings.Cut(tt.param, "."); code == "invalid" && !strings.HasPrefix(message, object) {
					t.Errorf("the message does not begin with the field: %q", message)
				}
			})
		}
	}
}

// TestCompletionsByDeadline: what fails before the first word has a status.
func TestCompletionsByDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := study()
		s.setHook(func(ctx context.Context, op string) error {
			if op == "candidates" {
				<-ctx.Done()
			}
			return ctx.Err()
		})
		h := newDoor(Config{}, newService(t, rag.Config{Chat: writing("x")}, s))
		got := postJSON(t, h, completionsPath, `{"stream":true,"messages":[{"role":"user","content":"insulin"}]}`, timeoutHeader, "2000")
		if _, kind, _, code := got.openAIError(t); got.status != 504 || code != "timeout" || kind != "server_error" || got.header.Get("X-Should-Retry") != "false" {
			t.Errorf("%d %q %s", got.status, got.header, got.body)
		}
	})
}

// FuzzCompletions sends any body: never a panic, what is refused is refused
// with a 4xx of OpenAI's shape.
func FuzzCompletions(f *testing.F) {
	for _, seed := range []string{
		`{"messages":[{"role":"user","content":"insulin"}]}`, `{"stream":true,"messages":[{"role":"user","content":[{"type":"text","text":"a"}]}]}`,
		`{"messages":[{"role":"user","content":"a"}],"weir":{"mode":"lexical","document_ids":["x"]},"tools":[ ],"top_logprobs":0}`,
	} {
		f.Add([]byte(seed))
	}
	h := answering(f, Config{}, writing("a [1", "]"))
	f.Fuzz(func(t *testing.T, body []byte) {
		got := postJSON(t, h, completionsPath, string(body))
		if got.status != 200 {
			if _, _, _, code := got.openAIError(t); got.status < 400 || got.status > 499 || code == "" {
				t.Errorf("status %d: %s", got.status, got.body)
			}
		}
	})
}
