package rag

import (
	"context"
	"time"
)

// doubt is what speaks against a sample: its document may have got its vector
// while a provider was not what it said it was. An embedder that is right would
// be refused until that very document is replaced.
type doubt struct {
	odd     string // the document whose vectors are not the model's; "": none was found
	but     string // the document that others were looked up to
	asked   time.Time
	answers []Sample
}

// The document is taken to be wrong, and not the embedder, when every one of up
// to witnesses others agrees with the embedder, and there are leastWitnesses at
// least. Of two documents that differ nobody knows which is right; and a wrong
// embedder that has made vectors for a while before it was found out must not
// be believed for the sake of one of those.
const (
	witnesses      = 4
	leastWitnesses = 2
)

// of reports whether a passage is of the document that is known to be wrong.
func (d *doubt) of(c Chunk) bool { return d.odd != "" && d.odd == c.DocID }

// secondOpinion holds the embedder, which differs from a sample, against others.
// It returns nil when those show that the sample is what is wrong; one of them
// is the sample from then on.
func (v *verified) secondOpinion(ctx context.Context, user User, with Sample, differs error) (how, err error) {
	others, err := v.others(ctx, with.Chunk.DocID)
	if err != nil {
		return nil, err
	}
	if len(others) < leastWitnesses {
		return differs, nil
	}
	for _, o := range others {
		if how, err := v.differs(ctx, user, o); err != nil || how != nil {
			return differs, err
		}
	}
	v.mu.Lock()
	known := v.doubt.of(with.Chunk)
	v.doubt.odd, v.stored = with.Chunk.DocID, others[0]
	v.mu.Unlock()
	if !known {
		v.log.WarnContext(ctx, "a document has vectors that are not of its model, as other documents show; by meaning it is found again once it is deleted and added anew",
			"document", with.Chunk.DocID, "model", v.Model().Name, "agreeing", len(others))
	}
	return nil, nil
}

// others looks for them now and then, as sample does.
func (v *verified) others(ctx context.Context, but string) ([]Sample, error) {
	v.mu.Lock()
	d := v.doubt
	v.mu.Unlock()
	if d.but == but && !d.asked.IsZero() && time.Since(d.asked) < sampleEvery {
		return d.answers, nil
	}
	found, err := v.sampler.Others(ctx, v.Model(), but, witnesses)
	if err != nil && ctx.Err() != nil {
		return nil, err
	}
	if err != nil { // then the sample is all there is
		v.log.WarnContext(ctx, "other passages with a vector could not be looked up", "error", err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.doubt.but, v.doubt.asked, v.doubt.answers = but, time.Now(), found
	return found, nil
}
