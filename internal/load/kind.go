package load

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"
)

// Kind is what an endpoint answers, by which a 200 without an answer in it is
// told from one with.
type Kind string

// The kinds.
const (
	Any        Kind = ""           // whatever a 2xx holds is an answer
	Retrieve   Kind = "retrieve"   // Weir's POST /v1/retrieve
	Embeddings Kind = "embeddings" // OpenAI's POST /v1/embeddings
)

// KindOf recognises an endpoint by the end of its path.
func KindOf(u *url.URL) Kind {
	path := strings.TrimRight(u.Path, "/")
	switch {
	case strings.HasSuffix(path, "/retrieve"):
		return Retrieve
	case strings.HasSuffix(path, "/embeddings"):
		return Embeddings
	default:
		return Any
	}
}

// kindNoAnswer is a 200 that is not of the kind's shape, or holds an error.
const kindNoAnswer = "200 without an answer"

// read judges the body of a 2xx.
func (k Kind) read(body []byte) Result {
	var ok, degraded bool
	switch k {
	case Any:
		ok = true
	case Retrieve:
		var a struct {
			Chunks   *[]json.RawMessage `json:"chunks"`
			Degraded []json.RawMessage  `json:"degraded"`
		}
		ok = json.Unmarshal(body, &a) == nil && a.Chunks != nil
		degraded = len(a.Degraded) > 0
	case Embeddings:
		var a struct {
			Data []struct {
				Embedding json.RawMessage `json:"embedding"`
			} `json:"data"`
		}
		ok = json.Unmarshal(body, &a) == nil && len(a.Data) > 0
		for _, d := range a.Data {
			ok = ok && holdsValues(d.Embedding)
		}
	}
	switch {
	case !ok:
		return Result{Failed, kindNoAnswer}
	case degraded:
		return Result{Outcome: Degraded}
	default:
		return Result{Outcome: Answered}
	}
}

// holdsValues reports whether a vector, a list or base64, is not empty.
func holdsValues(v json.RawMessage) bool {
	v = bytes.TrimSpace(v)
	switch {
	case len(v) < 2:
		return false
	case v[0] == '[':
		return len(bytes.TrimSpace(v[1:len(v)-1])) > 0
	default:
		return v[0] == '"' && len(v) > 2
	}
}
