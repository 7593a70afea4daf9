package rag

import (
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Mode says which halves of the search are used.
type Mode string

// The modes. Hybrid is both halves, their scores joined.
const (
	Hybrid  Mode = "hybrid"
	Vector  Mode = "vector"
	Lexical Mode = "lexical"
)

// What a Request gets when it does not say, and the most it may ask.
const (
	DefaultMaxChunks   = 5
	DefaultTokenBudget = 4000

	MaxChunks      = 1000
	MaxTokenBudget = 1_000_000
	MaxNeighbors   = 20
	MaxDocumentIDs = 1000
	MaxQueryBytes  = 64 << 10
	MaxQueryTokens = 8191 // the longest input of the OpenAI embedding models
	MaxDimensions  = 4096
	MaxTimeoutMS   = math.MaxInt32 // far beyond any server's maximum, and far below what overflows
)

// Request is one question. Exactly one of Query and Embedding is given; nil
// pointers stand for the defaults.
type Request struct {
	Query               string    `json:"query,omitempty"`
	Embedding           []float32 `json:"embedding,omitempty"`            // of the server's model; any length but zero
	SimilarityThreshold *float64  `json:"similarity_threshold,omitempty"` // (0,1], cosine; Defaults to that of the model
	MaxChunks           *int      `json:"max_chunks,omitempty"`           // Defaults to 5
	TokenBudget         *int      `json:"token_budget,omitempty"`         // Defaults to 4000
	Mode                Mode      `json:"mode,omitempty"`                 // Defaults to hybrid
	Neighbors           int       `json:"neighbors,omitempty"`            // passages before and after each hit; Defaults to 0
	DocumentIDs         []string  `json:"document_ids,omitempty"`         // Defaults to all
	TimeoutMS           int       `json:"timeout_ms,omitempty"`           // Defaults to the server's; never more than its maximum
}

// Response is the answer to a Request.
type Response struct {
	OperationID string       `json:"operation_id"`
	Chunks      []Passage    `json:"chunks"`
	Mode        Mode         `json:"mode"`   // what was really done
	Tokens      int          `json:"tokens"` // sum over Chunks
	Truncated   bool         `json:"truncated"`
	Degraded    []Degraded   `json:"degraded,omitempty"`
	EmptyReason *EmptyReason `json:"empty_reason,omitempty"`
	Timings     Timings      `json:"timings_ms"`
}

// Passage is one chunk of an answer.
type Passage struct {
	ID           string   `json:"id"`
	DocID        string   `json:"doc_id"`
	ChunkIndex   int      `json:"chunk_index"`
	Content      string   `json:"content"`
	SectionPath  []int    `json:"section_path"`
	SectionTitle *string  `json:"section_title"`
	PageStart    *int     `json:"page_start"`
	PageEnd      *int     `json:"page_end"`
	Similarity   *float64 `json:"similarity"` // cosine; null when the passage or the question has no vector
	Tokens       int      `json:"tokens"`
	Filename     string   `json:"filename"`
	Score        float64  `json:"score"`   // what it was ranked by: joined scores, in [0,1] (hybrid), cosine (vector), BM25 (lexical); 0 for a neighbour
	Primary      bool     `json:"primary"` // false for a neighbour of a hit
}

// Degraded says which stage did not do its part, and why.
type Degraded struct {
	Stage        string `json:"stage"`  // embed, search, answer
	Reason       string `json:"reason"` // timeout, unavailable, …
	Message      string `json:"message,omitempty"`
	RetryAfterMS int64  `json:"retry_after_ms,omitempty"`
}

// EmptyReason says why an answer has no chunks.
type EmptyReason string

// The reasons.
const (
	NoDocuments    EmptyReason = "no_documents"
	StillIndexing  EmptyReason = "still_indexing"
	BelowThreshold EmptyReason = "below_threshold"
	NoMatch        EmptyReason = "no_match"
	OverBudget     EmptyReason = "budget"
)

// Timings are milliseconds.
type Timings struct {
	Queue      float64 `json:"queue"`
	Embed      float64 `json:"embed"`
	Search     float64 `json:"search"`
	FirstToken float64 `json:"first_token,omitempty"` // from when the chat model was asked until its first words; only of Ask
	Answer     float64 `json:"answer,omitempty"`      // from the same until it was done
	Total      float64 `json:"total"`
}

// question is a Request that was found valid, its defaults filled in.
type question struct {
	text      string
	earlier   []string // questions before it, oldest first, that are searched for too; only of Ask
	embedding []float32
	threshold *float64 // nil: the model's
	max       int
	budget    int
	mode      Mode // empty: hybrid if there is an embedder
	neighbors int
	documents []string
	timeout   time.Duration // 0: the server's default
}

func (r Request) validate(model Model) (question, error) {
	q := question{
		text: strings.TrimSpace(r.Query), embedding: r.Embedding, mode: r.Mode,
		threshold: r.SimilarityThreshold,
		max:       or(r.MaxChunks, DefaultMaxChunks),
		budget:    or(r.TokenBudget, DefaultTokenBudget),
		neighbors: r.Neighbors, documents: r.DocumentIDs,
		timeout: time.Duration(r.TimeoutMS) * time.Millisecond,
	}
	switch {
	case r.Query != "" && r.Embedding != nil:
		return q, FieldErrorf("embedding", "give query or embedding, not both")
	case r.Embedding == nil && r.Query == "":
		return q, FieldErrorf("query", "is missing; give query or embedding")
	case r.Embedding == nil && q.text == "":
		return q, FieldErrorf("query", "must not be empty")
	case len(r.Query) > MaxQueryBytes:
		return q, FieldErrorf("query", "is %d bytes long; the limit is %d", len(r.Query), MaxQueryBytes)
	case !utf8.ValidString(r.Query):
		return q, FieldErrorf("query", "is not valid UTF-8")
	case q.threshold != nil && !(*q.threshold > 0 && *q.threshold <= 1): // catches NaN too
		return q, FieldErrorf("similarity_threshold", "must be above 0 and at most 1, not %v", *q.threshold)
	case q.max < 1 || q.max > MaxChunks:
		return q, FieldErrorf("max_chunks", "must be from 1 to %d, not %d", MaxChunks, q.max)
	case q.budget < 1 || q.budget > MaxTokenBudget:
		return q, FieldErrorf("token_budget", "must be from 1 to %d, not %d", MaxTokenBudget, q.budget)
	case q.neighbors < 0 || q.neighbors > MaxNeighbors:
		return q, FieldErrorf("neighbors", "must be from 0 to %d, not %d", MaxNeighbors, q.neighbors)
	case len(q.documents) > MaxDocumentIDs:
		return q, FieldErrorf("document_ids", "holds %d ids; the limit is %d", len(q.documents), MaxDocumentIDs)
	case r.TimeoutMS < 0:
		return q, FieldErrorf("timeout_ms", "must not be negative; leave it out for the server's default")
	case r.TimeoutMS > MaxTimeoutMS:
		return q, FieldErrorf("timeout_ms", "must be at most %d; leave it out for the server's maximum", MaxTimeoutMS)
	}
	if err := q.validateMode(model); err != nil {
		return q, err
	}
	return q, q.validateEmbedding(model)
}

// checkTokens is apart from the rest because it takes its time, which a call
// that is going to be refused should not.
func (q *question) checkTokens(count func(string) int) error {
	if len(q.text) <= MaxQueryTokens { // a token is a byte at least
		return nil
	}
	if n := count(q.text); n > MaxQueryTokens {
		return FieldErrorf("query", "is %d tokens long; the limit is %d", n, MaxQueryTokens)
	}
	return nil
}

// bytes is about what the call may need in memory: the question, and the
// answer if it is as long as it may be.
func (q *question) bytes() int64 {
	const perToken, perChunk = 4, 1 << 10
	text := 0
	for _, s := range q.texts() {
		text += len(s)
	}
	return int64(text) + 4*int64(len(q.embedding)) + perToken*int64(q.budget) + perChunk*int64(q.max)
}

func (q *question) validateMode(model Model) error {
	switch {
	case !slices.Contains([]Mode{"", Hybrid, Vector, Lexical}, q.mode):
		return FieldErrorf("mode", "must be hybrid, vector or lexical, not %q", string(q.mode))
	case q.mode == Lexical && q.text == "":
		return FieldErrorf("mode", "lexical needs a query, not an embedding")
	case q.mode == Vector && model == (Model{}):
		return FieldErrorf("mode", "vector needs an embedder, and this server has none (WEIR_EMBEDDER=none)")
	}
	return nil
}

// validateEmbedding also scales it to unit length.
func (q *question) validateEmbedding(model Model) error {
	if q.embedding == nil {
		return nil
	}
	switch {
	case model == (Model{}):
		return FieldErrorf("embedding", "this server has no embedder (WEIR_EMBEDDER=none) and so no vectors to compare with; send query")
	case len(q.embedding) != model.Dim:
		return FieldErrorf("embedding", "has %d values; this server's model %s has %d", len(q.embedding), model.Name, model.Dim)
	}
	var sum float64
	for i, v := range q.embedding {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return FieldErrorf("embedding", "value %d is not a finite number", i)
		}
		sum += float64(v) * float64(v)
	}
	if sum == 0 {
		return FieldErrorf("embedding", "is all zero, which has no direction")
	}
	unit := make([]float32, len(q.embedding))
	for i, v := range q.embedding {
		unit[i] = float32(float64(v) / math.Sqrt(sum))
	}
	q.embedding = unit
	return nil
}

func or[T any](p *T, def T) T {
	if p == nil {
		return def
	}
	return *p
}
