package httpapi

import (
	"reflect"
	"strconv"

	"weir/internal/openai"
	"weir/internal/openapi"
	"weir/internal/rag"
)

// The shapes of OpenAI that are read and written without a type of their own
// have one here, for their schemas alone. Real answers are held against them.
type (
	embeddingsBody struct {
		Input      any     `json:"input"`
		Model      *string `json:"model,omitempty"`
		Encoding   *string `json:"encoding_format,omitempty"`
		Dimensions *int    `json:"dimensions,omitempty"`
		User       *string `json:"user,omitempty"`
	}
	embeddingsAnswer struct {
		Object string            `json:"object"`
		Data   []embeddingAnswer `json:"data"`
		Model  string            `json:"model"`
		Usage  openai.Usage      `json:"usage"`
	}
	embeddingAnswer struct {
		Object    string `json:"object"`
		Index     int    `json:"index"`
		Embedding any    `json:"embedding"`
	}
	openAIErrorBody struct {
		Error openAIErrorMembers `json:"error"`
	}
	openAIErrorMembers struct {
		Message string  `json:"message"`
		Type    string  `json:"type"`
		Param   *string `json:"param"`
		Code    *string `json:"code"`
	}
)

func openAISchemas(m rag.Model) []openapi.Entry {
	return []openapi.Entry{
		{
			Name: "EmbeddingsRequest", Type: reflect.TypeFor[embeddingsBody](), Taken: true, About: "Texts to make vectors of. Members that are not known are passed over.",
			Fields: map[string]string{
				"input": "a text, a list of texts, a list of tokens, or a list of lists of tokens (cl100k_base); at most " + strconv.Itoa(rag.MaxEmbedTexts) + " texts, " +
					strconv.Itoa(rag.MaxQueryTokens) + " tokens and " + strconv.Itoa(rag.MaxQueryBytes) + " bytes each, " + strconv.Itoa(rag.MaxEmbedTokens) + " tokens together; none may be empty",
				"model":           "must be the server's, which it is if left out",
				"encoding_format": "`float` if left out; `base64`: little-endian float32",
				"dimensions":      "fewer than the model's, of models that can be shortened: the first values, scaled to length 1",
				"user":            "passed over; the user is the header's",
			},
			Refine: func(s *openapi.Schema) {
				refineEmbeddings(s)
				likely(s, "model", m.Name)
				openapi.Between(s.Properties["dimensions"], 1, float64(orDefault(m.Dim, rag.MaxDimensions)))
			},
		},
		{Name: "Embeddings", Type: reflect.TypeFor[embeddingsAnswer](), About: "Vectors of length 1, in the order of the texts.", Fields: map[string]string{
			"object": "always `list`", "data": "a vector for each text", "model": "the server's", "usage": "tokens",
		}, Refine: func(s *openapi.Schema) { always(s, "object", "list") }},
		{
			Name: "Embedding", Type: reflect.TypeFor[embeddingAnswer](), About: "The vector of one text.",
			Fields: map[string]string{"object": "always `embedding`", "index": "which text", "embedding": "numbers, or base64 of little-endian float32"},
			Refine: func(s *openapi.Schema) {
				always(s, "object", "embedding")
				p := s.Properties["embedding"]
				p.OneOf = []*openapi.Schema{{Type: "array", Items: &openapi.Schema{Type: "number"}}, {Type: "string", ContentEncoding: "base64"}}
			},
		},
		{Name: "Usage", Type: reflect.TypeFor[openai.Usage](), About: "Tokens.", Fields: map[string]string{"prompt_tokens": "of the texts", "total_tokens": "all together"}},
		{
			Name: "Model", Type: reflect.TypeFor[openai.Model](), About: "A model.",
			Fields: map[string]string{
				"id": "its name", "object": "always `model`", "created": "when the server started, in seconds since 1970", "owned_by": "always `weir`",
				"dimensions": "of its vectors; not of OpenAI's shape",
			},
			Refine: func(s *openapi.Schema) { always(s, "object", "model") },
		},
		{
			Name: "ModelList", Type: reflect.TypeFor[openai.ModelList](), About: "The models there are.",
			Fields: map[string]string{"object": "always `list`", "data": "the models; empty on a server without one"},
			Refine: func(s *openapi.Schema) { always(s, "object", "list") },
		},
		{Name: "OpenAIError", Type: reflect.TypeFor[openAIErrorBody](), About: "An error in OpenAI's shape.", Fields: map[string]string{"error": "what went wrong"}},
		{Name: "OpenAIErrorDetail", Type: reflect.TypeFor[openAIErrorMembers](), About: "What went wrong.", Fields: map[string]string{
			"message": "for people", "type": "OpenAI's word for the kind", "param": "the member, element or header at fault",
			"code": "a code of this API, or `model_not_found`; to go by",
		}},
	}
}

func always(s *openapi.Schema, field, value string) { s.Properties[field].Enum = []any{value} }

// likely names the value that a text mostly has, if it is known.
func likely(s *openapi.Schema, field, value string) {
	if p := s.Properties[field]; value != "" {
		s.Properties[field] = &openapi.Schema{Description: p.Description, AnyOf: []*openapi.Schema{{Type: "string", Enum: []any{value}}, {Types: []string{"string", "null"}}}}
	}
}

func refineEmbeddings(s *openapi.Schema) {
	s.AdditionalProperties = &openapi.Schema{}
	p := s.Properties
	text := &openapi.Schema{Type: "string"}
	openapi.Lengths(text, 1, rag.MaxQueryBytes)
	text.Pattern = `\S`
	texts := &openapi.Schema{Type: "array", Items: text.CloneSchemas()}
	openapi.Items(texts, 1, rag.MaxEmbedTexts)
	token := &openapi.Schema{Type: "integer"}
	openapi.Between(token, 0, 100_276) // of cl100k_base
	tokens := &openapi.Schema{Type: "array", Items: token}
	openapi.Items(tokens, 1, rag.MaxQueryTokens)
	lists := &openapi.Schema{Type: "array", Items: tokens.CloneSchemas()}
	openapi.Items(lists, 1, rag.MaxEmbedTexts)
	p["input"].AnyOf = []*openapi.Schema{text, texts, tokens, lists}
	p["encoding_format"].Enum = []any{string(openai.Float), string(openai.Base64), nil}
}
