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
	resp, err := d.svc.Retrieve(ctx, x.user, r)
	if err != nil {
		return reply{}, err
	}
	if resp.Chunks == nil {
		resp.Chunks = []rag.Passage{} // the contract has a list, never null
	}
	return reply{status: http.StatusOK, body: resp}, nil
}
