package rag

import (
	"context"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// What one EmbedRequest may ask; the numbers of OpenAI's API.
const (
	MaxEmbedTexts  = 2048
	MaxEmbedTokens = 300_000 // in all texts
)

// manyTexts is from where on the texts of an EmbedRequest are taken for those
// of somebody who builds an index: they go after questions.
const manyTexts = 16

// EmbedRequest asks for the vectors of texts. Either Texts or Tokens is given.
type EmbedRequest struct {
	Texts      []string
	Tokens     [][]int       // a text each, as ids of cl100k_base
	Dimensions int           // values of a vector; 0: the model's
	Timeout    time.Duration // 0: the server's; never more than its maximum
}

// EmbedResponse is the answer to an EmbedRequest.
type EmbedResponse struct {
	OperationID string
	Model       Model
	Vectors     [][]float32 // of unit length, in the order of the texts
	Tokens      int         // in all texts
	Timings     Timings
}

// shortener is an Embedder some of whose models have vectors that may be cut:
// their first values, scaled to unit length, are the vectors of a smaller model.
type shortener interface {
	Shortens(dim int) bool
}

// Model is the model of the vectors; zero: there is no embedder.
func (s *Service) Model() Model { return s.embedder().Model() }

// Embed returns the vectors of texts, or an error and none. The errors are
// [Error] values: Invalid, TooLarge, RateLimited, Overloaded, Unavailable,
// Timeout, Canceled, Internal.
func (s *Service) Embed(ctx context.Context, user User, r EmbedRequest) (*EmbedResponse, error) {
	began := time.Now()
	embedder := s.embedder()
	model := embedder.Model()
	if err := checkUser(user); err != nil {
		return nil, err
	}
	if model == (Model{}) {
		return nil, Errorf(Unavailable, "this server has no embedder (WEIR_EMBEDDER=none)")
	}
	if err := s.checkEmbed(r, embedder); err != nil {
		return nil, err
	}
	ctx, cancel := s.deadline(ctx, r.Timeout)
	defer cancel()
	resp := &EmbedResponse{Model: Model{model.Name, orDefault(r.Dimensions, model.Dim)}}
	err := s.observed(ctx, "embed", func(ctx context.Context, c *call, end *CallEnd) error {
		resp.OperationID = c.id
		p, err := traced(ctx, s, "queue", func(ctx context.Context) (*place, error) { return s.admission.take(ctx, user, r.bytes(model)) })
		resp.Timings.Queue = ms(time.Since(began))
		end.Timings = resp.Timings
		if err != nil {
			return err
		}
		defer p.release()
		c.enter("embed")
		mark := time.Now()
		got, err := traced(ctx, s, "embed", func(ctx context.Context) (EmbedResponse, error) {
			return stage(ctx, p, func() (EmbedResponse, error) { return s.vectors(ctx, user, embedder, r) })
		})
		resp.Vectors, resp.Tokens = got.Vectors, got.Tokens
		resp.Timings.Embed = ms(time.Since(mark))
		end.Timings = resp.Timings
		return err
	})
	if err != nil {
		return nil, err
	}
	resp.Timings.Total = ms(time.Since(began))
	return resp, nil
}

func (s *Service) checkEmbed(r EmbedRequest, embedder Embedder) error {
	model := embedder.Model()
	n := len(r.Texts) + len(r.Tokens)
	switch {
	case r.Texts != nil && r.Tokens != nil:
		return FieldErrorf("input", "give texts or tokens, not both")
	case n == 0:
		return FieldErrorf("input", "must not be empty")
	case n > MaxEmbedTexts:
		return FieldErrorf("input", "holds %d texts; the limit is %d", n, MaxEmbedTexts)
	case r.Timeout < 0:
		return FieldErrorf("timeout", "must not be negative")
	case r.Dimensions < 0:
		return FieldErrorf("dimensions", "must not be negative")
	}
	for i, t := range r.Texts {
		switch {
		case t == "":
			return FieldErrorf(input(i), "must not be empty")
		case len(t) > MaxQueryBytes:
			return FieldErrorf(input(i), "is %d bytes long; the limit is %d", len(t), MaxQueryBytes)
		case !utf8.ValidString(t):
			return FieldErrorf(input(i), "is not valid UTF-8")
		}
	}
	total := 0
	for i, t := range r.Tokens {
		total += len(t)
		switch {
		case len(t) == 0:
			return FieldErrorf(input(i), "must not be empty")
		case len(t) > MaxQueryTokens:
			return FieldErrorf(input(i), "is %d tokens long; the limit is %d", len(t), MaxQueryTokens)
		case total > MaxEmbedTokens:
			return tooManyTokens()
		case s.cfg.DecodeTokens == nil:
			return FieldErrorf("input", "lists of tokens are not read by this server; send texts")
		}
	}
	if d := r.Dimensions; d != 0 && d != model.Dim {
		if c, ok := embedder.(shortener); !ok || !c.Shortens(d) {
			return FieldErrorf("dimensions", "must be %d, those of the model %s, not %d", model.Dim, model.Name, d)
		}
	}
	return nil
}

// asField returns an embedder's error, which names texts[i], with the name that
// the caller has for that text.
func asField(err error, name func(i int) string) error {
	var e *Error
	if !errors.As(err, &e) || !strings.HasPrefix(e.Msg, "texts[") {
		return err
	}
	number, rest, _ := strings.Cut(e.Msg[len("texts["):], "]")
	i, parseErr := strconv.Atoi(number)
	if parseErr != nil {
		return err
	}
	named := *e
	named.Msg = name(i) + rest
	if e.Field != "" {
		named.Field = name(i)
	}
	return &named
}

func input(i int) string { return "input[" + strconv.Itoa(i) + "]" }

func tooManyTokens() error {
	return FieldErrorf("input", "is longer than %d tokens in all its texts, the limit of one call", MaxEmbedTokens)
}

// bytes is what the call may need in memory: its texts, and the vectors as
// numbers and as JSON.
func (r EmbedRequest) bytes(m Model) int64 {
	const perValue = 4 + 12
	n := int64(len(r.Texts)+len(r.Tokens)) * int64(m.Dim) * perValue
	for _, t := range r.Texts {
		n += int64(len(t))
	}
	for _, t := range r.Tokens {
		n += int64(len(t)) * 12 // the id and its text
	}
	return n
}

// vectors does the work of a call.
func (s *Service) vectors(ctx context.Context, user User, embedder Embedder, r EmbedRequest) (EmbedResponse, error) {
	texts, tokens, err := s.texts(ctx, r)
	if err != nil {
		return EmbedResponse{}, err
	}
	purpose := ForQuery
	if len(texts) > manyTexts {
		purpose = ForIngest
	}
	early, cancel := ahead(ctx, errEmbedBudget)
	defer cancel()
	vs, err := embedder.Embed(early, user, purpose, texts)
	if err != nil {
		return EmbedResponse{}, asField(err, input)
	}
	model := embedder.Model()
	if len(vs) != len(texts) {
		return EmbedResponse{}, Errorf(Internal, "the embedder answered %d vectors for %d texts", len(vs), len(texts))
	}
	for i, v := range vs {
		if len(v) != model.Dim {
			return EmbedResponse{}, Errorf(Internal, "the embedder answered a vector of %d values; the model has %d", len(v), model.Dim)
		}
		if r.Dimensions != 0 && r.Dimensions < model.Dim {
			if vs[i] = shortened(v, r.Dimensions); vs[i] == nil {
				return EmbedResponse{}, Errorf(Internal, "the first %d values of a vector are all zero", r.Dimensions)
			}
		}
	}
	return EmbedResponse{Vectors: vs, Tokens: tokens}, nil
}

// texts are those of r and how many tokens they have.
func (s *Service) texts(ctx context.Context, r EmbedRequest) (texts []string, tokens int, err error) {
	if r.Tokens != nil {
		texts = make([]string, len(r.Tokens))
		for i, t := range r.Tokens {
			text, err := s.cfg.DecodeTokens(t)
			if err != nil {
				return nil, 0, FieldErrorf(input(i), "%v", err)
			}
			texts[i] = text
			tokens += len(t)
		}
		return texts, tokens, nil
	}
	for i, t := range r.Texts {
		if ctx.Err() != nil {
			return nil, 0, ended(ctx)
		}
		n := s.cfg.CountTokens(t)
		if tokens += n; n > MaxQueryTokens {
			return nil, 0, FieldErrorf(input(i), "is %d tokens long; the limit is %d", n, MaxQueryTokens)
		} else if tokens > MaxEmbedTokens {
			return nil, 0, tooManyTokens()
		}
	}
	return r.Texts, tokens, nil
}

// shortened is the first n values of v, scaled to unit length; nil when they
// are all zero.
func shortened(v []float32, n int) []float32 {
	var sum float64
	for _, x := range v[:n] {
		sum += float64(x) * float64(x)
	}
	if sum == 0 {
		return nil
	}
	out := make([]float32, n)
	for i, x := range v[:n] {
		out[i] = float32(float64(x) / math.Sqrt(sum))
	}
	return out
}
