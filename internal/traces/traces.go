package traces

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"weir/internal/rag"
)

// Traces follows calls. It is safe for concurrent use.
type Traces struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	exporter *exporter
}

// New begins; Close must be called. It goes on when ctx has ended, of which it
// takes the values alone.
func New(ctx context.Context, cfg Config) (*Traces, error) {
	cfg = cfg.WithDefaults()
	to, err := newCollector(cfg)
	if err != nil {
		return nil, err
	}
	return newTraces(ctx, cfg, to)
}

func newTraces(ctx context.Context, cfg Config, to sender) (*Traces, error) {
	s, err := sampler(cfg)
	if err != nil {
		return nil, err
	}
	about := []attribute.KeyValue{attribute.String("service.name", cfg.Service), attribute.String("service.version", cfg.Version)}
	for k, v := range cfg.About {
		about = append(about, attribute.String(k, v))
	}
	e := newExporter(ctx, cfg, to)
	p := sdktrace.NewTracerProvider(
		sdktrace.WithSampler(s),
		sdktrace.WithResource(resource.NewSchemaless(about...)),
		sdktrace.WithSpanProcessor(e),
		sdktrace.WithRawSpanLimits(sdktrace.NewSpanLimits()),
	)
	return &Traces{provider: p, tracer: p.Tracer("weir"), exporter: e}, nil
}

// CheckSampler says whether there is a sampler of this name.
func CheckSampler(name string) error {
	_, err := sampler(Config{Sampler: name})
	return err
}

func sampler(cfg Config) (sdktrace.Sampler, error) {
	ratio := sdktrace.TraceIDRatioBased(cfg.Ratio)
	switch cfg.Sampler {
	case "always_on":
		return sdktrace.AlwaysSample(), nil
	case "always_off":
		return sdktrace.NeverSample(), nil
	case "traceidratio":
		return ratio, nil
	case "parentbased_always_on":
		return sdktrace.ParentBased(sdktrace.AlwaysSample()), nil
	case "parentbased_always_off":
		return sdktrace.ParentBased(sdktrace.NeverSample()), nil
	case "parentbased_traceidratio":
		return sdktrace.ParentBased(ratio), nil
	default:
		return nil, fmt.Errorf("%q is no sampler; there are always_on, always_off, traceidratio, and these with parentbased_ before them", cfg.Sampler)
	}
}

// Close sends what waits, as far as it gets until ctx ends, and stops.
func (t *Traces) Close(ctx context.Context) error {
	return t.provider.Shutdown(ctx) //nolint:wrapcheck // it is exporter's
}

// Stats is what became of spans since the start.
type Stats struct {
	Sent    int64 // taken by the collector
	Dropped int64 // there was no room in the queue, or the collector did not take them
	Waiting int
}

// Stats waits for nothing.
func (t *Traces) Stats() Stats { return t.exporter.stats() }

// RequestBegan begins the span of a request of the door. It is the door's Tracer.
func (t *Traces) RequestBegan(ctx context.Context, h http.Header, method, route, operation string) (context.Context, string, func(int, rag.Code)) {
	ctx, span := t.tracer.Start(remote(ctx, h.Values("Traceparent")), method+" "+route, trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(
			attribute.String("http.request.method", method), attribute.String("http.route", route),
			attribute.String("weir.operation_id", operation),
		))
	id := ""
	if span.IsRecording() {
		id = span.SpanContext().TraceID().String()
	}
	return ctx, id, func(status int, code rag.Code) {
		span.SetAttributes(attribute.Int("http.response.status_code", status))
		if code != "" {
			span.SetAttributes(attribute.String("error.type", string(code)))
		}
		if status >= http.StatusInternalServerError { // a caller's mistake is none of the server's
			span.SetStatus(codes.Error, string(code))
		}
		span.End()
	}
}

// Begin begins the span of a stage. It is a rag.Tracer.
func (t *Traces) Begin(ctx context.Context, stage string, notes ...slog.Attr) (context.Context, func(error, ...slog.Attr)) {
	ctx, span := t.tracer.Start(ctx, stage, trace.WithAttributes(attributes(notes)...))
	return ctx, func(err error, notes ...slog.Attr) {
		span.SetAttributes(attributes(notes)...)
		failure(span, err)
		span.End()
	}
}

// Parent names what ctx is a part of. It is an embed.Tracer's.
func (t *Traces) Parent(ctx context.Context) string { return traceparent(ctx) }

// AttemptBegan begins the span of a request to the provider: inside of the first
// of the calls that it is made for, with links to the others. It is an
// embed.Tracer's.
func (t *Traces) AttemptBegan(ctx context.Context, parents []string, purpose rag.Purpose, texts, try int) (string, func(rag.Code, string)) {
	options := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("weir.purpose", purposeName(purpose)), attribute.Int("weir.texts", texts), attribute.Int("weir.attempt", try),
	)}
	if len(parents) > 0 {
		for _, p := range parents[1:] {
			options = append(options, trace.WithLinks(trace.LinkFromContext(remote(ctx, []string{p}))))
		}
		ctx = remote(ctx, parents[:1])
	}
	ctx, span := t.tracer.Start(ctx, "provider", options...)
	return traceparent(ctx), func(code rag.Code, phase string) {
		failed(span, code, phase)
		span.End()
	}
}

// AnswerBegan begins the span of a request to the chat model. It is a
// chat.Tracer's.
func (t *Traces) AnswerBegan(ctx context.Context, try int) (string, func(rag.Code, string)) {
	ctx, span := t.tracer.Start(ctx, "provider", trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("weir.purpose", "answer"), attribute.Int("weir.attempt", try),
	))
	return traceparent(ctx), func(code rag.Code, phase string) {
		failed(span, code, phase)
		span.End()
	}
}

func purposeName(p rag.Purpose) string {
	if p == rag.ForIngest {
		return "ingest"
	}
	return "query"
}

const traceparentHeader = "traceparent"

// remote puts the span that a traceparent names into ctx; one that is not well
// formed, or is there twice, names none.
func remote(ctx context.Context, traceparents []string) context.Context {
	if len(traceparents) != 1 {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{traceparentHeader: traceparents[0]})
}

func traceparent(ctx context.Context) string {
	c := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, c)
	return c[traceparentHeader]
}
