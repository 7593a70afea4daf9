package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"weir/internal/rag"
)

// loadCollector shows how busy the service is.
func loadCollector(load func() rag.Load) prometheus.Collector {
	l := &look[rag.Load]{source: load}
	l.counter("weir_deadline_overruns_total",
		"Calls that outlived their deadline by more than 50 ms, counted after 1 s if they are still there. Must stay 0.",
		func(n rag.Load) float64 { return float64(n.Overruns) })
	l.counter("weir_refusals_total", "Calls refused at once by admission, as overloaded or rate_limited.",
		func(n rag.Load) float64 { return float64(n.Refused) })
	l.gauge("weir_calls_in_flight", "Calls that are worked on.",
		func(n rag.Load) float64 { return float64(n.InFlight) })
	l.gauge("weir_calls_in_flight_limit", "Most calls that are worked on side by side.",
		func(n rag.Load) float64 { return float64(n.MaxInFlight) })
	l.gauge("weir_calls_waiting", "Calls that wait for their turn.",
		func(n rag.Load) float64 { return float64(n.Waiting) })
	l.gauge("weir_calls_waiting_limit", "Most calls that may wait.",
		func(n rag.Load) float64 { return float64(n.MaxWaiting) })
	l.gauge("weir_calls_held_bytes", "Memory set aside for calls that are worked on or wait.",
		func(n rag.Load) float64 { return float64(n.Bytes) })
	l.gauge("weir_calls_held_limit_bytes", "Most memory that may be set aside for calls that are worked on or wait.",
		func(n rag.Load) float64 { return float64(n.MaxBytes) })
	l.gauge("weir_calls_predicted_wait_seconds", "How long the next call of a user who has none would wait for its turn.",
		func(n rag.Load) float64 { return n.PredictedWait.Seconds() })
	l.gauge("weir_calls_oldest_age_seconds", "Age of the oldest call; 0 when there is none.",
		func(n rag.Load) float64 { return n.OldestAge.Seconds() })
	l.gauge("weir_documents_queued", "Documents that wait to be indexed, of all servers on the store, as of at most some seconds ago.",
		func(n rag.Load) float64 { return float64(n.Queued) })
	l.gauge("weir_documents_in_work", "Documents that are being indexed, by all servers on the store, as of at most some seconds ago.",
		func(n rag.Load) float64 { return float64(n.Working) })
	l.gauge("weir_move_running", "1 while this server moves the documents to another embedding model.",
		func(n rag.Load) float64 {
			if n.Moving {
				return 1
			}
			return 0
		})
	l.gauge("weir_move_passages", "Passages of the documents that this server moves, or moved last, to another embedding model.",
		func(n rag.Load) float64 { return float64(n.Moved.Total) })
	l.gauge("weir_move_passages_done", "Of those, the ones that have a vector of that model.",
		func(n rag.Load) float64 { return float64(n.Moved.Done) })
	return l
}
