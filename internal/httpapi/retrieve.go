package httpapi

import (
	"context"
	"net/http"

	"weir/internal/rag"
)

// retrieve is POST /v1/retrieve.
func (d *door) retrieve(ctx context.Context, x *exchange) (reply, error) {
	var r rag.Request
	if err := x.readJSON(maxJSON, &r); err != nil {
		return reply{}, err
	}
	r.TimeoutMS = x.sooner(r.TimeoutMS)
	resp, err := d.svc.Retrieve(ctx, x.user, r)
	if err != nil {
		return reply{}, err
	}
	if resp.Chunks == nil {
		resp.Chunks = []rag.Passage{} // the contract has a list, never null
	}
	return reply{status: http.StatusOK, body: resp}, nil
}

func retrieveDoc() description {
	return description{
		id: "retrieve", tag: "retrieval", summary: "The passages that answer a question",
		about: "A question in, the user's best passages out. A hybrid question whose embedding is not ready in time is answered by its words, and says so in `degraded`; " +
			"with `\"mode\": \"vector\"` there is nothing to fall back on, and the call is an error.",
		takes: jsonOf("RetrieveRequest", map[string]any{"query": "How many hours must I use my CPAP machine before the plan buys it?", "max_chunks": 2}),
		gives: map[int]given{http.StatusOK: {about: "The passages, or why there are none.", content: jsonOf("RetrieveResponse", nil)}},
	}
}
