package httpapi

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"weir/internal/rag"
)

// log writes the one line of an exchange; p is the zero Problem if all went
// well, and its status can differ from what was sent only in a stream. What the caller sent is not in it:
// no question, document, name or path, and the user only as a hash that is
// good within this process's log.
func (d *door) log(ctx context.Context, x *exchange, rt route, p Problem, took time.Duration, trace string, err error) {
	level := slog.LevelInfo
	switch {
	case p.Status == http.StatusInternalServerError:
		level = slog.LevelError
	case p.Status >= 500:
		level = slog.LevelWarn
	case rt.quiet:
		level = slog.LevelDebug
	}
	attrs := []slog.Attr{
		slog.String("method", logMethod(x.r.Method)), slog.String("route", rt.path), slog.Int("status", x.status),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000),
		slog.String("operation_id", x.operation),
	}
	if x.user != "" {
		mac := hmac.New(sha256.New, d.logKey[:])
		mac.Write([]byte(x.user))
		attrs = append(attrs, slog.String("user", hex.EncodeToString(mac.Sum(nil)[:6])))
	}
	if trace != "" {
		attrs = append(attrs, slog.String("trace_id", trace))
	}
	// On this machine it says nothing.
	if from := d.whence(x.r); from.client.IsValid() && !from.client.IsLoopback() {
		attrs = append(attrs, slog.String("client", from.client.String()), slog.String("scheme", from.scheme))
	}
	if p.Code != "" {
		attrs = append(attrs, slog.String("code", string(p.Code)))
	}
	// The words of a 4xx are about what the caller sent.
	if p.Status >= 500 {
		attrs = append(attrs, slog.String("error", err.Error()))
		var e *rag.Error
		if errors.As(err, &e) && e.Phase != "" {
			attrs = append(attrs, slog.String("phase", e.Phase))
		}
		var panicked *panicError
		if errors.As(err, &panicked) {
			attrs = append(attrs, slog.String("stack", string(panicked.stack)))
		}
	}
	d.cfg.Log.LogAttrs(ctx, level, "request", attrs...)
}

// logMethod is m if it is a method that a route may have: anything else is the
// caller's own words.
func logMethod(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	default:
		return "other"
	}
}
