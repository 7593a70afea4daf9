package rag

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"
)

const (
	// maxAnswer is the longest answer that is taken, in bytes: far beyond what
	// is of use to anybody.
	maxAnswer = 1 << 20
	// enough is how much a model may write on after it said that there is no
	// answer.
	enough = 256
)

// readerError is an error of the caller's emit, told from the model's.
type readerError struct{ err error }

func (e *readerError) Error() string { return e.err.Error() }

// write has the model write, and takes its text as it comes. It leaves a little
// before ctx ends, so that there is time to answer with the passages, and the
// model is given up a little before that, so that it can say what it waited
// for.
func (a *asking) write(ctx context.Context) (err error) {
	mark := time.Now()
	ctx, traced := a.s.span(ctx, "chat")
	defer func() { traced(err, a.notes()...) }()
	defer func() { a.answer.Timings.Answer = ms(time.Since(mark)) }()
	prompt, cut := a.prompt()
	if cut {
		a.degrade("history_cut", fmt.Sprintf("of what was said before, the latest %d bytes were told to the model", MaxHistory))
	}
	ctx, cancel := ahead(ctx, errAnswerBudget)
	defer cancel()
	pieces, over := a.ask(ctx, prompt)
	for {
		select {
		case piece := <-pieces:
			if a.answer.Timings.FirstToken == 0 {
				a.answer.Timings.FirstToken = ms(time.Since(mark))
			}
			if err := a.take(a.filter.write(piece)); err != nil {
				return err
			}
			switch {
			case a.filter.marks.swallowed > enough:
				a.written = ChatEnd{FinishReason: "stop"}
				return nil
			case a.text.Len() > maxAnswer:
				a.written = ChatEnd{FinishReason: "length"}
				return a.take(a.filter.flush())
			}
		case o := <-over: // and so no piece is on its way
			if o.err != nil {
				if ctx.Err() != nil {
					return endedWith(ctx, o.err)
				}
				return o.err
			}
			a.written = o.end
			return a.take(a.filter.flush())
		case <-ctx.Done():
			return ended(ctx)
		}
	}
}

// chatOver is how a call of the model ended.
type chatOver struct {
	end ChatEnd
	err error
}

// ask calls the model beside the caller, who leaves it when ctx ends: a model
// that is deaf to that gives its pieces to nobody.
func (a *asking) ask(ctx context.Context, prompt []ChatMessage) (<-chan string, <-chan chatOver) {
	pieces, over := make(chan string), make(chan chatOver, 1)
	r := ChatRequest{Messages: prompt, MaxTokens: a.request.MaxTokens, Temperature: a.request.Temperature}
	model, user := a.s.cfg.Chat, a.user
	go func() {
		var o chatOver
		defer func() {
			if p := recover(); p != nil {
				o.err = &Error{Code: Internal, Msg: "an internal error", Err: fmt.Errorf("panic: %v\n%s", p, debug.Stack())}
			}
			over <- o
		}()
		early, cancel := ahead(ctx, errAnswerBudget)
		defer cancel()
		o.end, o.err = model.Chat(early, user, r, func(piece string) error {
			select {
			case pieces <- piece:
				return nil
			case <-ctx.Done():
				return ended(ctx)
			}
		})
	}()
	return pieces, over
}

// endedWith is ended, but in the words of err where that is an Error of its own
// about the deadline.
func endedWith(ctx context.Context, err error) error {
	if CodeOf(err) == Timeout {
		return err
	}
	return ended(ctx)
}

// take adds what is good of the model's text.
func (a *asking) take(text string) error {
	if text == "" {
		return nil
	}
	a.text.WriteString(text)
	if a.emit == nil {
		return nil
	}
	a.told = true
	if err := a.emit(AskEvent{Text: text}); err != nil {
		return &readerError{err}
	}
	return nil
}

// notes is what the span of the writing says of its end.
func (a *asking) notes() []slog.Attr {
	if a.written.FinishReason == "" {
		return nil
	}
	return []slog.Attr{slog.String("finish_reason", a.written.FinishReason)}
}
