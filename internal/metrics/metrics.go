package metrics

import (
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"weir/internal/embed"
	"weir/internal/rag"
)

const (
	// scrapeTimeout is the longest a scrape may take. Prometheus waits 10 s
	// unless told otherwise.
	scrapeTimeout = 5 * time.Second
	// maxScrapes is how many scrapes may go on; more are refused.
	maxScrapes = 4
)

// Metrics is all that is counted in one server. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	words    vocabulary
	calls    callMetrics
	embeds   embedMetrics
	chats    chatMetrics
	requests requestMetrics
}

// New returns the metrics of a server of this version, with nothing counted.
func New(version string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), words: newVocabulary()}
	m.calls = newCallMetrics(m.registry, m.words)
	m.embeds = newEmbedMetrics(m.registry, m.words)
	m.chats = newChatMetrics(m.registry, m.words)
	m.requests = newRequestMetrics(m.registry)
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "weir_build_info", Help: "1, labelled with the version of Weir and of Go.",
		ConstLabels: prometheus.Labels{"version": version, "go_version": runtime.Version()},
	})
	build.Set(1)
	m.registry.MustRegister(
		build,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// Watch has the state of the service, and of the embedding pipeline if there is
// one, read at each scrape; pipeline may be nil. It is called once, before
// anybody scrapes. Both functions must return without waiting for anything but
// a mutex.
func (m *Metrics) Watch(load func() rag.Load, pipeline func() embed.Stats) {
	m.registry.MustRegister(loadCollector(load))
	if pipeline != nil {
		m.registry.MustRegister(pipelineCollector(pipeline))
	}
}

// Handler answers scrapes in Prometheus' text format. When more go on than
// there may, or one takes too long, the answer is a 503; a part that cannot be
// read is left out and counted in promhttp_metric_handler_errors_total.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorHandling:       promhttp.ContinueOnError,
		Registry:            m.registry,
		MaxRequestsInFlight: maxScrapes,
		Timeout:             scrapeTimeout,
	})
}

// counters makes and registers a vector of counters.
func counters(r *prometheus.Registry, name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	r.MustRegister(c)
	return c
}

// histograms makes and registers a vector of histograms.
func histograms(r *prometheus.Registry, name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	r.MustRegister(h)
	return h
}

// histogram makes and registers one without labels.
func histogram(r *prometheus.Registry, name, help string, buckets []float64) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets})
	r.MustRegister(h)
	return h
}

// callBuckets are seconds: from what a cached answer takes to past the default
// deadline, finer towards it.
func callBuckets() []float64 {
	return []float64{.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 4, 6, 8, 9, 10, 12}
}

func seconds(ms float64) float64 { return ms / 1000 }
