package rag

import "time"

// User is whose documents are meant. It is an argument of every operation on
// documents, never a field of a filter, so that it cannot be forgotten.
type User string

// MaxUserBytes is the longest a User may be.
const MaxUserBytes = 256

// Status is where a document stands.
type Status string

// The life of a document: queued → parsing → embedding → one of the last
// three, which are final.
const (
	Queued    Status = "queued"
	Parsing   Status = "parsing"
	Embedding Status = "embedding"
	Ready     Status = "ready"
	Failed    Status = "failed"
	Cancelled Status = "canceled"
)

// Final reports whether a document in this status never changes it again.
func (s Status) Final() bool { return s == Ready || s == Failed || s == Cancelled }

// Progress counts the work on one document: pages while parsing, chunks while
// embedding. Total is 0 as long as it is unknown.
type Progress struct {
	Done  int `json:"done"`
	Total int `json:"total"`
}

// DocumentError says why a document failed.
type DocumentError struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
}

// Document is what is known of one uploaded document. Its passages can be
// found from the moment its Status is Ready, all of them, and not before.
type Document struct {
	ID        string         `json:"id"`
	Filename  string         `json:"filename"`
	MediaType string         `json:"media_type,omitempty"` // as found by content; empty until parsed
	Title     string         `json:"title,omitempty"`
	Status    Status         `json:"status"`
	Progress  Progress       `json:"progress"`
	Error     *DocumentError `json:"error,omitempty"`   // set when Status is Failed
	Waiting   string         `json:"waiting,omitempty"` // why a queued document is not worked on yet, such as the error its next attempt waits for
	Warning   string         `json:"warning,omitempty"` // what of it could not be read, and so is never found; kept from Stage on
	Bytes     int64          `json:"bytes"`
	SHA256    string         `json:"sha256"` // of the uploaded bytes, lower-case hex
	Pages     int            `json:"pages"`  // 0 for formats without pages
	Chunks    int            `json:"chunks"`
	Tokens    int            `json:"tokens"`         // sum over its chunks
	Model     Model          `json:"model,omitzero"` // of its vectors; zero when it has none
	CreatedAt time.Time      `json:"created_at"`
	UpdatedAt time.Time      `json:"updated_at"`
}

// Model names the space vectors live in. Vectors of different models are
// never compared.
type Model struct {
	Name string `json:"name,omitempty"`
	Dim  int    `json:"dimensions,omitempty"`
}

// Ref names one chunk of one of the user's documents.
type Ref struct {
	DocID string
	Index int // 0-based position in the document
}

// Chunk is a passage of a document as the extractor cut it and the store
// keeps it.
type Chunk struct {
	ID           string // filled by the store
	DocID        string // filled by the store
	Filename     string // filled by the store
	Index        int    // 0-based position in the document
	Content      string
	SectionPath  []int  // numbers of the headings above it, [4 2 1] for 4.2.1; counted where the document has no numbers; nil outside any section
	SectionTitle string // the titles above it, outermost first, joined by " > "
	PageStart    int    // 1-based physical page; 0 for formats without pages
	PageEnd      int
	Tokens       int // of Content, counted with the tokenizer of the extractor
}
