package httpapi

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"weir/internal/rag"
)

// list is GET /v1/documents.
func (d *door) list(ctx context.Context, x *exchange) (reply, error) {
	p := rag.Page{
		Cursor: x.query.Get("cursor"), Filename: x.query.Get("filename"), Status: rag.Status(x.query.Get("status")),
	}
	if x.query.Has("limit") {
		n, err := strconv.Atoi(x.query.Get("limit"))
		if err != nil || n < 1 || n > rag.MaxPage {
			return reply{}, rag.FieldErrorf("limit", "must be a whole number from 1 to %d, not %s", rag.MaxPage, shorten(x.query.Get("limit")))
		}
		p.Limit = n
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
