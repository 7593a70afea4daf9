package chat

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"weir/internal/openai"
	"weir/internal/provider"
	"weir/internal/rag"
)

// writer turns what comes of one answer into news.
type writer struct {
	p      *Pipeline
	a      *attempt
	sent   openai.ChatRequest
	head   http.Header
	pieces pieces

	said     bool // a piece was told
	thought  bool
	finished string
	usage    *openai.ChatUsage
}

// drainFor is how long the end of the connection's message is waited for once
// the answer is whole, so that the connection can be used again.
const drainFor = 250 * time.Millisecond

// events reads an answer that is streamed.
func (w *writer) events(ctx context.Context, body *bufio.Reader) *provider.Fault {
	s := newStream(body, w.p.cfg.MaxLineBytes)
	for {
		data, err := s.next()
		switch {
		case err != nil && w.finished != "":
			return w.end(ctx) // what was wanted is there
		case errors.Is(err, io.EOF):
			return w.broke(errors.New("the stream ended before the answer did"))
		case err != nil:
			return w.failed(ctx, err)
		case string(bytes.TrimSpace(data)) == openai.ChatDone:
			if w.finished == "" && !w.said {
				return w.nothing()
			}
			fault := w.end(ctx)
			if fault == nil {
				w.drain(s.in)
			}
			return fault
		}
		if fault, left := w.event(ctx, data); fault != nil || left {
			return fault
		}
		if w.finished != "" && w.usage != nil { // nothing is wanting: [DONE] need not come
			fault := w.end(ctx)
			w.drain(s.in)
			return fault
		}
	}
}

// drain reads on for a moment.
func (w *writer) drain(r io.Reader) {
	cut := time.AfterFunc(drainFor, func() { w.a.end(nil) })
	defer cut.Stop()
	_, _ = io.CopyN(io.Discard, r, provider.MaxDrain)
}

// whole reads an answer that is one piece of JSON: there are servers that do
// not stream.
func (w *writer) whole(ctx context.Context, body io.Reader) *provider.Fault {
	const besides, longest = 64 << 10, 6 // \u00e9
	limit := longest*int64(w.p.cfg.MaxAnswerBytes) + besides
	var b bytes.Buffer
	n, err := b.ReadFrom(io.LimitReader(body, limit+1))
	switch {
	case err != nil:
		return w.failed(ctx, err)
	case n > limit:
		return w.failed(ctx, errLongAnswer)
	}
	if fault, left := w.event(ctx, b.Bytes()); fault != nil || left {
		return fault
	}
	if w.finished == "" { // it is whole all the same: it is valid JSON
		w.finished = "stop"
	}
	return w.end(ctx)
}

// event takes in one event. left: the caller has left.
func (w *writer) event(ctx context.Context, data []byte) (fault *provider.Fault, left bool) {
	got, err := openai.DecodeChatNews(data)
	var refusal *openai.Error
	switch {
	case errors.As(err, &refusal):
		f := w.p.peer.Refused(refusal, w.head, contents(w.sent), provider.Check)
		return f, false
	case err != nil:
		f := w.p.peer.Fault(provider.Decode, err, "sent an answer that cannot be read")
		f.Retry = true
		return f, false
	}
	if got.Usage != nil {
		w.usage = got.Usage
	}
	if got.Text != "" && w.finished == "" {
		piece, err := w.pieces.add(got.Text)
		if err != nil {
			return w.failed(ctx, err), false
		}
		if piece != "" {
			w.said = true
			w.a.where.Set(provider.Token)
			left = !w.a.tell(ctx, news{piece: piece})
		}
	} else if got.Thinking {
		w.thought = true
		left = !w.a.tell(ctx, news{thinking: true})
	}
	if left || got.FinishReason == "" || w.finished != "" {
		return nil, left
	}
	w.finished = reason(got.FinishReason)
	if w.finished == "" {
		return w.broke(errors.New("it ended in an error")), false
	}
	if !w.said {
		return w.nothing(), false
	}
	return nil, !w.a.tell(ctx, news{finish: w.finished, usage: w.usage})
}

// reason is why an answer ended, in OpenAI's words; "": of an error.
func reason(said string) string {
	switch said {
	case "length", "content_filter":
		return said
	case "max_tokens", "model_length":
		return "length"
	case "safety", "SAFETY", "refusal":
		return "content_filter"
	case "error":
		return ""
	default: // stop, eos, end_turn, …
		return "stop"
	}
}

// end tells that the answer is whole.
func (w *writer) end(ctx context.Context) *provider.Fault {
	if !w.said {
		return w.nothing()
	}
	if last := w.pieces.last(); last != "" && !w.a.tell(ctx, news{piece: last}) {
		return nil
	}
	w.a.tell(ctx, news{done: true, finish: cmp.Or(w.finished, "stop"), usage: w.usage})
	return nil
}

// nothing is for an answer without a word, which is none.
func (w *writer) nothing() *provider.Fault {
	says := "answered with nothing"
	switch w.finished {
	case "content_filter":
		says = "did not answer: its content filter held the answer back"
	case "length":
		says = "used up all it may write before the first word of its answer"
	}
	f := w.p.peer.Fault(provider.Check, nil, "%s", says)
	f.Retry = w.finished != "content_filter" && w.finished != "length"
	return f
}

// broke is for an answer that has no end.
func (w *writer) broke(cause error) *provider.Fault {
	f := w.p.peer.Fault(w.a.where.Phase(), cause, "broke off its answer")
	f.Retry = true
	return f
}

// failed judges an error of reading.
func (w *writer) failed(ctx context.Context, err error) *provider.Fault {
	at := w.a.where.Phase()
	switch {
	case errors.Is(err, errLongLine):
		return w.p.peer.Fault(provider.Body, err, "sent a line of more than %d bytes", w.p.cfg.MaxLineBytes)
	case errors.Is(err, errLongAnswer):
		return w.p.peer.Fault(provider.Body, err, "sent an answer of more than %d bytes", w.p.cfg.MaxAnswerBytes)
	case errors.Is(err, errBlank):
		return w.p.peer.Fault(at, err, "sends nothing but white space")
	case errors.Is(err, errHalfLine):
		return w.broke(err)
	default:
		return w.p.peer.Broken(noCaller(ctx), ctx, at, err)
	}
}

// chatEnd is what a caller is told of an answer that is whole.
func chatEnd(finish string, u *openai.ChatUsage) rag.ChatEnd {
	e := rag.ChatEnd{FinishReason: finish}
	if u != nil {
		e.PromptTokens, e.CompletionTokens = u.PromptTokens, u.CompletionTokens
	}
	return e
}
