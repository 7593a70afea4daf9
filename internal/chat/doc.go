// Package chat is the far end of answers: it has them written by a chat model
// that speaks the OpenAI shape, and never lets a caller wait past its own
// deadline, or for a stream that has stalled.
//
// # Goals
//
//   - A caller gets an answer whole, piece by piece, or a [rag.Error] that says
//     what went wrong, in which phase, and when to come back. An answer that
//     broke off is an error, and so is one without a word.
//   - A caller leaves when its ctx ends, even if what it waits for does not, and
//     the provider is told: its connection or stream is closed.
//   - Only words are life. Comments, keep-alives, empty deltas and white space
//     hold off no deadline.
//   - Every resource has a bound: callers that wait, answers at a time,
//     connections, bytes sent, read and kept, tries, waits; and users take turns.
//   - An outage is answered with fewer requests, not with more, and is over for
//     callers seconds after it is over for the provider.
//   - The API key is in no error and no log; the provider's own words are cut and
//     cleaned before they are shown.
//
// # Design
//
//	1 validate    valid.go      costs nothing
//	2 gate        gate.go       the breaker, and the pause that the provider asked for
//	3 places      places.go     so many answers at a time; users take turns in the line;
//	              admission.go  what cannot be begun in time is refused at once
//	4 attempt     attempt.go    a goroutine: the POST, then the stream (stream.go, pieces.go)
//	5 follow      follow.go     the caller: takes pieces, watches the clock, hands them on
//	6 retry       retry.go      before the first word only, inside a budget, if it fits
//
// An attempt has a goroutine of its own, which reads; the caller selects on what
// it reads, on its own ctx and on the clock. So an http.RoundTripper that ignores
// its ctx costs its place, but no caller its deadline. The two meet at a channel
// without room: a caller that reads slowly holds up the provider, by way of TCP,
// and nothing piles up between them. The clock runs only while the caller waits,
// so that who reads slowly is not the provider's fault.
//
// # Deadlines
//
//   - FirstToken, from getting a place: connecting, the head of the answer, and
//     its first word; all tries together.
//   - TokenGap, between two words.
//   - Timeout, for the whole, waiting in the line and slow reading included.
//   - A model that thinks aloud first (reasoning_content) is alive, and its
//     thoughts are not handed on: each must come within TokenGap, and the first
//     word within twice FirstToken.
//   - After finish_reason, what may follow (usage, [DONE]) is waited for a second
//     at most; the answer is whole without.
package chat
