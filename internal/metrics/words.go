package metrics

import (
	"slices"

	"weir/internal/provider"
	"weir/internal/rag"
)

const (
	answered = "ok"    // the code of what has no error
	none     = "none"  // where a label does not apply
	other    = "other" // whatever is not in the set
)

// words are the values that a label may have, besides other.
type words []string

// of is v if it is one of w, else other.
func (w words) of(v string) string {
	if slices.Contains(w, v) {
		return v
	}
	return other
}

// or is of(v), but instead if v is empty.
func (w words) or(v, instead string) string {
	if v == "" {
		return instead
	}
	return w.of(v)
}

// vocabulary has all closed sets.
type vocabulary struct {
	operations, codes, modes, phases, stages, reasons, empties, purposes, methods words
}

func newVocabulary() vocabulary {
	v := vocabulary{
		operations: words{"retrieve", "embed", "ask", "upload", "documents", "document", "passages", "delete", "cancel"},
		modes:      words{string(rag.Hybrid), string(rag.Vector), string(rag.Lexical)},
		stages:     words{"queue", "embed", "search", "first_token", "answer"},
		empties: words{
			string(rag.NoDocuments), string(rag.StillIndexing), string(rag.BelowThreshold),
			string(rag.NoMatch), string(rag.OverBudget),
		},
		purposes: words{purposeLabel(rag.ForQuery), purposeLabel(rag.ForIngest)},
		methods:  words{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"},
	}
	for _, c := range []rag.Code{
		rag.Invalid, rag.Unauthorized, rag.Forbidden, rag.NotFound, rag.Conflict, rag.TooLarge, rag.UnsupportedMedia,
		rag.RateLimited, rag.Overloaded, rag.Unavailable, rag.Timeout, rag.Canceled, rag.Internal,
	} {
		v.codes = append(v.codes, string(c))
	}
	v.reasons = append(words{
		"no_embedder", "no_embedder_for_model", "no_vectors", "query_cut",
		"no_chat_model", "empty", "uncited", "citations_dropped", "length", "content_filter", "history_cut",
	}, v.codes...)
	for _, p := range attemptPhases() {
		v.phases = append(v.phases, p.String())
	}
	v.phases = append(v.phases, provider.Validate.String(), provider.FirstToken.String(), provider.Token.String(), "embed", "search", "answer", "store", "extract")
	return v
}

// attemptPhases are those an attempt can end in.
func attemptPhases() []provider.Phase {
	return []provider.Phase{provider.Queue, provider.Dial, provider.TLS, provider.Headers, provider.Body, provider.Decode, provider.Check}
}

func purposeLabel(p rag.Purpose) string {
	switch p {
	case rag.ForQuery:
		return "query"
	case rag.ForIngest:
		return "ingest"
	default:
		return other
	}
}

// results are how a call or an attempt can end, in short.
func results() []string { return []string{resultAnswered, resultRefused, resultFailed} }

const (
	resultAnswered = "answered"
	resultRefused  = "refused" // at once, for want of room: it tells nothing of how long answers take
	resultFailed   = "failed"
)

func resultOf(c rag.Code) string {
	switch c {
	case "":
		return resultAnswered
	case rag.Overloaded, rag.RateLimited:
		return resultRefused
	default:
		return resultFailed
	}
}
