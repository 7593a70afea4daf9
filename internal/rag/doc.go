// Package rag is the middle of Weir: the nouns (User, Document, Chunk,
// Passage), what the middle asks of the rooms around it (Store, Embedder,
// Extractor), the error codes, and Service, through which every door goes.
//
// # The rule of the house
//
// Every call ends by its deadline with an answer or an [Error]. Service sets
// one deadline when a call comes in; whatever it asks of a store, an embedder
// or an extractor runs under that deadline, and Service itself leaves when
// the deadline passes even if what it asked does not return.
//
// # Reading order
//
// types.go (nouns), errors.go (codes), store.go, embedder.go and extractor.go
// (what is asked of others), service.go, retrieve.go with fuse.go and
// budget.go (the way of one question), ask.go with askprompt.go and askfilter.go
// (the way of one answer in words), library.go and ingest.go (the way of
// one document).
//
// The package imports the standard library alone.
package rag
