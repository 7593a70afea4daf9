package rag

import "context"

// Extractor turns the bytes of an uploaded file into chunks.
//
// Extract goes by content, not by name. It returns an [Error] that names the
// file and the reason: UnsupportedMedia (not a format that is read, or the
// name and the content disagree), TooLarge (over a limit, which it names),
// Invalid (encrypted, damaged, empty, no text in it), Timeout (over its own
// time limit). progress, if not nil, is called with pages done and in all.
// It returns soon after ctx ends.
type Extractor interface {
	Extract(ctx context.Context, filename string, content []byte, progress func(Progress)) (Extracted, error)
}

// Extracted is a document as it was read and cut.
type Extracted struct {
	MediaType string // such as application/pdf
	Title     string // the document's own, if it has one
	Pages     int    // 0 for formats without pages
	Warning   string // what of the document could not be read, such as damaged pages or scans; empty when all was
	Chunks    []Chunk
}
