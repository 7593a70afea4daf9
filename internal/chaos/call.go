package chaos

import (
	"bytes"
	"cmp"
	"errors"
	"net/http"
	"strconv"

	"weir/internal/openai"
)

// The bounds of a request. maxVectors is how many values its answer has.
const (
	maxBody    = 4 << 20
	maxItems   = 2048
	maxValues  = 1 << 14
	maxVectors = 1 << 20
)

// call is a request for embeddings, or for an answer of the chat model.
type call struct {
	openai.EmbeddingsRequest
	chat *openai.ChatRequest // nil: it is for embeddings
	conn *conn
	nth  int      // of its connection's calls, from 1; 0: not told
	seq  int      // of the calls since the fault was set, from 1
	dim  int      // of the vectors asked for
	h2   *framed  // the writer beneath, on HTTP/2; else nil
	on   *http1   // the connection's own bytes, on HTTP/1.1; else nil
	as   encoding // of the vectors
}

type encoding = openai.Encoding

// sink is where an answer is written. Its methods return an error when the
// peer has left.
type sink interface {
	// head begins an answer; length < 0: it is not told. It may be held back
	// until the first write.
	head(status int, h http.Header, length int) error
	// write sends a part of the body, and what was held back.
	write(b []byte) error
	// end completes the answer.
	end() error
	// watch returns a channel that is closed when the peer leaves. Nothing
	// else may be done with the sink until forget was called, but for write
	// and end.
	watch() (gone <-chan struct{}, forget func())
	// abort breaks the answer off, so that the peer sees it.
	abort()
}

// request is what a protocol has read.
type request struct {
	method, path string
	body         []byte
	tooLong      bool
}

// answer answers a request. It returns false when the connection is of no
// further use.
func (p *Provider) answer(s sink, r request, c *call) bool {
	switch {
	case r.path == "/v1/models" && r.method == http.MethodGet:
		body := `{"object":"list","data":[{"id":` + strconv.Quote(p.cfg.Model) + `,"object":"model","created":0,"owned_by":"weir"}]}`
		return p.send(s, http.StatusOK, nil, []byte(body))
	case r.path != embeddingsPath && r.path != chatPath:
		return p.refuse(s, &openai.Error{Status: http.StatusNotFound, Message: "there is nothing here", Type: "invalid_request_error"})
	case r.method != http.MethodPost:
		return p.refuse(s, &openai.Error{Status: http.StatusMethodNotAllowed, Message: "it must be POST", Type: "invalid_request_error"})
	case r.tooLong:
		p.refuse(s, &openai.Error{Status: http.StatusRequestEntityTooLarge, Message: "the request is too long", Type: "invalid_request_error"})
		return false
	}
	err := c.decode(r)
	c.dim, c.as = cmp.Or(c.Dimensions, p.cfg.Dim), cmp.Or(c.Encoding, openai.Float)
	row, ok := p.begin(c)
	if !ok {
		return false
	}
	defer p.count(func(s *Stats) { s.InFlight-- })
	var refusal *openai.Error
	switch {
	case errors.As(err, &refusal):
		return p.refuse(s, refusal)
	case err != nil:
		return p.refuse(s, &openai.Error{Status: http.StatusBadRequest, Message: err.Error(), Type: "invalid_request_error"})
	case len(c.Input)*c.dim > maxVectors:
		return p.refuse(s, &openai.Error{Status: http.StatusRequestEntityTooLarge, Message: "too many values", Type: "invalid_request_error"})
	case row.call != nil && row.Met.by(c):
		return row.call(p, s, c)
	default:
		return p.right(s, c)
	}
}

const (
	embeddingsPath = "/v1/embeddings"
	chatPath       = "/v1/chat/completions"
)

// decode reads what is asked.
func (c *call) decode(r request) (err error) {
	if r.path == embeddingsPath {
		c.EmbeddingsRequest, err = openai.DecodeEmbeddingsRequest(r.body, openai.Limits{Items: maxItems, Values: maxValues})
		return err
	}
	ask, err := openai.DecodeChatRequest(r.body, openai.ChatLimits{Messages: maxItems})
	c.chat = &ask
	return err
}

// path is where c was asked.
func (c *call) path() string {
	if c.chat != nil {
		return chatPath
	}
	return embeddingsPath
}

// begin counts a call and returns the fault that it meets; false: the provider
// ends.
func (p *Provider) begin(c *call) (Entry, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return Entry{}, false
	}
	p.since++
	c.seq = p.since
	if p.row.dark && !p.struck && c.h2 != nil {
		p.struck = true
		c.conn.dark.Store(true)
	}
	p.counted(func(s *Stats) {
		s.Calls++
		s.Attempts++
		s.Texts += len(c.Input)
		s.InFlight++
		s.MaxInFlight = max(s.MaxInFlight, s.InFlight)
	})
	return p.row, true
}

// right gives the right answer, after the latency.
func (p *Provider) right(s sink, c *call) bool {
	return p.waits(s, p.cfg.Latency) && p.deliver(s, c)
}

// deliver gives the right answer now: an answer that is streamed event by event.
func (p *Provider) deliver(s sink, c *call) bool {
	if c.streams() {
		return p.stream(s, c, p.events(c)...)
	}
	return p.send(s, http.StatusOK, nil, p.body(c))
}

// send gives a whole answer; false: the peer left.
func (p *Provider) send(s sink, status int, h http.Header, body []byte) bool {
	if s.head(status, h, len(body)) != nil || s.write(body) != nil || s.end() != nil {
		return false
	}
	p.count(func(s *Stats) { s.Answered++ })
	return true
}

func (p *Provider) refuse(s sink, e *openai.Error) bool {
	return p.send(s, e.Status, nil, errorBody(e))
}

func errorBody(e *openai.Error) []byte {
	body, err := e.Encode()
	if err != nil {
		panic(err) // strings always encode
	}
	return body
}

// vectors is the right answer.
func (p *Provider) vectors(c *call) openai.Embeddings {
	a := openai.Embeddings{Model: p.cfg.Model, Data: make([]openai.Embedding, 0, len(c.Input)+1)}
	for i, t := range c.Input {
		a.Data = append(a.Data, openai.Embedding{Index: i, Vector: Vector(t, c.dim)})
		a.Usage.PromptTokens += 1 + len(t)/4
	}
	a.Usage.TotalTokens = a.Usage.PromptTokens
	return a
}

// body is the right answer as it is written.
func (p *Provider) body(c *call) []byte {
	switch {
	case c.streams():
		return bytes.Join(p.events(c), nil)
	case c.chat != nil:
		return p.completion(c, p.words(c), "stop")
	default:
		return encode(p.vectors(c), c.as)
	}
}

func encode(a openai.Embeddings, as openai.Encoding) []byte {
	body, err := a.Encode(as)
	if err != nil {
		panic(err) // the vectors are finite
	}
	return body
}
