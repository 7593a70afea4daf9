package builtin

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"weir/internal/rag"
)

// Name is the model's name. It changes whenever the vectors do: a new model
// file, or a change to this package that any vector shows.
const Name = "weir-static-v1"

// Calibration is what the scale of its similarities asks for (docs/QUALITY.md).
func Calibration() rag.Calibration { return rag.Calibration{Threshold: 0.1, VectorWeight: 0.4} }

// maxBatch is how many texts one call should carry: some milliseconds of work.
const maxBatch = 64

// wordsPerCheck is how many words go by between two looks at the ctx.
const wordsPerCheck = 1024

// maxUnknownParts is how many parts of maxWord characters count of a word that
// cannot be spelled. What is longer is no word, and its rest says no more.
const maxUnknownParts = 40

// Embedder is the model. It is safe for concurrent use.
type Embedder struct {
	file  *file
	vocab *vocabulary
}

var _ rag.Embedder = (*Embedder)(nil)

// New opens the model inside the binary. It takes some milliseconds and less
// than a megabyte; the weights stay where they are.
func New() (*Embedder, error) { return open(modelFile) }

func open(data string) (*Embedder, error) {
	f, err := parse(data)
	if err != nil {
		return nil, err
	}
	return &Embedder{file: &f, vocab: newVocabulary(&f)}, nil
}

// Model returns weir-static-v1 and its dimension.
func (e *Embedder) Model() rag.Model { return rag.Model{Name: Name, Dim: e.file.dim} }

// MaxBatch returns how many texts one call should carry at most.
func (e *Embedder) MaxBatch() int { return maxBatch }

// Embed returns the vector of each text, of unit length. A text that is empty
// or white space alone is Invalid; every other has a vector, whatever its
// length: nothing is cut off. The same text always has the same vector, to the
// bit. It needs neither user nor purpose.
func (e *Embedder) Embed(ctx context.Context, _ rag.User, _ rag.Purpose, texts []string) ([][]float32, error) {
	dim := e.file.dim
	flat := make([]float32, len(texts)*dim)
	vectors := make([][]float32, len(texts))
	for i, t := range texts {
		if strings.TrimSpace(t) == "" {
			err := rag.FieldErrorf(fmt.Sprintf("texts[%d]", i), "it is empty")
			err.Phase = "validate"
			return nil, err
		}
		vectors[i] = flat[i*dim : (i+1)*dim : (i+1)*dim]
		if err := e.embed(ctx, t, vectors[i]); err != nil {
			return nil, err
		}
	}
	return vectors, nil
}

// embed writes the vector of text into v.
func (e *Embedder) embed(ctx context.Context, text string, v []float32) error {
	var total sum
	s := scanner{runes: runes{file: e.file, text: text}, vocab: e.vocab}
	parts := 0 // of the unknown word that is being read
	for words := 0; ; words++ {
		if words%wordsPerCheck == 0 && ctx.Err() != nil {
			return ended(ctx)
		}
		w, ok := s.next()
		if !ok {
			break
		}
		if w.unknown != nil {
			if parts++; parts <= maxUnknownParts {
				total.addUnknown(e.file.hashed, w.unknown, len(v))
			}
			if w.last {
				parts = 0
			}
			continue
		}
		for _, id := range w.tokens {
			total.add(e.file.weight(id), e.file.row(id))
		}
	}
	if !total.unit(v) {
		// Nothing in it is a word, such as characters without width. It has a
		// direction too, near to no other text.
		total.addHashed(1, hash(text), len(v))
		total.unit(v)
	}
	return nil
}

func (f *file) weight(id int32) int32 { return int32(u16(f.weights, int(id)*2)) }

func (f *file) row(id int32) string { return f.rows[int(id)*f.dim : (int(id)+1)*f.dim] }

func hash(text string) uint64 {
	h := seedFirst
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * prime
	}
	return h
}

// ended is the error of a ctx that has ended.
func ended(ctx context.Context) error {
	msg := "the caller left while the text was embedded"
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		msg = "the text was not embedded by the deadline"
	}
	return &rag.Error{Code: rag.CodeOf(ctx.Err()), Phase: "compute", Msg: msg, Err: context.Cause(ctx)}
}
