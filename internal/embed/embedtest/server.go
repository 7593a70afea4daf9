package embedtest

import (
	"context"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"weir/internal/openai"
)

// Options says what the provider is like. The zero value, with Dim set, bears
// everything.
type Options struct {
	// Dim is how many values its vectors have.
	Dim int
	// Key is the API key it wants. Defaults to none.
	Key string
	// FloatsOnly answers numbers whatever is asked for.
	FloatsOnly bool
	// Refuse names members (encoding_format, dimensions) whose presence it
	// answers with 400; RefuseMutely: without saying which.
	Refuse       []string
	RefuseMutely bool
	// TakesDimensions: it answers with as many values as asked for.
	TakesDimensions bool
	// MaxItems is how many texts it takes at a time, over which it answers
	// 413. Defaults to no limit.
	MaxItems int
	// MaxTextBytes is the longest text it takes, over which it answers 400.
	// Defaults to no limit.
	MaxTextBytes int
	// TLS serves https with HTTP/2; see RootCAs.
	TLS bool
}

// Request is a call that was received.
type Request struct {
	openai.EmbeddingsRequest
	Header http.Header
	Proto  string
}

// Server is the provider. It is safe for concurrent use.
type Server struct {
	opt  Options
	http *httptest.Server
	done chan struct{} // closed at the end: nobody waits further

	mu       sync.Mutex
	next     []Reply
	always   Reply
	requests []Request
	changed  chan struct{} // closed, and replaced, with each call
}

// New starts a provider, which ends with the test.
func New(tb testing.TB, opt Options) *Server {
	tb.Helper()
	if opt.Dim < 1 {
		tb.Fatal("embedtest: Options.Dim must be set")
	}
	s := &Server{opt: opt, done: make(chan struct{}), changed: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/embeddings", s.embeddings)
	s.http = httptest.NewUnstartedServer(mux)
	if opt.TLS {
		s.http.EnableHTTP2 = true
		s.http.StartTLS()
	} else {
		s.http.Start()
	}
	tb.Cleanup(func() {
		close(s.done)
		s.http.CloseClientConnections()
		s.http.Close()
	})
	return s
}

// URL is the base URL to configure, ending in /v1.
func (s *Server) URL() string { return s.http.URL + "/v1" }

// Addr is where it listens, as host:port.
func (s *Server) Addr() string { return s.http.Listener.Addr().String() }

// RootCAs are the authorities to trust when Options.TLS is set.
func (s *Server) RootCAs() *x509.CertPool {
	pool := x509.NewCertPool()
	if cert := s.http.Certificate(); cert != nil {
		pool.AddCert(cert)
	}
	return pool
}

// Next sets how the next calls are answered, one Reply each, after those that
// were set before. Calls beyond them are answered as Always says.
func (s *Server) Next(replies ...Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = append(s.next, replies...)
}

// Always sets how calls are answered from now on, in place of what Next set.
func (s *Server) Always(r Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next, s.always = nil, r
}

// Requests returns the calls so far.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Calls counts the calls so far.
func (s *Server) Calls() int { return len(s.Requests()) }

// Texts counts the texts of the calls so far.
func (s *Server) Texts() int {
	n := 0
	for _, r := range s.Requests() {
		n += len(r.Input)
	}
	return n
}

// Await returns when n calls in all have arrived, or ctx ends.
func (s *Server) Await(ctx context.Context, n int) error {
	for {
		s.mu.Lock()
		got, changed := len(s.requests), s.changed
		s.mu.Unlock()
		if got >= n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (s *Server) embeddings(w http.ResponseWriter, r *http.Request) {
	const maxBody, maxItems, maxValues = 16 << 20, 4096, 1 << 14
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody)) //nolint:forbidigo // bounded
	if err != nil {
		return // the client left
	}
	req, err := openai.DecodeEmbeddingsRequest(body, openai.Limits{Items: maxItems, Values: maxValues})
	reply := s.received(Request{EmbeddingsRequest: req, Header: r.Header.Clone(), Proto: r.Proto})
	if reply.Wait != nil && !s.wait(r.Context(), reply.Wait) {
		return
	}
	for k, v := range reply.Header {
		w.Header()[k] = v
	}
	w.Header().Set("Content-Type", "application/json")
	switch {
	case reply.Body != "":
		w.WriteHeader(max(reply.Status, http.StatusOK))
		_, _ = io.WriteString(w, reply.Body)
	case reply.Status > http.StatusOK:
		writeError(w, &openai.Error{Status: reply.Status, Message: orDefault(reply.Message), Type: "test", Code: reply.Code})
	case err != nil:
		writeError(w, &openai.Error{Status: http.StatusBadRequest, Message: err.Error(), Type: "invalid_request_error"})
	default:
		if refusal := s.refuses(req, r.Header); refusal != nil {
			writeError(w, refusal)
			return
		}
		s.answer(w, r, req, reply.Fault)
	}
}

func orDefault(msg string) string {
	if msg == "" {
		return "told to fail"
	}
	return msg
}

// received notes a call and picks its reply.
func (s *Server) received(r Request) Reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r)
	close(s.changed)
	s.changed = make(chan struct{})
	if len(s.next) == 0 {
		return s.always
	}
	reply := s.next[0]
	s.next = s.next[1:]
	return reply
}

// wait returns false when there is nobody to answer to any more.
func (s *Server) wait(ctx context.Context, until <-chan struct{}) bool {
	select {
	case <-until:
		return true
	case <-ctx.Done():
	case <-s.done:
	}
	return false
}

func (s *Server) refuses(req openai.EmbeddingsRequest, h http.Header) *openai.Error {
	if s.opt.Key != "" && h.Get("Authorization") != "Bearer "+s.opt.Key {
		return &openai.Error{Status: http.StatusUnauthorized, Message: "Incorrect API key provided", Code: "invalid_api_key"}
	}
	given := map[string]bool{"encoding_format": req.Encoding != "", "dimensions": req.Dimensions != 0}
	for _, p := range s.opt.Refuse {
		switch {
		case given[p] && s.opt.RefuseMutely:
			return &openai.Error{Status: http.StatusBadRequest, Message: "bad request"}
		case given[p]:
			return &openai.Error{Status: http.StatusBadRequest, Message: "unknown parameter: " + p, Param: p}
		}
	}
	if s.opt.MaxItems > 0 && len(req.Input) > s.opt.MaxItems {
		return &openai.Error{Status: http.StatusRequestEntityTooLarge, Message: "batch size too large"}
	}
	for _, t := range req.Input {
		if s.opt.MaxTextBytes > 0 && len(t) > s.opt.MaxTextBytes {
			return &openai.Error{
				Status: http.StatusBadRequest, Message: "this model's maximum context length is exceeded", Code: "context_length_exceeded",
			}
		}
	}
	return nil
}

func writeError(w http.ResponseWriter, e *openai.Error) {
	body, err := e.Encode()
	if err != nil {
		panic(err) // strings always encode
	}
	w.WriteHeader(e.Status)
	_, _ = w.Write(body)
}
