package rag

import (
	"context"
	"log/slog"
)

// Tracer follows calls, and the work on documents, through their stages. It
// never blocks.
type Tracer interface {
	// Begin begins a stage inside of what ctx is a part of; the ctx it returns is
	// the stage's. end is called once. Notes are numbers, ids and words of closed
	// sets; never a text, a name, or a user.
	Begin(ctx context.Context, stage string, notes ...slog.Attr) (within context.Context, end func(err error, notes ...slog.Attr))
}

// span begins a stage for the tracer, if there is one.
func (s *Service) span(ctx context.Context, stage string, notes ...slog.Attr) (context.Context, func(err error, notes ...slog.Attr)) {
	if s.cfg.Tracer == nil || ctx.Value(unseenKey{}) != nil {
		return ctx, func(error, ...slog.Attr) {}
	}
	return s.cfg.Tracer.Begin(ctx, stage, notes...)
}

type unseenKey struct{}

// unseen is for looks that are made again and again: they would bury what a
// trace is for.
func unseen(ctx context.Context) context.Context { return context.WithValue(ctx, unseenKey{}, true) }

// traced runs f as a stage.
func traced[T any](ctx context.Context, s *Service, stage string, f func(context.Context) (T, error)) (T, error) {
	ctx, end := s.span(ctx, stage)
	got, err := f(ctx)
	end(err)
	return got, err
}

// notes is what a call's span says of its end.
func (e *CallEnd) notes() []slog.Attr {
	notes := make([]slog.Attr, 0, 3)
	if e.Mode != "" {
		notes = append(notes, slog.String("mode", string(e.Mode)))
	}
	if e.Empty != "" {
		notes = append(notes, slog.String("empty_reason", string(e.Empty)))
	}
	if len(e.Degraded) > 0 {
		notes = append(notes, slog.String("degraded", e.Degraded[0].Stage))
	}
	return notes
}
