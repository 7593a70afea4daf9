package httpapi

import (
	"math"
	"reflect"
	"slices"
	"strconv"

	"weir/internal/openapi"
	"weir/internal/rag"
)

// schemas are all types on the wire, where the embedding model is m.
func (d *door) schemas(m rag.Model) []openapi.Entry {
	return slices.Concat(enumSchemas(), retrievalSchemas(m), d.documentSchemas(), statusSchemas(), openAISchemas(m), answerSchemas())
}

func enumSchemas() []openapi.Entry {
	return []openapi.Entry{
		{Name: "Code", Type: reflect.TypeFor[rag.Code](), About: "The ways in which a call can fail.", Enum: words(codes()...)},
		{Name: "Mode", Type: reflect.TypeFor[rag.Mode](), Enum: words(rag.Hybrid, rag.Vector, rag.Lexical), About: "By meaning and by words, their scores joined; by meaning alone; by words alone."},
		{
			Name: "DocumentStatus", Type: reflect.TypeFor[rag.Status](), Enum: words(rag.Queued, rag.Parsing, rag.Embedding, rag.Ready, rag.Failed, rag.Cancelled),
			About: "The last three are final. A document can be found from `ready` on, whole, and not before.",
		},
		{
			Name: "EmptyReason", Type: reflect.TypeFor[rag.EmptyReason](), Enum: words(rag.NoDocuments, rag.StillIndexing, rag.BelowThreshold, rag.NoMatch, rag.OverBudget),
			About: "Why there are no passages: there are no documents; none is ready yet; all that was found is less similar than `similarity_threshold`; nothing was found; the best passage alone is longer than `token_budget`.",
		},
	}
}

func words[T ~string](values ...T) []string {
	all := make([]string, len(values))
	for i, v := range values {
		all[i] = string(v)
	}
	return all
}

// searchFields are what a question may ask for, in each call that searches.
func searchFields() map[string]string {
	return map[string]string{
		"similarity_threshold": "the least cosine of a passage that has one; the model's own scale if left out",
		"max_chunks":           "most passages; " + strconv.Itoa(rag.DefaultMaxChunks) + " if left out",
		"token_budget":         "passages are taken in order of rank while they fit, and the first that does not fit ends the list; " + strconv.Itoa(rag.DefaultTokenBudget) + " if left out",
		"mode":                 "`hybrid` if left out, or `lexical` on a server without an embedder",
		"neighbors":            "passages before and after each hit, inside the budget; 0 if left out",
		"document_ids":         "search only in these; all if left out or empty",
		"timeout_ms":           "the deadline of this call; never more than the server's, which it is if left out or 0",
	}
}

// boundSearch has the bounds of rag.Request. The defaults are told in words:
// generators of clients for TypeScript require what has a default.
func boundSearch(s *openapi.Schema) {
	p := s.Properties
	zero, one := 0.0, 1.0
	p["similarity_threshold"].ExclusiveMinimum, p["similarity_threshold"].Maximum = &zero, &one
	openapi.Between(p["max_chunks"], 1, rag.MaxChunks)
	openapi.Between(p["token_budget"], 1, rag.MaxTokenBudget)
	openapi.Between(p["neighbors"], 0, rag.MaxNeighbors)
	openapi.Items(p["document_ids"], 0, rag.MaxDocumentIDs)
	if p["timeout_ms"] != nil {
		openapi.Between(p["timeout_ms"], 0, rag.MaxTimeoutMS)
	}
}

// orEmpty lets a value that is one of a list be empty too.
func orEmpty(s *openapi.Schema) *openapi.Schema {
	empty := &openapi.Schema{Type: "string", Enum: []any{""}, Description: "As if it were left out."}
	if s.Ref == "" {
		s.AnyOf = append(s.AnyOf, empty)
		return s
	}
	return &openapi.Schema{Description: s.Description, AnyOf: []*openapi.Schema{{Ref: s.Ref}, empty}}
}

func boundQuery(s *openapi.Schema) {
	openapi.Lengths(s, 1, rag.MaxQueryBytes)
	s.Pattern = `\S`
}

