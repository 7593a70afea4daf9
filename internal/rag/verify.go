package rag

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// Sampler is a Store that can show a passage with its vector.
type Sampler interface {
	// Sample returns any chunk of a Ready document that has a vector of m, and
	// the vector, which is nil when there is none.
	Sample(ctx context.Context, m Model) (Sample, error)
	// Others returns the same of up to n documents but the one of that ID, one
	// passage of each. Which they are depends neither on who has them nor on when
	// they came, and stays so.
	Others(ctx context.Context, m Model, but string, n int) ([]Sample, error)
}

// Sample is a stored passage and its vector.
type Sample struct {
	Chunk  Chunk
	Vector []float32
}

// verified is an Embedder that is taken at its word only after it has given a
// stored passage the vector that the passage has, and for a while. A provider
// may answer to the name of a model with the vectors of another, by mistake of
// the settings or of its own; nothing but the comparison tells them apart.
type verified struct {
	Embedder
	sampler Sampler
	log     *slog.Logger

	mu     sync.Mutex
	right  bool      // the last comparison said so
	wrong  error     // it said the contrary
	told   time.Time // when that comparison was begun
	tried  time.Time // when one was last begun
	used   bool      // since then
	failed bool      // it failed since then: what answers next may be another one
	back   bool      // and answered after that
	looked time.Time // for a sample
	stored Sample    // without a vector: there is nothing to compare with yet
	doubt  doubt     // of the sample
}

const (
	// sampleEvery is how often a sample is looked for where there was none, or
	// where it was not what the embedder says: the first vectors may come from
	// another server, or another system, and the sample itself may be what is
	// wrong, until its document is replaced.
	sampleEvery = 30 * time.Second
	// sampleSoon is the same for who stores vectors: the first document has some a
	// moment later.
	sampleSoon = time.Second
	// believedFor is how long an embedder that is in use is believed.
	believedFor = time.Minute
	// recheckEvery is the least time between two comparisons of an embedder that
	// was right.
	recheckEvery = 10 * time.Second
)

// likeness is the least cosine of two vectors of one text and model: providers
// compute with different precisions. A Sampler that does not know the very text
// of which a vector was made has a Likeness of its own.
const likeness = 0.9

// errOtherModel is why an Embedder was not taken at its word.
var errOtherModel = errors.New("a stored passage has another vector")

// Embed asks for the vectors of texts. An embedder that was not right, or not
// asked yet, is asked for that of the sample first, and so is one that is to
// make what is stored and was not asked for a while, or failed since; and what
// is stored comes with that of the sample. Questions do not wait for it: a
// server's checker asks beside them, and the first of all is asked beside the
// sample.
func (v *verified) Embed(ctx context.Context, user User, p Purpose, texts []string) ([][]float32, error) {
	v.mu.Lock()
	believed := v.right && (p == ForQuery || !v.failed && !v.back && time.Since(v.tried) < believedFor)
	beside := !believed && p == ForQuery && v.wrong == nil
	v.mu.Unlock()
	var compared error
	if !believed && !beside {
		if err := v.compare(ctx, user); err != nil {
			return nil, err
		}
	}
	var check sync.WaitGroup
	if beside {
		check.Go(func() {
			_, compared = begin(ctx, func() (struct{}, error) { return struct{}{}, v.compare(ctx, user) })
		})
	}
	out, err := v.ask(ctx, user, p, texts)
	check.Wait()
	if compared != nil {
		return nil, compared
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if err == nil {
		v.used, v.back = true, v.back || v.failed
	} else if code := CodeOf(err); code == Timeout || code == Unavailable {
		v.failed = true
	}
	if err == nil && v.wrong != nil { // it was found out meanwhile
		return nil, v.wrong
	}
	return out, err
}

// due reports whether an embedder should be compared again: it was right and was
// used for a while, or failed and answers again; or it was wrong, and nobody may
// have asked since.
func (v *verified) due() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	since := time.Since(v.tried)
	if v.wrong != nil {
		return since >= sampleEvery
	}
	return v.right && since >= recheckEvery && (v.back || v.used && since >= believedFor)
}

// compare asks for the vector of the sample. There may be none to ask for; then
// the embedder is believed for now, whatever it was.
func (v *verified) compare(ctx context.Context, user User) error {
	with, err := v.sample(ctx, sampleEvery)
	if err != nil {
		return err
	}
	began := time.Now()
	if with.Vector == nil {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.told, v.right, v.wrong = began, false, nil
		return nil
	}
	v.mu.Lock()
	v.tried, v.used, v.failed, v.back = began, false, false, false
	v.mu.Unlock()
	differs, err := v.differs(ctx, user, with)
	if err == nil && differs != nil {
		differs, err = v.secondOpinion(ctx, user, with, differs)
	}
	if err != nil { // it says nothing of its vectors
		v.mu.Lock()
		v.failed = true
		v.mu.Unlock()
		return err
	}
	v.judge(ctx, began, differs)
	return differs
}

