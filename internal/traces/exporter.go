package traces

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// sender sends spans. It returns when ctx ends.
type sender interface {
	send(ctx context.Context, spans []sdktrace.ReadOnlySpan) error
	close()
}

// exporter is a sdktrace.SpanProcessor: a queue and one goroutine that sends what
// is in it. A batch that is not taken is dropped: what comes after it is of more
// use than what was.
type exporter struct {
	batch   int
	every   time.Duration
	timeout time.Duration
	to      sender
	log     *slog.Logger

	queue   chan sdktrace.ReadOnlySpan
	full    chan struct{} // a batch waits
	end     chan struct{} // closed by Shutdown
	ended   func()
	stop    context.CancelFunc // ends the request under way
	stopped chan struct{}      // closed when the goroutine is done

	sent, dropped atomic.Int64
	failing       bool // the goroutine's alone: said so in the log
}

func newExporter(ctx context.Context, cfg Config, to sender) *exporter {
	e := &exporter{
		batch: cfg.Batch, every: cfg.Every, timeout: cfg.Timeout, to: to, log: cfg.Log,
		queue: make(chan sdktrace.ReadOnlySpan, cfg.Queue), full: make(chan struct{}, 1),
		end: make(chan struct{}), stopped: make(chan struct{}),
	}
	e.ended = sync.OnceFunc(func() { close(e.end) })
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // it ends with Shutdown
	e.stop = cancel
	go e.run(ctx)
	return e
}

func (e *exporter) stats() Stats {
	return Stats{Sent: e.sent.Load(), Dropped: e.dropped.Load(), Waiting: len(e.queue)}
}

// OnStart does nothing.
func (e *exporter) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd takes a span, or drops it. It never waits.
func (e *exporter) OnEnd(s sdktrace.ReadOnlySpan) {
	if !s.SpanContext().IsSampled() {
		return
	}
	select {
	case <-e.end:
		e.dropped.Add(1)
		return
	default:
	}
	select {
	case e.queue <- s:
	default:
		e.dropped.Add(1)
		return
	}
	if len(e.queue) >= e.batch {
		select {
		case e.full <- struct{}{}:
		default:
		}
	}
}

// ForceFlush does nothing: spans are sent in time.
func (e *exporter) ForceFlush(context.Context) error { return nil }

// Shutdown sends what waits until ctx ends, and drops the rest.
func (e *exporter) Shutdown(ctx context.Context) error {
	e.ended()
	defer e.stop()
	select {
	case <-e.stopped:
		return nil
	case <-ctx.Done():
	}
	e.stop()
	<-e.stopped // soon: whatever is under way ends with its ctx
	return fmt.Errorf("traces that were not sent in time were dropped: %w", context.Cause(ctx))
}

func (e *exporter) run(ctx context.Context) {
	defer close(e.stopped)
	defer e.to.close()
	tick := time.NewTicker(e.every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			e.flush(ctx)
		case <-e.full:
			e.once(ctx, e.take())
		case <-e.end:
			e.flush(ctx)
			return
		}
	}
}

// flush sends what was there when it began.
func (e *exporter) flush(ctx context.Context) {
	for n := len(e.queue); n > 0; n -= e.batch {
		e.once(ctx, e.take())
	}
}

func (e *exporter) take() []sdktrace.ReadOnlySpan {
	spans := make([]sdktrace.ReadOnlySpan, 0, min(e.batch, len(e.queue)))
	for len(spans) < e.batch {
		select {
		case s := <-e.queue:
			spans = append(spans, s)
		default:
			return spans
		}
	}
	return spans
}

func (e *exporter) once(ctx context.Context, spans []sdktrace.ReadOnlySpan) {
	if len(spans) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	if err := e.to.send(ctx, spans); err != nil {
		e.dropped.Add(int64(len(spans)))
		if !e.failing { // once, and not for every batch
			e.failing = true
			e.log.WarnContext(ctx, "traces are not taken by the collector; they are dropped until it does", "error", err)
		}
		return
	}
	e.sent.Add(int64(len(spans)))
	if e.failing {
		e.failing = false
		e.log.InfoContext(ctx, "traces are taken by the collector again", "dropped", e.dropped.Load())
	}
}
