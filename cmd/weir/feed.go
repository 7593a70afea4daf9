package main

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"weir/internal/rag"
)

// What became of one document. They are part of the output of --json.
const (
	resultReady   = "ready"    // searchable
	resultSame    = "same"     // the same content was there already and is searchable
	resultFailed  = "failed"   // will not become searchable
	resultQueued  = "queued"   // stored; was not waited for to the end
	resultNotRead = "not_read" // was stopped before it was its turn
)

// outcome is what became of one document.
type outcome struct {
	Path     string             `json:"path"`
	Filename string             `json:"filename"`
	Result   string             `json:"result"`
	Error    *rag.DocumentError `json:"error,omitempty"`
	Document *rag.Document      `json:"document,omitempty"` // as last seen; absent when it was never stored
	TookMS   int64              `json:"took_ms"`
}

// feed brings documents into a library and follows each until it is
// searchable or failed.
type feed struct {
	lib     library
	user    rag.User
	keep    bool // both, when a document of the same name is there
	limit   int64
	stdin   io.Reader
	content func(candidate) ([]byte, error) // Defaults to candidate.read

	begun func(i int)                   // it is this document's turn
	moved func(i int, doc rag.Document) // it moved on
	done  func(i int, o outcome)        // called once for each document
}

const (
	feedWidth = 16 // documents followed at the same time
	feedHeld  = 2  // documents whose bytes are in memory at the same time
)

// run returns when each document came to its end or ctx ended.
func (f *feed) run(ctx context.Context, docs []candidate) {
	held := make(chan struct{}, feedHeld)
	turns := make(chan int)
	var workers sync.WaitGroup
	for range min(feedWidth, len(docs)) {
		workers.Go(func() {
			for i := range turns {
				if f.begun != nil {
					f.begun(i)
				}
				f.done(i, f.one(ctx, i, docs[i], held))
			}
		})
	}
	for i := range docs {
		turns <- i // each is taken: after the end of ctx a turn ends at once
	}
	close(turns)
	workers.Wait()
}

func (f *feed) one(ctx context.Context, i int, d candidate, held chan struct{}) outcome {
	began := time.Now()
	o := outcome{Path: d.Path, Filename: d.Name}
	doc, created, err := f.upload(ctx, d, held)
	switch {
	case ctx.Err() != nil && err != nil:
		o.Result = resultNotRead
		return o
	case err != nil:
		o.Result, o.Error = resultFailed, documentError(err)
		return o
	}
	follow := func(seen rag.Document) error {
		doc = seen
		if f.moved != nil {
			f.moved(i, seen)
		}
		return nil
	}
	err = again(ctx, func() error { return f.lib.Watch(ctx, f.user, doc.ID, follow) })
	o.Document, o.TookMS = &doc, time.Since(began).Milliseconds()
	switch {
	case err != nil && ctx.Err() != nil:
		o.Result = resultQueued
	case err != nil:
		o.Result, o.Error = resultQueued, documentError(err)
	case doc.Status == rag.Ready && created:
		o.Result = resultReady
	case doc.Status == rag.Ready:
		o.Result = resultSame
	case doc.Error != nil:
		o.Result, o.Error = resultFailed, doc.Error
	default:
		o.Result, o.Error = resultFailed, &rag.DocumentError{Code: rag.Canceled, Message: "was canceled"}
	}
	return o
}

func (f *feed) upload(ctx context.Context, d candidate, held chan struct{}) (doc rag.Document, created bool, err error) {
	select {
	case held <- struct{}{}:
		defer func() { <-held }()
	case <-ctx.Done():
		return doc, false, ctx.Err()
	}
	if ctx.Err() != nil {
		return doc, false, ctx.Err()
	}
	read := f.content
	if read == nil {
		read = func(d candidate) ([]byte, error) { return d.read(ctx, f.stdin, f.limit) }
	}
	content, err := read(d)
	if err != nil {
		return doc, false, err
	}
	err = again(ctx, func() error {
		doc, created, err = f.lib.Upload(ctx, f.user, rag.NewDocument{Filename: d.Name, Content: content, Replace: !f.keep})
		return err
	})
	return doc, created, err
}

// tries is how often a call that met a full server is made.
const tries = 30

// again makes a call again as long as the server is only busy.
func again(ctx context.Context, call func() error) error {
	for try := 1; ; try++ {
		err := call()
		var e *rag.Error
		if !errors.As(err, &e) || (e.Code != rag.Overloaded && e.Code != rag.RateLimited) || try == tries {
			return err
		}
		t := time.NewTimer(max(e.RetryAfter, 100*time.Millisecond))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
	}
}

func documentError(err error) *rag.DocumentError {
	return &rag.DocumentError{Code: rag.CodeOf(err), Message: explain(err)}
}
