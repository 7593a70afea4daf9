package rag

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// retrieval is one question on its way.
type retrieval struct {
	s        *Service
	user     User
	q        question
	call     *call
	place    *place
	embedder Embedder
	response *Response
}

// Retrieve answers a Request from the user's own documents.
//
// When the embedder does not answer in time or fails, a hybrid question is
// answered by its lexical half and says so in Degraded; a vector question
// gets the embedder's error. The errors are [Error] values: Invalid,
// Overloaded, Unavailable, Timeout, Canceled, Internal.
func (s *Service) Retrieve(ctx context.Context, user User, r Request) (*Response, error) {
	began := time.Now()
	if err := checkUser(user); err != nil {
		return nil, err
	}
	embedder := s.embedder()
	q, err := r.validate(embedder.Model())
	if err != nil {
		return nil, err
	}
	ctx, cancel := s.deadline(ctx, q.timeout)
	defer cancel()
	var resp *Response
	err = s.observed(ctx, "retrieve", func(ctx context.Context, c *call, end *CallEnd) error {
		var err error
		resp, err = s.retrieve(ctx, user, q, embedder, began, c, end)
		return err
	})
	if err != nil {
		return nil, err
	}
	resp.Timings.Total = ms(time.Since(began))
	return resp, nil
}

// retrieve is the part of a call that needs a place: it waits for one, and gives
// it back before it returns.
func (s *Service) retrieve(ctx context.Context, user User, q question, embedder Embedder, began time.Time, c *call, end *CallEnd) (*Response, error) {
	place, err := traced(ctx, s, "queue", func(ctx context.Context) (*place, error) { return s.admission.take(ctx, user, q.bytes()) })
	end.Timings.Queue = ms(time.Since(began))
	if err != nil {
		return nil, err
	}
	defer place.release()
	t := retrieval{s: s, user: user, q: q, call: c, place: place, embedder: embedder, response: &Response{OperationID: c.id, Timings: end.Timings}}
	err = t.run(ctx)
	end.Timings, end.Mode, end.Degraded = t.response.Timings, t.response.Mode, t.response.Degraded
	if t.response.EmptyReason != nil {
		end.Empty = *t.response.EmptyReason
	}
	return t.response, err
}

func (t *retrieval) run(ctx context.Context) error {
	if err := t.q.checkTokens(t.s.cfg.CountTokens); err != nil {
		return err
	}
	err := t.once(ctx)
	for try := 1; errors.Is(err, errMoved); try++ {
		if try == maxFollowed {
			return &Error{Code: Unavailable, Phase: "search", Msg: "the documents are moved from model to model faster than a question can be asked", Err: err}
		}
		if t.q.embedding != nil {
			return FieldErrorf("embedding", "is of a model that has just been replaced by %s", t.embedder.Model().Name)
		}
		t.response.Degraded = nil
		err = t.once(ctx)
	}
	return err
}

// once asks with the embedder in use, and returns errMoved when that was
// replaced by another meanwhile.
func (t *retrieval) once(ctx context.Context) error {
	mark := time.Now()
	vector, err := t.vector(ctx)
	t.response.Timings.Embed += ms(time.Since(mark))
	if err != nil {
		return err
	}
	mark = time.Now()
	err = t.search(ctx, vector)
	t.response.Timings.Search += ms(time.Since(mark))
	return err
}

// vector settles the mode and returns the question's vector, nil for a
// lexical search.
func (t *retrieval) vector(ctx context.Context) ([]float32, error) {
	q, r := &t.q, t.response
	r.Mode = q.mode
	if r.Mode == "" {
		r.Mode = t.s.defaultMode()
	}
	switch {
	case q.embedding != nil:
		r.Mode = Vector // without a text there is no other half
		return q.embedding, nil
	case r.Mode == Lexical:
		return nil, nil
	case t.embedder.Model() == (Model{}): // a hybrid search, asked for by name
		r.Mode = Lexical
		r.Degraded = append(r.Degraded, Degraded{
			Stage: "embed", Reason: "no_embedder", Message: "this server has no embedder; only the words were searched",
		})
		return nil, nil
	}
	t.call.enter("embed")
	v, err := traced(ctx, t.s, "embed", t.embed)
	switch {
	case err == nil:
		return v, nil
	case ctx.Err() != nil:
		return nil, ended(ctx)
	case r.Mode == Vector:
		return nil, err
	}
	r.Mode = Lexical
	r.Degraded = append(r.Degraded, degradedBy("embed", err))
	return nil, nil
}

// embed has what is left of the deadline less a reserve for the search and
// the writing of the answer.
func (t *retrieval) embed(ctx context.Context) ([]float32, error) {
	if deadline, ok := ctx.Deadline(); ok {
		reserve := min(time.Until(deadline)/4, time.Second)
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, deadline.Add(-reserve), errEmbedBudget)
		defer cancel()
	}
	texts := t.q.texts()
	vectors, err := stage(ctx, t.place, func() ([][]float32, error) {
		ctx, cancel := ahead(ctx, errEmbedBudget)
		defer cancel()
		return t.embedder.Embed(ctx, t.user, ForQuery, texts)
	})
	if err != nil {
		return nil, asField(err, func(int) string { return "query" })
	}
	dim := t.embedder.Model().Dim
	if len(vectors) != len(texts) || slices.ContainsFunc(vectors, func(v []float32) bool { return len(v) != dim }) {
		return nil, Errorf(Internal, "the embedder answered %d vectors for %d texts, or of another length", len(vectors), len(texts))
	}
	return blend(vectors), nil
}

