package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"weir/internal/chat"
	"weir/internal/provider"
	"weir/internal/rag"
)

// chatMetrics are what was asked of the chat model and what came of it.
type chatMetrics struct {
	attempts *prometheus.CounterVec
	calls    *prometheus.CounterVec
	finished *prometheus.CounterVec
	waited   prometheus.Histogram
	first    prometheus.Histogram
	took     *prometheus.HistogramVec
}

// finishes are the reasons for which an answer ends.
func finishes() []string { return []string{"stop", "length", "content_filter"} }

func newChatMetrics(r *prometheus.Registry, w vocabulary) chatMetrics {
	buckets := []float64{.05, .1, .2, .5, 1, 2, 3, 5, 7.5, 10, 15, 20, 30, 45, 60, 90, 120}
	m := chatMetrics{
		attempts: counters(r, "weir_chat_attempts_total",
			"Requests to the chat model that ended, tries again among them, by code (ok or the error's) and where they failed.", "code", "phase"),
		calls:    counters(r, "weir_chat_calls_total", "Answers asked of the chat model that ended, by code (ok or the error's).", "code"),
		finished: counters(r, "weir_chat_finished_total", "Whole answers of the chat model, by why they ended.", "reason"),
		waited: histogram(r, "weir_chat_wait_seconds", "How long an answer waited for its place at the chat model.",
			[]float64{.001, .01, .1, .5, 1, 2, 5, 10, 20}),
		first: histogram(r, "weir_chat_first_token_seconds", "Time from asking for an answer to its first word.", buckets),
		took:  histograms(r, "weir_chat_duration_seconds", "Time of an answer of the chat model, to its end.", buckets, "result"),
	}
	m.begin(w)
	return m
}

// begin has the series there before the first call.
func (m chatMetrics) begin(w vocabulary) {
	m.attempts.WithLabelValues(answered, none)
	for _, code := range []rag.Code{rag.Timeout, rag.Unavailable, rag.Canceled, rag.Invalid} {
		for _, phase := range chatPhases() {
			m.attempts.WithLabelValues(string(code), phase.String())
		}
	}
	m.calls.WithLabelValues(answered)
	for _, code := range w.codes {
		m.calls.WithLabelValues(code)
	}
	for _, reason := range finishes() {
		m.finished.WithLabelValues(reason)
	}
	for _, result := range results() {
		m.took.WithLabelValues(result)
	}
}

// chatPhases are those an attempt can end in.
func chatPhases() []provider.Phase {
	return append(attemptPhases(), provider.FirstToken, provider.Token)
}

// ChatAttemptEnded counts a request to the chat model. It is a chat.Observer's.
func (m *Metrics) ChatAttemptEnded(e chat.AttemptEnd) {
	m.chats.attempts.WithLabelValues(m.words.codes.or(string(e.Code), answered), m.words.phases.or(e.Phase, none)).Inc()
}

// ChatEnded counts an answer. It is a chat.Observer's.
func (m *Metrics) ChatEnded(e chat.End) {
	m.chats.calls.WithLabelValues(m.words.codes.or(string(e.Code), answered)).Inc()
	m.chats.took.WithLabelValues(resultOf(e.Code)).Observe(e.Took.Seconds())
	if e.Attempts > 0 {
		m.chats.waited.Observe(e.Waited.Seconds())
	}
	if e.FirstToken > 0 {
		m.chats.first.Observe(e.FirstToken.Seconds())
	}
	if e.Code == "" {
		m.chats.finished.WithLabelValues(words(finishes()).of(e.FinishReason)).Inc()
	}
}

// WatchChat has the state of the chat model read at each scrape. It is called
// once at most, before anybody scrapes; stats must return without waiting for
// anything but a mutex.
func (m *Metrics) WatchChat(stats func() chat.Stats) {
	l := &look[chat.Stats]{source: stats}
	l.gauge("weir_chat_writing", "Answers being written by the chat model.",
		func(s chat.Stats) float64 { return float64(s.Writing) })
	l.gauge("weir_chat_writing_limit", "Most answers written side by side.",
		func(s chat.Stats) float64 { return float64(s.MaxWriting) })
	l.gauge("weir_chat_waiting", "Calls that wait for a place at the chat model.",
		func(s chat.Stats) float64 { return float64(s.Waiting) })
	l.gauge("weir_chat_waiting_limit", "Most calls that may wait for a place at the chat model.",
		func(s chat.Stats) float64 { return float64(s.MaxWaiting) })
	l.gauge("weir_chat_oldest_attempt_seconds", "Age of the oldest request to the chat model under way; 0 when there is none.",
		func(s chat.Stats) float64 { return seconds(s.OldestMS) })
	l.gauge("weir_chat_pause_seconds", "What is left of the pause that the chat model asked for (Retry-After).",
		func(s chat.Stats) float64 { return seconds(s.PauseMS) })
	l.counter("weir_chat_refusals_total", "Answers refused at once, by admission, a pause or an open breaker.",
		func(s chat.Stats) float64 { return float64(s.Refused) })
	l.counter("weir_chat_retries_total", "Requests to the chat model that were tries again.",
		func(s chat.Stats) float64 { return float64(s.Retries) })
	l.state("weir_chat_breaker_state", "1 for the state the breaker of the chat model is in, 0 for the others.", breakerStates(),
		func(s chat.Stats) string { return s.Breaker })
	l.counter("weir_chat_breaker_opens_total", "How often the breaker of the chat model opened.",
		func(s chat.Stats) float64 { return float64(s.BreakerOpens) })
	m.registry.MustRegister(l)
}