// boundVector has a vector of m: of its length, and not all zero. Without a
// model there is none that is taken.
func boundVector(s *openapi.Schema, m rag.Model) {
	openapi.Items(s, 1, rag.MaxDimensions)
	if m != (rag.Model{}) {
		openapi.Items(s, m.Dim, m.Dim)
	}
	openapi.Between(s.Items, -math.MaxFloat32, math.MaxFloat32)
	zero := any(0)
	s.Contains = &openapi.Schema{Not: &openapi.Schema{Const: &zero}}
}

func retrievalSchemas(m rag.Model) []openapi.Entry {
	request := searchFields()
	request["query"] = "the question; at most " + strconv.Itoa(rag.MaxQueryBytes) + " bytes and " + strconv.Itoa(rag.MaxQueryTokens) + " tokens"
	request["embedding"] = "instead of `query`: a vector of the server's embedding model, of as many values as it has, and of any length but zero"
	return []openapi.Entry{
		{
			Name: "RetrieveRequest", Type: reflect.TypeFor[rag.Request](), Taken: true, Fields: request,
			About: "A question: `query`, or `embedding`.",
			Refine: func(s *openapi.Schema) {
				boundSearch(s)
				s.Properties["mode"] = orEmpty(s.Properties["mode"])
				boundQuery(s.Properties["query"])
				boundVector(s.Properties["embedding"], m)
				// Not oneOf: many a generator of clients would make two types of it, each
				// without the other fields.
				s.If = &openapi.Schema{Required: []string{"embedding"}, Properties: map[string]*openapi.Schema{"embedding": {Type: "array"}}}
				s.Then = &openapi.Schema{Properties: map[string]*openapi.Schema{
					"query": {Type: "null"}, "mode": {Not: &openapi.Schema{Enum: []any{string(rag.Lexical)}}},
				}}
				s.Else = &openapi.Schema{Required: []string{"query"}, Properties: map[string]*openapi.Schema{"query": {Type: "string"}}}
			},
		},
		{Name: "RetrieveResponse", Type: reflect.TypeFor[rag.Response](), About: "The passages, best first.", Fields: map[string]string{
			"operation_id": "the id of this call; it is also in the server's log",
			"chunks":       "the passages, best first",
			"mode":         "what was really done",
			"tokens":       "of all passages together",
			"truncated":    "the token budget ended the list",
			"degraded":     "the stages that did not do their part; absent when all did",
			"empty_reason": "why there are no passages; absent when there are",
			"timings_ms":   "where the time went, in milliseconds",
		}},
		{Name: "Passage", Type: reflect.TypeFor[rag.Passage](), About: "A passage of a document.", Fields: map[string]string{
			"id":            "of the passage",
			"doc_id":        "of its document",
			"chunk_index":   "its place among the passages of the document, from 0",
			"content":       "its text",
			"section_path":  "the numbers of its section, `[4, 2]` for 4.2; empty outside any section",
			"section_title": "the titles above it, joined by ` > `; null outside any section",
			"page_start":    "the first page it is on, from 1; null for formats without pages",
			"page_end":      "the last page it is on",
			"similarity":    "cosine of passage and question; null when one of them has no vector",
			"tokens":        "of its text",
			"filename":      "of its document",
			"score":         "what it was ranked by: joined scores from 0 to 1 (`hybrid`), cosine (`vector`), BM25 (`lexical`); to be compared within one answer only",
			"primary":       "false for a neighbour of a hit",
		}},
		{Name: "Degraded", Type: reflect.TypeFor[rag.Degraded](), About: "A stage that did not do its part.", Fields: map[string]string{
			"stage":          "such as `embed`, `search`, `answer`",
			"reason":         "a code, or another word for why",
			"message":        "the same for people",
			"retry_after_ms": "when it may work again",
		}},
		{Name: "Timings", Type: reflect.TypeFor[rag.Timings](), About: "Milliseconds.", Fields: map[string]string{
			"queue": "waiting for a place", "embed": "for the question's vector", "search": "in the store",
			"first_token": "from when the chat model was asked until its first words; of answers alone", "answer": "from the same until it was done", "total": "all together",
		}},
	}
}
