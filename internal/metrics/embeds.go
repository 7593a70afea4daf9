package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"weir/internal/embed"
	"weir/internal/rag"
)

// embedMetrics are what the embedding pipeline did and what the provider
// answered.
type embedMetrics struct {
	attempts *prometheus.CounterVec
	took     *prometheus.HistogramVec
	batches  *prometheus.HistogramVec
	waited   *prometheus.HistogramVec
	calls    *prometheus.CounterVec
	texts    *prometheus.CounterVec
	lasted   *prometheus.HistogramVec
	per      *prometheus.HistogramVec
}

func newEmbedMetrics(r *prometheus.Registry, w vocabulary) embedMetrics {
	m := embedMetrics{
		attempts: counters(r, "weir_provider_attempts_total",
			"Requests to the provider that ended, tries again among them, by code (ok or the error's) and where they failed.",
			"purpose", "code", "phase"),
		took: histograms(r, "weir_provider_attempt_duration_seconds", "Time of a request to the provider.",
			append(callBuckets(), 20, 30, 60), "purpose", "result"),
		batches: histograms(r, "weir_provider_batch_size", "Texts in a request to the provider.",
			prometheus.ExponentialBuckets(1, 2, 12), "purpose"),
		waited: histograms(r, "weir_queue_age_seconds",
			"How long the oldest text of a batch had waited when the batch was sent for the first time.",
			append(callBuckets(), 30, 60, 120, 300, 600), "purpose"),
		calls: counters(r, "weir_embed_calls_total", "Calls of the embedding pipeline that ended.", "purpose", "code"),
		texts: counters(r, "weir_embed_texts_total", "Texts of the calls of the embedding pipeline that ended, those from the cache among them.", "purpose"),
		lasted: histograms(r, "weir_embed_duration_seconds", "Time of a call of the embedding pipeline.",
			append(callBuckets(), 30, 60, 120, 300, 600), "purpose", "result"),
		per: histograms(r, "weir_attempts_per_call",
			"Requests to the provider that a call waited for, counted by the text that needed most; 0 when the cache had all.",
			[]float64{0, 1, 2, 3, 4, 6, 8, 12}, "purpose"),
	}
	m.begin(w)
	return m
}

// begin has the series there before the first call.
func (m embedMetrics) begin(w vocabulary) {
	for _, p := range w.purposes {
		m.attempts.WithLabelValues(p, answered, none)
		for _, code := range []rag.Code{rag.Timeout, rag.Unavailable, rag.Canceled, rag.Invalid} {
			for _, phase := range attemptPhases() {
				m.attempts.WithLabelValues(p, string(code), phase.String())
			}
		}
		m.calls.WithLabelValues(p, answered)
		for _, code := range w.codes {
			m.calls.WithLabelValues(p, code)
		}
		for _, result := range []string{resultAnswered, resultFailed} {
			m.lasted.WithLabelValues(p, result)
			m.took.WithLabelValues(p, result)
		}
		m.batches.WithLabelValues(p)
		m.waited.WithLabelValues(p)
		m.texts.WithLabelValues(p)
		m.per.WithLabelValues(p)
	}
}

// AttemptEnded counts a request to the provider. It is an embed.Observer's.
func (m *Metrics) AttemptEnded(e embed.AttemptEnd) {
	p := purposeLabel(e.Purpose)
	m.embeds.attempts.WithLabelValues(p, m.words.codes.or(string(e.Code), answered), m.words.phases.or(e.Phase, none)).Inc()
	m.embeds.took.WithLabelValues(p, resultOf(e.Code)).Observe(e.Took.Seconds())
	m.embeds.batches.WithLabelValues(p).Observe(float64(e.Texts))
	if e.Try <= 1 { // later, what it waited is the first attempt and the pause after it
		m.embeds.waited.WithLabelValues(p).Observe(e.Waited.Seconds())
	}
}

// EmbedEnded counts a call of the pipeline. It is an embed.Observer's.
func (m *Metrics) EmbedEnded(e embed.EmbedEnd) {
	p := purposeLabel(e.Purpose)
	m.embeds.calls.WithLabelValues(p, m.words.codes.or(string(e.Code), answered)).Inc()
	m.embeds.texts.WithLabelValues(p).Add(float64(max(0, e.Texts)))
	m.embeds.lasted.WithLabelValues(p, resultOf(e.Code)).Observe(e.Took.Seconds())
	m.embeds.per.WithLabelValues(p).Observe(float64(e.Attempts))
}
