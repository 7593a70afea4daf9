package main

import (
	"net/http"
	"strings"

	"weir/internal/builtin"
	"weir/internal/embed"
	"weir/internal/metrics"
	"weir/internal/provider"
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
		Network: provider.Network{Proxy: http.ProxyFromEnvironment}, UserAgent: "weir/" + thisBuild().Version,
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
		return nil, rag.ErrNoProvider // no question goes to a provider that nobody named
	}
	c.Embedder, c.EmbeddingModel, c.Dimensions = "openai", live.Name, live.Dim
	return newEmbedder(c, m)
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
