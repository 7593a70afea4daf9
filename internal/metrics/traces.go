package metrics

// TraceStats is what became of the spans of traces since the start.
type TraceStats struct {
	Sent    int64
	Dropped int64
	Waiting int
}

// WatchTraces has the fate of spans read at each scrape. It is called at most
// once, before anybody scrapes, where traces are on. stats must not wait.
func (m *Metrics) WatchTraces(stats func() TraceStats) {
	l := &look[TraceStats]{source: stats}
	l.counter("weir_trace_spans_sent_total", "Spans that the collector of traces took. There with traces on only.",
		func(s TraceStats) float64 { return float64(s.Sent) })
	l.counter("weir_trace_spans_dropped_total", "Spans that were dropped: the queue was full, or the collector did not take them. There with traces on only.",
		func(s TraceStats) float64 { return float64(s.Dropped) })
	l.gauge("weir_trace_spans_waiting", "Spans that wait to be sent. There with traces on only.",
		func(s TraceStats) float64 { return float64(s.Waiting) })
	m.registry.MustRegister(l)
}
