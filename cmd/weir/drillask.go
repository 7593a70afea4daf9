package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"weir/internal/chaos"
	"weir/internal/drill"
	"weir/internal/httpapi"
	"weir/internal/openai"
	"weir/internal/rag"
)

// drillDocument has one passage.
type drillDocument struct {
	user           rag.User
	filename, text string
}

func drillUsers() []rag.User { return []rag.User{"ada", "ben", "cleo", "dora", "emil"} }

// drillTopics are what every user has a document about, and what is asked of
// it. The documents of different users differ by no more than whose they are.
func drillTopics() []struct{ name, question, text string } {
	return []struct{ name, question, text string }{
		{"boiler", "relight the boiler in the cellar with the brass valve", "To relight the boiler in the cellar, hold the brass valve down while the pilot flame catches."},
		{"ladder", "weight on the aluminium ladder in the shed", "The aluminium ladder in the shed bears a weight of 150 kilograms on any rung."},
		{"warranty", "months of warranty of the kettle from the receipt", "The warranty of the kettle lasts 27 months from the day on the receipt."},
		{"parking", "parking space left of the gate that belongs to the flat", "The parking space that belongs to the flat is the third one left of the gate."},
		{"bees", "bees fed with sugar syrup after the honey", "Bees are fed with sugar syrup in August, after the honey is taken."},
		{"visa", "bank statements and photograph for the visa application", "The visa application needs two bank statements and a photograph for the consulate."},
	}
}

func drillFile(u rag.User, topic string) string { return string(u) + "-" + topic + ".txt" }

// mine is the mark of a user's own passages.
func mine(u rag.User) string { return "This is from the papers of " + string(u) + "." }

func drillDocuments() []drillDocument {
	var out []drillDocument
	for _, u := range drillUsers() {
		for _, t := range drillTopics() {
			out = append(out, drillDocument{u, drillFile(u, t.name), t.text + " " + mine(u) + "\n"})
		}
	}
	return out
}

// Ask asks one of the caller's user's topics.
func (w *drilled) Ask(ctx context.Context, q drill.Question) drill.Outcome {
	users, topics := drillUsers(), drillTopics()
	u := users[q.Caller%len(users)]
	t := topics[q.Caller/len(users)%len(topics)]
	switch w.flags.through {
	case throughEmbeddings:
		return w.embeddings(ctx, u, q)
	case throughAsk:
		return w.answer(ctx, u, q, t.question+", "+q.Text, drillFile(u, t.name))
	case throughChat:
		return w.complete(ctx, u, q, t.question+", "+q.Text, drillFile(u, t.name))
	}
	r := rag.Request{
		Query:     t.question + ", " + q.Text,
		TimeoutMS: left(q),
		// The provider's vectors know words and no meaning: what is alike is
		// less so than with a model that understands.
		SimilarityThreshold: new(0.05),
	}
	switch w.flags.through {
	case throughVector:
		r.Mode = rag.Vector
	case throughMCP, throughCLI: // answers and errors both
		if q.Caller%2 == 1 {
			r.Mode = rag.Vector
		}
	}
	var answer rag.Response
	var failed *drill.Outcome
	switch w.flags.through {
	case throughMCP:
		answer, failed = w.retrieveByMCP(ctx, u, r)
	case throughCLI:
		answer, failed = w.retrieveByCLI(ctx, u, r)
	default:
		answer, failed = w.retrieve(ctx, u, r)
	}
	if failed != nil {
		return *failed
	}
	return judge(answer, r, u, drillFile(u, t.name))
}

// retrieve asks over HTTP. What is not answered has become an outcome.
func (w *drilled) retrieve(ctx context.Context, u rag.User, r rag.Request) (answer rag.Response, failed *drill.Outcome) {
	status, body, err := w.post(ctx, u, "/v1/retrieve", r, nil)
	switch {
	case err != nil:
		return answer, new(broken(err))
	case status != http.StatusOK:
		return answer, new(refused(status, body))
	}
	return decoded(body)
}

// decoded is an answer as it came.
func decoded(body []byte) (answer rag.Response, failed *drill.Outcome) {
	if err := json.Unmarshal(body, &answer); err != nil {
		return answer, &drill.Outcome{Kind: drill.Wrong, Detail: "the answer is not what it should be: " + err.Error()}
	}
	return answer, nil
}

// left is the deadline as Weir is told it, in milliseconds.
func left(q drill.Question) int { return max(1, int(time.Until(q.Deadline).Milliseconds())) }

