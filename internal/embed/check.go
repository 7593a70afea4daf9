package embed

import (
	"errors"
	"math"

	"weir/internal/openai"
	"weir/internal/provider"
	"weir/internal/rag"
)

// Outcome is what an attempt brought for one text: a vector or an error.
type Outcome struct {
	Vector []float32  // unit length, finite, of the configured number of values; nil with Err
	Err    *rag.Error // Unavailable, Phase check: another attempt may bring this one
}

var (
	errNoItem    = errors.New("no item has its index")
	errLength    = errors.New("its vector is of another length")
	errNotFinite = errors.New("its vector holds NaN or an infinity")
	errZero      = errors.New("its vector is all zeros")
)

// check sorts the items by index and looks at each. An item that is missing or
// ill is that Outcome's Err alone. Indexes that contradict each other, and
// vectors that are all of a wrong length, condemn the whole answer: the first
// because no item can be trusted to be whose it says, the second because it
// will not pass.
func check(data []openai.Embedding, texts, dim int) ([]Outcome, *provider.Fault) {
	out := make([]Outcome, texts)
	seen := make([]bool, texts)
	wrong, length := 0, 0
	for _, e := range data {
		if e.Index < 0 || e.Index >= texts {
			f := newFault(provider.Check, nil, "answered for text %d of %d", e.Index, texts)
			f.Retry = true
			return nil, f
		}
		if seen[e.Index] {
			f := newFault(provider.Check, nil, "answered twice for text %d of %d", e.Index, texts)
			f.Retry = true
			return nil, f
		}
		seen[e.Index] = true
		if e.Err == nil && len(e.Vector) != dim {
			wrong, length = wrong+1, len(e.Vector)
			e.Err = errLength
		}
		if e.Err == nil {
			e.Err = normalize(e.Vector)
		}
		if e.Err != nil {
			out[e.Index].Err = ill(e.Err)
			continue
		}
		out[e.Index].Vector = e.Vector
	}
	if wrong > 0 && wrong == len(data) {
		return nil, newFault(provider.Check, errLength, "answers with vectors of %d values where %d are configured", length, dim)
	}
	for i := range out {
		if !seen[i] {
			out[i].Err = ill(errNoItem)
		}
	}
	return out, nil
}

func ill(cause error) *rag.Error {
	return newFault(provider.Check, cause, "sent no usable vector").Error
}

// normalize scales v to unit length in place, or says why it has none. The
// sum is in float64, where squares of float32 values neither overflow nor
// vanish.
func normalize(v []float32) error {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	switch {
	case math.IsNaN(sum) || math.IsInf(sum, 0):
		return errNotFinite
	case sum == 0:
		return errZero
	}
	scale := 1 / math.Sqrt(sum)
	for i, x := range v {
		v[i] = float32(float64(x) * scale)
	}
	return nil
}
