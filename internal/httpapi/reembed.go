package httpapi

import (
	"context"
	"net/http"

	"weir/internal/rag"
)

// reembed is POST /v1/reembed: begin to move all documents to the model of the
// settings. How it goes is in /v1/status.
func (d *door) reembed(context.Context, *exchange) (reply, error) {
	m, err := d.svc.StartReembed()
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusAccepted, body: m}, nil
}

// StartReembed has the server move all documents, of all users, to the model
// of its settings, and returns at once. How it goes is in Status.
func (c *Client) StartReembed(ctx context.Context) (rag.Move, error) {
	var m rag.Move
	_, err := c.call(ctx, outgoing{method: http.MethodPost, path: []string{"reembed"}}, &m)
	return m, err
}
