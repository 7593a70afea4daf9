package httpapi

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"time"
	"unicode/utf8"

	"weir/internal/openapi"
	"weir/internal/rag"
)

// upload is POST /v1/documents. Without wait: 202, or 200 when the content was
// there already. With wait: 201 (or 200) once the document is searchable, 202
// when the call's deadline came first, and if the document failed, the problem
// that it failed with.
func (d *door) upload(ctx context.Context, x *exchange) (reply, error) {
	wait, err := x.flag("wait")
	if err != nil {
		return reply{}, err
	}
	replace, err := x.flag("replace")
	if err != nil {
		return reply{}, err
	}
	n, leave, err := d.receive(ctx, x)
	if err != nil {
		return reply{}, err
	}
	n.Replace = replace
	// One deadline for storing and waiting, from when all was received.
	bound, cancel := context.WithTimeout(ctx, d.timeLeft(x))
	defer cancel()
	doc, created, err := d.svc.Upload(bound, x.user, n)
	n.Content = nil // free while waiting
	leave()
	if err != nil {
		return reply{}, err
	}
	x.document = doc.ID
	accepted := reply{status: http.StatusAccepted, body: doc, location: locationOf(doc)}
	if !created {
		accepted.status = http.StatusOK
	}
	if !wait {
		return accepted, nil
	}
	return d.awaitDocument(bound, x, doc, created)
}

// timeLeft is what the work on an upload may take.
func (d *door) timeLeft(x *exchange) time.Duration {
	if x.timeout > 0 {
		return min(x.timeout, d.cfg.Timeout)
	}
	return d.cfg.Timeout
}

// receive reads the upload. leave gives back its place in the lane, which is
// held until the content is stored.
func (d *door) receive(ctx context.Context, x *exchange) (n rag.NewDocument, leave func(), err error) {
	read := d.readForm
	switch {
	case isJSON(x.r.Header):
		read = d.readText
	case mediaType(x.r.Header) == "multipart/form-data":
	default:
		return n, nil, unsupported(x.r.Header, "multipart/form-data with a file, or application/json")
	}
	leave, err = d.enterUploads(ctx, x.user, d.timeLeft(x)/2)
	if err != nil {
		return n, nil, err
	}
	x.keepUp(d.cfg)
	if n, err = read(x); err != nil {
		leave()
	}
	return n, leave, err
}

// enterUploads takes a place among the user's uploads, then among all.
func (d *door) enterUploads(ctx context.Context, user rag.User, patience time.Duration) (leave func(), err error) {
	began := time.Now()
	leaveOwn, err := d.shares.enter(ctx, user, patience)
	if err != nil {
		return nil, err
	}
	leaveAll, err := d.uploads.enter(ctx, patience-time.Since(began))
	if err != nil {
		leaveOwn()
		return nil, err
	}
	return func() { leaveAll(); leaveOwn() }, nil
}

// readText reads {"filename", "text"}.
func (d *door) readText(x *exchange) (rag.NewDocument, error) {
	var t textDocument
	if err := x.readJSON(d.cfg.MaxFileBytes+formExtra, &t); err != nil {
		if rag.CodeOf(err) == rag.TooLarge {
			return rag.NewDocument{}, d.documentTooLarge("text")
		}
		return rag.NewDocument{}, err
	}
	switch {
	case t.Filename == "":
		return rag.NewDocument{}, rag.FieldErrorf("filename", "is missing; give the document a name, such as notes.md")
	case t.Text == "":
		return rag.NewDocument{}, rag.FieldErrorf("text", "is missing; give what the document says")
	case int64(len(t.Text)) > d.cfg.MaxFileBytes:
		return rag.NewDocument{}, d.documentTooLarge("text")
	}
	return rag.NewDocument{Filename: t.Filename, Content: []byte(t.Text)}, nil
}

// readForm reads a form of one part, the file.
func (d *door) readForm(x *exchange) (n rag.NewDocument, err error) {
	_, params, err := mime.ParseMediaType(x.r.Header.Get("Content-Type"))
	if err != nil || params["boundary"] == "" {
		return n, unsupported(x.r.Header, "multipart/form-data with a boundary")
	}
	if err := x.limit(d.cfg.MaxFileBytes + formExtra); err != nil {
		if rag.CodeOf(err) == rag.TooLarge {
			return n, d.documentTooLarge("file")
		}
		return n, err
	}
	form := multipart.NewReader(x.body, params["boundary"])
	for found := false; ; found = true {
		part, err := form.NextRawPart()
		switch {
		case errors.Is(err, io.EOF) && !found:
			return n, rag.FieldErrorf("file", "is missing; send the document as the form's part named file")
		case errors.Is(err, io.EOF):
			return n, x.finish()
		case err != nil:
			return n, d.formError(x, err)
		case part.FormName() != "file":
			return n, unknownField(part.FormName(), "part", []string{"file"})
		case found:
			return n, rag.FieldErrorf("file", "is there more than once; one call takes one document")
		}
		if n.Filename, err = filenameOf(part); err != nil {
			return n, err
		}
		var b bytes.Buffer
		if size := x.r.ContentLength; size > 0 {
			b.Grow(int(min(size, d.cfg.MaxFileBytes)) + bytes.MinRead)
		}
		size, err := io.Copy(&b, io.LimitReader(part, d.cfg.MaxFileBytes+1))
		switch {
		case err != nil:
			return n, d.formError(x, err)
		case size > d.cfg.MaxFileBytes:
			return n, d.documentTooLarge("file")
		}
		n.Content = b.Bytes()
	}
}

