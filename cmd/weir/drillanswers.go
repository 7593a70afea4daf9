package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"weir/internal/drill"
	"weir/internal/httpapi"
	"weir/internal/openai"
	"weir/internal/rag"
)

// answer asks /v1/ask, streamed for every second caller.
func (w *drilled) answer(ctx context.Context, u rag.User, q drill.Question, question, filename string) drill.Outcome {
	client, err := httpapi.NewClient(httpapi.ClientConfig{BaseURL: w.url})
	if err != nil {
		return broken(err)
	}
	r := rag.AskRequest{Request: rag.Request{Query: question, TimeoutMS: left(q)}}
	var pieces strings.Builder
	emit := func(e rag.AskEvent) error {
		pieces.WriteString(e.Text)
		return nil
	}
	if q.Caller%2 == 0 {
		emit = nil
	}
	a, err := client.Ask(ctx, u, r, emit)
	var e *rag.Error
	switch {
	case errors.As(err, &e) && e.Code != rag.Internal && e.Code != rag.Canceled:
		return drill.Outcome{Kind: drill.Failed, Code: string(e.Code), Detail: e.Msg}
	case err != nil:
		return broken(err)
	case emit != nil && pieces.String() != a.Text:
		return drill.Outcome{Kind: drill.Wrong, Detail: fmt.Sprintf("the pieces %.100q are not the answer %.100q", pieces.String(), a.Text)}
	}
	return judgeAnswer(written{text: a.Text, citations: a.Citations, passages: a.Passages, degraded: a.Degraded, byModel: a.Model != ""}, u, filename)
}

// written is an answer in words, by whichever door it came.
type written struct {
	text      string
	citations []rag.Citation
	passages  []rag.Passage
	degraded  []rag.Degraded
	byModel   bool
}

// judgeAnswer looks at an answer that should cite the document of the name. What
// the model did to its own words — false citations, which were taken out, and an
// end before the end — is as good an answer as it gives, when it is declared.
func judgeAnswer(a written, u rag.User, filename string) drill.Outcome {
	for _, p := range a.passages {
		if !strings.HasPrefix(p.Filename, string(u)+"-") || !strings.Contains(p.Content, mine(u)) {
			return drill.Outcome{Kind: drill.Foreign, Detail: fmt.Sprintf("%s was given %s", u, p.Filename)}
		}
	}
	for _, other := range drillUsers() {
		if other != u && strings.Contains(a.text, mine(other)) {
			return drill.Outcome{Kind: drill.Foreign, Detail: fmt.Sprintf("%s was told what is %s's", u, other)}
		}
	}
	if len(a.passages) == 0 || a.passages[0].Filename != filename {
		return drill.Outcome{Kind: drill.Wrong, Detail: fmt.Sprintf("%s asked for what is in %s and was given %s", u, filename, filenames(a.passages))}
	}
	for _, d := range a.degraded {
		if !slices.Contains([]string{"citations_dropped", "length", "uncited"}, d.Reason) {
			if !a.byModel && !strings.Contains(a.text, a.passages[0].Content[:20]) {
				return drill.Outcome{Kind: drill.Wrong, Detail: fmt.Sprintf("in place of an answer there are no passages: %.100q", a.text)}
			}
			return drill.Outcome{Kind: drill.Degraded, Code: d.Reason, Detail: d.Message}
		}
	}
	cut := slices.ContainsFunc(a.degraded, func(d rag.Degraded) bool { return d.Reason == "length" })
	first := strings.Join(strings.Fields(a.passages[0].Content)[:4], " ")
	switch {
	case !a.byModel:
		return drill.Outcome{Kind: drill.Undeclared, Detail: "no model wrote this answer"}
	case cut:
	case !strings.Contains(a.text, first) || len(a.citations) == 0 || a.citations[0].Filename != filename:
		return drill.Outcome{Kind: drill.Wrong, Detail: fmt.Sprintf("the answer to what is in %s is %.200q, with %d citations", filename, a.text, len(a.citations))}
	}
	return drill.Outcome{Kind: drill.Whole}
}

// complete asks /v1/chat/completions, streamed for every second caller.
func (w *drilled) complete(ctx context.Context, u rag.User, q drill.Question, question, filename string) drill.Outcome {
	streamed := q.Caller%2 == 1
	r := map[string]any{
		"model": "weir", "stream": streamed, "messages": []openai.ChatMessage{{Role: "user", Content: question}},
	}
	status, body, err := w.post(ctx, u, "/v1/chat/completions", r, http.Header{"X-Weir-Timeout-Ms": {strconv.Itoa(left(q))}})
	switch {
	case err != nil:
		return broken(err)
	case status != http.StatusOK:
		return refused(status, body)
	}
	c := completed{}
	if streamed {
		if failed := c.readStream(body); failed != nil {
			return *failed
		}
	} else if err := json.Unmarshal(body, &c); err != nil || len(c.Choices) != 1 {
		return drill.Outcome{Kind: drill.Wrong, Detail: fmt.Sprintf("the answer is not what it should be: %v", err)}
	} else {
		c.text = c.Choices[0].Message.Content
	}
	return judgeAnswer(written{text: c.text, citations: c.Weir.Citations, passages: c.Weir.Passages, degraded: c.Weir.Degraded, byModel: c.Weir.Model != ""}, u, filename)
}

// completed is what a caller looks at in a completion.
type completed struct {
	Choices []struct {
		Message struct{ Content string } `json:"message"`
		Delta   struct{ Content string } `json:"delta"`
	} `json:"choices"`
	Weir struct {
		Model     string         `json:"model"`
		Citations []rag.Citation `json:"citations"`
		Passages  []rag.Passage  `json:"passages"`
		Degraded  []rag.Degraded `json:"degraded"`
	} `json:"weir"`
	Error json.RawMessage `json:"error"`

	text string
}

// readStream puts the chunks together. A stream that broke off without an error
// is no answer.
func (c *completed) readStream(body []byte) *drill.Outcome {
	var text strings.Builder
	for line := range bytes.Lines(body) {
		data, is := bytes.CutPrefix(bytes.TrimSpace(line), []byte("data: "))
		switch {
		case !is:
			continue
		case string(data) == "[DONE]":
			c.text = text.String()
			return nil
		}
		c.Choices = nil
		if err := json.Unmarshal(data, c); err != nil {
			return &drill.Outcome{Kind: drill.Wrong, Detail: "a chunk is not what it should be: " + err.Error()}
		}
		if c.Error != nil {
			return new(refused(http.StatusOK, data))
		}
		for _, choice := range c.Choices {
			text.WriteString(choice.Delta.Content)
		}
	}
	return &drill.Outcome{Kind: drill.Unclear, Detail: "the stream broke off"}
}
