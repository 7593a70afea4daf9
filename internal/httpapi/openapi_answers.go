package httpapi

import (
	"math"
	"net/http"
	"reflect"
	"strconv"

	"weir/internal/openai"
	"weir/internal/openapi"
	"weir/internal/rag"
)

// The members of a request of the chat shape, for their schema alone.
type (
	chatBody struct {
		Messages            []chatTurn       `json:"messages"`
		Model               *string          `json:"model,omitempty"`
		Stream              *bool            `json:"stream,omitempty"`
		StreamOptions       *streamOptions   `json:"stream_options,omitempty"`
		MaxTokens           *int             `json:"max_tokens,omitempty"`
		MaxCompletionTokens *int             `json:"max_completion_tokens,omitempty"`
		Temperature         *float64         `json:"temperature,omitempty"`
		TopP                *float64         `json:"top_p,omitempty"`
		N                   *int             `json:"n,omitempty"`
		User                *string          `json:"user,omitempty"`
		Weir                *retrievalFields `json:"weir,omitempty"`
	}
	chatTurn struct {
		Role    string `json:"role"`
		Content any    `json:"content"`
	}
	streamOptions struct {
		IncludeUsage *bool `json:"include_usage,omitempty"`
	}
)

func askDoc() description {
	gives := jsonOf("Answer", nil)
	gives["text/event-stream"] = &openapi.Media{Events: map[string]*openapi.Schema{
		eventPassages: openapi.Ref("RetrieveResponse"), eventText: openapi.Ref("AnswerPiece"),
		eventDone: openapi.Ref("Answer"), eventError: openapi.Ref("Problem"),
	}}
	return description{
		id: "ask", tag: "retrieval", summary: "An answer in words, from the user's passages",
		about: "Each claim has the numbers of the passages it is from. Streamed as server-sent events, unless `stream` is false: `" + eventPassages + "` comes first, then `" +
			eventText + "` for each piece, then `" + eventDone + "` or `" + eventError + "`; a stream that ends without one of these is not whole. Without a chat model the passages are the answer, and `degraded` says so.",
		takes: jsonOf("AskRequest", map[string]any{"query": "What is the most I pay for a month of insulin?", "stream": false}),
		gives: map[int]given{http.StatusOK: {about: "The answer, or its events.", content: gives}},
	}
}

func completionsDoc() description {
	gives := jsonOf("ChatCompletion", nil)
	gives["text/event-stream"] = &openapi.Media{Events: map[string]*openapi.Schema{
		"message": {AnyOf: []*openapi.Schema{openapi.Ref("ChatChunk"), openapi.Ref("OpenAIError")}},
	}}
	return description{
		id: "chat_completions", tag: "openai", summary: "An answer from the user's documents, in OpenAI's shape",
		refuses: []rag.Code{rag.NotFound},
		about: "The last message is the question. With `stream` the events are chunks, the last of which is `" + openai.ChatDone + "`; one that broke off ends with an error, without it. " +
			"What cannot be done as asked, such as `tools`, is refused.",
		takes: jsonOf("ChatRequest", map[string]any{"messages": []map[string]string{{"role": "user", "content": "What is the most I pay for a month of insulin?"}}}),
		gives: map[int]given{http.StatusOK: {about: "The answer, or its events.", content: gives}},
	}
}

