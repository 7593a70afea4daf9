package chat

import (
	"strings"
	"sync/atomic"

	"weir/internal/openai"
	"weir/internal/provider"
)

// options are the members of a request that a provider may not know, or not
// bear. Each is given up, for good, when the provider refused a request and
// named it.
type options uint32

const (
	withoutUsage       options = 1 << iota // stream_options
	newNames                               // max_completion_tokens for max_tokens
	withoutTemperature                     // the model has one of its own
)

func optionNames() []string {
	return []string{"stream_options", "max_tokens", "max_completion_tokens", "temperature"}
}

// borne remembers what is given up.
type borne struct{ atomic.Uint32 }

func (b *borne) options() options { return options(b.Load()) }

// giveUp notes o.
func (b *borne) giveUp(o options) { b.Or(uint32(o)) }

// simpler returns sent with one option fewer, if a refusal names one; ok is
// false when it does not.
func (o options) simpler(sent openai.ChatRequest, refusal *openai.Error) (next options, ok bool) {
	if !provider.IsRefusal(refusal.Status) {
		return o, false
	}
	blames := func(name string) bool {
		return refusal.Param == name || strings.HasPrefix(refusal.Param, name+".") || (refusal.Param == "" && strings.Contains(refusal.Message, name))
	}
	switch {
	case sent.IncludeUsage && (blames("stream_options") || blames("include_usage")):
		return o | withoutUsage, true
	case sent.MaxTokens > 0 && !sent.NewNames && blames("max_tokens"):
		return o | newNames, true
	case sent.Temperature != nil && blames("temperature"):
		return o | withoutTemperature, true
	default:
		return o, false
	}
}

// apply returns r as it is to be sent.
func (o options) apply(r openai.ChatRequest) openai.ChatRequest {
	r.IncludeUsage = o&withoutUsage == 0
	r.NewNames = o&newNames != 0
	if o&withoutTemperature != 0 {
		r.Temperature = nil
	}
	return r
}
