package metrics

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// maxRoutes bounds the routes that are told apart. The door has fewer; the
// bound is for the day somebody hands a path in.
const maxRoutes = 64

// requestMetrics are what the HTTP door answered.
type requestMetrics struct {
	ended  *prometheus.CounterVec
	took   *prometheus.HistogramVec
	routes *routes
}

func newRequestMetrics(r *prometheus.Registry) requestMetrics {
	return requestMetrics{
		ended: counters(r, "weir_http_requests_total",
			"HTTP requests that ended, by the route's pattern and the status of the answer (other: none was sent).",
			"method", "route", "status"),
		took: histograms(r, "weir_http_request_duration_seconds",
			"Time from a request's headers to the end of its answer, streams as long as they last.",
			append(callBuckets(), 30, 60, 300), "method", "route"),
		routes: &routes{seen: map[string]struct{}{}},
	}
}

// RequestEnded counts an HTTP request. route is the pattern it matched.
func (m *Metrics) RequestEnded(method, route string, status int, took time.Duration) {
	method, route = m.words.methods.of(method), m.requests.routes.of(route)
	answer := other
	if status >= 100 && status < 600 {
		answer = strconv.Itoa(status)
	}
	m.requests.ended.WithLabelValues(method, route, answer).Inc()
	m.requests.took.WithLabelValues(method, route).Observe(took.Seconds())
}

// routes is a set that grows to its bound and then no more.
type routes struct {
	mu   sync.RWMutex
	seen map[string]struct{}
}

func (r *routes) of(route string) string {
	r.mu.RLock()
	_, known := r.seen[route]
	r.mu.RUnlock()
	if known {
		return route
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.seen[route]; !known && len(r.seen) >= maxRoutes {
		return other
	}
	r.seen[route] = struct{}{}
	return route
}
