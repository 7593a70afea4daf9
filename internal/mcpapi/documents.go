package mcpapi

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"weir/internal/rag"

	"github.com/google/jsonschema-go/jsonschema"
)

func (d *Door) addTools() error {
	return errors.Join(add(d, d.retrieve()), add(d, d.listDocuments()), add(d, d.getDocument()), add(d, d.addDocument()))
}

type listInput struct {
	Filename string     `json:"filename,omitempty" jsonschema:"only documents whose filename contains this"`
	Status   rag.Status `json:"status,omitempty" jsonschema:"only documents in this status"`
	Limit    int        `json:"limit,omitempty" jsonschema:"most documents; 50 if left out"`
	Cursor   string     `json:"cursor,omitempty" jsonschema:"next_cursor of the call before, for the documents after those"`
}

type listOutput struct {
	Documents  []rag.Document `json:"documents"`   // newest first
	NextCursor string         `json:"next_cursor"` // "" on the last page
}

func (d *Door) listDocuments() tool[listInput, listOutput] {
	return tool[listInput, listOutput]{
		name: "list_documents", title: "List documents",
		description: "Lists the user's documents, newest first, with their ids, status and size.",
		restrict: func(p map[string]*jsonschema.Schema) {
			p["status"].Enum = []any{rag.Queued, rag.Parsing, rag.Embedding, rag.Ready, rag.Failed, rag.Cancelled}
			between(p["limit"], 1, rag.MaxPage)
		},
		run: func(ctx context.Context, user rag.User, in listInput) (out listOutput, text string, err error) {
			out.Documents, out.NextCursor, err = d.library.Documents(ctx, user, rag.Page{
				Filename: in.Filename, Status: in.Status, Limit: in.Limit, Cursor: in.Cursor,
			})
			if out.Documents == nil {
				out.Documents = []rag.Document{}
			}
			return out, listText(out), err
		},
	}
}

func listText(out listOutput) string {
	var b strings.Builder
	b.WriteString(counted(len(out.Documents), "document") + ".\n")
	for _, doc := range out.Documents {
		b.WriteString("- " + documentText(doc) + "\n")
	}
	if out.NextCursor != "" {
		fmt.Fprintf(&b, "There are more: cursor %s\n", out.NextCursor)
	}
	return b.String()
}

func documentText(doc rag.Document) string {
	parts := []string{oneLine(doc.Filename), string(doc.Status)}
	if doc.Error != nil {
		parts = append(parts, oneLine(doc.Error.Message))
	}
	if doc.Warning != "" {
		parts = append(parts, oneLine(doc.Warning))
	}
	if doc.Pages > 0 {
		parts = append(parts, counted(doc.Pages, "page"))
	}
	if doc.Chunks > 0 {
		parts = append(parts, counted(doc.Chunks, "passage"))
	}
	return strings.Join(append(parts, "id "+doc.ID), " · ")
}

type getInput struct {
	ID string `json:"id" jsonschema:"the document's id"`
}

func (d *Door) getDocument() tool[getInput, rag.Document] {
	return tool[getInput, rag.Document]{
		name: "get_document", title: "Look at a document",
		description: "Tells what is known of one document: filename, status, progress, pages, passages. Its text is found with retrieve and document_ids.",
		run: func(ctx context.Context, user rag.User, in getInput) (rag.Document, string, error) {
			if in.ID == "" {
				return rag.Document{}, "", rag.FieldErrorf("id", "is missing; list_documents has the ids")
			}
			rag.AccountOf(ctx).About(in.ID)
			doc, err := d.library.Document(ctx, user, in.ID)
			return doc, documentText(doc), err
		},
	}
}

type addInput struct {
	Filename string `json:"filename" jsonschema:"the name to store it under, such as notes.md; it says the format of text: .md, .html or .txt"`
	Text     string `json:"text" jsonschema:"all that the document says"`
	Wait     *bool  `json:"wait,omitempty" jsonschema:"true, if left out: return when the document is searchable; false: as soon as it is stored"`
}

type addOutput struct {
	Document rag.Document `json:"document"`
	Created  bool         `json:"created"` // false: the same content was there already
}

func (d *Door) addDocument() tool[addInput, addOutput] {
	return tool[addInput, addOutput]{
		name: "add_document", title: "Add a document", writes: true,
		description: "Stores a text as a document of the user and makes it searchable. The same content is not stored twice. " +
			"If it is not ready by the deadline it is kept and worked on all the same: its status says so, and get_document how far it is.",
		run: d.add,
	}
}

func (d *Door) add(ctx context.Context, user rag.User, in addInput) (out addOutput, text string, err error) {
	switch {
	case in.Filename == "":
		return out, "", rag.FieldErrorf("filename", "is missing; give the document a name, such as notes.md")
	case in.Text == "":
		return out, "", rag.FieldErrorf("text", "is missing; give what the document says")
	}
	// One deadline for storing and waiting.
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Timeout)
	defer cancel()
	out.Document, out.Created, err = d.library.Upload(ctx, user, rag.NewDocument{Filename: in.Filename, Content: []byte(in.Text)})
	if err != nil {
		return out, "", err
	}
	rag.AccountOf(ctx).About(out.Document.ID)
	if (in.Wait == nil || *in.Wait) && !out.Document.Status.Final() {
		err = d.library.Watch(ctx, user, out.Document.ID, func(now rag.Document) error { out.Document = now; return nil })
		switch {
		case errors.Is(ctx.Err(), context.Canceled):
			return out, "", ctx.Err()
		case rag.CodeOf(err) == rag.NotFound:
			return out, "", rag.Errorf(rag.NotFound, "the document was deleted while this call waited for it")
		}
		// Else it was stored in any case, and its status says how far it is.
	}
	doc := out.Document
	switch {
	case doc.Status == rag.Failed && doc.Error != nil:
		return out, "", &rag.Error{Code: doc.Error.Code, Msg: doc.Error.Message}
	case doc.Status == rag.Failed:
		return out, "", rag.Errorf(rag.Internal, "the document failed for a reason that was not kept")
	case doc.Status == rag.Cancelled:
		return out, "", rag.Errorf(rag.Conflict, "the document was canceled")
	}
	return out, documentText(doc), nil
}
