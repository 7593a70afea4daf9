package httpapi

import (
	"context"
	"net/http"

	"weir/internal/rag"
)

func (d *door) askRoutes() []route {
	return []route{
		{method: "POST", path: "/v1/ask", timed: true, handle: d.ask, body: jsonBody, most: maxJSON, needs: rag.MayRead},
		{method: "POST", path: "/v1/chat/completions", timed: true, handle: d.completions, body: jsonBody, most: maxConversation, openai: true, needs: rag.MayRead},
	}
}

// retrievalFields are what can be said of a retrieval besides the question.
type retrievalFields struct {
	SimilarityThreshold *float64 `json:"similarity_threshold,omitempty"`
	MaxChunks           *int     `json:"max_chunks,omitempty"`
	TokenBudget         *int     `json:"token_budget,omitempty"`
	Mode                rag.Mode `json:"mode,omitempty"`
	Neighbors           int      `json:"neighbors,omitempty"`
	DocumentIDs         []string `json:"document_ids,omitempty"`
}

func (f retrievalFields) request(query string, timeoutMS int) rag.Request {
	return rag.Request{
		Query: query, SimilarityThreshold: f.SimilarityThreshold, MaxChunks: f.MaxChunks, TokenBudget: f.TokenBudget,
		Mode: f.Mode, Neighbors: f.Neighbors, DocumentIDs: f.DocumentIDs, TimeoutMS: timeoutMS,
	}
}

// askBody is the body of POST /v1/ask.
type askBody struct {
	Query               string   `json:"query"`
	SimilarityThreshold *float64 `json:"similarity_threshold,omitempty"`
	MaxChunks           *int     `json:"max_chunks,omitempty"`
	TokenBudget         *int     `json:"token_budget,omitempty"`
	Mode                rag.Mode `json:"mode,omitempty"`
	Neighbors           int      `json:"neighbors,omitempty"`
	DocumentIDs         []string `json:"document_ids,omitempty"`
	TimeoutMS           int      `json:"timeout_ms,omitempty"`
	Stream              *bool    `json:"stream,omitempty"` // nil: true
}

func (b askBody) retrieval() retrievalFields {
	return retrievalFields{b.SimilarityThreshold, b.MaxChunks, b.TokenBudget, b.Mode, b.Neighbors, b.DocumentIDs}
}

// ask is POST /v1/ask: an answer in words, as it is written or whole.
func (d *door) ask(ctx context.Context, x *exchange) (reply, error) {
	var body askBody
	if err := x.readJSON(maxJSON, &body); err != nil {
		return reply{}, err
	}
	leave, err := d.enterAnswers(ctx, x, body.retrieval())
	if err != nil {
		return reply{}, err
	}
	defer leave()
	r := rag.AskRequest{Request: body.retrieval().request(body.Query, x.sooner(body.TimeoutMS))}
	if body.Stream != nil && !*body.Stream {
		a, err := d.svc.Ask(ctx, x.user, r, nil)
		return reply{status: http.StatusOK, body: a}, err
	}
	return reply{}, d.relay(ctx, x, r, (*askStream)(x))
}

// enterAnswers takes a place among the answers, of user's share of them, and
// notes what the answer may hold in memory until it is written: the passages,
// and as much again where they are the answer.
func (d *door) enterAnswers(ctx context.Context, x *exchange, f retrievalFields) (leave func(), err error) {
	const perToken, perChunk, least = 2 * 4, 2 << 10, 64 << 10
	within := func(p *int, def, most int) int64 { // what is not will be refused
		if p == nil {
			return int64(def)
		}
		return int64(min(max(*p, 0), most))
	}
	need := least + perToken*within(f.TokenBudget, rag.DefaultTokenBudget, rag.MaxTokenBudget) +
		perChunk*within(f.MaxChunks, rag.DefaultMaxChunks, rag.MaxChunks)
	if err := d.hold(x, need); err != nil {
		return nil, err
	}
	leaveOwn, err := d.askShares.enter(ctx, x.user, 0)
	if err != nil {
		return nil, err
	}
	leaveAll, err := d.answers.enter(ctx, 0)
	if err != nil {
		leaveOwn()
		return nil, err
	}
	return func() { leaveAll(); leaveOwn() }, nil
}

// askStream writes an answer as server-sent events.
type askStream exchange

func (s *askStream) step(d *door, e rag.AskEvent) error {
	x := (*exchange)(s)
	if e.Passages != nil {
		return x.event(d.cfg.WriteTimeout, eventPassages, e.Passages)
	}
	return x.event(d.cfg.WriteTimeout, eventText, textEvent{e.Text, e.Notice})
}

func (s *askStream) done(d *door, a *rag.Answer) error {
	return (*exchange)(s).event(d.cfg.WriteTimeout, eventDone, a)
}

func (s *askStream) failed(d *door, p Problem) error {
	return (*exchange)(s).event(d.cfg.WriteTimeout, eventError, p)
}
