package rag

import (
	"context"
	"time"
)

// Store keeps documents, chunks, vectors and the ingest queue. What every
// Store must do beyond these signatures is written as tests in
// internal/storetest.
//
// All methods are safe for concurrent use. A ctx that ends makes a method
// return its error soon and leaves the store as it was. An operation on a
// document of another user answers exactly as if the document did not exist.
// Errors are [Error] values where the caller can act on them.
type Store interface {
	Searcher
	Library
	Queue
	// Ready reports whether the store can serve now.
	Ready(ctx context.Context) error
	// Close waits for calls under way and releases everything.
	Close() error
}

// Halves is a Store that can be read where it takes no writes, such as a
// database's standby. Its Ready is both.
type Halves interface {
	Readable(ctx context.Context) error
	Writable(ctx context.Context) error
}

// Sparse is a Store in which the passages of a document may be numbered with
// gaps, from anywhere on.
type Sparse interface {
	// ChunksFrom returns up to limit chunks of the user's document in order,
	// those whose Index is first or more.
	ChunksFrom(ctx context.Context, user User, docID string, first, limit int) ([]Chunk, error)
}

// Searcher is what retrieval asks of a store. Only chunks of documents that
// are Ready exist for it.
type Searcher interface {
	// Candidates runs the halves of q that are asked for.
	Candidates(ctx context.Context, user User, q Query) (Candidates, error)
	// Chunks returns the user's chunks that refs name, in the order of refs;
	// those that do not exist (any more) are left out.
	Chunks(ctx context.Context, user User, refs []Ref) ([]Chunk, error)
}

// Query is one search among one user's chunks.
type Query struct {
	Text      string    // the lexical half; empty: not asked for
	Vector    []float32 // the vector half, unit length; nil: not asked for
	Model     Model     // the model Vector comes from
	Documents []string  // only chunks of these documents; empty: of all
	Limit     int       // most candidates of each half
}

// Candidate is a chunk that a search found.
type Candidate struct {
	Ref
	Lexical   float64 // BM25 score; 0 when the lexical half did not find it
	Cosine    float64 // similarity to Query.Vector, in [-1,1]
	HasCosine bool    // false when there was no Query.Vector or the chunk has no vector of Query.Model
}

// Candidates is the outcome of a search, each half best first; equal scores
// are ordered by document (oldest first) and index. When Query.Vector was
// given, the candidates of the lexical half carry their cosine too.
type Candidates struct {
	Lexical  []Candidate
	Vector   []Candidate
	Chunks   int    // ready chunks the search could see: the user's, within Query.Documents
	NoVector int    // how many of those have no vector of Query.Model; 0 when Query.Vector was nil
	Note     string // anything the caller must be told of this search, such as query words left out; empty usually
}

// Library is the user's documents.
type Library interface {
	// Add stores an uploaded document durably and queues it. When the user has
	// a document of the same content that is queued, in work or ready, that
	// one is returned and created is false. Else the user's failed and canceled
	// documents of the same content and filename are deleted in the same step.
	Add(ctx context.Context, user User, n NewDocument) (doc Document, created bool, err error)
	// Document returns one document, or a NotFound error.
	Document(ctx context.Context, user User, id string) (Document, error)
	// Documents lists newest first. next is "" on the last page.
	Documents(ctx context.Context, user User, p Page) (docs []Document, next string, err error)
	// Delete removes a document in any status, with all that belongs to it.
	Delete(ctx context.Context, user User, id string) error
	// Cancel makes a document that is not yet Ready or Failed Canceled, for
	// good. On a Cancelled one it does nothing; on a Ready or Failed one it
	// returns a Conflict error.
	Cancel(ctx context.Context, user User, id string) (Document, error)
	// Counts tells how many of the user's documents (of those in ids, when ids
	// is not empty) are in each status.
	Counts(ctx context.Context, user User, ids []string) (map[Status]int, error)
}

// NewDocument is an upload.
type NewDocument struct {
	Filename string
	Content  []byte
	SHA256   string // of Content, lower-case hex; computed by Service
	// Replace: when this document becomes Ready, the user's older documents of
	// the same Filename, in any status, are deleted in the same step. It is not
	// applied when the content is there already.
	Replace bool
}

// Page asks for a part of a list.
type Page struct {
	Cursor   string // as returned by the call before; empty: from the start
	Limit    int
	Status   Status // only documents in it; empty: in any
	Filename string // only documents whose filename contains it, without regard to case; empty: any
}

// Queue is the ingest work, over all users; each Job says whose it is. Every
// method but Lease takes the Job as it was leased and returns ErrLeaseLost,
// changing nothing, when the lease is no longer held.
type Queue interface {
	// Lease takes the next document that is due, fair between users (the user
	// with the fewest documents in work first, then the oldest document), or
	// returns nil when none is. A document whose lease ran out is due again.
	Lease(ctx context.Context, ttl time.Duration) (*Job, error)
	// Pending tells how many documents wait or are in work, over all users.
	Pending(ctx context.Context) (queued, working int, err error)
	// Renew extends the lease and records status, which is Parsing or
	// Embedding, and progress.
	Renew(ctx context.Context, job Job, ttl time.Duration, s Status, p Progress) error
	// Content returns the uploaded bytes; after Stage, a Conflict error.
	Content(ctx context.Context, job Job) ([]byte, error)
	// Stage stores what was extracted, invisible to search, in place of
	// anything staged before, and frees the uploaded bytes. The Index of
	// x.Chunks[i] is i. The operations below it return a Conflict error before.
	Stage(ctx context.Context, job Job, x Extracted) error
	// Unembedded returns up to limit staged chunks without a vector of model,
	// in order, and how many there are in all.
	Unembedded(ctx context.Context, job Job, model Model, limit int) (chunks []Chunk, left int, err error)
	// PutVectors stores vectors for staged chunks: vectors[i], unit length,
	// belongs to the chunk whose Index is indexes[i].
	PutVectors(ctx context.Context, job Job, model Model, indexes []int, vectors [][]float32) error
	// Publish makes the document Ready and all its chunks searchable in one
	// step. A zero model publishes without vectors; else each chunk must have
	// one of model, or the error is Conflict.
	Publish(ctx context.Context, job Job, model Model) error
	// Retry gives the job back, to be leased again not before at. why is shown
	// in Document.Waiting.
	Retry(ctx context.Context, job Job, at time.Time, why string) error
	// Fail makes the document Failed, for good, and frees what it held; its
	// Chunks and Tokens are 0 then, as they are after Cancel.
	Fail(ctx context.Context, job Job, e DocumentError) error
}

// Job is a leased document.
type Job struct {
	User     User
	Document Document // as it was when leased
	Lease    string   // the token that fences off earlier holders
	Attempt  int      // 1 on the first lease
	Staged   bool     // Stage was done by an earlier holder: go on at Unembedded
}
