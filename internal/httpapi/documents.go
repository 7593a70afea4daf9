package httpapi

import (
	"context"
	"math"
	"net/http"
	"net/url"

	"weir/internal/rag"
)

// list is GET /v1/documents.
func (d *door) list(ctx context.Context, x *exchange) (reply, error) {
	p := rag.Page{
		Cursor: x.query.Get("cursor"), Filename: x.query.Get("filename"), Status: rag.Status(x.query.Get("status")),
	}
	var err error
	if p.Limit, err = x.number("limit", 1, rag.MaxPage); err != nil {
		return reply{}, err
	}
	docs, next, err := d.svc.Documents(ctx, x.user, p)
	if err != nil {
		return reply{}, err
	}
	if docs == nil {
		docs = []rag.Document{}
	}
	return reply{status: http.StatusOK, body: DocumentList{Documents: docs, NextCursor: next}}, nil
}

// document is GET /v1/documents/{id}.
func (d *door) document(ctx context.Context, x *exchange) (reply, error) {
	id, err := x.documentID()
	if err != nil {
		return reply{}, err
	}
	doc, err := d.svc.Document(ctx, x.user, id)
	return reply{status: http.StatusOK, body: doc}, err
}

// passages is GET /v1/documents/{id}/passages.
func (d *door) passages(ctx context.Context, x *exchange) (reply, error) {
	id, err := x.documentID()
	if err != nil {
		return reply{}, err
	}
	first, err := x.number("first", 0, math.MaxInt32)
	if err != nil {
		return reply{}, err
	}
	limit, err := x.number("limit", 1, rag.MaxPassages)
	if err != nil {
		return reply{}, err
	}
	passages, next, err := d.svc.Passages(ctx, x.user, id, first, limit)
	if passages == nil {
		passages = []rag.Passage{}
	}
	return reply{status: http.StatusOK, body: PassageList{Passages: passages, Next: next}}, err
}

// remove is DELETE /v1/documents/{id}.
func (d *door) remove(ctx context.Context, x *exchange) (reply, error) {
	id, err := x.documentID()
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusNoContent}, d.svc.Delete(ctx, x.user, id)
}

// cancel is POST /v1/documents/{id}/cancel.
func (d *door) cancel(ctx context.Context, x *exchange) (reply, error) {
	id, err := x.documentID()
	if err != nil {
		return reply{}, err
	}
	doc, err := d.svc.Cancel(ctx, x.user, id)
	return reply{status: http.StatusOK, body: doc}, err
}

func locationOf(doc rag.Document) string { return "/v1/documents/" + url.PathEscape(doc.ID) }