func answerSchemas() []openapi.Entry {
	request := searchFields()
	request["query"] = "the question; at most " + strconv.Itoa(rag.MaxQueryBytes) + " bytes and " + strconv.Itoa(rag.MaxQueryTokens) + " tokens"
	request["stream"] = "as server-sent events, which it is if left out, or as one answer"
	request["timeout_ms"] = "the deadline of the whole; never more than the server's for answers"
	answer := map[string]string{
		"operation_id":      "the id of this call",
		"answered":          "false when no answer was written, or the model found that the passages do not answer the question",
		"model":             "that wrote the text; empty when none did",
		"citations":         "the passages that the text points to, by number",
		"dropped_citations": "how many pointed to nothing, and were taken out",
		"passages":          "what the answer is written from, best first; number n is the one at n-1",
		"searched_with":     "what the user asked before that was searched for beside the question, oldest first; absent when nothing was",
		"mode":              "what was really done",
		"tokens":            "of all passages together",
		"truncated":         "the token budget ended the list of passages",
		"degraded":          "what did not do its part; absent when all did",
		"empty_reason":      "why there are no passages; absent when there are",
		"timings_ms":        "where the time went, in milliseconds",
	}
	whole := map[string]string{
		"answer":        "Markdown, with citations as `[n]`",
		"finish_reason": "`stop`, `length` or `content_filter`; absent when no model wrote",
		"usage":         "absent when the provider did not tell",
	}
	for name, about := range answer {
		whole[name] = about
	}
	return append([]openapi.Entry{
		{
			Name: "AskRequest", Type: reflect.TypeFor[askBody](), Taken: true, Fields: request, About: "A question to be answered in words.",
			Refine: func(s *openapi.Schema) {
				s.Required = []string{"query"}
				boundSearch(s)
				s.Properties["mode"] = orEmpty(s.Properties["mode"])
				boundQuery(s.Properties["query"])
			},
		},
		{Name: "Answer", Type: reflect.TypeFor[rag.Answer](), Fields: whole, About: "An answer in words."},
		{Name: "AnswerDetails", Type: reflect.TypeFor[answerDetails](), Fields: answer, About: "What OpenAI's shape has no members for."},
		{Name: "AnswerPiece", Type: reflect.TypeFor[textEvent](), About: "A piece of an answer.", Fields: map[string]string{
			"text": "all pieces joined are the answer", "notice": "true: Weir's own words, instead of an answer by a model",
		}},
		{Name: "Citation", Type: reflect.TypeFor[rag.Citation](), About: "A passage that an answer points to.", Fields: map[string]string{
			"number": "as it stands in the text, from 1", "id": "of the passage", "doc_id": "of its document", "filename": "of its document",
			"section_title": "the titles above it; null outside any section", "page_start": "the first page it is on; null for formats without pages", "page_end": "the last",
		}},
		{Name: "AnswerUsage", Type: reflect.TypeFor[rag.ChatUsage](), About: "Tokens, as the provider counts them.", Fields: usageFields()},
	}, chatSchemas()...)
}

func usageFields() map[string]string {
	return map[string]string{"prompt_tokens": "read", "completion_tokens": "written", "total_tokens": "all together"}
}

