package httpapi

import (
	"context"
	"errors"
	"net/http"

	"weir/internal/openai"
	"weir/internal/rag"
)

// maxEmbeddings is the longest body of POST /v1/embeddings. The most tokens
// that one call may have are 2 MiB as numbers, and less than that as English;
// escaped, some scripts take six bytes for what is one token.
const maxEmbeddings = 8 << 20

// embeddings is POST /v1/embeddings, in OpenAI's shape.
func (d *door) embeddings(ctx context.Context, x *exchange) (reply, error) {
	if !isJSON(x.r.Header) {
		return reply{}, unsupported(x.r.Header, contentJSON)
	}
	body, err := x.readAll(maxEmbeddings)
	if err != nil {
		return reply{}, err
	}
	model := d.svc.Model()
	if model == (rag.Model{}) {
		x.hopeless = true
		return reply{}, rag.Errorf(rag.Unavailable, "this server has no embedder (WEIR_EMBEDDER=none), so it has no vectors to give")
	}
	r, err := decodeEmbeddings(body, model)
	if err != nil {
		return reply{}, err
	}
	if err := d.hold(x, answerBytes(r, model)); err != nil {
		return reply{}, err
	}
	resp, err := d.svc.Embed(ctx, x.user, rag.EmbedRequest{Texts: r.Input, Tokens: r.Tokens, Dimensions: r.Dimensions, Timeout: x.timeout})
	if err != nil {
		return reply{}, err
	}
	if resp.Model.Name != model.Name { // the documents, and all questions, were moved to it at this moment
		return reply{}, rag.Errorf(rag.Unavailable, "the model %s has just been replaced by %s", model.Name, resp.Model.Name)
	}
	answer := openai.Embeddings{
		Model: resp.Model.Name, Data: make([]openai.Embedding, len(resp.Vectors)),
		Usage: openai.Usage{PromptTokens: resp.Tokens, TotalTokens: resp.Tokens},
	}
	for i, v := range resp.Vectors {
		answer.Data[i] = openai.Embedding{Index: i, Vector: v}
	}
	raw, err := answer.Encode(orDefault(r.Encoding, openai.Float))
	return reply{status: http.StatusOK, raw: raw}, err
}

// answerBytes is about what the answer to r takes: its vectors, and those
// written as numbers.
func answerBytes(r openai.EmbeddingsRequest, m rag.Model) int64 {
	const perValue = 4 + 14
	return int64(len(r.Input)+len(r.Tokens)) * int64(m.Dim) * perValue
}

// decodeEmbeddings also sees to it that the model asked for is the one there
// is: vectors of another would look as well as the right ones.
func decodeEmbeddings(body []byte, m rag.Model) (openai.EmbeddingsRequest, error) {
	r, err := openai.DecodeEmbeddingsRequest(body, openai.Limits{Items: rag.MaxEmbedTexts, Values: m.Dim, Tokens: rag.MaxEmbedTokens})
	var refusal *openai.Error
	switch {
	case errors.As(err, &refusal):
		return r, &rag.Error{Code: rag.Invalid, Field: refusal.Param, Msg: refusal.Message}
	case err != nil:
		return r, err
	case r.Model != "" && r.Model != m.Name:
		return r, unknownModel(r.Model, m)
	default:
		return r, nil
	}
}

func unknownModel(asked string, m rag.Model) error {
	e := &rag.Error{Code: rag.NotFound, Field: "model", Msg: "the model " + shorten(asked) + " is not served here"}
	if m == (rag.Model{}) {
		e.Msg += "; this server has no embedder (WEIR_EMBEDDER=none)"
	} else {
		e.Msg += "; this server has " + m.Name
	}
	return e
}

// models is GET /v1/models.
func (d *door) models(context.Context, *exchange) (reply, error) {
	list := openai.ModelList{Object: "list", Data: []openai.Model{}}
	if m := d.svc.Model(); m != (rag.Model{}) {
		list.Data = append(list.Data, d.modelCard(m))
	}
	list.Data = append(list.Data, d.modelCard(rag.Model{Name: answerer}))
	return reply{status: http.StatusOK, body: list}, nil
}

// model is GET /v1/models/{id...}; an id may have slashes in it.
func (d *door) model(_ context.Context, x *exchange) (reply, error) {
	m := d.svc.Model()
	id := x.r.PathValue("id")
	switch {
	case id == answerer:
		m = rag.Model{Name: answerer}
	case m == (rag.Model{}) || id != m.Name:
		return reply{}, unknownModel(id, m)
	}
	return reply{status: http.StatusOK, body: d.modelCard(m)}, nil
}

// modelCard has the start of the server for when the model was made, which
// nobody knows and clients want a number for.
func (d *door) modelCard(m rag.Model) openai.Model {
	return openai.Model{ID: m.Name, Object: "model", Created: d.started.Unix(), OwnedBy: "weir", Dimensions: m.Dim}
}

func embeddingsDoc() description {
	return description{
		id: "embeddings", tag: "openai", summary: "Vectors of texts, in OpenAI's shape", refuses: []rag.Code{rag.NotFound},
		about: "Through the same pipeline as all else. Either all texts have their vector, or the call is an error.",
		takes: jsonOf("EmbeddingsRequest", map[string]any{"input": []string{"The spare key is with the neighbour.", "Where is the key?"}}),
		gives: map[int]given{http.StatusOK: {about: "A vector for each text.", content: jsonOf("Embeddings", nil)}},
	}
}

func modelsDoc() description {
	return description{
		id: "list_models", tag: "openai", summary: "The models there are, in OpenAI's shape",
		gives: map[int]given{http.StatusOK: {about: "The models.", content: jsonOf("ModelList", nil)}},
	}
}

func modelDoc() description {
	return description{
		id: "get_model", tag: "openai", summary: "One model, in OpenAI's shape", refuses: []rag.Code{rag.NotFound},
		gives: map[int]given{http.StatusOK: {about: "The model.", content: jsonOf("Model", nil)}},
	}
}
