package httpapi

import (
	"context"
	"errors"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"weir/internal/rag"
)

// teller writes the steps of an answer in the shape of its route. An error of it
// is a reader who left, or is too slow.
type teller interface {
	step(d *door, e rag.AskEvent) error
	done(d *door, a *rag.Answer) error
	failed(d *door, p Problem) error
}

// relay asks, and tells each step as it comes. What fails before the first is
// returned to be a problem with a status of its own; what fails later is told
// in the stream.
//
// Who writes to a slow reader does not hold up the answer, and with it a slot at
// the provider: what is not written yet waits in an outbox.
func (d *door) relay(ctx context.Context, x *exchange, r rag.AskRequest, to teller) error {
	a, err := d.follow(ctx, x, r, to)
	if err == nil {
		err = to.done(d, a)
	}
	switch {
	case err == nil || x.status == 0:
		return err
	case errors.Is(err, errReaderLeft), ctx.Err() != nil && !errors.Is(context.Cause(ctx), errStopped):
		return &rag.Error{Code: rag.Canceled, Phase: "stream", Msg: "the reader of the stream left", Err: err}
	}
	err = stopped(ctx, err)
	p, _ := problemOf(ctx, err, x.operation)
	x.told = to.failed(d, p) == nil
	return err
}

// follow runs Ask beside the handler's goroutine, which alone writes.
func (d *door) follow(ctx context.Context, x *exchange, r rag.AskRequest, to teller) (*rag.Answer, error) {
	asking, cancel := context.WithCancel(ctx)
	box := outbox{filled: make(chan struct{}, 1)}
	var answer *rag.Answer
	var failure error
	over := make(chan struct{})
	go func() {
		defer close(over)
		defer func() {
			if v := recover(); v != nil {
				failure = &panicError{value: v, stack: debug.Stack()}
			}
		}()
		answer, failure = d.svc.Ask(asking, x.user, r, box.put)
	}()
	defer func() { cancel(); <-over }()
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	tell := func() error {
		for _, e := range box.take() {
			if err := to.step(d, e); err != nil {
				return err
			}
		}
		return nil
	}
	for {
		var err error
		select {
		case <-box.filled:
			err = tell()
		case <-beat.C:
			if x.status != 0 {
				err = x.push(d.cfg.WriteTimeout, ": still here\n\n")
			}
		case <-over:
			if err := tell(); err != nil {
				return nil, err
			}
			return answer, failure
		}
		if err != nil {
			return nil, err
		}
	}
}

// outbox keeps steps until they are written. It is never longer than an answer
// is, as texts that follow each other are joined.
type outbox struct {
	filled chan struct{} // has room for one: who puts does not wait

	mu     sync.Mutex
	steps  []rag.AskEvent
	text   strings.Builder // after steps
	notice bool            // text is one
}

func (b *outbox) put(e rag.AskEvent) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e.Passages != nil || e.Notice != b.notice {
		b.close()
	}
	if e.Passages != nil {
		b.steps = append(b.steps, e)
	}
	b.text.WriteString(e.Text)
	b.notice = e.Notice
	select {
	case b.filled <- struct{}{}:
	default:
	}
	return nil
}

// close ends the text that others were joined to.
func (b *outbox) close() {
	if b.text.Len() > 0 {
		b.steps = append(b.steps, rag.AskEvent{Text: b.text.String(), Notice: b.notice})
		b.text.Reset()
	}
}

func (b *outbox) take() []rag.AskEvent {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.close()
	steps := b.steps
	b.steps = nil
	return steps
}
