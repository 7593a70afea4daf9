// Package embed is the far end: it turns texts into vectors by asking a
// provider that speaks the OpenAI shape, and never lets a caller wait past its
// own deadline for it.
//
// # Goals
//
//   - A caller gets all its vectors, in order, or one [rag.Error] that says
//     what went wrong, in which phase, and when to come back. Nothing is made
//     up, nothing is left out.
//   - A caller leaves when its ctx ends, even if what it waits for does not.
//   - What the provider does wrong stays the provider's: every vector is
//     checked before anyone sees it, and its words are cut and cleaned before
//     they are shown. The API key is in no error and no log.
//   - Every resource has a bound: connections, attempts at a time, bytes sent,
//     bytes read, tries, waits.
//
// # Design
//
// Two parts. [Client] is one attempt: a POST with its own time limit, and the
// checks on what came back (client.go, transport.go, negotiate.go, check.go);
// what failed is a [Fault], which says whether to try again and whether
// smaller requests may fare better. [Pipeline] is what stands before it and
// implements rag.Embedder: validation, batches, slots, tries.
//
// An attempt runs in a goroutine of its own and answers into a channel with
// room for the answer; the waiter selects on that channel, on its ctx and on
// Close. It follows that an http.RoundTripper that ignores its ctx costs its
// slot, but no caller its deadline. Close waits for the attempts.
//
// Where a request stands is kept in a [Tracker] beside it, so that the waiter
// who leaves can tell what it was waiting for.
package embed
