package embed

import (
	"time"

	"weir/internal/rag"
)

// Stats is a look at a Pipeline. The counters only grow.
type Stats struct {
	Queued        int     `json:"queued"`          // texts of queries that wait for a slot
	QueuedIngest  int     `json:"queued_ingest"`   // texts of ingest that do
	Pending       int     `json:"pending"`         // different texts that callers wait for, under way or not
	PendingBytes  int     `json:"pending_bytes"`   //
	Retrying      int     `json:"retrying"`        // batches that wait to be tried again
	Users         int     `json:"users"`           // who wait for something
	Slots         int     `json:"slots"`           // attempts under way
	Cooling       int     `json:"slots_cooling"`   // slots that are taken a little longer
	Limit         int     `json:"limit"`           // attempts there may be now
	LimitIngest   int     `json:"limit_ingest"`    // of these, for ingest
	MaxSlots      int     `json:"max_slots"`       // attempts there may be ever
	Warming       bool    `json:"warming"`         // an attempt is given time to load the model
	MaxBatch      int     `json:"max_batch"`       // texts of a request, as learned
	Breaker       string  `json:"breaker"`         // closed, open or half-open
	BreakerOpens  int64   `json:"breaker_opens"`   // how often it opened
	PauseMS       float64 `json:"pause_ms"`        // left of the pause the provider asked for
	PauseIngestMS float64 `json:"pause_ingest_ms"` // the same for ingest
	OldestMS      float64 `json:"oldest_ms"`       // age of the oldest attempt under way
	TypicalMS     float64 `json:"typical_ms"`      // median of the last attempts for queries that succeeded
	Calls         int64   `json:"calls"`           // of Embed
	Refused       int64   `json:"calls_refused"`   // by admission or an open breaker
	Attempts      int64   `json:"attempts"`        // batches that were sent, tries again among them
	Retries       int64   `json:"retries"`         // tries again
	Hedges        int64   `json:"hedges"`          // of these, beside an attempt under way
	Failed        int64   `json:"failed"`          // attempts that failed or were given up
	Texts         int64   `json:"texts"`           // texts of all attempts
	CacheHits     int64   `json:"cache_hits"`      // texts answered by the cache
	CacheMisses   int64   `json:"cache_misses"`    //
	CacheEntries  int     `json:"cache_entries"`   //
	CacheBytes    int     `json:"cache_bytes"`     //
	MaxCacheBytes int     `json:"max_cache_bytes"`
}

// counters only grow.
type counters struct {
	calls, refused, attempts, retries, hedges, failed, texts, hits, misses int64
}

// Stats waits for nothing but the pipeline's mutex, which is never held for
// long.
func (p *Pipeline) Stats() Stats {
	entries, bytes := p.cache.queries.size()
	more, moreBytes := p.cache.passages.size()
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	s := Stats{
		Queued: p.queue.waiting(rag.ForQuery), QueuedIngest: p.queue.waiting(rag.ForIngest),
		Pending: len(p.table.byKey), PendingBytes: p.table.bytes, Retrying: len(p.asleep), Users: len(p.users),
		Slots: p.slots.busy, Cooling: p.slots.used(now) - p.slots.busy, Limit: int(p.slots.limit), MaxSlots: p.slots.hard,
		MaxBatch: p.MaxBatch(), Breaker: p.breaker.State.String(), BreakerOpens: p.breaker.Opens,
		LimitIngest: min(int(p.slots.passages.limit), int(p.slots.limit)), Warming: p.pioneer != nil,
		PauseMS:       ms(max(0, p.pausedUntil(rag.ForQuery).Sub(now))),
		PauseIngestMS: ms(max(0, p.pausedUntil(rag.ForIngest).Sub(now))),
		TypicalMS:     ms(p.pace(rag.ForQuery).Typical()),
		Calls:         p.count.calls, Refused: p.count.refused, Attempts: p.count.attempts, Retries: p.count.retries, Hedges: p.count.hedges,
		Failed: p.count.failed, Texts: p.count.texts, CacheHits: p.count.hits, CacheMisses: p.count.misses,
		CacheEntries: entries + more, CacheBytes: bytes + moreBytes, MaxCacheBytes: p.cfg.CacheBytes,
	}
	for b := range p.flying {
		s.OldestMS = max(s.OldestMS, ms(now.Sub(b.began)))
	}
	return s
}

// waiting counts the texts that wait in a lane, made up into batches or not.
func (q *queue) waiting(p rag.Purpose) int {
	l := q.lane(p)
	n := l.items
	for _, b := range l.ready {
		n += b.live
	}
	return n
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
