package openai

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// Embeddings is an answer to an EmbeddingsRequest.
type Embeddings struct {
	Model string
	Data  []Embedding // in the order of the wire, which is not always that of Index
	Usage Usage
}

// Embedding is the vector of one input.
type Embedding struct {
	Index  int       // which input it belongs to; 0 where the provider leaves it out
	Vector []float32 // as it was sent: neither length nor values are checked
	Err    error     // why Vector could not be read; nil if it was
}

// Usage counts the tokens a provider charges for; zero where it does not say.
type Usage struct {
	PromptTokens int `json:"prompt_tokens"`
	TotalTokens  int `json:"total_tokens"`
}

// Limits bounds what a decoder keeps.
type Limits struct {
	Items  int // most inputs, or vectors
	Values int // most values of one vector
	Tokens int // most tokens of all inputs together; 0: lists of tokens are refused
}

// ErrTooMany is returned for more items than Limits.Items.
var ErrTooMany = errors.New("it holds more items than were asked for")

var (
	errNoData    = errors.New("it holds no data")
	errTwice     = errors.New("a member that stands twice")
	errNotInt    = errors.New("an index that is not a counter")
	errNotObject = errors.New("it is not an object")
)

// DecodeEmbeddings reads an answer. A vector that cannot be read is the
// Embedding's Err; the error returned is for an answer that is of no use as a
// whole: an [*Error] when it is an error in spite of its status 200, ErrTooMany,
// or a description of where it is not of the shape. Whatever a provider adds
// to the shape is passed over.
func DecodeEmbeddings(body []byte, limit Limits) (Embeddings, error) {
	var out Embeddings
	data := false
	err := readAnswer(body, func(s *scanner, key string) (bool, error) {
		switch key {
		case "data":
			if data {
				return true, s.errorf("data: %w", errTwice)
			}
			if s.word("null") {
				return true, nil
			}
			data = true
			return true, s.items(&out, limit)
		case "model":
			return true, s.model(&out.Model)
		case "usage":
			raw, err := s.skip()
			if err == nil && json.Unmarshal(raw, &out.Usage) != nil {
				out.Usage = Usage{} // it is for statistics: not worth a failure
			}
			return true, err
		default:
			return false, nil
		}
	}, func() bool { return data }, errNoData)
	if err != nil {
		return Embeddings{}, err
	}
	return out, nil
}

func (s *scanner) model(to *string) error {
	if s.next() != '"' {
		_, err := s.skip()
		return err
	}
	v, err := s.text()
	*to = v
	return err
}

func (s *scanner) items(out *Embeddings, limit Limits) error {
	return s.array(func(n int) error {
		if n == limit.Items {
			return s.errorf("data: %w", ErrTooMany)
		}
		if s.next() != '{' && s.i < len(s.b) {
			return s.errorf("data[%d]: %w", n, errNotObject)
		}
		e, err := s.item(limit.Values)
		if err != nil {
			return fmt.Errorf("data[%d]: %w", n, err)
		}
		out.Data = append(out.Data, e)
		return nil
	})
}

func (s *scanner) item(limit int) (Embedding, error) {
	e := Embedding{Err: errNoVector}
	var index, vector bool
	err := s.object(func(key string) error {
		var err error
		switch key {
		case "index":
			if index {
				return s.errorf("index: %w", errTwice)
			}
			index = true
			e.Index, err = s.counter()
		case "embedding":
			if vector {
				return s.errorf("embedding: %w", errTwice)
			}
			vector = true
			e.Vector, e.Err, err = s.vector(limit)
		default:
			_, err = s.skip()
		}
		return err
	})
	return e, err
}

func (s *scanner) counter() (int, error) {
	raw, err := s.number()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(string(raw), 10, 32)
	if err != nil || n < 0 {
		return 0, s.errorf("%w", errNotInt)
	}
	return int(n), nil
}

// Encode writes the answer with its vectors as asked for. A value that is not
// finite has no form in JSON and is an error.
func (r Embeddings) Encode(as Encoding) ([]byte, error) {
	model, err := json.Marshal(r.Model)
	if err != nil {
		return nil, fmt.Errorf("write the model: %w", err)
	}
	b := make([]byte, 0, r.length(as))
	b = append(b, `{"object":"list","data":[`...)
	for i, e := range r.Data {
		for _, f := range e.Vector {
			if d := float64(f); math.IsNaN(d) || math.IsInf(d, 0) {
				return nil, fmt.Errorf("write vector %d: %w", i, errNotNumber)
			}
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"object":"embedding","index":`...)
		b = strconv.AppendInt(b, int64(e.Index), 10)
		b = append(b, `,"embedding":`...)
		b = AppendVector(b, e.Vector, as)
		b = append(b, '}')
	}
	b = append(b, `],"model":`...)
	b = append(b, model...)
	b = append(b, `,"usage":{"prompt_tokens":`...)
	b = strconv.AppendInt(b, int64(r.Usage.PromptTokens), 10)
	b = append(b, `,"total_tokens":`...)
	b = strconv.AppendInt(b, int64(r.Usage.TotalTokens), 10)
	return append(b, `}}`...), nil
}

// length is how long the written answer is going to be, or a little less.
func (r Embeddings) length(as Encoding) int {
	perValue := 14 // -0.0012345678, and a comma
	if as == Base64 {
		perValue = 6
	}
	n := 128 + len(r.Model)
	for _, e := range r.Data {
		n += 64 + len(e.Vector)*perValue
	}
	return n
}
