// Package chaos is a provider of embeddings and of a chat model that misbehaves
// on command: it speaks the OpenAI shapes on real sockets of this machine's
// loopback, answers rightly until it is told otherwise, and has each way of
// going wrong that providers, proxies and networks have been seen to have. The
// drill and the tests of the pipelines drive their callers against it.
//
// # Goals
//
//   - A fault is on the wire, not in a test double: what a caller meets is what
//     a kernel, a TLS stack and an HTTP stack make of it.
//   - A fault begins and ends while callers are at work, and nothing leaves the
//     machine: names are looked up at a server on loopback, see
//     [Provider.Resolver].
//   - A right answer can be told from a wrong one: each text has a vector of its
//     own, see [Vector] and [Matches]; each conversation has one reply, see
//     [Reply].
//   - Nothing grows with what is thrown at it. What has no end is written as
//     fast as it is read and stops when its reader leaves; [Provider.Close]
//     leaves neither goroutine nor socket.
//
// # Design
//
// One goroutine accepts; one goroutine per connection speaks TLS if it must and
// then HTTP/1.1 by hand (http1.go), because half of the faults are bytes that
// no HTTP server would write, or HTTP/2 by way of golang.org/x/net/http2
// (http2.go) over a writer that knows where frames end. A fault is a row of a
// table (see [Faults]): it strikes at the door (listen.go), in the handshake
// (tls.go), at the name (name.go) or in the answer to one call, which is
// written through an interface, sink, that both protocols have.
//
// A fault at the door would not be seen by whoever has a connection already, so
// setting one breaks the connections that are open, as the restart of a proxy
// does. A call that a fault has caught stays caught when the fault ends; calls
// that come later are well.
//
// # What works on which system
//
// The black hole is a listener whose accept queue is full, which on Linux drops
// the SYN of whoever comes next; other systems answer it, so there [Provider.Set]
// says no. All else is portable.
package chaos
