package provider

import (
	"crypto/tls"
	"net/http/httptrace"
	"sync/atomic"
)

// Phase is where a call stands. Its text is what Phase of a rag.Error holds.
type Phase int32

// The phases, in the order of an attempt.
const (
	Queue    Phase = iota // waiting for a slot or a connection
	Dial                  // looking up the name, connecting
	TLS                   // handshake
	Headers               // sending the request, waiting for the answer to begin
	Body                  // reading the answer
	Decode                // taking it apart
	Check                 // looking at what it says
	Validate              // looking at what is asked, before anything is sent

	FirstToken // of a written answer: waiting for its first word
	Token      // waiting for the next one
)

func (p Phase) String() string {
	switch p {
	case Queue:
		return "queue"
	case Dial:
		return "dial"
	case TLS:
		return "tls"
	case Headers:
		return "headers"
	case Body:
		return "body"
	case Decode:
		return "decode"
	case Check:
		return "check"
	case Validate:
		return "validate"
	case FirstToken:
		return "first_token"
	case Token:
		return "token"
	default:
		return "unknown"
	}
}

// Tracker tells the phase of a call to others while it runs. The zero value
// is at Queue. It is safe for concurrent use.
type Tracker struct{ phase atomic.Int32 }

// Phase returns where the call stands.
func (t *Tracker) Phase() Phase { return Phase(t.phase.Load()) }

// Set moves on to p.
func (t *Tracker) Set(p Phase) { t.phase.Store(int32(p)) }

// dialing moves on to p, but only from a phase of getting a connection: a dial
// goes on in the background when its request was given another connection
// meanwhile, and must not turn the clock back.
func (t *Tracker) dialing(p Phase) {
	for {
		now := t.phase.Load()
		if Phase(now) >= p || t.phase.CompareAndSwap(now, int32(p)) {
			return
		}
	}
}

// Trace returns hooks that keep t up to date until the headers are there.
func (t *Tracker) Trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn:           func(string) { t.Set(Queue) }, // again, when a stale connection is replaced
		DNSStart:          func(httptrace.DNSStartInfo) { t.dialing(Dial) },
		ConnectStart:      func(string, string) { t.dialing(Dial) },
		TLSHandshakeStart: func() { t.dialing(TLS) },
		TLSHandshakeDone:  func(tls.ConnectionState, error) {},
		GotConn:           func(httptrace.GotConnInfo) { t.Set(Headers) },
	}
}
