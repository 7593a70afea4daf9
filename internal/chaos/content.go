package chaos

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"

	"weir/internal/openai"
)

func contentFaults() []Entry {
	says := func(f Fault, does, contentType string, body func(p *Provider, c *call) []byte) Entry {
		return Entry{
			Fault: f, Does: "answers 200 with " + does, Expect: Failure, Codes: down(), Heals: true, Wires: anyWire(),
			call: func(p *Provider, s sink, c *call) bool {
				return p.send(s, http.StatusOK, http.Header{"Content-Type": {contentType}}, body(p, c))
			},
		}
	}
	const asJSON = "application/json"
	return []Entry{
		{
			Fault: RedirectLoop, Does: "redirects (307) to the very address that was asked", Expect: Failure, Codes: ill(), Heals: true,
			Wires: anyWire(), call: func(p *Provider, s sink, c *call) bool {
				return p.send(s, http.StatusTemporaryRedirect, http.Header{"Location": {c.path()}}, nil)
			},
		},
		says(ErrorInside, "an error in it", asJSON, func(*Provider, *call) []byte {
			return errorBody(&openai.Error{Message: "the model is overloaded", Type: "server_error"})
		}),
		says(Empty, "nothing in it", asJSON, func(*Provider, *call) []byte { return nil }),
		says(HTML, "a page in place of data", "text/html", func(*Provider, *call) []byte {
			return []byte("<!doctype html><html><body><h1>Sign in to continue</h1></body></html>\n")
		}),
		says(Truncated, "JSON that ends in its middle", asJSON, func(p *Provider, c *call) []byte {
			body := p.body(c)
			return body[:len(body)/2]
		}),
		says(Nested, "JSON that is a hundred thousand lists deep", asJSON, func(*Provider, *call) []byte {
			const deep = 100_000
			return []byte(`{"data":` + strings.Repeat("[", deep) + strings.Repeat("]", deep) + `}`)
		}),
		says(Garbage, "bytes that mean nothing", asJSON, func(_ *Provider, c *call) []byte {
			noise := rand.New(rand.NewPCG(uint64(c.seq), 4)) //nolint:gosec // seq counts from 1
			out := make([]byte, 0, 4<<10)
			for range 512 {
				out = binary.LittleEndian.AppendUint64(out, noise.Uint64())
			}
			return out
		}),
	}
}

func vectorFaults() []Entry {
	row := func(f Fault, does string, e Expect, spoil func(*openai.Embeddings)) Entry {
		out := Entry{
			Fault: f, Does: does, Expect: e, Heals: true, Wires: anyWire(), Met: ByEmbeddings,
			call: func(p *Provider, s sink, c *call) bool {
				a := p.vectors(c)
				spoil(&a)
				return p.send(s, http.StatusOK, nil, encode(a, c.as))
			},
		}
		if e != Answer {
			out.Codes = down()
		}
		return out
	}
	ending := func(f Fault, does string, bad func(c *call, v []float32) []byte) Entry {
		return Entry{
			Fault: f, Does: does, Expect: Mixed, Codes: down(), Heals: true, Wires: anyWire(), Met: ByEmbeddings,
			call: func(p *Provider, s sink, c *call) bool {
				return p.send(s, http.StatusOK, nil, p.withLast(c, bad))
			},
		}
	}
	return []Entry{
		row(WrongDimension, "answers with vectors that are one value too long", Failure, func(a *openai.Embeddings) {
			for i := range a.Data {
				a.Data[i].Vector = append(a.Data[i].Vector, 0.5)
			}
		}),
		ending(NaN, "the last vector of an answer holds NaN", withNaN),
		ending(Null, "the last vector of an answer is null", func(*call, []float32) []byte { return []byte("null") }),
		row(Zero, "the last vector of an answer is all zeros", Mixed, func(a *openai.Embeddings) {
			clear(a.Data[len(a.Data)-1].Vector)
		}),
		row(Shuffled, "the vectors come in reverse, with the right indexes", Answer, func(a *openai.Embeddings) { slices.Reverse(a.Data) }),
		row(DuplicateIndex, "one index comes twice", Failure, func(a *openai.Embeddings) {
			last := a.Data[len(a.Data)-1]
			if len(a.Data) == 1 {
				a.Data = append(a.Data, last)
			}
			a.Data[len(a.Data)-1].Index = a.Data[0].Index
		}),
		row(MissingItem, "the last vector is left out", Mixed, func(a *openai.Embeddings) { a.Data = a.Data[:len(a.Data)-1] }),
		row(ExtraItem, "there is one vector too many", Failure, func(a *openai.Embeddings) {
			a.Data = append(a.Data, openai.Embedding{Index: len(a.Data), Vector: slices.Clone(a.Data[0].Vector)})
		}),
	}
}

// withLast is the right answer, but for what stands for the last vector, which
// Encode would rightly refuse to write.
func (p *Provider) withLast(c *call, bad func(c *call, v []float32) []byte) []byte {
	a := p.vectors(c)
	last := &a.Data[len(a.Data)-1]
	v := last.Vector
	last.Vector = []float32{12345.5} // no value of a vector of unit length
	mark := openai.AppendVector(nil, last.Vector, c.as)
	return bytes.Replace(encode(a, c.as), mark, bad(c, v), 1)
}

// withNaN writes v with NaN as its first value, in the form that is asked for.
func withNaN(c *call, v []float32) []byte {
	if c.as == openai.Base64 {
		v = slices.Clone(v)
		v[0] = float32(math.NaN())
		return openai.AppendVector(nil, v, c.as)
	}
	b := openai.AppendVector(nil, v, c.as)
	end := bytes.IndexAny(b, ",]")
	return append([]byte("[NaN"), b[end:]...)
}