func (d *door) formError(x *exchange, err error) error {
	err = x.readError(err)
	if rag.CodeOf(err) == rag.TooLarge {
		return d.documentTooLarge("file")
	}
	return err
}

// documentTooLarge is about a field file or text.
func (d *door) documentTooLarge(field string) error {
	e := rag.Errorf(rag.TooLarge, "the %s is longer than %s, the limit for one document (WEIR_MAX_FILE_BYTES)", field, size(d.cfg.MaxFileBytes))
	e.Field = field
	return e
}

// filenameOf reads the name as it was sent. It is a label, never a path on
// this machine, so folders in it stay: they tell two documents apart.
func filenameOf(part *multipart.Part) (string, error) {
	_, params, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
	name := params["filename"]
	switch {
	case err != nil || name == "":
		return "", rag.FieldErrorf("file", "has no filename; send it as a file (curl: -F file=@name)")
	case !utf8.ValidString(name):
		return "", rag.FieldErrorf("filename", "is not valid UTF-8")
	}
	return name, nil
}

// awaitDocument answers when the document is in a final status, or when ctx,
// the call's deadline, passes, or the server is about to stop, or the caller's key is no
// longer good, or too many wait already. The upload was accepted in any case, and 202 says so.
func (d *door) awaitDocument(ctx context.Context, x *exchange, doc rag.Document, created bool) (reply, error) {
	accepted := reply{status: http.StatusAccepted, body: doc, location: locationOf(doc)}
	if !doc.Status.Final() {
		leave, err := d.streams.enter(ctx, 0)
		if err != nil {
			return accepted, nil //nolint:nilerr // see above
		}
		defer leave()
		waiting, end := d.lasting(ctx, x)
		defer end()
		err = d.svc.Watch(waiting, x.user, doc.ID, func(now rag.Document) error { doc = now; return nil })
		accepted.body = doc
		switch {
		case errors.Is(ctx.Err(), context.Canceled):
			return reply{}, ctx.Err()
		case rag.CodeOf(err) == rag.NotFound:
			return reply{}, rag.Errorf(rag.NotFound, "the document was deleted while this call waited for it")
		case err != nil:
			return accepted, nil //nolint:nilerr // see above
		}
	}
	switch {
	case doc.Status == rag.Failed && doc.Error != nil:
		return reply{}, &documentError{doc: doc, err: &rag.Error{Code: doc.Error.Code, Msg: doc.Error.Message}}
	case doc.Status == rag.Failed:
		return reply{}, &documentError{doc: doc, err: rag.Errorf(rag.Internal, "the document failed for a reason that was not kept")}
	case doc.Status == rag.Cancelled:
		return reply{}, &documentError{doc: doc, err: rag.Errorf(rag.Conflict, "the document was canceled while this call waited for it")}
	case created:
		return reply{status: http.StatusCreated, body: doc, location: locationOf(doc)}, nil
	default:
		return reply{status: http.StatusOK, body: doc, location: locationOf(doc)}, nil
	}
}

func uploadDoc() description {
	document := func(about string) given {
		return given{about: about, headers: []string{"Location"}, content: jsonOf("Document", nil)}
	}
	takes := jsonOf("NewDocument", textDocument{Filename: "note.md", Text: "# Keys\n\nThe spare key is with the neighbour on the left."})
	takes["multipart/form-data"] = &openapi.Media{Schema: &openapi.Schema{
		Type: "object", Required: []string{"file"}, AdditionalProperties: &openapi.Schema{Not: &openapi.Schema{}},
		Properties: map[string]*openapi.Schema{"file": {
			Type: "string", Format: "binary", ContentMediaType: "application/octet-stream", // generators of clients go by format, as in OpenAPI 3.0
			Description: "The file, with its name: PDF, DOCX, HTML, Markdown or plain text, which is told by its content.",
		}},
	}}
	return description{
		id: "add_document", tag: "documents", summary: "Upload a document",
		about: "A form with one file, or text as JSON. What is accepted is stored durably, and the work on it goes on whatever the caller does. " +
			"With `wait=true` the errors are also those of the work on the document, which is then in `document`.",
		query: map[string]*openapi.Schema{
			"wait":    {Type: "boolean", Description: "Answer when the document is searchable, or at the call's deadline."},
			"replace": {Type: "boolean", Description: "When this document becomes ready, the user's other documents of the same filename are deleted in the same step."},
		},
		takes:   takes,
		refuses: []rag.Code{rag.NotFound, rag.Conflict},
		gives: map[int]given{
			http.StatusOK:       document("The user has a document of this content already; with `wait=true` it is ready."),
			http.StatusCreated:  document("With `wait=true`: it is ready, and all its passages can be found."),
			http.StatusAccepted: document("It is stored and queued. Also with `wait=true`, when the deadline came first, the server is stopping, the key is no longer good, or too many calls wait."),
		},
	}
}
