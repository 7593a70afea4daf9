package httpapi

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"weir/internal/rag"
)

// maxEvent is the longest line of a stream that a Client reads.
const maxEvent = 1 << 20

// Watch calls fn with the document as it is, and again whenever it changed,
// until it is in a final status (then it returns nil), fn returns an error,
// ctx ends, or the server stops (Unavailable).
func (c *Client) Watch(ctx context.Context, user rag.User, id string, fn func(rag.Document) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(c.cfg.Silence, func() { cancel(errSilence) })
	defer silence.Stop()

	resp, err := c.send(ctx, outgoing{method: http.MethodGet, path: []string{"documents", id, "events"}, user: user})
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // as in call
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxEvent)
	var e event
	for lines.Scan() {
		silence.Reset(c.cfg.Silence)
		if !e.take(lines.Bytes()) {
			continue
		}
		if done, err := e.deliver(fn); done || err != nil {
			return err
		}
		e = event{}
	}
	err = lines.Err()
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return c.failed(ctx, "body", err)
}

// Wait returns the document once it is in a final status.
func (c *Client) Wait(ctx context.Context, user rag.User, id string) (rag.Document, error) {
	var doc rag.Document
	err := c.Watch(ctx, user, id, func(d rag.Document) error { doc = d; return nil })
	return doc, err
}

var errSilence = errors.New("the stream went silent")

// event is one server-sent event as far as it was read. The fields are those
// of https://html.spec.whatwg.org/multipage/server-sent-events.html; only the
// two that the server sends are looked at.
type event struct {
	name string
	data []byte
}

// take reads one line and reports whether it ended the event.
func (e *event) take(line []byte) bool {
	if len(line) == 0 {
		return e.name != "" && e.data != nil
	}
	field, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch string(field) {
	case "event":
		e.name = string(value)
	case "data":
		e.data = bytes.Clone(value)
	}
	return false
}

func (e *event) deliver(fn func(rag.Document) error) (done bool, err error) {
	if e.name == eventError {
		var p Problem
		if err := json.Unmarshal(e.data, &p); err != nil {
			return true, undecodable(err)
		}
		return true, p.err()
	}
	if e.name != eventProgress && e.name != eventDone {
		return false, nil // of a newer server
	}
	var doc rag.Document
	if err := json.Unmarshal(e.data, &doc); err != nil {
		return true, undecodable(err)
	}
	return e.name == eventDone, fn(doc)
}

func undecodable(err error) error {
	return &rag.Error{Code: rag.Unavailable, Phase: "decode", Msg: "the server's answer cannot be read; is it of another version?", Err: err}
}
