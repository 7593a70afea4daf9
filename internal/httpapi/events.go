package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"weir/internal/openapi"
	"weir/internal/rag"
)

// events is GET /v1/documents/{id}/events: server-sent events until the
// document is in a final status. A document that is not there is a problem,
// not a stream.
func (d *door) events(ctx context.Context, x *exchange) (reply, error) {
	id, err := x.documentID()
	if err != nil {
		return reply{}, err
	}
	leave, err := d.streams.enter(ctx, 0)
	if err != nil {
		return reply{}, err
	}
	defer leave()
	watching, end := d.lasting(ctx, x)
	defer end()

	changes := make(chan rag.Document)
	over := make(chan error, 1)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		over <- d.svc.Watch(watching, x.user, id, func(doc rag.Document) error {
			select {
			case changes <- doc:
				return nil
			case <-watching.Done():
				return watching.Err()
			}
		})
	}()
	defer func() { end(); <-watched }()

	err = d.stream(x, changes, over)
	switch {
	case err == nil:
		return reply{}, nil
	case ctx.Err() != nil || errors.Is(err, errReaderLeft):
		return reply{}, &rag.Error{Code: rag.Canceled, Phase: "stream", Msg: "the reader of the stream left", Err: err}
	}
	err = stopped(watching, err)
	if x.status == 0 {
		return reply{}, err
	}
	p, _ := problemOf(watching, err, x.operation)
	x.told = x.event(d.cfg.WriteTimeout, eventError, p) == nil
	return reply{}, err
}

// errReaderLeft is the end of a stream whose reader is gone or too slow.
var errReaderLeft = errors.New("the stream's reader took too long, or left")

// stream writes what comes until Watch is over. The handler's goroutine alone
// writes.
func (d *door) stream(x *exchange, changes <-chan rag.Document, over <-chan error) error {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		var err error
		select {
		case doc := <-changes:
			name := eventProgress
			if doc.Status.Final() {
				name = eventDone
			}
			err = x.event(d.cfg.WriteTimeout, name, doc)
		case <-beat.C:
			if x.status != 0 {
				err = x.push(d.cfg.WriteTimeout, ": still here\n\n")
			}
		case err := <-over:
			return err
		}
		if err != nil {
			return err
		}
	}
}

func (x *exchange) event(timeout time.Duration, name string, data any) error {
	b, err := json.Marshal(data) // on one line, as the format wants it
	if err != nil {
		return fmt.Errorf("writing an event as JSON: %w", err)
	}
	return x.push(timeout, "event: "+name+"\ndata: "+string(b)+"\n\n")
}

// push sends text now, under a deadline of its own. The first push begins the
// answer.
func (x *exchange) push(timeout time.Duration, text string) error {
	_ = x.control.SetWriteDeadline(time.Now().Add(timeout)) // fails where there is no connection
	if x.status == 0 {
		h := x.w.Header()
		h.Set("Content-Type", "text/event-stream")
		h.Set("X-Accel-Buffering", "no") // a proxy must not collect events
		h.Set(operationHeader, x.operation)
		x.status = http.StatusOK
		x.w.WriteHeader(x.status)
	}
	if _, err := x.w.Write([]byte(text)); err != nil {
		return errors.Join(errReaderLeft, err)
	}
	if err := x.control.Flush(); err != nil {
		return errors.Join(errReaderLeft, err)
	}
	return nil
}

func eventsDoc() description {
	return description{
		id: "watch_document", tag: "documents", summary: "The progress of a document, as server-sent events", refuses: []rag.Code{rag.NotFound},
		about: "The first event comes at once, and a comment line every 15 s. `" + eventProgress + "`: the document changed and is not in a final status. `" +
			eventDone + "`: it is; the stream ends. `" + eventError + "`: the stream ends before that, with a problem: the document was deleted, the server stops, or the key is no longer good.",
		gives: map[int]given{http.StatusOK: {about: "The events.", content: map[string]*openapi.Media{"text/event-stream": {
			Events: map[string]*openapi.Schema{
				eventProgress: openapi.Ref("Document"), eventDone: openapi.Ref("Document"), eventError: openapi.Ref("Problem"),
			},
		}}}},
	}
}
