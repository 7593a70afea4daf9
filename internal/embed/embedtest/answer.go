package embedtest

import (
	"bytes"
	"compress/gzip"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"

	"weir/internal/openai"
)

// answer writes an answer that is whole or has the fault.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, req openai.EmbeddingsRequest, f Fault) {
	body := s.body(req, f)
	switch f {
	case Garbage:
		_, _ = io.WriteString(w, "<html>this is not what you asked for</html>")
	case Truncated:
		_, _ = w.Write(body[:len(body)/2])
	case Cut:
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body[:len(body)/2])
		flush(w)
		panic(http.ErrAbortHandler)
	case Endless:
		s.endless(w, w, r)
	case Bomb:
		w.Header().Set("Content-Encoding", "gzip")
		s.endless(gzip.NewWriter(w), w, r)
	case StallHeaders:
		s.wait(r.Context(), nil)
	case StallBody:
		_, _ = w.Write(body[:len(body)/2])
		flush(w)
		s.wait(r.Context(), nil)
	case ErrorInside:
		_, _ = io.WriteString(w, `{"error":{"message":"told to fail","type":"server_error","code":null}}`)
	case Whole, WrongDim, ShortVector, NaN, Null, Zero, Duplicate, Missing, Extra, NoIndex, Shuffled:
		_, _ = w.Write(body)
	}
}

func (s *Server) endless(to io.Writer, w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(to, `{"data":[{"embedding":[`)
	zeros := bytes.Repeat([]byte("0,"), 16<<10)
	for r.Context().Err() == nil {
		if _, err := to.Write(zeros); err != nil {
			return
		}
		select {
		case <-s.done:
			return
		default:
			flush(w)
		}
	}
}

func flush(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }

// body is the answer, with the faults that are in the JSON itself.
func (s *Server) body(req openai.EmbeddingsRequest, f Fault) []byte {
	dim := s.opt.Dim
	if s.opt.TakesDimensions && req.Dimensions != 0 {
		dim = req.Dimensions
	}
	a := openai.Embeddings{Model: req.Model}
	for i, t := range req.Input {
		a.Data = append(a.Data, openai.Embedding{Index: i, Vector: Vector(t, dim)})
		a.Usage.PromptTokens += len(words(t))
	}
	a.Usage.TotalTokens = a.Usage.PromptTokens
	as := openai.Float
	if req.Encoding == openai.Base64 && !s.opt.FloatsOnly {
		as = openai.Base64
	}
	last := &a.Data[len(a.Data)-1]
	switch f {
	case WrongDim:
		for i := range a.Data {
			a.Data[i].Vector = a.Data[i].Vector[1:]
		}
	case ShortVector:
		last.Vector = last.Vector[1:]
	case Zero:
		last.Vector = make([]float32, dim)
	case Duplicate:
		last.Index = 0
		if len(a.Data) == 1 {
			a.Data = append(a.Data, *last)
		}
	case Missing:
		a.Data = a.Data[:len(a.Data)-1]
	case Extra:
		a.Data = append(a.Data, openai.Embedding{Index: len(a.Data), Vector: Vector("", dim)})
	case Shuffled:
		slices.Reverse(a.Data)
	case NaN, Null:
		return s.unencodable(a, as, f)
	case Whole, Garbage, Truncated, Cut, Endless, Bomb, StallHeaders, StallBody, ErrorInside, NoIndex:
	}
	body := encode(a, as)
	if f == NoIndex {
		for i := range a.Data {
			body = bytes.Replace(body, []byte(`"index":`+strconv.Itoa(i)+`,`), nil, 1)
		}
	}
	return body
}

// unencodable writes what Encode rightly refuses to: the last vector holding
// NaN, or null in its place.
func (s *Server) unencodable(a openai.Embeddings, as openai.Encoding, f Fault) []byte {
	last := &a.Data[len(a.Data)-1]
	const mark = 12345.5 // no vector of unit length holds it
	last.Vector = slices.Clone(last.Vector)
	last.Vector[0] = mark
	good := openai.AppendVector(nil, last.Vector, as)
	bad := []byte("null")
	switch {
	case f == NaN && as == openai.Float:
		bad = bytes.Replace(good, []byte("12345.5"), []byte("NaN"), 1)
	case f == NaN:
		last.Vector[0] = float32(math.NaN())
		bad = openai.AppendVector(nil, last.Vector, as)
		last.Vector[0] = mark
	}
	return bytes.Replace(encode(a, as), good, bad, 1)
}

func encode(a openai.Embeddings, as openai.Encoding) []byte {
	body, err := a.Encode(as)
	if err != nil {
		panic(err) // the vectors are finite
	}
	return body
}
