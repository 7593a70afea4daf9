package embed

import (
	"context"

	"weir/internal/provider"
	"weir/internal/rag"
)

// None is the embedder of a server that has none: retrieval is lexical alone.
type None struct{}

var _ rag.Embedder = None{}

// Model returns the zero Model.
func (None) Model() rag.Model { return rag.Model{} }

// MaxBatch returns 1.
func (None) MaxBatch() int { return 1 }

// Embed returns an Unavailable error, always.
func (None) Embed(context.Context, rag.User, rag.Purpose, []string) ([][]float32, error) {
	return nil, &rag.Error{Code: rag.Unavailable, Phase: provider.Validate.String(), Msg: "no embedder is configured"}
}
