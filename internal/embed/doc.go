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
//   - One caller's leaving, text or load costs no other caller its answer.
//   - What the provider does wrong stays the provider's: every vector is
//     checked before anyone sees it, and its words are cut and cleaned before
//     they are shown. The API key is in no error and no log.
//   - Every resource has a bound: texts that wait, attempts at a time,
//     connections, bytes sent, read and kept, tries, waits.
//   - An outage is answered with fewer requests, not with more, and is over
//     for callers seconds after it is over for the provider.
//
// # Design
//
// [Client] is one attempt: a POST with its own time limit, and the checks on
// what came back (client.go, negotiate.go, check.go); what
// failed is a [provider.Fault], which says whether to try again and whether smaller
// requests may fare better. [Pipeline] is what stands before it:
//
//	 1 validate    valid.go       costs nothing
//	 2 cache       cache.go       hits work when the provider does not
//	 3 admission   admission.go   refuses at once what cannot be answered in time
//	 4 flights     flight.go, call.go   the same text is asked for once
//	 5 queue       queue.go       queries before ingest, users take turns
//	 6 dispatcher  dispatcher.go  one goroutine: a slot first, then a batch
//	 7 slots       slots.go       as many attempts as the provider bears
//	 8 gate        breaker.go, and the pause that the provider asked for
//	 9 attempt     attempt.go     under the pipeline's ctx (provider.Lifetime), seen by an observer (observer.go)
//	10 retry       provider.go    inside a budget, if it fits the deadline;
//	               hedge.go       beside an attempt that takes far longer than usual
//	11 check       check.go, batch.go   each text by itself; refused batches in halves
//	12 deliver     attempt.go, call.go  never waits for a caller
//
// All state is under one mutex, held for moments and never across a wait; the
// parts (queue, slots, breaker, budget, pace) are plain values that are told
// the time and know nothing of each other. There are as many goroutines as
// attempts under way, the dispatcher, and one that ends its ctx on Close.
//
// A [flight] is one text on its way. It owns its result; a caller ([call]) is
// a member of its flights and owns no more than that. Who leaves gives up its
// memberships. A flight without members leaves the table before its batch
// hears of it, so that nobody joins what is about to be cancelled; a batch
// whose flights are all without members is cancelled. A flight is at any
// moment in exactly one place: in a line of the queue, or in one batch, which
// is ready, asleep, or under way.
//
// There is no timer that waits for a batch to fill. The dispatcher takes a
// slot, then whatever waits: an idle provider is asked at once, and what comes
// while all slots are taken grows into fuller batches. Batches are of one
// purpose, so that a long passage or a refused one is no query's fate.
//
// An attempt ends by itself, by its time limit, or because nobody waits for
// it. An http.RoundTripper that ignores its ctx costs its slot, but no caller
// its deadline: the waiter selects on its own ctx. Where an attempt stands is
// kept in a [provider.Tracker] beside it, so that the waiter who leaves can tell what
// it was waiting for. Close waits for the attempts, and closes every
// connection, those that are being made too (provider.Dialer).
//
// Three things that an attempt is not left to. net/http sends a request again
// by itself for as long as it is given back: once, here (provider.Replays). A look-up
// of a name goes on without its caller: it ends with the dial, and where the
// operating system does not let go of it, there are no more than slots
// (provider.Dialer). And a provider that loads its model gives up loading when its
// caller leaves: one attempt, where the provider may be cold, outlives callers
// that ran out of time (warm.go).
//
// Ingest shares the slots with the queries, and no more. What the provider says
// to ingest — that it is asked too often, when to come back — holds for ingest
// alone; what it says to a query holds for all. Limit, pause, retry budget and
// pace are kept by purpose, and ingest that fails opens no breaker while
// queries are answered. An attempt for ingest that hangs in a slot that queries
// wait for is given up for them, and its texts are asked for again.
//
// Flights and cache are shared between users: what a text's vector is depends
// on the text and the model alone. Who can measure time could tell that
// somebody has asked for a text before, and no more than that.
package embed
