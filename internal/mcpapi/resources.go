package mcpapi

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"

	"weir/internal/rag"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// resourceRoot is before a document's id in its URI.
const resourceRoot = "weir://documents/"

const resourceType = "application/json"

// addResources has the server know how documents are named and read. The list
// of them is each user's own, which the SDK's is not: see around.
func (d *Door) addResources() {
	d.server.AddResourceTemplate(&mcp.ResourceTemplate{
		Name: "document", Title: "Document", MIMEType: resourceType, URITemplate: resourceRoot + "{id}",
		Description: "What is known of one document of the user: filename, status, pages, passages. Its text is found with the tool retrieve.",
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

func (d *Door) readResource(ctx context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	uri := req.Params.URI
	id, err := url.PathUnescape(strings.TrimPrefix(uri, resourceRoot))
	if err != nil || id == "" {
		return nil, mcp.ResourceNotFoundError(uri)
	}
	doc, err := d.library.Document(ctx, userOf(ctx), id)
	switch {
	case rag.CodeOf(err) == rag.NotFound:
		return nil, mcp.ResourceNotFoundError(uri)
	case err != nil:
		return nil, d.protocolError(ctx, err)
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return nil, d.protocolError(ctx, err)
	}
	return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: uri, MIMEType: resourceType, Text: string(text)}}}, nil
}
