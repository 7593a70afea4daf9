package httpapi

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"net/url"

	"weir/internal/openapi"
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

func listDoc() description {
	limit := &openapi.Schema{Type: "integer", Default: json.RawMessage("50"), Description: "Most documents of the page."}
	openapi.Between(limit, 1, rag.MaxPage)
	status := openapi.Ref("DocumentStatus")
	status.Description = "Only documents in this status."
	return description{
		id: "list_documents", tag: "documents", summary: "The user's documents, newest first",
		query: map[string]*openapi.Schema{
			"cursor":   {Type: "string", Description: "`next_cursor` of the page before. It is good for this user's list alone, and also after the documents before it were deleted."},
			"limit":    limit,
			"status":   orEmpty(status),
			"filename": {Type: "string", Description: "Only documents whose filename contains this, without regard to case."},
		},
		gives: map[int]given{http.StatusOK: {about: "One page.", content: jsonOf("DocumentList", nil)}},
	}
}

func documentDoc() description {
	return description{
		id: "get_document", tag: "documents", summary: "One document", refuses: []rag.Code{rag.NotFound},
		gives: map[int]given{http.StatusOK: {about: "The document.", content: jsonOf("Document", nil)}},
	}
}

func passagesDoc() description {
	first := &openapi.Schema{Type: "integer", Default: json.RawMessage("0"), Description: "Index of the first passage."}
	openapi.Between(first, 0, math.MaxInt32)
	limit := &openapi.Schema{Type: "integer", Default: json.RawMessage("50"), Description: "Most passages of the answer."}
	openapi.Between(limit, 1, rag.MaxPassages)
	return description{
		id: "list_passages", tag: "documents", summary: "A document, passage by passage", refuses: []rag.Code{rag.NotFound},
		about: "In their order; neighbouring ones may overlap. A document that is not `ready` has none.",
		query: map[string]*openapi.Schema{"first": first, "limit": limit},
		gives: map[int]given{http.StatusOK: {about: "The passages.", content: jsonOf("PassageList", nil)}},
	}
}

func removeDoc() description {
	return description{
		id: "delete_document", tag: "documents", summary: "Delete a document", refuses: []rag.Code{rag.NotFound},
		about: "In any status; work on it stops. From then on nothing of it is found.",
		gives: map[int]given{http.StatusNoContent: {about: "It is deleted."}},
	}
}

func cancelDoc() description {
	return description{
		id: "cancel_document", tag: "documents", summary: "Stop work on a document for good", refuses: []rag.Code{rag.NotFound, rag.Conflict},
		about: "The document becomes `canceled` and is never worked on again. One that is `ready` or `failed` already is a `conflict`.",
		gives: map[int]given{http.StatusOK: {about: "The document, canceled now or before.", content: jsonOf("Document", nil)}},
	}
}
