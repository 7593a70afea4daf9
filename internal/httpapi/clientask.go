package httpapi

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"weir/internal/rag"
)

// maxAskEvent is the longest line of an answer's stream that a Client reads:
// all passages of one answer.
const maxAskEvent = 64 << 20

// Ask answers r from user's documents in words; see [rag.Service.Ask]. With an
// emit the answer is streamed, and Ask may take as long as the server lets it;
// an answer that broke off is an error.
func (c *Client) Ask(ctx context.Context, user rag.User, r rag.AskRequest, emit func(rag.AskEvent) error) (*rag.Answer, error) {
	body, err := json.Marshal(struct {
		rag.Request
		Stream bool `json:"stream"`
	}{r.Request, emit != nil})
	if err != nil {
		return nil, rag.Errorf(rag.Invalid, "the request cannot be written as JSON: %w", err)
	}
	o := outgoing{
		method: http.MethodPost, path: []string{"ask"}, user: user,
		contentType: contentJSON, body: bytes.NewReader(body), size: int64(len(body)), timeout: c.cfg.AnswerTimeout,
	}
	if emit == nil {
		var a rag.Answer
		if _, err := c.call(ctx, o, &a); err != nil {
			return nil, err
		}
		return &a, nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// Nothing comes before the passages, not even a heartbeat.
	silence := time.AfterFunc(max(c.cfg.Silence, c.cfg.Timeout), func() { cancel(errSilence) })
	defer silence.Stop()
	resp, err := c.send(ctx, o)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // as in call
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxAskEvent)
	var e event
	for lines.Scan() {
		silence.Reset(c.cfg.Silence)
		if !e.take(lines.Bytes()) {
			continue
		}
		if a, err := e.answer(emit); a != nil || err != nil {
			return a, err
		}
		e = event{}
	}
	if err = lines.Err(); err == nil {
		err = io.ErrUnexpectedEOF
	}
	return nil, c.failed(ctx, "body", err)
}

// answer passes an event of an answer's stream on; the last makes the answer.
func (e *event) answer(emit func(rag.AskEvent) error) (*rag.Answer, error) {
	switch e.name {
	case eventPassages:
		var found rag.Response
		if err := json.Unmarshal(e.data, &found); err != nil {
			return nil, undecodable(err)
		}
		return nil, emit(rag.AskEvent{Passages: &found})
	case eventText:
		var t textEvent
		if err := json.Unmarshal(e.data, &t); err != nil {
			return nil, undecodable(err)
		}
		return nil, emit(rag.AskEvent{Text: t.Text, Notice: t.Notice})
	case eventDone:
		var a rag.Answer
		if err := json.Unmarshal(e.data, &a); err != nil {
			return nil, undecodable(err)
		}
		return &a, nil
	case eventError:
		var p Problem
		if err := json.Unmarshal(e.data, &p); err != nil {
			return nil, undecodable(err)
		}
		return nil, p.err()
	default:
		return nil, nil // of a newer server
	}
}
