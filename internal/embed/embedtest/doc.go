// Package embedtest is a provider of embeddings for tests: an HTTP server on
// loopback that speaks the OpenAI shape, answers with vectors that follow from
// the words of a text, counts what it is asked, and fails in the ways that
// providers fail when it is told to.
//
// It is never to stand in for a provider outside tests: its vectors know
// nothing of meaning.
package embedtest
