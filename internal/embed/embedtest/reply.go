package embedtest

import "net/http"

// Reply says how one call is answered. The zero Reply is a right answer.
type Reply struct {
	// Wait holds the answer back, headers and all, until it is closed or the
	// client leaves.
	Wait <-chan struct{}
	// Status other than 0 or 200 answers with an error of that status.
	Status int
	// Message is the text of that error. Defaults to "told to fail".
	Message string
	// Code is the machine's word in that error. Defaults to none.
	Code string
	// Body, if set, is sent as it is in place of an answer or error.
	Body string
	// Header is sent in addition.
	Header http.Header
	// Fault is what is wrong with an answer of status 200.
	Fault Fault
}

// Fault is a way for an answer of status 200 to be wrong.
type Fault int

// The faults. Those of a vector strike the last text of a call alone.
const (
	Whole        Fault = iota // nothing is wrong
	Garbage                   // not JSON
	Truncated                 // JSON that ends in its middle, in a whole HTTP answer
	Cut                       // the connection closes before the end that was promised
	Endless                   // it never stops
	Bomb                      // gzip that grows a thousandfold without end
	StallHeaders              // nothing is sent until the client leaves
	StallBody                 // the headers and half of the body are sent, then nothing
	ErrorInside               // an error object in place of an answer
	WrongDim                  // all vectors are one value short
	ShortVector               // one vector is
	NaN                       // one vector holds NaN, in whichever form is asked for
	Null                      // one vector is null
	Zero                      // one vector is all zeros
	Duplicate                 // one index comes twice
	Missing                   // one item is left out
	Extra                     // one item too many
	NoIndex                   // no item has its index
	Shuffled                  // the items come in reverse: nothing is wrong with that
)