// differs is how what the embedder says now is not what is stored; nil: it is.
// err is why it said nothing.
func (v *verified) differs(ctx context.Context, user User, with Sample) (how, err error) {
	got, err := v.afresh(ctx, user, embeddedText(with.Chunk))
	switch {
	case CodeOf(err) == Invalid:
		return &Error{Code: Unavailable, Phase: "check", Err: err, Msg: "the embedder refuses a passage that has a vector of " + v.Model().Name}, nil
	case err != nil:
		return nil, err
	}
	return v.unlike(with, got), nil
}

// other is what callers are told of an embedder that is wrong.
func (v *verified) other() error {
	return &Error{
		Code: Unavailable, Phase: "check", Err: errOtherModel,
		Msg: "the embedder answers to the name " + v.Model().Name + " with other vectors than the documents have; is it the right provider?",
	}
}

// judge takes down what the comparison that began then has shown, unless a later
// one has ended before it. What the embedder keeps is of no use when it was
// wrong, nor is what it kept until it was right again.
func (v *verified) judge(ctx context.Context, began time.Time, err error) {
	v.mu.Lock()
	if began.Before(v.told) {
		v.mu.Unlock()
		return
	}
	wrong := v.wrong
	v.told, v.right, v.wrong = began, err == nil, err
	v.mu.Unlock()
	switch {
	case err != nil && wrong == nil:
		v.log.ErrorContext(ctx, "the embedder is wrong: it is not asked for vectors until it is right", "model", v.Model().Name, "error", err)
	case err == nil && wrong != nil:
		v.log.InfoContext(ctx, "the embedder is right again", "model", v.Model().Name)
	}
	if r, ok := v.Embedder.(Rememberer); ok && (err != nil || wrong != nil) {
		r.Forget()
	}
}

// trouble is why the embedder is not taken at its word; "": it is.
func (v *verified) trouble() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.wrong == nil {
		return ""
	}
	return message(v.wrong)
}

// afresh returns the vector that text has now.
func (v *verified) afresh(ctx context.Context, user User, text string) ([]float32, error) {
	if r, ok := v.Embedder.(Rememberer); ok {
		_, now, err := r.EmbedAfresh(ctx, user, ForQuery, nil, text)
		return now, err
	}
	got, err := v.Embedder.Embed(ctx, user, ForQuery, []string{text})
	if err != nil {
		return nil, err
	}
	if len(got) != 1 {
		return nil, Errorf(Internal, "the embedder answered %d vectors for 1 text", len(got))
	}
	return got[0], nil
}

// sample looks one up now and then. Callers who come while it is looked up look
// it up too: nobody waits for another. Where there was none, it is looked for
// again after patience.
func (v *verified) sample(ctx context.Context, patience time.Duration) (Sample, error) {
	v.mu.Lock()
	last := v.stored
	if last.Vector != nil {
		patience = sampleEvery
	}
	recent := !v.looked.IsZero() && time.Since(v.looked) < patience
	v.mu.Unlock()
	if recent {
		return last, nil
	}
	found, err := v.sampler.Sample(ctx, v.Model())
	if err != nil {
		if last.Vector != nil && ctx.Err() == nil {
			return last, nil // the one that was there
		}
		return Sample{}, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.looked = time.Now()
	if found.Vector == nil || !v.doubt.of(found.Chunk) { // else the one that stands for it remains
		v.stored = found
	}
	return v.stored, nil
}

func (v *verified) likeness() float64 {
	if s, ok := v.sampler.(interface{ Likeness() float64 }); ok {
		return s.Likeness()
	}
	return likeness
}

// dot is the cosine of two vectors of unit length and the same number of values.
func dot(a, b []float32) float64 {
	var sum float64
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

// Shortens asks the embedder it stands for.
func (v *verified) Shortens(dim int) bool {
	s, ok := v.Embedder.(shortener)
	return ok && s.Shortens(dim)
}

// checker compares the embedder in use with a stored passage where that is due,
// until ctx ends, so that one that begins to give other vectors under the same
// name is not believed for long. One that cannot be asked stays what it was.
func (s *Service) checker(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		v, ok := s.embedder().(*verified)
		if !ok || !v.due() {
			continue
		}
		bounded, cancel := context.WithTimeoutCause(ctx, s.cfg.Timeout, errDeadline)
		_, err := await(bounded, func() (struct{}, error) { return struct{}{}, v.compare(bounded, "") })
		cancel()
		if err != nil && ctx.Err() == nil {
			s.cfg.Log.DebugContext(ctx, "the embedder could not be held against a stored passage", "error", err)
		}
	}
}
