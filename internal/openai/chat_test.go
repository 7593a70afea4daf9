package openai

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestDecodeChatRequest(t *testing.T) {
	half := 0.5
	tests := []struct {
		name, body string
		want       ChatRequest
		param, msg string // of the refusal
	}{
		{
			name: "all", body: `{"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":"u","name":"x"}],"stream":true,
				"stream_options":{"include_usage":true},"max_tokens":7,"temperature":0.5,"top_p":0.5,"n":1,"stop":["a","b"],"user":"me","tools":[{}]}`,
			want: ChatRequest{
				Model: "m", Messages: []ChatMessage{{"system", "s"}, {"user", "u"}}, Stream: true, IncludeUsage: true,
				MaxTokens: 7, Temperature: &half, TopP: &half, N: 1, Stop: []string{"a", "b"}, User: "me",
			},
		},
		{name: "parts", body: `{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"text":"b","type":"text"}]}]}`, want: ChatRequest{Messages: []ChatMessage{{"user", "a\nb"}}}},
		{name: "null content", body: `{"messages":[{"role":"assistant","content":null}]}`, want: ChatRequest{Messages: []ChatMessage{{"assistant", ""}}}},
		{name: "nulls", body: `{"messages":[{"role":"user","content":"x"}],"stream":null,"stop":null,"temperature":null,"n":null,"user":null,"stream_options":null,"max_tokens":null}`, want: ChatRequest{Messages: []ChatMessage{{"user", "x"}}}},
		{name: "one stop", body: `{"messages":[{"role":"user","content":"x"}],"stop":"."}`, want: ChatRequest{Messages: []ChatMessage{{"user", "x"}}, Stop: []string{"."}}},
		{name: "the newer word goes first", body: `{"max_completion_tokens":5,"max_tokens":9,"messages":[{"role":"user","content":"x"}]}`, want: ChatRequest{Messages: []ChatMessage{{"user", "x"}}, MaxTokens: 5}},
		{name: "and last", body: `{"max_tokens":9,"max_completion_tokens":5,"messages":[{"role":"user","content":"x"}]}`, want: ChatRequest{Messages: []ChatMessage{{"user", "x"}}, MaxTokens: 5}},
		{name: "no JSON", body: `{"messages":`, msg: "the body is not JSON"},
		{name: "a list", body: `[]`, msg: "the body must be a JSON object"},
		{name: "not UTF-8", body: "{\"messages\":\"\xff\"}", msg: "not UTF-8"},
		{name: "twice", body: `{"messages":[{"role":"user","content":"x"}],"messages":[]}`, param: "messages", msg: "it stands twice"},
		{name: "content twice", body: `{"messages":[{"role":"user","content":"x","content":"y"}]}`, param: "messages[0].content", msg: "it stands twice"},
		{name: "none", body: `{}`, param: "messages", msg: "it is missing, or empty"},
		{name: "empty", body: `{"messages":[]}`, param: "messages", msg: "it is missing, or empty"},
		{name: "a string", body: `{"messages":"x"}`, param: "messages", msg: "it must be a list"},
		{name: "many", body: `{"messages":[` + strings.Repeat(`{"role":"user","content":"x"},`, 8) + `{"role":"user","content":"x"}]}`, param: "messages", msg: "at most 8"},
		{name: "no role", body: `{"messages":[{"content":"x"}]}`, param: "messages[0].role", msg: "it must be system"},
		{name: "a number", body: `{"messages":[7]}`, param: "messages[0]", msg: "it must be an object"},
		{name: "an image", body: `{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"http://x"}}]}]}`, param: "messages[0].content[0]", msg: `"image_url" is not read here`},
		{name: "no text", body: `{"messages":[{"role":"user","content":[{"type":"text"}]}]}`, param: "messages[0].content[0].text", msg: "it is missing"},
		{name: "hot", body: `{"messages":[{"role":"user","content":"x"}],"temperature":3}`, param: "temperature", msg: "from 0 to 2"},
		{name: "stream is a word", body: `{"messages":[{"role":"user","content":"x"}],"stream":"yes"}`, param: "stream", msg: "true or false"},
		{name: "no tokens", body: `{"messages":[{"role":"user","content":"x"}],"max_tokens":0}`, param: "max_tokens", msg: "a whole number from 1"},
		{name: "five stops", body: `{"messages":[{"role":"user","content":"x"}],"stop":["1","2","3","4","5"]}`, param: "stop", msg: "at most 4"},
		{name: "deep", body: `{"x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, msg: "nested deeper"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := DecodeChatRequest([]byte(tt.body), ChatLimits{Messages: 8})
			if tt.msg == "" {
				if err != nil || !reflect.DeepEqual(got, tt.want) {
					t.Fatalf("%+v, %v\nwant %+v", got, err, tt.want)
				}
				again, err := got.Encode()
				if err != nil {
					t.Fatal(err)
				}
				if back, err := DecodeChatRequest(again, ChatLimits{Messages: 8}); err != nil || !reflect.DeepEqual(back, tt.want) {
					t.Errorf("written and read again: %+v, %v", back, err)
				}
				return
			}
			var e *Error
			if !errors.As(err, &e) || e.Param != tt.param || !strings.Contains(e.Message, tt.msg) || e.Status != 400 {
				t.Errorf("%v (%+v), want %s: … %s", err, e, tt.param, tt.msg)
			}
		})
	}
}

func TestChatRequestNames(t *testing.T) {
	r := ChatRequest{Messages: []ChatMessage{{"user", "<x>"}}, MaxTokens: 3, Stream: true}
	for name, want := range map[bool]string{
		false: `{"messages":[{"role":"user","content":"<x>"}],"stream":true,"max_tokens":3}`,
		true:  `{"messages":[{"role":"user","content":"<x>"}],"stream":true,"max_completion_tokens":3}`,
	} {
		r.NewNames = name
		if b, err := r.Encode(); err != nil || strings.TrimSpace(string(b)) != want {
			t.Errorf("%s, %v; want %s", b, err, want)
		}
	}
}

func TestDecodeChatNews(t *testing.T) {
	tests := []struct {
		name, body string
		want       ChatNews
		err        string
		told       bool // it is the provider's error
	}{
		{name: "a piece", body: `{"choices":[{"index":0,"delta":{"content":"a\nb"},"finish_reason":null}]}`, want: ChatNews{Text: "a\nb"}},
		{name: "a whole answer", body: `{"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":2,"completion_tokens":1,"total_tokens":3}}`, want: ChatNews{Text: "a", FinishReason: "stop", Usage: &ChatUsage{2, 1, 3}}},
		{name: "the end", body: `{"choices":[{"delta":{},"finish_reason":"length"}]}`, want: ChatNews{FinishReason: "length"}},
		{name: "usage alone", body: `{"choices":[],"usage":{"prompt_tokens":2,"completion_tokens":1}}`, want: ChatNews{Usage: &ChatUsage{PromptTokens: 2, CompletionTokens: 1}}},
		{name: "usage of nonsense", body: `{"choices":[],"usage":"much"}`},
		{name: "usage that cannot be added", body: `{"choices":[],"usage":{"prompt_tokens":9223372036854775807,"completion_tokens":9223372036854775807}}`},
		{name: "usage below nothing", body: `{"choices":[],"usage":{"prompt_tokens":2,"completion_tokens":-1}}`},
		{name: "the role", body: `{"choices":[{"delta":{"role":"assistant","content":""}}]}`},
		{name: "thinking", body: `{"choices":[{"delta":{"content":null,"reasoning_content":"hm"}}]}`, want: ChatNews{Thinking: true}},
		{name: "thinking of nothing", body: `{"choices":[{"delta":{"content":"x","reasoning":""}}]}`, want: ChatNews{Text: "x"}},
		{name: "parts", body: `{"choices":[{"delta":{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"},7]}}]}`, want: ChatNews{Text: "ab"}},
		{name: "refusal", body: `{"choices":[{"delta":{"refusal":"no","content":null}}]}`, want: ChatNews{Text: "no"}},
		{name: "the second choice", body: `{"choices":[{"index":1,"delta":{"content":"b"}}]}`},
		{name: "both choices", body: `{"choices":[{"index":1,"delta":{"content":"b"}},{"index":0,"delta":{"content":"a"}}]}`, want: ChatNews{Text: "a"}},
		{name: "half a character", body: "{\"choices\":[{\"delta\":{\"content\":\"a\xe4\xb8\"}}]}", want: ChatNews{Text: "a\xe4\xb8"}},
		{name: "half a character and an escape", body: "{\"choices\":[{\"delta\":{\"content\":\"\\u0041\\t\xe4\"}}]}", want: ChatNews{Text: "A\t\xe4"}},
		{name: "a pair", body: `{"choices":[{"delta":{"content":"\ud83d\ude00!"}}]}`, want: ChatNews{Text: "😀!"}},
		{name: "half a pair", body: `{"choices":[{"delta":{"content":"\ud83d!\ude00"}}]}`, want: ChatNews{Text: "\ufffd!\ufffd"}},
		{name: "who speaks", body: `{"id":"chatcmpl-1","object":"chat.completion.chunk"}`},
		{name: "an error", body: `{"error":{"message":"overloaded","code":529}}`, err: "529 overloaded", told: true},
		{name: "an error beside choices", body: `{"choices":[],"error":{"message":"overloaded"}}`, err: "overloaded", told: true},
		{name: "an error as a message", body: `{"object":"error","message":"no"}`, err: "no", told: true},
		{name: "a list of errors", body: `[{"error":{"message":"no"}}]`, err: "no", told: true},
		{name: "no error", body: `{"choices":[],"error":null}`},
		{name: "nothing", body: `{}`, err: "neither choices nor usage"},
		{name: "half", body: `{"choices":[{"delta":{"con`, err: "ends too early"},
		{name: "a word", body: `[DONE]`, err: "not an object"},
		{name: "two", body: `{"choices":[]}{}`, err: "something follows"},
		{name: "choices of nonsense", body: `{"choices":[3]}`, err: "choices[0]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := DecodeChatNews([]byte(tt.body))
			var e *Error
			switch {
			case tt.err == "" && (err != nil || !reflect.DeepEqual(got, tt.want)):
				t.Errorf("%+v, %v; want %+v", got, err, tt.want)
			case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err) || errors.As(err, &e) != tt.told):
				t.Errorf("%+v, %v; want %s, told %t", got, err, tt.err, tt.told)
			}
		})
	}
}

// FuzzDecodeChatNews: what is read agrees with encoding/json where both read
// it, and nothing panics.
func FuzzDecodeChatNews(f *testing.F) {
	for _, seed := range []string{
		`{"choices":[{"index":0,"delta":{"content":"a\u00e9\ud83d\ude00"},"finish_reason":"stop"}]}`, `{"error":"x"}`, `[`, `{"choices":[{"delta":{"content":[{"text":"\u0000"}]}}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := DecodeChatNews(body)
		if err != nil {
			if !reflect.DeepEqual(got, ChatNews{}) {
				t.Error("news beside an error")
			}
			return
		}
		if !json.Valid(body) {
			t.Errorf("%q was read, and is not JSON", body)
		}
	})
}
