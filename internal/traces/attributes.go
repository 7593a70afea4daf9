package traces

import (
	"errors"
	"log/slog"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"weir/internal/rag"
)

// What a span may say. A key that is not here is left out, so that a new note
// somewhere cannot carry a text out of the house unseen.
func keys() []string {
	return []string{"operation_id", "document", "mode", "empty_reason", "degraded", "texts", "attempt", "passages", "model", "finish_reason"}
}

// maxWord bounds a note: ids and words of closed sets are short.
const maxWord = 64

func attributes(notes []slog.Attr) []attribute.KeyValue {
	kvs := make([]attribute.KeyValue, 0, len(notes))
	for _, n := range notes {
		if !slices.Contains(keys(), n.Key) {
			continue
		}
		key := attribute.Key("weir." + n.Key)
		switch v := n.Value.Resolve(); v.Kind() {
		case slog.KindString:
			if s := v.String(); len(s) <= maxWord {
				kvs = append(kvs, key.String(s))
			}
		case slog.KindInt64:
			kvs = append(kvs, key.Int64(v.Int64()))
		case slog.KindBool:
			kvs = append(kvs, key.Bool(v.Bool()))
		case slog.KindFloat64:
			kvs = append(kvs, key.Float64(v.Float64()))
		default: // anything may be in it
		}
	}
	return kvs
}

// failed notes an error by its code and phase; its words may be of the caller.
func failed(span trace.Span, code rag.Code, phase string) {
	if code == "" {
		return
	}
	span.SetAttributes(attribute.String("error.type", string(code)))
	if phase != "" {
		span.SetAttributes(attribute.String("weir.phase", phase))
	}
	span.SetStatus(codes.Error, string(code))
}

func failure(span trace.Span, err error) {
	if err == nil {
		return
	}
	phase := ""
	var e *rag.Error
	if errors.As(err, &e) {
		phase = e.Phase
	}
	failed(span, rag.CodeOf(err), phase)
}