// judge looks at an answer to r, which the document of the name answers.
func judge(answer rag.Response, r rag.Request, u rag.User, filename string) drill.Outcome {
	for _, p := range answer.Chunks {
		if !strings.HasPrefix(p.Filename, string(u)+"-") || !strings.Contains(p.Content, mine(u)) {
			return drill.Outcome{Kind: drill.Foreign, Detail: fmt.Sprintf("%s was given %s", u, p.Filename)}
		}
	}
	if len(answer.Chunks) == 0 || answer.Chunks[0].Filename != filename {
		return drill.Outcome{Kind: drill.Wrong, Detail: fmt.Sprintf("%s asked for what is in %s and was given %s", u, filename, filenames(answer.Chunks))}
	}
	if len(answer.Degraded) > 0 {
		d := answer.Degraded[0]
		return drill.Outcome{Kind: drill.Degraded, Code: d.Reason, Detail: d.Message}
	}
	want := rag.Hybrid
	if r.Mode != "" {
		want = r.Mode
	}
	if answer.Mode != want {
		return drill.Outcome{Kind: drill.Undeclared, Detail: fmt.Sprintf("%s in place of %s", answer.Mode, want)}
	}
	for _, p := range answer.Chunks {
		if p.Similarity == nil {
			return drill.Outcome{Kind: drill.Undeclared, Detail: "a passage has no similarity"}
		}
		if want := likeness(r.Query, p.Content); math.Abs(*p.Similarity-want) > 0.001 {
			return drill.Outcome{Kind: drill.Wrong, Detail: fmt.Sprintf("a similarity of %.4f where the texts' own is %.4f: the question had another's vector", *p.Similarity, want)}
		}
	}
	return drill.Outcome{Kind: drill.Whole}
}

func filenames(chunks []rag.Passage) string {
	if len(chunks) == 0 {
		return "nothing"
	}
	var names []string
	for _, c := range chunks {
		names = append(names, c.Filename)
	}
	return strings.Join(names, ", ")
}

// likeness is the cosine of two texts' vectors, as the provider makes them.
func likeness(a, b string) float64 {
	dim := drill.Config{}.WithDefaults().Dim
	var dot float64
	vb := chaos.Vector(b, dim)
	for i, x := range chaos.Vector(a, dim) {
		dot += float64(x) * float64(vb[i])
	}
	return dot
}

// embeddings asks for the vector of the question's text itself.
func (w *drilled) embeddings(ctx context.Context, u rag.User, q drill.Question) drill.Outcome {
	r := openai.EmbeddingsRequest{Model: w.Model().Name, Input: []string{q.Text}, Encoding: openai.Base64}
	body, err := r.Encode()
	if err != nil {
		return broken(err)
	}
	status, body, err := w.post(ctx, u, "/v1/embeddings", json.RawMessage(body), http.Header{"X-Weir-Timeout-Ms": {strconv.Itoa(left(q))}})
	switch {
	case err != nil:
		return broken(err)
	case status != http.StatusOK:
		return refused(status, body)
	}
	a, err := openai.DecodeEmbeddings(body, openai.Limits{Items: 1, Values: w.Model().Dim})
	switch {
	case err != nil:
		return drill.Outcome{Kind: drill.Wrong, Detail: "the answer is not what it should be: " + err.Error()}
	case len(a.Data) != 1 || a.Data[0].Err != nil || !chaos.Matches(q.Text, a.Data[0].Vector):
		return drill.Outcome{Kind: drill.Wrong, Detail: "the vector is not the text's"}
	}
	return drill.Outcome{Kind: drill.Whole}
}

// maxAnswer is more than any answer of the drill has, in bytes: the longest there
// may be, streamed word by word.
const maxAnswer = 64 << 20

func (w *drilled) post(ctx context.Context, u rag.User, path string, v any, more http.Header) (status int, body []byte, err error) {
	in, err := json.Marshal(v)
	if err != nil {
		return 0, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url+path, bytes.NewReader(in))
	if err != nil {
		return 0, nil, err
	}
	maps.Copy(req.Header, more)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-User-Id", string(u))
	resp, err := w.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // what was wanted of it is read
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return resp.StatusCode, body, err
}

// broken is a call that Weir did not answer at all.
func broken(err error) drill.Outcome {
	return drill.Outcome{Kind: drill.Unclear, Detail: "it was not answered: " + err.Error()}
}

// refused is a call that Weir answered with an error, in its own shape or in
// OpenAI's. An error without a code is none that a caller can act upon.
func refused(status int, body []byte) drill.Outcome {
	var p struct {
		httpapi.Problem
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	err := json.Unmarshal(body, &p)
	if err == nil && p.Error.Code != "" {
		p.Code, p.Detail = rag.Code(p.Error.Code), p.Error.Message
	}
	if err != nil || p.Code == "" || p.Code == rag.Internal {
		return drill.Outcome{Kind: drill.Unclear, Detail: fmt.Sprintf("status %d: %.200q", status, body)}
	}
	return drill.Outcome{Kind: drill.Failed, Code: string(p.Code), Detail: p.Detail}
}
