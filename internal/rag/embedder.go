package rag

import "context"

// Purpose tells an Embedder what texts are for; queries go before passages
// where both wait.
type Purpose int

// The purposes.
const (
	ForQuery Purpose = iota
	ForIngest
)

// Embedder turns texts into vectors.
//
// Embed returns one vector per text, in order, each finite, not all zero, of
// Model().Dim values and unit length, or an error and no vectors: a vector is
// never made up. It returns when ctx ends. Its errors are [Error] values with
// Phase set: Timeout and Unavailable may pass by themselves (RetryAfter says
// when, if known), Invalid means that these texts will never be embedded.
type Embedder interface {
	Model() Model
	Embed(ctx context.Context, user User, p Purpose, texts []string) ([][]float32, error)
	// MaxBatch is how many texts one call should carry at most.
	MaxBatch() int
}

// Rememberer is an Embedder that keeps vectors it was given.
type Rememberer interface {
	// EmbedAfresh returns the vectors of texts, as Embed does, and the vector that
	// witness has now: it was not kept, and is not kept either. It is asked for
	// with the texts, in one request where they fit into one; then these are asked
	// for anew, too. There may be no texts; then calls for the same witness may be
	// answered together. Its errors are those of Embed.
	EmbedAfresh(ctx context.Context, user User, p Purpose, texts []string, witness string) (vectors [][]float32, now []float32, err error)
	// Forget lets go of all that is kept, and of what is under way.
	Forget()
}
