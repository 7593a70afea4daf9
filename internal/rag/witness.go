package rag

import "context"

// ask asks for the vectors of texts. What is going to be stored is asked for
// together with the sample, and believed only beside the vector that this has: a
// question that met a provider which was another for a moment is asked again,
// but the vectors of a document stay.
func (v *verified) ask(ctx context.Context, user User, p Purpose, texts []string) ([][]float32, error) {
	r, ok := v.Embedder.(Rememberer)
	if !ok || p == ForQuery {
		return v.Embedder.Embed(ctx, user, p, texts)
	}
	with, err := v.sample(ctx, sampleSoon)
	if err != nil {
		return nil, err
	}
	if with.Vector == nil {
		return v.Embedder.Embed(ctx, user, p, texts)
	}
	out, now, err := r.EmbedAfresh(ctx, user, p, texts, embeddedText(with.Chunk))
	wrong := err == nil && v.unlike(with, now) != nil
	switch {
	case err == nil && !wrong:
		return out, nil
	case wrong:
		r.Forget()
	case CodeOf(err) != Invalid:
		return nil, err
	}
	if err := v.compare(ctx, user); err != nil {
		return nil, err
	}
	// It was another for a moment; or the sample is what is wrong, and the next
	// attempt has a better one.
	switch {
	case wrong:
		return nil, &Error{
			Code: Unavailable, Phase: "check", Err: errOtherModel,
			Msg: "the embedder " + v.Model().Name + " gave other vectors than the documents have for a moment; what it said then is not used",
		}
	case namesText(err, len(texts)): // the sample: no text of the caller was refused
		return nil, &Error{
			Code: Unavailable, Phase: "check", Err: err,
			Msg: "the embedder " + v.Model().Name + " refused a passage for a moment that it has made a vector of; what it said then is not used",
		}
	default:
		return nil, err
	}
}

// namesText reports whether an embedder's error is about the text of that number.
func namesText(err error, i int) (yes bool) {
	_ = asField(err, func(named int) string {
		yes = named == i
		return ""
	})
	return yes
}

// MaxBatch leaves room for the sample.
func (v *verified) MaxBatch() int {
	n := v.Embedder.MaxBatch()
	if _, ok := v.Embedder.(Rememberer); ok {
		n = max(1, n-1)
	}
	return n
}

// unlike is how a vector is not that of the sample; nil: it is.
func (v *verified) unlike(with Sample, now []float32) error {
	switch {
	case len(now) != len(with.Vector):
		return Errorf(Internal, "the embedder answered a vector of %d values; the model has %d", len(now), len(with.Vector))
	case dot(with.Vector, now) < v.likeness():
		return v.other()
	}
	return nil
}
