package httpapi

import (
	"context"
	"net/http"
	"net/url"

	"weir/internal/openapi"
	"weir/internal/rag"
)

// reembed is POST /v1/reembed: begin to move all documents to the model of the
// settings. How it goes is in /v1/status.
func (d *door) reembed(ctx context.Context, x *exchange) (reply, error) {
	force, err := x.flag("force")
	if err != nil {
		return reply{}, err
	}
	m, err := d.svc.StartReembed(ctx, force)
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusAccepted, body: m}, nil
}

// StartReembed has the server move all documents, of all users, to the model
// of its settings, and returns at once. How it goes is in Status. With force it
// does so even where another server has moved them since it was started.
func (c *Client) StartReembed(ctx context.Context, force bool) (rag.Move, error) {
	var m rag.Move
	out := outgoing{method: http.MethodPost, path: []string{"reembed"}}
	if force {
		out.query = url.Values{"force": {"true"}}
	}
	_, err := c.call(ctx, out, &m)
	return m, err
}

func reembedDoc() description {
	return description{
		id: "reembed", tag: "service", summary: "Move all documents to the embedding model of the settings",
		about: "Of all users. While this server moves them it begins no second; while another does, it is a `conflict`. How it goes is `move` in `/v1/status`. " +
			"When another server has made a model the one in use since this one was started that its settings do not name, it is a `conflict`, too.",
		query: map[string]*openapi.Schema{
			"force": {Type: "boolean", Description: "Move them even where another server has moved them since this one was started."},
		},
		refuses: []rag.Code{rag.Conflict},
		gives:   map[int]given{http.StatusAccepted: {about: "The move is under way.", content: jsonOf("Move", nil)}},
	}
}
