package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"weir/internal/openapi"
)

// Observer is told of each request that has ended. It never blocks.
type Observer interface {
	// RequestEnded has the pattern of the route, never the path; status 499 is
	// a caller who left.
	RequestEnded(method, route string, status int, took time.Duration)
}

// metrics is GET /metrics, by a handler that is given.
func (d *door) metrics(_ context.Context, x *exchange) (reply, error) {
	d.lend(x, d.cfg.Metrics)
	return reply{}, nil
}

// lend has another's handler answer.
func (d *door) lend(x *exchange, h http.Handler) {
	x.w.Header().Set(operationHeader, x.operation)
	_ = x.control.SetWriteDeadline(time.Now().Add(d.cfg.WriteTimeout)) // fails where there is no connection
	h.ServeHTTP(&witness{ResponseWriter: x.w, x: x}, x.r)
	if x.status == 0 { // as net/http has it
		x.send(d.cfg.WriteTimeout, http.StatusOK, "", nil)
	}
}

// witness notes the status that another's handler answers with.
type witness struct {
	http.ResponseWriter
	x *exchange
}

func (w *witness) WriteHeader(status int) {
	if w.x.status == 0 && status >= 200 {
		w.x.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *witness) Write(p []byte) (int, error) {
	if w.x.status == 0 {
		w.x.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p) //nolint:wrapcheck // it is the other's writer
}

// Unwrap is for http.ResponseController.
func (w *witness) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// look is what a source of Config tells, as JSON; nil when there is none.
func (d *door) look(ctx context.Context, source func() any) json.RawMessage {
	if source == nil {
		return nil
	}
	look := source()
	if look == nil {
		return nil
	}
	b, err := json.Marshal(look)
	if err != nil { // the rest of the status is worth having
		d.cfg.Log.ErrorContext(ctx, "the numbers of the pipeline or the chat model cannot be written as JSON", "error", err)
		return nil
	}
	return b
}

func metricsDoc() description {
	text := func() *openapi.Media { return &openapi.Media{Schema: &openapi.Schema{Type: "string"}} }
	return description{
		id: "metrics", tag: "service", summary: "Metrics for Prometheus",
		gives: map[int]given{
			http.StatusOK: {about: "The metrics.", content: map[string]*openapi.Media{"text/plain": text(), "application/openmetrics-text": text()}},
			http.StatusInternalServerError: {about: "They cannot be gathered.", content: map[string]*openapi.Media{
				"text/plain": text(), problemType: {Schema: openapi.Ref("Problem")},
			}},
		},
	}
}
