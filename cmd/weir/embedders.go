package main

import (
	"context"
	"net/http"
	"strings"

	"weir/internal/builtin"
	"weir/internal/embed"
	"weir/internal/metrics"
	"weir/internal/rag"
)

func newEmbedder(c config, m *metrics.Metrics) (rag.Embedder, error) {
	switch c.Embedder {
	case "none":
		return embed.None{}, nil
	case "builtin":
		return builtin.New()
	}
	cfg := embed.Config{
		BaseURL: c.OpenAIBaseURL, APIKey: c.OpenAIAPIKey, Model: c.EmbeddingModel, Dimensions: c.Dimensions,
		MaxConcurrent: c.MaxConcurrent, MaxBatch: c.MaxBatch, UserShare: c.UserShare,
		Proxy: http.ProxyFromEnvironment, UserAgent: "weir/" + thisBuild().Version,
	}
	if m != nil {
		cfg.Observer = m
	}
	if c.to != nil {
		cfg.Tracer = c.to
	}
	return embed.New(cfg)
}

// earlierEmbedder asks for vectors of the model that documents have, which is
// not the one that the settings name.
func earlierEmbedder(c config, live rag.Model, m *metrics.Metrics) (rag.Embedder, error) {
	if live.Name == builtin.Name {
		c.Embedder = "builtin"
		return newEmbedder(c, m)
	}
	if c.Embedder != "openai" && !c.given("OPENAI_API_KEY") && !c.given("OPENAI_BASE_URL") {
		return absent{live}, nil // no question goes to a provider that nobody named
	}
	c.Embedder, c.EmbeddingModel, c.Dimensions = "openai", live.Name, live.Dim
	return newEmbedder(c, m)
}

// absent stands for the model of the documents' vectors where no provider is
// set that has it: questions are answered by words until the documents were
// moved.
type absent struct{ model rag.Model }

var _ rag.Embedder = absent{}

func (a absent) Model() rag.Model { return a.model }

func (absent) MaxBatch() int { return 1 }

func (a absent) Embed(context.Context, rag.User, rag.Purpose, []string) ([][]float32, error) {
	return nil, &rag.Error{Code: rag.Unavailable, Phase: "validate", Msg: "no provider is set for " + a.model.Name}
}

// calibration is what the scale of a model's similarities asks for;
// docs/QUALITY.md has the measurements.
func calibration(m rag.Model) rag.Calibration {
	switch {
	case m.Name == builtin.Name:
		return builtin.Calibration()
	case strings.Contains(strings.ToLower(m.Name), "all-minilm"): // the built-in model's teacher, however it is served
		return rag.Calibration{Threshold: 0.15, VectorWeight: 0.65}
	default:
		return rag.DefaultCalibration()
	}
}
