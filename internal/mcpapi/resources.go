package mcpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"weir/internal/rag"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// resourceRoot is before a document's id in its URI.
const resourceRoot = "weir://documents/"

const resourceType = "application/json"

// passagesPart is between a document's id and the index of the passage to begin
// with.
const passagesPart = "/passages/"

// addResources has the server know how documents are named and read. The list
// of them is each user's own, which the SDK's is not: see around.
func (d *Door) addResources() {
	d.server.AddResourceTemplate(&mcp.ResourceTemplate{
		Name: "document", Title: "Document", MIMEType: resourceType, URITemplate: resourceRoot + "{id}",
		Description: "One document of the user: what is known of it (filename, status, pages), and its first passages. To find what answers a question, use the tool retrieve.",
	}, d.readResource)
	d.server.AddResourceTemplate(&mcp.ResourceTemplate{
		Name: "passages", Title: "Passages of a document", MIMEType: resourceType, URITemplate: resourceRoot + "{id}" + passagesPart + "{first}",
		Description: "The same with the passages from index first on, counted from 0, in their order.",
	}, d.readResource)
}

func (d *Door) listResources(ctx context.Context, req mcp.Request) (mcp.Result, error) {
	var page rag.Page
	if p, ok := req.GetParams().(*mcp.ListResourcesParams); ok && p != nil {
		page.Cursor = p.Cursor
	}
	docs, next, err := d.library.Documents(ctx, userOf(ctx), page)
	if err != nil {
		return nil, d.protocolError(ctx, err)
	}
	res := &mcp.ListResourcesResult{Resources: make([]*mcp.Resource, len(docs)), NextCursor: next}
	res.CacheScope = private
	for i, doc := range docs {
		res.Resources[i] = &mcp.Resource{
			URI: resourceRoot + url.PathEscape(doc.ID), Name: oneLine(doc.Filename), Title: oneLine(doc.Title),
			MIMEType: resourceType, Description: documentText(doc),
		}
	}
	return res, nil
}

// readResource reads a document, weir://documents/{id}, or what comes after its
// first passages, weir://documents/{id}/passages/{first}.
func (d *Door) readResource(ctx context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	uri := req.Params.URI
	id, first, ok := documentOf(uri)
	rag.AccountOf(ctx).About(id)
	if !ok {
		rag.AccountOf(ctx).Failed(rag.NotFound)
		return nil, mcp.ResourceNotFoundError(uri)
	}
	doc, err := d.library.Document(ctx, userOf(ctx), id)
	var passages []rag.Passage
	var next int
	if err == nil {
		passages, next, err = d.library.Passages(ctx, userOf(ctx), id, first, 0)
	}
	switch {
	case rag.CodeOf(err) == rag.NotFound:
		rag.AccountOf(ctx).Failed(rag.NotFound)
		return nil, mcp.ResourceNotFoundError(uri)
	case err != nil:
		return nil, d.protocolError(ctx, err)
	}
	known, err := json.Marshal(doc)
	if err != nil {
		return nil, d.protocolError(ctx, err)
	}
	read := &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: resourceRoot + url.PathEscape(id), MIMEType: resourceType, Text: string(known)}}}
	if len(passages) > 0 {
		read.Contents = append(read.Contents, &mcp.ResourceContents{URI: passagesURI(id, first), MIMEType: "text/plain", Text: passagesText(id, passages, next)})
	}
	return read, nil
}

func passagesURI(id string, first int) string {
	return resourceRoot + url.PathEscape(id) + passagesPart + strconv.Itoa(first)
}

// documentOf reads the URI of a document or of its passages.
func documentOf(uri string) (id string, first int, ok bool) {
	id, ok = strings.CutPrefix(uri, resourceRoot)
	if name, number, of := strings.Cut(id, passagesPart); of {
		n, err := strconv.ParseInt(number, 10, 32)
		if err != nil || n < 0 {
			return "", 0, false
		}
		id, first = name, int(n)
	}
	id, err := url.PathUnescape(id)
	return id, first, ok && err == nil && id != ""
}

// passagesText is a part of a document for a model to read.
func passagesText(id string, passages []rag.Passage, next int) string {
	var b strings.Builder
	for _, p := range passages {
		fmt.Fprintf(&b, "[%s]\n%s\n\n", where(p), strings.TrimSpace(p.Content))
	}
	if next > 0 {
		fmt.Fprintf(&b, "There is more: %s\n", passagesURI(id, next))
	}
	return b.String()
}
