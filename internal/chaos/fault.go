package chaos

import "slices"

// Fault names a way to misbehave. The zero Fault is none.
type Fault string

// Expect is what callers of a service that does all it should get while a
// fault lasts.
type Expect int

// What callers may get.
const (
	Answer  Expect = iota // every call is answered whole, if perhaps late or with a retry
	Mixed                 // some calls are answered whole, others end as for Failure
	Failure               // no vector can be had: retrieval is degraded; whoever needs the vector gets an error
)

func (e Expect) String() string {
	switch e {
	case Answer:
		return "answer"
	case Mixed:
		return "answer or degraded"
	case Failure:
		return "degraded"
	default:
		return "unknown"
	}
}

// Code is the class of an error, in the words of the service's own contract.
type Code string

// The classes.
const (
	Timeout     Code = "timeout"     // the deadline came first
	Unavailable Code = "unavailable" // the provider failed, and was not waited for
	Invalid     Code = "invalid"     // the provider refused this text
	Overloaded  Code = "overloaded"  // there was no room, and the caller was told at once
)

// Wire is how a provider is spoken to.
type Wire int

// The wires.
const (
	Plain Wire = iota // http, HTTP/1.1
	TLS               // https, HTTP/1.1
	HTTP2             // https, HTTP/2 for those who offer it
)

func (w Wire) String() string {
	switch w {
	case Plain:
		return "http/1.1"
	case TLS:
		return "https/1.1"
	case HTTP2:
		return "https/2"
	default:
		return "unknown"
	}
}

// Entry is the row of a fault.
type Entry struct {
	Fault Fault
	// Does says in one line what the provider does.
	Does string
	// Expect is what callers may get, and Codes the classes of error that may
	// come with it. Where many call at once, Overloaded may stand in for any.
	Expect Expect
	Codes  []Code
	// Retry: the same call, made again while the fault lasts, may succeed.
	Retry bool
	// Heals: when the fault ends, connections that were open meanwhile are of
	// use again. Where not, those that it struck stay dead, and it is for the
	// caller to notice; new ones are well.
	Heals bool
	// Wires are those on which the fault can be had, the usual one first.
	Wires []Wire
	// Met is by which calls it is met; others are answered rightly. Faults of
	// the connection are met by all.
	Met Met
	// Named: only callers who use [Provider.NamedURL] and [Provider.Resolver]
	// meet it.
	Named bool

	// What follows is how it is done. All may be zero.
	door door  // at the accept
	cert cert  // in the handshake
	name name  // in the look-up of the name
	dark bool  // the connections that are open go dark
	call reply // in the answer to a call; nil: the right answer
}

// reply answers one call. It returns false when the connection is of no
// further use.
type reply func(p *Provider, s sink, c *call) bool

// door is what becomes of a connection as such.
type door int

const (
	doorOpen      door = iota
	doorSilent         // accepted, read, never written to
	doorClosed         // accepted and closed
	doorRefuses        // nothing listens
	doorBlackHole      // the SYN is dropped
)

// fresh reports whether the fault is met only by a new connection.
func (e Entry) fresh() bool { return e.door != doorOpen || e.cert != certGood || e.name != nameKnown }

// Faults returns the table of the faults that calls for embeddings meet, in the
// order of a connection's life; those of them that are not of vectors, calls of
// the chat model meet as well.
// The slices of an Entry are not to be changed.
func Faults() []Entry {
	return slices.Concat(connectionFaults(), tlsFaults(), http2Faults(), latencyFaults(), headFaults(), bodyFaults(),
		limitFaults(), statusFaults(), contentFaults(), vectorFaults())
}

// ChatFaults returns the table of those that only calls of the chat model meet,
// in the order of an answer. Most are of a stream: a call that does not ask for
// one is answered rightly.
func ChatFaults() []Entry {
	return slices.Concat(silenceFaults(), streamFaults(), wordFaults())
}

// ForChat is the row as it is for calls of the chat model that ask for a stream:
// an answer that has said [DONE] is whole, however its message ends, and none is
// asked for a second time while the first try may still answer.
func (e Entry) ForChat() Entry {
	if e.Fault == ChunksUnended || e.Fault == LengthTooLong {
		e.Expect, e.Codes = Answer, nil
	}
	if e.Fault == HTTP2GoAway { // of many calls side by side on a connection that is given up after each answer, some are given back as often as they are tried
		e.Codes = []Code{Unavailable}
	}
	if e.Fault == HTTP2Dark { // it takes two seconds to be noticed, and a call in words is not made twice beside itself
		e.Expect, e.Codes = Mixed, []Code{Timeout, Unavailable}
	}
	return e
}

// Met tells calls apart.
type Met int

// The kinds of calls.
const (
	ByAll        Met = iota
	ByEmbeddings     // POST /v1/embeddings
	ByChat           // POST /v1/chat/completions
)

func (m Met) by(c *call) bool {
	switch m {
	case ByEmbeddings:
		return c.chat == nil
	case ByChat:
		return c.chat != nil
	case ByAll:
	}
	return true
}

// Lookup returns the row of a fault; false: there is no such fault.
func Lookup(f Fault) (Entry, bool) {
	for _, e := range slices.Concat(Faults(), ChatFaults()) {
		if e.Fault == f {
			return e, true
		}
	}
	return Entry{}, false
}

func anyWire() []Wire   { return []Wire{Plain, TLS, HTTP2} }
func oneWire() []Wire   { return []Wire{Plain, TLS} }
func tlsWire() []Wire   { return []Wire{TLS, HTTP2} }
func http2Wire() []Wire { return []Wire{HTTP2} }

// late, down and ill are the classes that go together.
func late() []Code { return []Code{Timeout, Unavailable} }
func down() []Code { return []Code{Unavailable, Timeout} }
func ill() []Code  { return []Code{Unavailable} }
