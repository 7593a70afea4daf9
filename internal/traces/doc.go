// Package traces sends what happens during a call, stage by stage, to a
// collector that speaks OpenTelemetry's protocol (OTLP over HTTP).
//
// # Goals
//
//   - Nobody waits for it: a span that has ended goes into a bounded queue, or is
//     counted as dropped. A collector that is down, slow or silent costs a few
//     requests with a time limit, and no call anything.
//   - No text in it: no question, document, name, path, or user, and no header of
//     a caller but the ids of W3C Trace Context. What a stage may say is a closed
//     list (attributes.go).
//
// # Design
//
// [Traces] has the methods that rag.Tracer, embed.Tracer and the door's Tracer
// ask for, on OpenTelemetry's SDK. Ended spans go to exporter (exporter.go): one
// goroutine that collects and sends batches. otlp.go is the request. It is ours
// because OpenTelemetry's own HTTP exporter links all of gRPC, which doubles what
// tracing adds to the program; the spans' form is its, by its otlptrace package.
//
// # Whose trace
//
// A request that names a trace (traceparent) goes on in it. Whether it is recorded
// is the sampler's to say: with those that are parent-based, also the default, the
// caller's flag decides; with the others it does not. tracestate is not taken from
// callers, nor given to the provider, as it may hold anything.
package traces
