// Package httpapi is the HTTP door: the way in over the network to
// [rag.Service], and the Client that speaks to it.
//
// # Goals
//
//   - No request holds anything for longer than its bound: headers, body, the
//     work and the writing each have a deadline of their own, and each kind of
//     request has a lane that bounds how many there are.
//   - What waits at the door is bounded in bytes too, and what does not fit is
//     refused before it is read.
//   - Every error is a problem (RFC 9457) made in one place from one table,
//     with an id that is also in the log. OpenAI's clients have the same error in
//     their own shape.
//   - A caller that leaves is noticed, and work for it stops.
//
// # Design
//
// A handler reads its request and returns a reply or an error; the exchange
// around it (exchange.go) writes, logs and maps. So no handler can forget a
// deadline or a header, and Service has given back its slot before the first
// byte of an answer is written: a slow reader costs a connection, never a
// slot.
//
// net/http notices that a client left only once the request's body was read to
// its end. Hence body.go: every handler that works has read all of it before.
//
// /healthz, /readyz, /v1/status and /metrics take no place in any lane, so they
// answer when everything else is full.
//
// The Service admits calls, and knows whom to refuse (its admission has users,
// deadlines and the time that calls take). The door bounds what comes before
// that: how many requests there are, far more than are admitted (lane.go), the
// memory for bodies and for answers that are being written (budget.go), and
// uploads, which must keep up a least rate (pace.go) and of which one user has a
// share (share.go).
//
// # Who may call
//
// A Gate says who calls, and each route what right it needs (gate.go); what
// forgets to say needs the right to write. Without a gate a caller is who it says
// it is, and the server listens on loopback only. Either way guard.go keeps out web
// pages open in a user's browser.
package httpapi
