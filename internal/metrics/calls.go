package metrics

import (
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"weir/internal/rag"
)

// callMetrics are what callers of the service got.
type callMetrics struct {
	ended    *prometheus.CounterVec
	errors   *prometheus.CounterVec
	took     *prometheus.HistogramVec
	stages   *prometheus.HistogramVec
	late     prometheus.Histogram
	degraded *prometheus.CounterVec
	empty    *prometheus.CounterVec
}

func newCallMetrics(r *prometheus.Registry, w vocabulary) callMetrics {
	m := callMetrics{
		ended: counters(r, "weir_calls_total",
			"Calls that ended, by what came of them: code is ok or the error's code, mode is what an answered retrieval really did.",
			"operation", "code", "mode"),
		errors: counters(r, "weir_call_errors_total", "Calls that ended in an error, by where it happened.", "code", "phase"),
		took: histograms(r, "weir_call_duration_seconds", "Time from a call's arrival to its end.",
			append(callBuckets(), 20, 30, 60), "operation", "result"),
		stages: histograms(r, "weir_stage_duration_seconds", "Time that calls spent in a stage, if they came to it.",
			append(callBuckets(), 20, 30, 60), "stage"),
		late: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "weir_call_lateness_seconds", Help: "How long after its deadline a call returned, of those that did.",
			Buckets: []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
		degraded: counters(r, "weir_degraded_total", "Answers to which a stage did not do its part.", "stage", "reason"),
		empty:    counters(r, "weir_empty_total", "Answers without a passage, by the reason given.", "reason"),
	}
	r.MustRegister(m.late)
	m.begin(w)
	return m
}

// begin has the series there before the first call. Those of which nothing is
// asked but a picture may come later: a histogram is twenty series.
func (m callMetrics) begin(w vocabulary) {
	for _, op := range w.operations {
		m.ended.WithLabelValues(op, answered, none)
		for _, code := range w.codes {
			m.ended.WithLabelValues(op, code, none)
		}
	}
	for _, op := range []string{"retrieve", "ask"} { // those that have a mode when they are answered
		for _, mode := range w.modes {
			m.ended.WithLabelValues(op, answered, mode)
		}
		m.ended.DeleteLabelValues(op, answered, none)
	}
	for _, result := range results() {
		m.took.WithLabelValues("retrieve", result)
		m.took.WithLabelValues("embed", result)
	}
	for _, code := range []rag.Code{rag.Overloaded, rag.Unavailable, rag.Timeout, rag.Internal} {
		for _, phase := range append(slices.Clone(w.phases), none) {
			m.errors.WithLabelValues(string(code), phase)
		}
	}
	for _, stage := range w.stages {
		m.stages.WithLabelValues(stage)
	}
	for _, reason := range w.reasons {
		m.degraded.WithLabelValues("embed", reason)
		m.degraded.WithLabelValues("search", reason)
	}
	for _, reason := range w.empties {
		m.empty.WithLabelValues(reason)
	}
}

// CallEnded counts a call of the service. It is a rag.Observer's.
func (m *Metrics) CallEnded(e rag.CallEnd) {
	op := m.words.operations.of(e.Operation)
	mode := none
	if e.Code == "" {
		mode = m.words.modes.or(string(e.Mode), none)
	}
	code := m.words.codes.or(string(e.Code), answered)
	m.calls.ended.WithLabelValues(op, code, mode).Inc()
	m.calls.took.WithLabelValues(op, resultOf(e.Code)).Observe(seconds(e.Timings.Total))
	m.observeStages(e)
	if e.Late > 0 {
		m.calls.late.Observe(e.Late.Seconds())
	}
	if e.Code != "" {
		m.calls.errors.WithLabelValues(code, m.words.phases.or(e.Phase, none)).Inc()
		return
	}
	for _, d := range e.Degraded {
		m.calls.degraded.WithLabelValues(m.words.stages.of(d.Stage), m.words.reasons.of(d.Reason)).Inc()
	}
	if e.Empty != "" {
		m.calls.empty.WithLabelValues(m.words.empties.of(string(e.Empty))).Inc()
	}
}

// observeStages leaves out the stages a call did not come to.
func (m *Metrics) observeStages(e rag.CallEnd) {
	if e.Timings.Queue > 0 {
		m.calls.stages.WithLabelValues("queue").Observe(seconds(e.Timings.Queue))
	}
	// A lexical retrieval has a time for embedding too, of next to nothing,
	// unless embedding was tried and given up.
	tried := slices.ContainsFunc(e.Degraded, func(d rag.Degraded) bool { return d.Stage == "embed" && !strings.HasPrefix(d.Reason, "no_embedder") })
	if e.Timings.Embed > 0 && (e.Mode != rag.Lexical || tried) {
		m.calls.stages.WithLabelValues("embed").Observe(seconds(e.Timings.Embed))
	}
	if e.Timings.Search > 0 {
		m.calls.stages.WithLabelValues("search").Observe(seconds(e.Timings.Search))
	}
	if e.Timings.FirstToken > 0 {
		m.calls.stages.WithLabelValues("first_token").Observe(seconds(e.Timings.FirstToken))
	}
	if e.Timings.Answer > 0 {
		m.calls.stages.WithLabelValues("answer").Observe(seconds(e.Timings.Answer))
	}
}