// ahead ends a little before ctx, so that who is asked can say itself what it
// waited for; whoever waits for it until ctx ends would know only that it took
// too long.
func ahead(ctx context.Context, cause error) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return ctx, func() {}
	}
	lead := min(time.Until(deadline)/20, 50*time.Millisecond)
	return context.WithDeadlineCause(ctx, deadline.Add(-lead), cause)
}

var errEmbedBudget = errors.New("the embedding stage used up its part of the deadline")

func degradedBy(stage string, err error) Degraded {
	d := Degraded{Stage: stage, Reason: string(CodeOf(err))}
	var e *Error
	if errors.Is(err, ErrNoProvider) {
		d.Reason = "no_embedder_for_model"
	}
	if errors.As(err, &e) {
		d.Message = e.Msg
		d.RetryAfterMS = e.RetryAfter.Milliseconds()
	}
	return d
}

func (t *retrieval) search(ctx context.Context, vector []float32) error {
	t.call.enter("search")
	query := Query{Vector: vector, Documents: t.q.documents, Limit: depth(t.q.max)}
	if vector != nil {
		query.Model = t.embedder.Model()
	}
	if t.response.Mode != Vector {
		query.Text = t.q.text
	}
	found, err := traced(ctx, t.s, "search", func(ctx context.Context) (Candidates, error) {
		return stage(ctx, t.place, func() (Candidates, error) { return t.candidates(ctx, query) })
	})
	if err != nil {
		return err
	}
	if found.NoVector > 0 {
		if err := t.lookAgain(ctx, found, query.Model); err != nil {
			return err
		}
	}
	t.declare(found, query)
	scale := t.s.cfg.Calibrate(t.embedder.Model())
	hits, below := aboveThreshold(fuse(found, t.response.Mode, scale.VectorWeight), or(t.q.threshold, scale.Threshold))
	picked, err := traced(ctx, t.s, "pick", func(ctx context.Context) (selection, error) {
		return stage(ctx, t.place, func() (selection, error) { return t.pick(ctx, hits) })
	})
	if err != nil {
		return err
	}
	t.response.Chunks, t.response.Tokens, t.response.Truncated = picked.passages, picked.tokens, picked.truncated
	if len(picked.passages) > 0 {
		return nil
	}
	reason, err := stage(ctx, t.place, func() (EmptyReason, error) {
		return t.emptyReason(ctx, found, below, picked.truncated)
	})
	t.response.EmptyReason = &reason
	return err
}

// lookAgain returns errMoved when passages have no vector of a model because
// it is not the one in use any more, in this server or another.
func (t *retrieval) lookAgain(ctx context.Context, found Candidates, asked Model) error {
	embedder, err := t.s.current.settled(ctx)
	if err != nil {
		return err
	}
	all := found.NoVector == found.Chunks // a move takes all of them at once
	if all && embedder.Model() == asked {
		_, err = stage(ctx, t.place, func() (struct{}, error) { return struct{}{}, t.s.look(ctx) })
		embedder = t.s.embedder()
	}
	switch {
	case embedder.Model() != asked:
		t.embedder = embedder
		return errMoved
	case !all || t.response.Mode != Vector:
		return nil // the words were searched, and declare says so
	case err != nil:
		return err
	}
	remedy := "weir reembed gives them vectors"
	if _, ok := t.s.store.(Reembedder); !ok {
		remedy = "is it the model that the documents were embedded with?"
	}
	return &Error{
		Code: Unavailable, Phase: "search",
		Msg: fmt.Sprintf("none of the %d passages has a vector of the model %s; %s", found.Chunks, asked.Name, remedy),
	}
}

// depth is how many candidates each half gives: enough that a threshold or a
// passage found by one half only does not leave the answer short.
func depth(maxChunks int) int { return max(100, 2*maxChunks) }

// declare adds what the caller must know of a search that was not whole.
func (t *retrieval) declare(found Candidates, q Query) {
	if found.NoVector > 0 {
		how := "only their words were searched"
		if t.response.Mode == Vector {
			how = "they were not searched"
		}
		t.response.Degraded = append(t.response.Degraded, Degraded{
			Stage: "search", Reason: "no_vectors",
			Message: fmt.Sprintf("%d of %d passages have no vector of the model %s; %s", found.NoVector, found.Chunks, q.Model.Name, how),
		})
	}
	if found.Note != "" {
		t.response.Degraded = append(t.response.Degraded, Degraded{Stage: "search", Reason: "query_cut", Message: found.Note})
	}
}

func (t *retrieval) emptyReason(ctx context.Context, found Candidates, below, truncated bool) (EmptyReason, error) {
	switch {
	case truncated:
		return OverBudget, nil
	case below:
		return BelowThreshold, nil
	}
	counts, err := t.s.store.Counts(ctx, t.user, t.q.documents)
	switch {
	case err != nil:
		return "", err
	case found.Chunks > 0 || counts[Ready] > 0:
		return NoMatch, nil
	case counts[Queued]+counts[Parsing]+counts[Embedding] > 0:
		return StillIndexing, nil
	}
	return NoDocuments, nil
}
