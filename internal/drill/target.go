package drill

import (
	"context"
	"crypto/x509"
	"net"
	"time"
)

// Target is what is driven. Ask is called by many at a time.
type Target interface {
	// Ask asks the question and checks the answer. ctx ends when the drill has
	// no use for the answer any more, and at the question's deadline unless
	// [Config].Unbounded. Nothing depends on Ask obeying it.
	Ask(ctx context.Context, q Question) Outcome
	// Close puts the target down. It should leave nothing behind.
	Close(ctx context.Context) error
}

// Asker is a Target that counts what it sends to the provider, which the
// provider cannot do where nothing arrives.
type Asker interface {
	Requests() int64
}

// Open makes the target of one fault. ctx does not end as long as the target
// is in use.
type Open func(ctx context.Context, at Place) (Target, error)

// Place is where a target finds its provider.
type Place struct {
	URL      string         // ends in /v1
	Model    string         // what the provider calls its model
	Dim      int            // values of a vector
	Roots    *x509.CertPool // the authorities to trust; nil: the provider has no certificate
	Resolver *net.Resolver  // knows the name in URL; nil: URL holds an address
}

// Question is one of a kind: no two of a drill have the same text.
type Question struct {
	Caller   int // from 0
	Text     string
	Deadline time.Time // when the caller wants to have an answer at the latest
}

// Kind is what became of a call.
type Kind int

// The kinds.
const (
	Whole      Kind = iota // the right answer
	Degraded               // less than the right answer, which it says
	Failed                 // an error that says what is wrong, by its code
	Unclear                // an error that does not
	Wrong                  // an answer that is not right, such as another text's vector
	Foreign                // an answer that holds what is another user's
	Undeclared             // less than the right answer, which it does not say
)

// Outcome is what the caller of one question saw.
type Outcome struct {
	Kind Kind
	// Code is the class of the error, or of what the answer was degraded by.
	Code string
	// Detail is shown for the first few outcomes that should not have been.
	Detail string
}
