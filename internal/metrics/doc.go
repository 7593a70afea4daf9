// Package metrics shows what a Weir server does, in the form that Prometheus
// reads: what callers got, how busy the service is, how the embedding provider
// is asked and what it answers, and how the process fares.
//
// # Goals
//
//   - Telling costs a call less than a microsecond, and nobody waits for a
//     scrape.
//   - A scrape waits for nothing but mutexes that are held for moments, and is
//     given up when it takes long all the same. It costs no store, file or
//     provider a thing, except for what the kernel says about the process.
//   - Every value of a label comes from a closed set, so that the number of
//     series is bounded whatever callers and provider do. What is not in the
//     set is "other". No user, text, name or path is in any of it.
//   - A series that an alert reads is there, at zero, before anything happens:
//     a counter that first appears at 1 has never risen for Prometheus.
//
// # Design
//
// [Metrics] is told of what ended (a call, an attempt, a request) by methods
// with the shapes of rag.Observer, embed.Observer and the door's observer, and
// counts at that moment. What is a state rather than an event is read when it
// is asked for, in one look for all of its series, so that they agree with each
// other ([Metrics.Watch]).
//
// The table in docs/OBSERVABILITY.md is written from the registry by this
// package's tests, which also hold the rules and the dashboard in deploy/ to
// names, labels and values that exist.
//
// Histograms have fixed buckets only. A server that also offered native ones
// would lose the fixed ones in Prometheus as soon as its owner switches native
// histograms on, and with them every alert on a quantile, without a word.
package metrics