func chatSchemas() []openapi.Entry {
	search := searchFields()
	delete(search, "timeout_ms")
	completion := func(object string) map[string]string {
		return map[string]string{
			"id": "of the answer", "object": "always `" + object + "`", "created": "in seconds since 1970", "model": "as it was asked for, or `weir`",
			"choices": "one", "usage": "tokens; zero where the provider did not tell", "weir": "what this shape has no members for",
		}
	}
	piece := completion(openai.ChatChunkObject)
	piece["choices"], piece["usage"] = "one; none in the event that tells the usage", "in the last event, where it was asked for"
	piece["weir"] = "with the last choice"
	return []openapi.Entry{
		{
			Name: "ChatRequest", Type: reflect.TypeFor[chatBody](), Taken: true,
			About: "A conversation, of which the last message is the question. Members that are not known are passed over.",
			Fields: map[string]string{
				"messages": "oldest first; the last is the user's", "model": "`weir`, the name of the chat model, or nothing", "stream": "as server-sent events",
				"stream_options": "with `include_usage`, a last event tells the usage", "max_tokens": "of the answer", "max_completion_tokens": "the same",
				"temperature": "of the chat model", "top_p": "passed over", "n": "there is one answer", "user": "passed over; the user is the header's", "weir": "what to search, and how",
			},
			Refine: func(s *openapi.Schema) {
				s.AdditionalProperties = &openapi.Schema{}
				likely(s, "model", answerer)
				openapi.Items(s.Properties["messages"], 1, maxTurns)
				openapi.Between(s.Properties["max_tokens"], 1, math.MaxInt32)
				openapi.Between(s.Properties["max_completion_tokens"], 1, math.MaxInt32)
				openapi.Between(s.Properties["temperature"], 0, 2)
				openapi.Between(s.Properties["top_p"], 0, 1)
				openapi.Between(s.Properties["n"], 1, 1)
			},
		},
		{
			Name: "ChatTurn", Type: reflect.TypeFor[chatTurn](), Taken: true, About: "One turn of a conversation.",
			Fields: map[string]string{"role": "who speaks", "content": "text, or a list of parts of the type `text`"},
			Refine: func(s *openapi.Schema) {
				s.AdditionalProperties = &openapi.Schema{}
				s.Required = []string{"role"} // one that only called a tool says nothing
				s.Properties["role"].Enum = []any{"system", "developer", "user", "assistant"}
				s.Properties["content"].AnyOf = []*openapi.Schema{{Type: "string"}, {Type: "null"}, {Type: "array", Items: &openapi.Schema{
					Type: "object", Required: []string{"type", "text"}, AdditionalProperties: &openapi.Schema{},
					Properties: map[string]*openapi.Schema{"type": {Type: "string", Enum: []any{"text", "input_text"}}, "text": {Type: "string"}},
				}}}
			},
		},
		{
			Name: "StreamOptions", Type: reflect.TypeFor[streamOptions](), Taken: true, About: "Of a stream.", Fields: map[string]string{"include_usage": "a last event tells the usage"},
			Refine: func(s *openapi.Schema) { s.AdditionalProperties = &openapi.Schema{} },
		},
		{
			Name: "SearchOptions", Type: reflect.TypeFor[retrievalFields](), Taken: true, About: "What to search, and how.", Fields: search,
			Refine: func(s *openapi.Schema) {
				boundSearch(s)
				s.Properties["mode"] = orEmpty(s.Properties["mode"])
			},
		},
		{
			Name: "ChatCompletion", Type: reflect.TypeFor[wholeCompletion](), About: "An answer in OpenAI's shape.", Fields: completion(openai.ChatObject),
			Refine: func(s *openapi.Schema) { always(s, "object", openai.ChatObject) },
		},
		{Name: "ChatChoice", Type: reflect.TypeFor[wholeChoice](), About: "The answer.", Fields: map[string]string{
			"index": "always 0", "message": "the answer", "logprobs": "always null", "finish_reason": "`stop`, `length` or `content_filter`",
		}, Refine: nothing("logprobs")},
		{Name: "ChatMessage", Type: reflect.TypeFor[wholeMessage](), About: "A message.", Fields: map[string]string{
			"role": "always `assistant`", "content": "Markdown with citations, and the list of sources", "refusal": "always null",
		}},
		{
			Name: "ChatChunk", Type: reflect.TypeFor[chunk](), About: "One event of an answer in OpenAI's shape.", Fields: piece,
			Refine: func(s *openapi.Schema) { always(s, "object", openai.ChatChunkObject) },
		},
		{Name: "ChatChunkChoice", Type: reflect.TypeFor[chunkChoice](), About: "A piece of the answer.", Fields: map[string]string{
			"index": "always 0", "delta": "the piece", "logprobs": "always null", "finish_reason": "null until the last",
		}, Refine: nothing("logprobs")},
		{Name: "ChatDelta", Type: reflect.TypeFor[chunkDelta](), About: "A piece of a message.", Fields: map[string]string{
			"role": "in the first piece", "content": "in those that follow",
		}},
		{Name: "ChatUsage", Type: reflect.TypeFor[openai.ChatUsage](), About: "Tokens.", Fields: usageFields()},
	}
}

// nothing makes a field always null.
func nothing(field string) func(*openapi.Schema) {
	return func(s *openapi.Schema) {
		s.Properties[field] = &openapi.Schema{Type: "null", Description: s.Properties[field].Description}
	}
}
