package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"weir/internal/embed"
	"weir/internal/rag"
)

// breakerStates are the words of Breaker in embed.Stats and chat.Stats.
func breakerStates() []string { return []string{"closed", "open", "half-open"} }

// pipelineCollector shows the state of the embedding pipeline.
func pipelineCollector(stats func() embed.Stats) prometheus.Collector {
	l := &look[embed.Stats]{source: stats}
	addLine(l)
	addProvider(l)
	addCache(l)
	return l
}

// addLine adds what waits.
func addLine(l *look[embed.Stats]) {
	query, ingest := purposeLabel(rag.ForQuery), purposeLabel(rag.ForIngest)
	l.gauges("weir_queue_texts", "Texts that wait for a slot.", "purpose", []string{query, ingest},
		func(s embed.Stats, purpose string) float64 {
			if purpose == ingest {
				return float64(s.QueuedIngest)
			}
			return float64(s.Queued)
		})
	l.gauge("weir_pending_texts", "Different texts that callers wait for, being sent or not.",
		func(s embed.Stats) float64 { return float64(s.Pending) })
	l.gauge("weir_pending_bytes", "Bytes of the texts that callers wait for.",
		func(s embed.Stats) float64 { return float64(s.PendingBytes) })
	l.gauge("weir_pending_users", "Users who wait for texts.",
		func(s embed.Stats) float64 { return float64(s.Users) })
	l.gauge("weir_retrying_batches", "Batches that wait to be sent again.",
		func(s embed.Stats) float64 { return float64(s.Retrying) })
	l.counter("weir_pipeline_refusals_total", "Calls of the pipeline refused at once, by its admission or an open breaker.",
		func(s embed.Stats) float64 { return float64(s.Refused) })
}

// addProvider adds how the provider is asked.
func addProvider(l *look[embed.Stats]) {
	l.gauge("weir_provider_slots_busy", "Requests to the provider under way.",
		func(s embed.Stats) float64 { return float64(s.Slots) })
	l.gauge("weir_provider_slots_cooling", "Slots kept a little longer after a request was given up.",
		func(s embed.Stats) float64 { return float64(s.Cooling) })
	l.gauge("weir_provider_slots_limit", "Requests that may be under way now; follows what the provider bears.",
		func(s embed.Stats) float64 { return float64(s.Limit) })
	l.gauge("weir_provider_slots_max", "Requests that may ever be under way.",
		func(s embed.Stats) float64 { return float64(s.MaxSlots) })
	l.gauge("weir_provider_batch_limit", "Most texts of one request, as learned from the provider.",
		func(s embed.Stats) float64 { return float64(s.MaxBatch) })
	l.gauge("weir_provider_pause_seconds", "What is left of the pause that the provider asked for (Retry-After).",
		func(s embed.Stats) float64 { return seconds(s.PauseMS) })
	l.gauge("weir_provider_oldest_attempt_seconds", "Age of the oldest request under way; 0 when there is none.",
		func(s embed.Stats) float64 { return seconds(s.OldestMS) })
	l.gauge("weir_provider_typical_attempt_seconds", "Median of the last requests for queries that succeeded, which predictions go by.",
		func(s embed.Stats) float64 { return seconds(s.TypicalMS) })
	l.counter("weir_provider_retries_total", "Requests that were tries again.",
		func(s embed.Stats) float64 { return float64(s.Retries) })
	l.state("weir_breaker_state", "1 for the state the breaker is in, 0 for the others.", breakerStates(),
		func(s embed.Stats) string { return s.Breaker })
	l.counter("weir_breaker_opens_total", "How often the breaker opened.",
		func(s embed.Stats) float64 { return float64(s.BreakerOpens) })
}

// addCache adds the cache of vectors.
func addCache(l *look[embed.Stats]) {
	l.counter("weir_cache_hits_total", "Texts whose vector was in the cache.",
		func(s embed.Stats) float64 { return float64(s.CacheHits) })
	l.counter("weir_cache_misses_total", "Texts whose vector was not in the cache.",
		func(s embed.Stats) float64 { return float64(s.CacheMisses) })
	l.gauge("weir_cache_entries", "Vectors in the cache, of questions and passages.",
		func(s embed.Stats) float64 { return float64(s.CacheEntries) })
	l.gauge("weir_cache_bytes", "Memory that the cache of vectors takes.",
		func(s embed.Stats) float64 { return float64(s.CacheBytes) })
	l.gauge("weir_cache_limit_bytes", "Most memory that the cache of vectors may take.",
		func(s embed.Stats) float64 { return float64(s.MaxCacheBytes) })
}
