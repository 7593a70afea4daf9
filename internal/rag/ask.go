package rag

import (
	"context"
	"errors"
	"strings"
	"time"
)

var (
	errRetrieveBudget = errors.New("the retrieval used up its part of the deadline")
	errAnswerBudget   = errors.New("the chat model used up what was left of the deadline")
)

// Ask answers a question in words, written by the chat model from the user's
// own passages, with a citation after each claim. emit is given the steps as
// they come, by the goroutine that called Ask; its error ends the call and is
// returned. With a nil emit there is the Answer alone.
//
// Where no answer can be written the passages themselves are the answer, and
// Degraded says so: without a chat model, and when it failed before anything
// of it was emitted. When it fails later that is an error: what was emitted is
// not whole. The errors are [Error] values: those of Retrieve, and those of
// [ChatModel].
//
// emit must not wait for a network: Ask cannot leave it at the deadline.
func (s *Service) Ask(ctx context.Context, user User, r AskRequest, emit func(AskEvent) error) (*Answer, error) {
	began := time.Now()
	if err := checkUser(user); err != nil {
		return nil, err
	}
	embedder := s.embedder()
	q, err := r.validate(embedder.Model())
	if err != nil {
		return nil, err
	}
	ctx, cancel := within(ctx, s.askTimeout(), q.timeout)
	defer cancel()
	a := asking{s: s, user: user, request: r, q: q, emit: emit}
	err = s.observed(ctx, "ask", func(ctx context.Context, c *call, end *CallEnd) error {
		found, err := s.passages(ctx, user, q, embedder, began, c, end)
		if err != nil {
			return err
		}
		found.Timings.Total = ms(time.Since(began))
		a.begin(found)
		err = a.run(ctx, c)
		end.Degraded, end.Timings = a.answer.Degraded, a.answer.Timings
		return err
	})
	if err != nil {
		return nil, err
	}
	a.answer.Timings.Total = ms(time.Since(began))
	return &a.answer, nil
}

// passages retrieves, in half of the time where a model has to write too.
func (s *Service) passages(ctx context.Context, user User, q question, embedder Embedder, began time.Time, c *call, end *CallEnd) (*Response, error) {
	part := s.cfg.Timeout
	if deadline, ok := ctx.Deadline(); ok && s.ChatModel() != "" {
		part = min(part, time.Until(deadline)/2)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, part, errRetrieveBudget)
	defer cancel()
	return s.retrieve(ctx, user, q, embedder, began, c, end)
}

// asking is one question on its way to an answer.
type asking struct {
	s       *Service
	user    User
	request AskRequest
	q       question
	emit    func(AskEvent) error

	found   *Response
	answer  Answer
	text    strings.Builder
	told    bool // a piece of the model's text was emitted
	filter  filter
	written ChatEnd
}

func (a *asking) begin(found *Response) {
	a.found = found
	a.filter.cites.count = len(found.Chunks)
	a.answer = Answer{
		OperationID: found.OperationID, Citations: []Citation{}, Passages: found.Chunks, Mode: found.Mode, Tokens: found.Tokens,
		SearchedWith: a.q.earlier, Truncated: found.Truncated, Degraded: found.Degraded, EmptyReason: found.EmptyReason, Timings: found.Timings,
	}
}

func (a *asking) run(ctx context.Context, c *call) error {
	if a.emit != nil {
		if err := a.emit(AskEvent{Passages: a.found}); err != nil {
			return err
		}
	}
	switch {
	case a.found.EmptyReason != nil: // a model could only make something up
		return a.notice(emptySentence(*a.found.EmptyReason, len(a.q.documents) > 0))
	case a.s.ChatModel() == "":
		a.degrade("no_chat_model", "this server has no chat model (WEIR_CHAT_MODEL); these are the passages")
		return a.notice(passagesText("no chat model is set up here", "no_chat_model", a.found.Chunks))
	}
	c.enter("answer")
	err := a.write(ctx)
	var reader *readerError
	switch {
	case err == nil:
		return a.finish()
	case errors.As(err, &reader):
		return reader.err
	case errors.Is(ctx.Err(), context.Canceled):
		return ended(ctx)
	case a.told:
		return brokenOff(err)
	}
	d := degradedBy("answer", err)
	a.answer.Degraded = append(a.answer.Degraded, d)
	return a.notice(passagesText(unwritten(err), d.Reason, a.found.Chunks))
}

// finish makes the answer of what the model wrote.
func (a *asking) finish() error {
	f := &a.filter
	a.answer.Model = a.s.ChatModel()
	a.answer.Finish = a.written.FinishReason
	if p, c := a.written.PromptTokens, a.written.CompletionTokens; p > 0 || c > 0 {
		a.answer.Usage = &ChatUsage{p, c, p + c}
	}
	cut := a.written.FinishReason
	if cut != "length" && cut != "content_filter" {
		cut = ""
	}
	switch {
	case f.declined():
		return a.notice(declined)
	case a.text.Len() == 0:
		a.answer.Model = ""
		reason, why := wordless(cut)
		a.degrade(reason, why+"; these are the passages")
		return a.notice(passagesText(why, reason, a.found.Chunks))
	}
	a.answer.Text = a.text.String()
	for n, p := range a.found.Chunks {
		if f.cites.used[n+1] {
			a.answer.Citations = append(a.answer.Citations, citation(n+1, p))
		}
	}
	// Who says in so many words that there is no answer, after all, has written
	// one only as far as it stands on passages.
	a.answer.Answered = !f.marks.seen || len(a.answer.Citations) > 0
	a.answer.Dropped = f.cites.dropped
	if f.cites.dropped > 0 {
		a.degrade("citations_dropped", "citations that point to no passage were taken out")
	}
	if a.answer.Answered && len(a.answer.Citations) == 0 {
		a.degrade("uncited", "the answer cites no passage; nothing shows that it comes from the documents")
	}
	switch cut {
	case "length":
		a.degrade("length", "the answer was cut off at the most tokens it may have")
	case "content_filter":
		a.degrade("content_filter", "the provider's filter cut the answer off")
	}
	return nil
}

func (a *asking) degrade(reason, message string) {
	a.answer.Degraded = append(a.answer.Degraded, Degraded{Stage: "answer", Reason: reason, Message: message})
}

// notice answers in Weir's own words.
func (a *asking) notice(text string) error {
	a.answer.Text = text
	if a.emit == nil {
		return nil
	}
	return a.emit(AskEvent{Text: text, Notice: true})
}

// brokenOff is the error of an answer that was half told.
func brokenOff(err error) error {
	e := &Error{Code: CodeOf(err), Msg: "the answer broke off and is not whole", Phase: "answer", Err: err}
	var was *Error
	if errors.As(err, &was) {
		e.Msg += ": " + was.Msg
		e.Phase, e.RetryAfter, e.Err = was.Phase, was.RetryAfter, was.Err
	}
	return e
}
