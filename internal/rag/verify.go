package rag

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Sampler is a Store that can show a passage with its vector.
type Sampler interface {
	// Sample returns any chunk of a Ready document that has a vector of m, and
	// the vector; nil when there is none.
	Sample(ctx context.Context, m Model) (Chunk, []float32, error)
}

// verified is an Embedder that is taken at its word only after it has given a
// stored passage the vector that the passage has. A provider may answer to the
// name of a model with the vectors of another, by mistake of the settings or of
// its own; nothing but the comparison tells them apart.
type verified struct {
	Embedder
	sampler Sampler

	mu     sync.Mutex
	right  bool      // it was compared
	looked time.Time // for a sample, and there was none
	text   string
	vector []float32 // nil: there is nothing to compare with yet
}

// sampleEvery is how often a sample is looked for where there was none: the
// first vectors may come from another server, or another system.
const sampleEvery = 30 * time.Second

// likeness is the least cosine of two vectors of one text and model: providers
// compute with different precisions. A Sampler that does not know the very text
// of which a vector was made has a Likeness of its own.
const likeness = 0.9

// errOtherModel is why an Embedder was not taken at its word.
var errOtherModel = errors.New("a stored passage has another vector")

// Embed asks for the vector of the sample beside those of texts, until one has
// come and was right.
func (v *verified) Embed(ctx context.Context, user User, p Purpose, texts []string) ([][]float32, error) {
	text, want, err := v.sample(ctx)
	if err != nil {
		return nil, err
	}
	if want == nil {
		return v.Embedder.Embed(ctx, user, p, texts)
	}
	got, err := v.Embedder.Embed(ctx, user, p, append([]string{text}, texts...))
	if CodeOf(err) == Invalid { // of the sample, or of a text that its position names wrongly
		if _, err := v.Embedder.Embed(ctx, user, p, texts); err != nil {
			return nil, err
		}
		return nil, &Error{Code: Unavailable, Phase: "check", Err: err, Msg: "the embedder refuses a passage that has a vector of " + v.Model().Name}
	}
	if err != nil {
		return nil, err
	}
	if len(got) != len(texts)+1 || len(got[0]) != len(want) {
		return nil, Errorf(Internal, "the embedder answered %d vectors for %d texts", len(got), len(texts)+1)
	}
	var cosine float64
	for i := range want {
		cosine += float64(want[i]) * float64(got[0][i])
	}
	if cosine < v.likeness() {
		return nil, &Error{
			Code: Unavailable, Phase: "check", Err: errOtherModel,
			Msg: "the embedder answers to the name " + v.Model().Name + " with other vectors than the documents have; is it the right provider?",
		}
	}
	v.mu.Lock()
	v.right, v.vector = true, nil
	v.mu.Unlock()
	return got[1:], nil
}

// sample looks one up, until there is one. Callers who come while it is looked
// up look it up too: nobody waits for another.
func (v *verified) sample(ctx context.Context) (string, []float32, error) {
	v.mu.Lock()
	text, vector := v.text, v.vector
	known := v.right || vector != nil || !v.looked.IsZero() && time.Since(v.looked) < sampleEvery
	v.mu.Unlock()
	if known {
		return text, vector, nil
	}
	c, vector, err := v.sampler.Sample(ctx, v.Model())
	if err != nil {
		return "", nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.looked = time.Now()
	if !v.right && v.vector == nil {
		v.text, v.vector = embeddedText(c), vector
	}
	return v.text, v.vector, nil
}

func (v *verified) likeness() float64 {
	if s, ok := v.sampler.(interface{ Likeness() float64 }); ok {
		return s.Likeness()
	}
	return likeness
}

// Shortens asks the embedder it stands for.
func (v *verified) Shortens(dim int) bool {
	s, ok := v.Embedder.(shortener)
	return ok && s.Shortens(dim)
}
