package embed

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"weir/internal/openai"

	"weir/internal/provider"
)

// options are the members of a request that a provider may not know.
type options struct {
	base64     bool // ask for vectors as base64
	dimensions bool // ask for a number of values
}

// wire remembers which options the provider bears. It starts by asking for
// all that are wanted; an option is given up for good only when a request
// without it succeeded where the same one with it was refused, for a refusal
// may as well be of the text.
//
// One attempt at a time finds out; those that are refused meanwhile wait for
// it. Where a request was refused without options too, it is not tried again
// for a moment whether they are why: an outage must not be asked three times
// as often.
type wire struct {
	base64, dimensions atomic.Int32  // unknown, borne or given up
	turn               chan struct{} // holds a value while somebody finds out
	barren             time.Time     // of the last request that was refused without options; whose turn it is may see it
}

const barrenFor = time.Second

// enter waits for the turn to find out, until ctx ends.
func (w *wire) enter(ctx context.Context) bool {
	select {
	case w.turn <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (w *wire) leave() { <-w.turn }

// worth reports whether finding out makes sense again.
func (w *wire) worth() bool { return time.Since(w.barren) >= barrenFor }

const (
	unknown int32 = iota
	borne
	givenUp
)

func (w *wire) options(wantDimensions bool) options {
	return options{
		base64:     w.base64.Load() != givenUp,
		dimensions: wantDimensions && w.dimensions.Load() != givenUp,
	}
}

// blamesOptions reports whether a refusal may be of the options: it says so,
// or blames the request without saying what in it.
func blamesOptions(refusal *openai.Error, f *provider.Fault) bool {
	switch refusal.Param {
	case "dimensions", "encoding_format":
		return provider.IsRefusal(f.Status)
	case "input":
		return false
	default:
		return f.Vague && refusal.Code != "context_length_exceeded" && f.Status != http.StatusRequestEntityTooLarge
	}
}

// simpler returns sent with one option fewer, to be tried after a refusal; ok
// is false when there is none left that may be at fault. What the refusal says
// only decides which option goes first.
func (w *wire) simpler(sent options, refusal *openai.Error) (o options, ok bool) {
	b := sent.base64 && w.base64.Load() == unknown
	d := sent.dimensions && w.dimensions.Load() == unknown
	blamesDim := refusal.Param == "dimensions" || strings.Contains(refusal.Message, "dimension") ||
		strings.Contains(refusal.Message, "matryoshka")
	switch {
	case d && (!b || blamesDim):
		sent.dimensions = false
		return sent, true
	case b:
		sent.base64 = false
		return sent, true
	default:
		return sent, false
	}
}

// learn notes that a request with sent was answered, after it was refused with
// first.
func (w *wire) learn(first, sent options) {
	note := func(state *atomic.Int32, wanted, got bool) {
		switch {
		case got:
			state.CompareAndSwap(unknown, borne)
		case wanted:
			state.CompareAndSwap(unknown, givenUp)
		}
	}
	note(&w.base64, first.base64, sent.base64)
	note(&w.dimensions, first.dimensions, sent.dimensions)
}
